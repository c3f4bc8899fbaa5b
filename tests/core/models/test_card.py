"""Sections of a card that commands write, among what a person wrote."""

from __future__ import annotations

from pathlib import Path

from shamisa_cli.core.models.card import replace_section, with_section


def test_a_card_without_the_section_gets_it_at_its_end() -> None:
    card = with_section("# model\n\nMine.\n", "defects", "## Defects\n")
    assert card == "# model\n\nMine.\n\n<!-- shamisa defects -->\n## Defects\n<!-- /shamisa defects -->\n"


def test_writing_again_replaces_the_section_and_nothing_else() -> None:
    card = with_section(with_section("# model", "probe", "first"), "defects", "second") + "\nMine too.\n"
    again = with_section(card, "probe", "third")
    assert again == card.replace("first", "third")
    assert with_section(again, "probe", "third") == again


def test_a_section_whose_end_was_deleted_does_not_swallow_the_card() -> None:
    card = "# model\n<!-- shamisa probe -->\nMine.\n"
    assert "Mine." in with_section(card, "probe", "new")


def test_a_folder_without_a_card_gets_one(tmp_path: Path) -> None:
    replace_section(tmp_path, "probe", "text")
    assert (tmp_path / "README.md").read_text() == "<!-- shamisa probe -->\ntext\n<!-- /shamisa probe -->\n"
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
