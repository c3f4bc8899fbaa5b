"""Names of models that resolve, and errors for those that do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.models import resolver
from shamisa_cli.core.models.hub import HubName
from shamisa_cli.core.models.resolver import REMOVED, bundled, resolve
from shamisa_cli.core.models.transfer import pull_model, push_model


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled models with two in it, and something that is none."""
    root = tmp_path / "weights"
    for name in ("shamisa-small", "shamisa-large"):
        (root / name).mkdir(parents=True)
        (root / name / "config.json").write_text("{}")
    (root / "notes").mkdir()
    monkeypatch.setattr(resolver, "_BUNDLED_ROOT", root)
    monkeypatch.chdir(tmp_path)
    return root


def test_bundled_models_are_listed_and_found_by_name(weights: Path) -> None:
    assert bundled() == ["shamisa-large", "shamisa-small"]
    assert resolve("shamisa-small").path == weights / "shamisa-small"


def test_a_folder_is_found_by_its_path(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = weights.parent / "mine"
    mine.mkdir()
    monkeypatch.setenv("HOME", str(weights.parent))
    assert resolve("mine").path == mine
    assert resolve(str(mine)).path == mine
    assert resolve("~/mine").path == mine


def test_a_bundled_name_goes_before_a_folder_unless_it_is_written_as_a_path(weights: Path) -> None:
    folder = weights.parent / "shamisa-small"
    folder.mkdir()
    assert resolve("shamisa-small").path == weights / "shamisa-small"
    assert resolve("./shamisa-small").path.resolve() == folder


def test_an_unknown_name_gets_a_guess_the_list_and_the_ways_to_name_one(weights: Path) -> None:
    with pytest.raises(ModelError) as caught:
        resolve("shamisa-smal")
    sentence = str(caught.value)
    assert "There is no model or probe 'shamisa-smal'. Did you mean shamisa-small?" in sentence
    assert "Bundled models: shamisa-large, shamisa-small." in sentence
    assert "hf:org/name@revision" in sentence
    with pytest.raises(ModelError) as caught:
        resolve("qwertz")
    assert "Did you mean" not in str(caught.value)
    assert weights.is_dir()


@pytest.mark.parametrize("name", sorted(REMOVED))
def test_the_name_of_a_removed_model_leads_to_its_successor_which_is_bundled(name: str) -> None:
    assert REMOVED[name] in bundled()
    with pytest.raises(ModelError, match=f"{name} is no longer included. Use its successor {REMOVED[name]}"):
        resolve(name)


def test_a_folder_with_the_name_of_a_removed_model_is_still_found(weights: Path) -> None:
    (weights.parent / "shamisa-mobilenetv2").mkdir()
    assert resolve("shamisa-mobilenetv2").source == "folder"


@pytest.mark.parametrize("name", ["", "no/such/folder", "../weights/x", "x" * 10_000, "\0", "~nobody-here/model"])
@pytest.mark.usefixtures("weights")
def test_a_name_that_leads_nowhere_is_an_error_and_no_traceback(name: str) -> None:
    with pytest.raises(ModelError, match="There is no model or probe"):
        resolve(name)


def test_a_file_in_place_of_a_folder_is_explained(weights: Path) -> None:
    with pytest.raises(ModelError, match=r"is a file\. Name the model's folder"):
        resolve(str(weights / "shamisa-small" / "config.json"))


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        ("hf:org/name", "org/name", None),
        ("hf:Org-1/na_me.v2", "Org-1/na_me.v2", None),
        ("hf:org/name@main", "org/name", "main"),
        ("hf:org/name@v1.0-rc_1", "org/name", "v1.0-rc_1"),
        ("hf:org/name@refs/pr/3", "org/name", "refs/pr/3"),
        ("hf:org/name@" + "0a" * 20, "org/name", "0a" * 20),
        ("hf:" + "o" * 95 + "/n", "o" * 95 + "/n", None),
    ],
)
def test_names_on_the_hub(name: str, repository: str, revision: str | None) -> None:
    assert HubName.parse(name) == HubName(repository, revision)
    assert str(HubName.parse(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "hf:",
        "hf:name",
        "hf:org/",
        "hf:/name",
        "hf:org/name/more",
        "hf:org/name@",
        "hf:org/name@-x",
        "hf:org/name@a b",
        "hf:org/name@../x",
        "hf:org/name@a/../../b",
        "hf:../name",
        "hf:org/..",
        "hf:org/a--b",
        "hf:org/a..b",
        "hf:org/-a",
        "hf:org/a-",
        "hf:org/a.",
        "hf:org/name?x=1",
        "hf:org/name#x",
        "hf:org/na\nme",
        "hf:org/name\n",
        "hf:örg/name",
        "hf:" + "o" * 97 + "/n",
        "hf:http://example.org/name",
    ],
)
def test_a_name_that_cannot_be_on_the_hub_is_refused_without_asking_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was made"))
    with pytest.raises(ModelError, match=r"is not the name of a model on the Hub\. Write hf:org/name"):
        resolve(name)


def test_a_name_without_hf_is_not_of_the_hub_so_that_no_mistyped_folder_becomes_a_repository(tiny_model: Path) -> None:
    uses: list[Callable[[str], object]] = [pull_model, lambda name: push_model(str(tiny_model), name)]
    for use in uses:
        with pytest.raises(ModelError, match=r"'me/photos' is not the name of a model on the Hub\. Write hf:org/name"):
            use("me/photos")
