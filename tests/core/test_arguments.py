"""Odd arguments of the public functions are refused by a sentence, and what a user would expect to work does."""

from __future__ import annotations

import inspect
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pictures import save_noise
from PIL import Image

import shamisa_cli
from shamisa_cli import ImageError, InputNotFoundError, SettingError, ShamisaError


class Odd:
    """Something that no function takes."""


ODD: tuple[Any, ...] = (
    None, 7, -1, True, float("nan"), float("inf"), 10**400, "", "nowhere", "nul\0", b"", b"junk", Odd(), print, [],
    [7], [None], {}, {"a": 1}, np.zeros((2, 2)), np.zeros((8, 8, 3), np.uint8), Image.new("RGB", (8, 8)),
)  # fmt: skip
ELSEWHERE = {"run_on_ray", "train"}
"""Functions that would start something large with odd values that are right; their types are checked alike."""
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def usual(folder: Path) -> dict[str, Any]:
    """A value for each parameter that has to be given."""
    picture = folder / "0.png"
    return {
        "paths": [picture], "picture": picture, "ref": picture, "candidates": [picture], "pictures": [picture] * 2,
        "path": picture, "pixels": np.zeros((64, 64, 3), np.uint8), "operator": "gaussian blur", "severity": 1.0,
        "inputs": [picture], "mos": "t.csv", "output": "o", "requests": io.BytesIO(), "write": print, "records": [],
        "decisions": [], "transfers": [], "folder": "f", "action": "copy", "tables": {}, "protocol": "default",
        "run": "r", "repository": "hf:a/b", "address": "x", "target": "t.parquet", "name": "nowhere", "data": [picture],
        "kind": "scores",
    }  # fmt: skip


def public() -> list[str]:
    def takes_arguments(name: str) -> bool:
        value = getattr(shamisa_cli, name)
        return inspect.isfunction(value) or name in shamisa_cli._MADE_BY_USERS

    return [name for name in shamisa_cli.__all__ if takes_arguments(name) and name not in ELSEWHERE]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "noise"
    save_noise(folder, [(64, 48)])
    next(folder.iterdir()).rename(folder / "0.png")
    return folder


@pytest.mark.parametrize("name", public())
def test_odd_arguments_are_refused_by_a_sentence(
    name: str,
    tiny_model: Path,
    relational_folder: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    function: Callable[..., Any] = getattr(shamisa_cli, name)
    parameters = {
        key: each for key, each in inspect.signature(function).parameters.items() if each.kind not in VARIABLE
    }
    given = {key: usual(pictures).get(key) for key, each in parameters.items() if each.default is each.empty}
    if "model" in parameters:
        relates = name in ("compare", "rank")
        given["model"] = shamisa_cli.load_relational_model(relational_folder, scorer=tiny_model) if relates else (
            shamisa_cli.load_model(tiny_model, device="cpu")
        )  # fmt: skip
    for key in parameters:
        for value in ODD:
            try:
                found = function(**(given | {key: value}))
                if isinstance(found, Iterator):
                    list(found)
            except ShamisaError:  # any other error fails the test
                continue


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: shamisa_cli.load_model(None), "load_model: name must be a text, or leave it out; None was given"),
        (lambda: shamisa_cli.load_model(3), "3 (int) was given"),
        (lambda: shamisa_cli.score(".", model=7), "model must be a text, a path, a Model or None"),
        (lambda: shamisa_cli.score(".", view_size=float("nan")), "nan (float) was given"),
        (lambda: shamisa_cli.score(".", max_pixels=-1), "max_pixels must be a whole number from 1 on"),
        (lambda: shamisa_cli.score(".", jobs=0), "jobs must be a whole number from 1 on or None"),
        (lambda: shamisa_cli.score(7), "7 (int) was given"),
        (lambda: shamisa_cli.score(["a.jpg", 7]), "paths[1] is 7 (int)."),
        (lambda: shamisa_cli.discover([Path("a.jpg"), Path("a\0b")]), "inputs[1] is 'a\\x00b' (str with a zero byte)"),
        (lambda: shamisa_cli.score(Path("a\0b")), "'a\\x00b' (str with a zero byte) was given"),
        (lambda: shamisa_cli.score(io.BytesIO(b"")), "file.read()"),
        (lambda: shamisa_cli.degrade(np.zeros((4, 4, 3), np.uint8), "JPEG", 1, seed=2**40), "from 0 to 4294967295"),
        (lambda: shamisa_cli.cull(Image.new("RGB", (8, 8))), "paths must be"),
        (lambda: shamisa_cli.compare(7, []), "ref must be"),
        (lambda: shamisa_cli.score(".", groups=Odd()), "an object of type Odd was given"),
        (lambda: shamisa_cli.CullRule(keep_best="half"), "keep_best must be a number or None"),
        (lambda: shamisa_cli.degrade(np.zeros((4, 4), np.uint8), "JPEG", 1), "(H, W, 3)"),
        (lambda: shamisa_cli.degrade(np.zeros((4, 4, 3)), "JPEG", 1), "np.rint(255 * pixels)"),  # type: ignore[arg-type]
        (lambda: shamisa_cli.degrade(np.zeros((4, 4, 3), np.uint16), "JPEG", 1), "uint8 is needed"),  # type: ignore[arg-type]
        (lambda: shamisa_cli.fit_defects("m", [], versions=1), "versions must be a whole number from 2 on"),
    ],
)
def test_the_sentence_says_what_to_pass(call: Callable[[], object], words: str) -> None:
    with pytest.raises(SettingError) as refused:
        call()
    assert words in str(refused.value)


