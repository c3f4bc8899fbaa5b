"""What other libraries set in the process changes no result, and stays set for them."""

from __future__ import annotations

import importlib
import io
import json
import pickle
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.pictures import save_soft
from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin, features

import shamisa_cli as shamisa
from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.images.pillow_switches import as_shipped
from shamisa_cli.core.torch_state import as_torch_ships

NOISE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (96, 128, 3), dtype=np.uint8))
FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "jpeg": ("JPEG", {}), "progressive": ("JPEG", {"progressive": True}), "png": ("PNG", {}), "gif": ("GIF", {}),
    "bmp": ("BMP", {}), "tiff": ("TIFF", {}), "lzw": ("TIFF", {"compression": "tiff_lzw"}), "webp": ("WEBP", {}),
}  # fmt: skip
if features.check("avif"):
    FORMATS["avif"] = ("AVIF", {})


def encoded(image: Image.Image, format_name: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **settings)
    return stream.getvalue()


def with_chunk(kind: bytes, body: bytes, wrong: int = 0) -> bytes:
    """A PNG with a chunk before its pixels, whose checksum is `wrong` by so much."""
    png = encoded(NOISE, "PNG")
    end = png.index(b"IDAT") - 4
    return png[:end] + struct.pack(">I", len(body)) + kind + body + struct.pack(
        ">I", zlib.crc32(kind + body) ^ wrong
    ) + png[end:]  # fmt: skip


WHOLE = {name: encoded(NOISE, kind, **settings) for name, (kind, settings) in FORMATS.items()}
CUT = {
    f"{name} cut at {share}": data[: int(share * len(data))] for name, data in WHOLE.items() for share in (0.5, 0.97)
}
ODD = {
    "bmp with a fourth channel": encoded(NOISE.convert("RGBA"), "BMP").replace(b"\xff", b"\x80"),
    "gif with a transparent colour": encoded(NOISE.quantize(16), "GIF", transparency=3),
    "png with text": encoded(NOISE, "PNG", pnginfo=PngImagePlugin.PngInfo()),
    "checksum": with_chunk(b"gAMA", struct.pack(">I", 45455), wrong=1),
    "short gamma": with_chunk(b"gAMA", b"\0"),
    "short primaries": with_chunk(b"cHRM", b"\0"),
    "short rendering": with_chunk(b"sRGB", b""),
    "short colour": with_chunk(b"tRNS", b"\0"),
    "no chunk": with_chunk(b"\1\2\3\4", b"xx"),
    "exif": WHOLE["jpeg"][:2]
    + b"\xff\xe1\0\x1eExif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0\0\x50"
    + WHOLE["jpeg"][2:],
}
PICTURES = {**WHOLE, **CUT, **ODD}
SWITCHES = {
    "loads what is cut short": (ImageFile, "LOAD_TRUNCATED_IMAGES", True),
    "reads small blocks": (ImageFile, "MAXBLOCK", 4096),
    "reads large blocks": (ImageFile, "MAXBLOCK", 2**24),
    "small safe blocks": (ImageFile, "SAFEBLOCK", 64),
    "few pixels": (Image, "MAX_IMAGE_PIXELS", 64),
    "any number of pixels": (Image, "MAX_IMAGE_PIXELS", None),
    "short texts": (PngImagePlugin, "MAX_TEXT_CHUNK", 1),
    "alpha of BMPs": (BmpImagePlugin, "USE_RAW_ALPHA", True),
    "libtiff": (TiffImagePlugin, "READ_LIBTIFF", True),
    "GIFs in colours": (GifImagePlugin, "LOADING_STRATEGY", GifImagePlugin.LoadingStrategy.RGB_ALWAYS),
}


def outcome(content: bytes) -> object:
    """Everything that reading a picture gives; of an error its kind, as decoders differ in their words."""
    try:
        found = decode("picture", content=content, look=True)
    except ImageError as error:
        return error.kind
    return found.pixels.tobytes(), found.warnings, found.remarks, found.at_full_size