def test_pictures_in_memory_are_scored_as_their_files_are(tiny_model: Path, pictures: Path) -> None:
    file = pictures / "0.png"
    model = shamisa_cli.load_model(tiny_model, device="cpu")
    content, image = file.read_bytes(), Image.open(file)
    pixels = np.asarray(image.convert("RGB"))
    expected = shamisa_cli.score(file, model)[0].score
    assert expected is not None
    for given in (content, image, pixels):
        (record,) = shamisa_cli.score(given, model)
        assert (record.path, record.score, record.width) == ("picture", expected, 64)
        assert (shamisa_cli.embed(given, model) == shamisa_cli.embed(file, model)).all()
        assert (shamisa_cli.score_map(given, model).points == shamisa_cli.score_map(file, model).points).all()
    mixed = shamisa_cli.score([content, file, pixels, b"junk"], model)
    assert [record.path for record in mixed] == ["pictures[0]", str(file), "pictures[2]", "pictures[3]"]
    assert [record.score for record in mixed] == [expected] * 3 + [None]


def test_a_picture_in_memory_keeps_its_orientation_and_kind(tiny_model: Path) -> None:
    model = shamisa_cli.load_model(tiny_model, device="cpu")
    upright = Image.new("RGB", (64, 48), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    upright.save(stream, "jpeg", exif=exif)
    turned, grey = Image.open(io.BytesIO(stream.getvalue())), upright.convert("L")
    modes = [turned, grey, upright.convert("CMYK"), upright.convert("F"), upright.convert("1"), upright.convert("RGBA")]
    records = shamisa_cli.score(modes, model)
    assert [(record.width, record.height) for record in records] == [(48, 64), *[(64, 48)] * 5]
    assert all(record.score is not None for record in records)


def test_a_damaged_image_of_pillow_is_a_picture_that_cannot_be_read(
    tiny_model: Path, relational_folder: Path, pictures: Path
) -> None:
    content = (pictures / "0.png").read_bytes()
    torn = Image.open(io.BytesIO(content[: len(content) // 2]))  # Pillow reads its pixels late
    good, bad = shamisa_cli.score([content, torn], shamisa_cli.load_model(tiny_model))
    assert (good.status, bad.status, bad.path) == ("ok", "error", "pictures[1]")
    assert bad.error is not None
    assert "truncated" in bad.error.message
    model = shamisa_cli.load_relational_model(relational_folder, scorer=tiny_model)
    same, lost = shamisa_cli.compare(content, [content, torn], model).candidates
    assert (same.difference, lost.difference) == (0, None)
    assert [bool(each.error) for each in shamisa_cli.rank([content, content, torn], model).pictures] == [0, 0, 1]
    with pytest.raises(ImageError, match="truncated"):
        shamisa_cli.compare(torn, [content], model)


def spoilt_tag(tag: int, kind: int, value: bytes) -> bytes:
    """EXIF data with an orientation of 6 and one tag of an odd type or value."""
    entries = ((tag, kind, 1, value), (0x112, 3, 1, b"\6\0\0\0"))
    packed = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize(
    "exif",
    [
        spoilt_tag(0x100, 9, b"\xff\xff\xff\xff"),
        spoilt_tag(0x131, 11, b"\0\0\x80\x7f"),
        spoilt_tag(0x102, 4, b"\xff\xff\xff\xff"),
        spoilt_tag(0x10F, 2, b"\xe9\xe9\xe9\0"),
        b"junk",
    ],
)
def test_odd_tags_of_an_image_of_pillow_change_nothing(tiny_model: Path, exif: bytes, loaded: bool) -> None:
    model = shamisa_cli.load_model(tiny_model)
    stream = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert("RGB").save(stream, "jpeg", exif=exif)
    image = Image.open(io.BytesIO(stream.getvalue()))
    if loaded:
        image.load()
    (from_bytes,), (from_image,) = shamisa_cli.score(stream.getvalue(), model), shamisa_cli.score(image, model)
    assert from_bytes.score is not None
    assert (from_image.score, from_image.width) == (from_bytes.score, from_bytes.width)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("loaded", [False, True])
def test_an_image_of_pillow_is_turned_as_its_file_is(tiny_model: Path, mode: str, loaded: bool) -> None:
    model = shamisa_cli.load_model(tiny_model)
    exif = Image.Exif()
    exif[0x112] = 6
    stream = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert(mode).save(stream, "jpeg", exif=exif)
    image = Image.open(io.BytesIO(stream.getvalue()))
    if loaded:
        image.load()
    (record,) = shamisa_cli.score(image, model)
    assert (record.width, record.height) == (48, 64)


def test_a_name_of_nothing_among_others_is_a_row_as_for_the_command(
    tiny_model: Path, relational_folder: Path, pictures: Path
) -> None:
    model = shamisa_cli.load_model(tiny_model)
    good, gone = pictures / "0.png", pictures / "gone.png"
    for given in ([good, gone], [good.read_bytes(), str(gone)], iter([str(good), gone])):
        first, second = shamisa_cli.score(given, model)
        assert (first.status, second.status, second.path) == ("ok", "error", str(gone))
    assert [decision.verdict for decision in shamisa_cli.cull([good, gone], model, below=0)] == ["keep", "unreadable"]
    pairs = shamisa_cli.load_relational_model(relational_folder, scorer=tiny_model)
    same, lost = shamisa_cli.compare(good, [good, gone], pairs).candidates
    assert (same.difference, lost.status) == (0, "error")
    for nothing in (gone, [gone]):
        with pytest.raises(InputNotFoundError):
            shamisa_cli.score(nothing, model)
    with pytest.raises(SettingError, match=r"pictures\[1\] is an object of type NoneType"):
        shamisa_cli.score(iter([good, None]), model)
    with pytest.raises(SettingError, match=r"candidates\[0\] is an object of type int"):
        shamisa_cli.compare(good, iter([7]), pairs)


class Broken(io.BytesIO):
    """A stream from an archive that turns out to be damaged where it ends."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or size > 1_000_000:
            raise EOFError("Compressed file ended before the end-of-stream marker")
        return super().read(size)


def test_an_image_of_pillow_from_anywhere_is_read_by_its_pixels(tiny_model: Path) -> None:
    model = shamisa_cli.load_model(tiny_model)
    noise = Image.effect_noise((64, 48), 90).convert("RGB")
    (expected,) = shamisa_cli.score(noise, model)
    opened = []
    for kind in ("ppm", "tga", "jpeg2000", "bmp"):
        stream = io.BytesIO() if kind == "jpeg2000" else Broken()  # Pillow reads JPEG 2000 whole
        noise.save(stream, kind)
        opened.append(Image.open(stream))
    assert [record.score for record in shamisa_cli.score(opened, model)] == [expected.score] * 4


def test_what_was_changed_of_an_image_before_its_pixels_were_read_counts(tiny_model: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    stream = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert("RGB").save(stream, "jpeg", exif=exif)
    edited, drafted = (Image.open(io.BytesIO(stream.getvalue())) for _ in range(2))
    edited.getexif()[0x112] = 1
    drafted.draft("RGB", (32, 24))
    model = shamisa_cli.load_model(tiny_model)
    sizes = [(record.width, record.height) for record in shamisa_cli.score([edited, drafted], model)]
    assert sizes == [(64, 48), (24, 32)]


def test_damage_is_seen_in_an_image_that_pillow_has_only_opened(tiny_model: Path) -> None:
    stream = io.BytesIO()
    Image.effect_noise((400, 300), 90).save(stream, "jpeg")
    cut = stream.getvalue()[: len(stream.getvalue()) // 3] + b"\xff\xd9"
    (record,) = shamisa_cli.score(Image.open(io.BytesIO(cut)), shamisa_cli.load_model(tiny_model))
    assert record.status == "error"
    second = Image.new("RGB", (30, 20), "red")
    Image.new("RGB", (30, 20)).save(stream := io.BytesIO(), "gif", save_all=True, append_images=[second])
    frames = Image.open(stream)
    frames.seek(1)  # the second frame, of which the file alone says nothing
    whole = shamisa_cli.score_map(second, shamisa_cli.load_model(tiny_model)).points
    assert (shamisa_cli.score_map(frames, shamisa_cli.load_model(tiny_model)).points == whole).all()


def test_pictures_in_memory_are_compared(relational_folder: Path, tiny_model: Path, pictures: Path) -> None:
    model = shamisa_cli.load_relational_model(relational_folder, scorer=tiny_model)
    file = pictures / "0.png"
    found = shamisa_cli.compare(file, [file.read_bytes(), Image.open(file), b"junk"], model)
    assert [candidate.difference for candidate in found.candidates] == [0, 0, None]
    ranking = shamisa_cli.rank([file.read_bytes(), Image.open(file)], model)
    assert [picture.error for picture in ranking.pictures] == [None, None]


def test_a_text_is_a_path_and_one_path_is_several(tiny_model: Path, pictures: Path, tmp_path: Path) -> None:
    assert shamisa_cli.load_model(tiny_model).name == tiny_model.name
    assert shamisa_cli.discover(str(pictures)) == [pictures / "0.png"]
    (planned,) = shamisa_cli.plan_transfers(str(pictures / "0.png"), str(tmp_path), "copy")
    assert planned.target == tmp_path / "0.png"
    model = shamisa_cli.load_model(tiny_model)
    (record,) = shamisa_cli.score_files(model, str(pictures / "0.png"))
    assert record.score is not None


@pytest.mark.parametrize("error", [ValueError("I/O operation on closed file"), OSError("gone"), KeyError("x")])
@pytest.mark.parametrize("requests", [1, 40])
def test_what_the_callers_function_raises_ends_the_server_and_is_raised(
    tiny_model: Path, error: Exception, requests: int
) -> None:
    def write(_: object) -> None:
        raise error

    lines = io.BytesIO(b'{"path": "gone.jpg"}\n' * requests)
    with pytest.raises(type(error)) as raised:
        shamisa_cli.serve(lines, write, shamisa_cli.load_model(tiny_model), jobs=1)
    assert raised.value is error


CHECKED_ELSEWHERE = ("seed", "max_pixels", "max_memory")


def arguments_of(called: Any) -> list[inspect.Parameter]:
    function = called if inspect.isfunction(called) else called.__init__
    return list(inspect.signature(inspect.unwrap(function)).parameters.values())


def test_every_number_of_things_that_can_be_passed_has_a_least_value() -> None:
    endless = [
        f"{name}: {parameter.name}"
        for name in (*public(), *ELSEWHERE)
        for parameter in arguments_of(getattr(shamisa_cli, name))
        if str(parameter.annotation).partition(" |")[0] == "int" and parameter.name not in CHECKED_ELSEWHERE
    ]
    assert endless == []


@pytest.mark.parametrize("settings", [{"checkpoint_every": 0}, {"workers": -1}, {"keep_every": -3}, {"keep_every": 3}])
def test_training_refuses_numbers_of_steps_and_processes_as_the_command_does(
    pictures: Path, tmp_path: Path, settings: dict[str, int]
) -> None:
    with pytest.raises(SettingError, match=r"must be a whole number from [01] on|name a multiple of that"):
        shamisa_cli.train([pictures], tmp_path / "run", **settings)
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(
    "changes", [{1: 2}, {None: 2}, {"batch": {2: 3}}, {("a",): 1}, {"steps": Odd()}, {"steps": {}}]
)
def test_changes_of_settings_that_are_none_are_refused_by_a_sentence(changes: dict[Any, Any]) -> None:
    with pytest.raises(SettingError, match=r"There is no setting|it should be a whole number"):
        shamisa_cli.RunSettings(changes=changes).settings()