@pytest.mark.parametrize("switch", SWITCHES)
def test_pictures_are_read_alike_whatever_a_switch_of_pillow_says(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {name: outcome(content) for name, content in PICTURES.items()}
    monkeypatch.setattr(*SWITCHES[switch])
    assert [name for name, content in PICTURES.items() if outcome(content) != expected[name]] == []


def test_pictures_are_read_alike_where_warnings_and_float_errors_are_raised() -> None:
    expected = {name: outcome(content) for name, content in PICTURES.items()}
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [name for name, content in PICTURES.items() if outcome(content) != expected[name]] == []


ODD_TAGS = (
    WHOLE["jpeg"][:2]
    + b"\xff\xe1\0\x20Exif\0\0II*\0\x08\0\0\0\x05\0\x0f\x01\x02\0\xff\0\0\0\x10\x20\0\0"
    + WHOLE["jpeg"][2:]
)


def of_a_program_of_its_own(action: str) -> tuple[str, object, list[object]]:
    """What a program that opens a damaged file itself gets, and the state of Python's warnings there."""
    with warnings.catch_warnings(record=action != "error") as printed:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        before = list(warnings.filters), warnings.showwarning
        said = []
        for _ in range(2):
            try:
                Image.open(io.BytesIO(ODD_TAGS)).getexif().get(1)
                said.append("silent")
            except UserWarning as warning:
                said.append(str(warning))
        assert (list(warnings.filters), warnings.showwarning) == before
        return ", ".join(said), before[0], [(str(each.message), each.filename) for each in printed or ()]


@pytest.mark.parametrize("action", ["error", "ignore", "always", "default"])
def test_what_pillow_warns_others_of_is_as_they_have_set_it(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TiffImagePlugin, "__warningregistry__", {}, raising=False)
    expected = of_a_program_of_its_own(action)
    assert (expected[0] != "silent, silent") == (action == "error")
    assert bool(expected[2]) == (action in ("always", "default"))  # how many there are is Pillow's business
    state = list(warnings.filters), warnings.showwarning
    assert decode("picture", content=ODD_TAGS, look=True).warnings
    assert (list(warnings.filters), warnings.showwarning) == state
    monkeypatch.setattr(TiffImagePlugin, "__warningregistry__", {}, raising=False)
    assert of_a_program_of_its_own(action) == expected
    with warnings.catch_warnings():
        warnings.simplefilter(action)  # type: ignore[arg-type]
        assert decode("picture", content=ODD_TAGS, look=True).warnings  # which others have been told of


@pytest.mark.parametrize("name", ["png", "bmp", "tiff", "gif"])
def test_a_pillow_image_that_is_cut_short_has_no_score_although_pillow_would_load_it(
    name: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with Image.open(io.BytesIO(CUT[f"{name} cut at 0.5"])) as image:
        [record] = shamisa.score(image, model=str(tiny_model))
    assert record.error is not None


def test_the_cache_keeps_no_score_of_a_picture_that_is_cut_short(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cut.png").write_bytes(CUT["png cut at 0.97"])
    for tolerant in (True, False):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
        with shamisa.Cache(tmp_path / "cache") as cache:
            [record] = shamisa.score(tmp_path / "cut.png", model=str(tiny_model), cache=cache)
        assert record.error is not None
        assert record.error.kind == "truncated"


def test_other_threads_load_what_is_cut_short_while_pictures_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[int, int]] = []

    def load() -> None:
        for _ in range(200):
            ImageFile.LOAD_TRUNCATED_IMAGES = True  # as data loaders do for each picture
            with Image.open(io.BytesIO(CUT["bmp cut at 0.5"])) as image:
                image.load()
                loaded.append(image.size)
            ImageFile.LOAD_TRUNCATED_IMAGES = False

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    other = threading.Thread(target=load)
    other.start()
    read = [outcome(CUT["bmp cut at 0.5"])]
    while other.is_alive():
        read.append(outcome(CUT["bmp cut at 0.5"]))
    other.join()
    assert set(map(str, read)) == {"truncated"}
    assert len(loaded) == 200


@pytest.mark.parametrize("value", [True, False])
def test_a_switch_of_pillow_is_what_was_set_and_its_module_can_be_pickled(
    value: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", value)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is value
    with as_shipped():
        assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert ImageFile.LOAD_TRUNCATED_IMAGES is value
    assert pickle.loads(pickle.dumps(ImageFile)) is ImageFile


def test_similar_pictures_are_grouped_where_float_errors_are_raised(example_photos: Path) -> None:
    model = shamisa.load_model("shamisa-lite0")
    photos = sorted(example_photos.glob("*.jpg"))[:2]
    with np.errstate(all="raise"):
        records = shamisa.score(photos, model=model, groups=shamisa.GroupSettings())
    assert [record.error for record in records] == [None, None]


@contextmanager
def default_type(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(name: str) -> Iterator[None]:
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


STATES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "double precision": lambda: default_type(torch.float64),
    "half precision": lambda: default_type(torch.float16),
    "another device": lambda: default_device("meta"),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}
SMALL = {
    "init": "none", "steps": 1, "projector_hidden": 32, "projector_out": 16,
    "batch": {"crop": 32, "photos": 2, "scales": 1, "compositions": 2, "levels": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    save_soft(folder, 8, (96, 80))
    return folder


def trained(photos: Path, run: Path) -> object:
    """What the metrics of one step of training say, but for its speed."""
    shamisa.train([photos], run, shamisa.RunSettings(changes=SMALL), device="cpu", workers=0)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in ("step", "total", "grad_norm")} for line in lines]


@pytest.mark.parametrize("state", STATES)
def test_training_and_degrading_are_alike_whatever_state_pytorch_is_in(
    state: str, photos: Path, tmp_path: Path
) -> None:
    pixels = np.asarray(NOISE)
    operators = ("lens blur", "pixelate", "jitter", "colour shift")
    expected = trained(photos, tmp_path / "expected")
    degraded = [shamisa.degrade(pixels, name, 2.5) for name in operators]
    with STATES[state]():
        assert trained(photos, tmp_path / "run") == expected
        assert all(map(np.array_equal, (shamisa.degrade(pixels, name, 2.5) for name in operators), degraded))


@pytest.mark.parametrize("state", STATES)
def test_scores_by_pytorch_are_alike_whatever_state_it_is_in(state: str, photos: Path) -> None:
    def scores() -> tuple[float | None, np.ndarray]:
        model = shamisa.load_model("shamisa-lite0", runtime="torch", device="cpu")
        [record] = shamisa.score(photos / "photo0.png", model)
        return record.score, shamisa.score_map(photos / "photo0.png", model).points

    score, points = scores()
    with STATES[state]():
        again = scores()
    assert again[0] == score
    assert np.allclose(again[1], points, atol=1e-4)


def test_a_scorer_that_was_made_in_inference_mode_gives_gradients() -> None:
    with torch.inference_mode():
        scorer = shamisa.TensorScorer("shamisa-lite0")
    picture = torch.rand(1, 3, 48, 48, requires_grad=True)
    scorer(picture).sum().backward()
    assert picture.grad is not None


WITHOUT = """
import sys
from PIL import {module}
del {module}.{name}
import shamisa_cli
print(shamisa_cli.score(sys.argv[1])[0].score)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name"),
    [("BmpImagePlugin", "USE_RAW_ALPHA"), ("TiffImagePlugin", "READ_LIBTIFF")],
)
def test_a_release_of_pillow_without_a_switch_scores_alike(example_photos: Path, module: str, name: str) -> None:
    picture = example_photos / "cat.jpg"
    code = WITHOUT.format(module=module, name=name)
    done = subprocess.run([sys.executable, "-c", code, picture], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == shamisa.score(picture)[0].score


def test_the_switches_are_watched_for_a_module_that_was_imported_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    again = importlib.import_module(as_shipped.__module__)
    importlib.reload(again)
    with as_shipped():  # the one that decoding has
        assert not vars(ImageFile)["LOAD_TRUNCATED_IMAGES"]
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_threads_that_overlap_leave_the_default_type_as_it_was() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        entered, left = threading.Event(), threading.Event()

        def overlapping() -> None:
            with as_torch_ships():
                entered.set()
                left.wait(60)

        other = threading.Thread(target=overlapping)
        with as_torch_ships():
            other.start()
            entered.wait(60)
        assert torch.get_default_dtype() == torch.float32  # the other is at it
        left.set()
        other.join()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
