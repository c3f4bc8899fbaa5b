"""Memory of decoding: large PNGs in strips, and one budget for all threads."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.encoder import embedder
from shamisa_cli.core.errors import ImageError
from shamisa_cli.core.images import decode, decoding, memory
from shamisa_cli.core.images.budget import MemoryBudget, free_memory
from shamisa_cli.core.images.colour import to_8_bit
from shamisa_cli.core.images.png import PngFile


def picture(width: int = 900, height: int = 500) -> Image.Image:
    noise = np.random.default_rng(5).integers(0, 256, (9, 15, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def png(image: Image.Image, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, "png", **options)
    return stream.getvalue()


def modes() -> list[Image.Image]:
    image = picture()
    fading = image.convert("RGBA")
    fading.putalpha(image.convert("L"))
    return [image, image.convert("L"), fading, fading.convert("LA"), image.quantize(64)]


@pytest.mark.parametrize("image", modes(), ids=lambda image: image.mode)
@pytest.mark.parametrize("strip_bytes", [1, 20_000, 10**9])
def test_a_large_png_looks_the_same_decoded_in_strips(image, strip_bytes, monkeypatch):
    whole = decode("a.png", content=png(image), view_size=50)
    monkeypatch.setattr(decoding, "_LARGE", 1000)
    monkeypatch.setattr("shamisa_cli.core.images.png_strips._STRIP_BYTES", strip_bytes)
    for options in ({}, {"transparency": 3} if image.mode == "P" else {"compress_level": 0}):
        whole = decode("a.png", content=png(image, **options), view_size=1000).pixels
        expected = np.asarray(Image.fromarray(whole).resize((50, 28), Image.Resampling.BICUBIC))
        found = decode("a.png", content=png(image, **options), view_size=50)
        assert (found.width, found.height) == image.size
        assert np.abs(found.pixels.astype(int) - expected).mean() < 1
        assert bool(found.warnings) == (image.mode in ("RGBA", "LA") or "transparency" in options)


def test_a_large_png_is_turned_upright_too(monkeypatch):
    monkeypatch.setattr(decoding, "_LARGE", 1000)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decode("a.png", content=png(picture(), exif=exif), view_size=50)
    assert (found.width, found.height) == (500, 900)
    assert found.pixels.shape == (50, 28, 3)


def test_a_large_png_that_was_cut_or_has_a_hole_is_refused(monkeypatch):
    monkeypatch.setattr(decoding, "_LARGE", 1000)
    data = png(picture())
    for damaged in (data[: len(data) // 2], data[:200] + bytes(50) + data[250:]):
        with pytest.raises(ImageError) as refused:
            decode("a.png", content=damaged, view_size=50)
        assert refused.value.kind == "truncated"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def stored_rows(samples: np.ndarray, depth: int) -> bytes:
    """Rows (H, W, C) of samples of 8 bits as PNG stores them at this depth, each row by another of its five filters."""
    height = len(samples)
    if depth == 16:
        low = np.random.default_rng(3).integers(0, 256, samples.shape, dtype=np.uint8)
        rows = np.stack((samples, low), axis=-1).reshape(height, -1)
    elif depth == 8:
        rows = samples.reshape(height, -1)
    else:
        bits = np.unpackbits(samples.reshape(height, -1, 1), axis=2)[:, :, -depth:]
        rows = np.packbits(bits.reshape(height, -1), axis=1)
    step = max(1, samples.shape[2] * depth // 8)
    left, above, corner = (np.zeros(rows.shape, int) for _ in range(3))
    left[:, step:], above[1:], corner[1:, step:] = rows[:, :-step], rows[:-1], rows[:-1, :-step]
    guess = left + above - corner
    nearest = np.abs(guess - np.stack((left, above, corner))).argmin(axis=0)
    paeth = np.choose(nearest, (left, above, corner))
    kinds = np.arange(height)[:, None] % 5
    told = np.choose(kinds, (np.zeros(rows.shape, int), left, above, (left + above) // 2, paeth))
    return np.hstack((kinds, (rows - told) % 256)).astype(np.uint8).tobytes()


def handmade(depth: int, colour: int, interlaced: bool) -> bytes:
    """A PNG of kinds that Pillow does not write: a photograph-like picture of 133 × 87 pixels, opaque."""
    image = picture(133, 87)
    samples = np.asarray(image if colour == 2 else image.convert("RGBA" if colour == 6 else "L"))
    samples = samples.reshape(87, 133, -1)
    if colour == 4:
        samples = np.dstack((samples, np.full_like(samples, 255)))
    if depth < 8:
        samples = samples >> (8 - depth)
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in PASSES] if interlaced else [samples]
    data = zlib.compress(b"".join(stored_rows(part, depth) for part in parts))
    palette = chunk(b"PLTE", bytes(np.repeat(np.arange(256), 3).astype(np.uint8))) if colour == 3 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 133, 87, depth, colour, 0, 0, interlaced))
    content = header + palette + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def black_png(side: int, depth: int, colour: int, interlaced: int) -> bytes:
    places = PASSES if interlaced else ((0, 0, 1, 1),)
    deflate = zlib.compressobj(9)
    pieces = []
    for x, y, dx, dy in places:
        row = bytes(1 + -(-(-(-(side - x) // dx) * CHANNELS[colour] * depth) // 8))
        pieces += [deflate.compress(row) for _ in range(-(-(side - y) // dy))]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, interlaced))
    data = chunk(b"IDAT", b"".join([*pieces, deflate.flush()]))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


KINDS = [
    (depth, colour, interlaced)
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 4, 8), 4: (8, 16), 6: (8, 16)}.items()
    for depth in depths
    for interlaced in (False, True)
]


@pytest.mark.parametrize(("depth", "colour", "interlaced"), KINDS)
@pytest.mark.parametrize("strip_bytes", [1, 10**9])
def test_every_kind_of_png_looks_the_same_in_strips(depth, colour, interlaced, strip_bytes, monkeypatch):
    content = handmade(depth, colour, interlaced)
    whole = decode("a.png", content=content)
    monkeypatch.setattr(decoding, "_LARGE", 1000)
    monkeypatch.setattr("shamisa_cli.core.images.png_strips._STRIP_BYTES", strip_bytes)
    found = decode("a.png", content=content, view_size=8)
    assert (found.width, found.height, found.pixels.shape) == (133, 87, (5, 8, 3))
    assert found.warnings == whole.warnings == ()
    strips = PngFile(BytesIO(content)).reduced(8, to_8_bit).convert("RGB")
    averaged = Image.fromarray(whole.pixels).reduce(8)
    assert np.abs(np.asarray(strips, int) - np.asarray(averaged, int)).max() <= 1


@pytest.mark.parametrize(("depth", "colour"), [(16, 6), (16, 0), (1, 0)])
@pytest.mark.parametrize("interlaced", [False, True])
def test_a_large_png_of_every_kind_that_was_cut_is_refused(depth, colour, interlaced, monkeypatch):
    monkeypatch.setattr(decoding, "_LARGE", 1000)
    content = handmade(depth, colour, interlaced)
    short = zlib.compress(zlib.decompress(content[41:-16])[:-9])
    with pytest.raises(ImageError) as refused:
        decode("a.png", content=content[:33] + chunk(b"IDAT", short) + chunk(b"IEND", b""), view_size=8)
    assert refused.value.kind == "truncated"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "depth", "colour", "interlaced", "most"),
    [
        (13_000, 8, 6, 0, 500_000_000),
        (13_000, 1, 0, 0, 500_000_000),
        (8_000, 16, 6, 0, 350_000_000),
        (8_000, 16, 2, 1, 350_000_000),
    ],
)
def test_a_png_of_little_bytes_and_many_megapixels_takes_less_memory_than_its_pixels(
    tmp_path: Path, side: int, depth: int, colour: int, interlaced: int, most: int
) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(black_png(side, depth, colour, interlaced))
    assert path.stat().st_size < 1_500_000
    program = (
        "import sys; from shamisa_cli.core.images import decode\n"
        "assert decode(sys.argv[1], view_size=512).pixels.shape == (512, 512, 3)\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert int(found.stdout) * 1024 < most


SMALL_AND_LARGE = """
import sys
from pathlib import Path
from PIL import Image
from shamisa_cli.core.images import decode, decoding
Image.new("RGB", (600, 400)).save("small.png")
decode("small.png", view_size=512, look=True)
peak = lambda: int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) * 1024
bytes_needed, needed = decoding.bytes_needed, []
decoding.bytes_needed = lambda *given: needed.append(bytes_needed(*given)) or needed[-1]
for view in sys.argv[2:]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    decode(sys.argv[1], view_size=int(view) or None, look=True)
    print(peak() - before, needed[-1])
"""


def require_no_more_than_is_held(path: Path, *views: int) -> None:
    """Decode a picture for each view (0: native) in another process, and compare what it takes with the estimate."""
    run = [sys.executable, "-c", SMALL_AND_LARGE, path.name, *map(str, views)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=path.parent, env={**os.environ})
    found = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(found) == len(views)
    assert all(taken <= held for taken, held in found), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "kind", "interlaced"), [(16, 6, 0), (16, 2, 0), (16, 0, 0), (8, 6, 1), (8, 2, 1), (8, 0, 1), (8, 4, 1)]
)
def test_a_png_that_is_decoded_as_a_whole_takes_no_more_than_is_held_for_it(
    tmp_path: Path, depth: int, kind: int, interlaced: int
) -> None:
    side = 5_600
    (tmp_path / "large.png").write_bytes(black_png(side, depth, kind, interlaced))
    require_no_more_than_is_held(tmp_path / "large.png", 512)


def save(name: str, mode: str, path: Path, size: tuple[int, int]) -> None:
    for needed in {"heif": ("pillow_heif",), "jxl": ("pillow_jxl",)}.get(name, ()):
        pytest.importorskip(needed)
    if name == "heif":
        import pillow_heif

        pillow_heif.register_heif_opener()
    fading = picture(*size).convert("RGBA")
    fading.putalpha(fading.getchannel("R"))
    image = (
        Image.fromarray(np.asarray(fading.convert("L")) * np.uint16(257)) if mode == "I;16" else fading.convert(mode)
    )
    options = {"avif": {"speed": 10}, "jxl": {"effort": 1}, "webp": {"method": 0, "lossless": mode == "RGBA"}}
    image.save(path, name, **options.get(name, {"progressive": True} if name == "jpeg" else {}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("webp", "RGB"), ("webp", "RGBA"), ("avif", "RGB"), ("avif", "RGBA"), ("heif", "RGB"), ("heif", "RGBA"),
        ("jxl", "RGB"), ("jxl", "RGBA"), ("jpeg", "RGB"), ("jpeg", "CMYK"), ("jpeg", "L"), ("png", "RGBA"),
        ("png", "P"), ("png", "I;16"), ("tiff", "I"), ("tiff", "F"), ("tiff", "CMYK"), ("tiff", "LAB"),
        ("gif", "P"), ("bmp", "RGB"),
    ],
)  # fmt: skip
def test_no_picture_takes_more_memory_than_is_held_for_it(tmp_path: Path, name: str, mode: str) -> None:
    save(name, mode, tmp_path / "large", (1800, 1800) if name == "heif" else (3000, 3000))  # its encoder is slow
    require_no_more_than_is_held(tmp_path / "large", 512, 0)


@pytest.mark.parametrize("name", ["webp", "avif", "heif", "jxl", "jpeg", "png", "tiff", "gif", "bmp"])
def test_pillows_own_limit_of_pixels_refuses_no_picture_of_any_kind(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(name, "L" if name == "gif" else "RGB", tmp_path / "a", (64, 48))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for view in (16, None):
        found = decode(tmp_path / "a", view_size=view, look=True)
        assert (found.width, found.height, found.warnings) == (64, 48, ())


def test_threads_wait_until_their_pictures_fit_and_one_too_large_goes_alone():
    budget = MemoryBudget(100)
    used, most = 0, 0
    lock = threading.Lock()

    def work(needed: int) -> None:
        nonlocal used, most
        with budget.hold(needed):
            with lock:
                used += needed
                most = max(most, used if used != needed else 0)
            time.sleep(0.002)
            with lock:
                used -= needed

    threads = [threading.Thread(target=work, args=(needed,)) for needed in (60, 30, 50, 1000, 10, 90) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in threads)
    assert most <= 100


def test_a_picture_that_needs_more_than_the_budget_is_refused_from_its_header(monkeypatch):
    monkeypatch.setattr(memory, "DECODING", MemoryBudget(4_000_000))
    with pytest.raises(ImageError, match="needs some 19 MB") as refused:
        decode("a.png", content=png(picture()))
    assert refused.value.kind == "too-large"
    assert decode("a.png", content=png(picture(300, 200))).pixels.shape == (200, 300, 3)


def test_the_default_is_a_share_of_what_is_free():
    assert 50 * 2**20 < free_memory() < 2**45
    assert MemoryBudget().limit <= max(0.3 * free_memory(), 256 * 2**20)


def test_where_the_system_tells_nothing_of_its_memory_pictures_are_read_all_the_same(monkeypatch):
    import psutil

    def refuse() -> None:
        raise FileNotFoundError(2, "No such file or directory", "/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    assert MemoryBudget().fits(500_000_000)


def test_a_network_refuses_a_picture_that_would_take_more_memory_than_it_may(monkeypatch):
    budget = MemoryBudget(500_000_000)
    monkeypatch.setattr(embedder, "DECODING", budget)
    pixels = np.zeros((1000, 2100, 3), np.uint8)

    class Encoder:
        def memory_needed(self, height: int, width: int) -> int:
            return embedder.BYTES_PER_PIXEL * height * width

        def embed(self, _pixels: np.ndarray) -> np.ndarray:
            return np.ones(3)

    with pytest.raises(ImageError, match=r"a.png would take some 672 MB to compute at 2100×1000 pixels") as refused:
        embedder.embedded(Encoder(), "a.png", pixels)
    assert refused.value.kind == "too-large"
    budget.set_limit(700_000_000)
    assert embedder.embedded(Encoder(), "a.png", pixels).shape == (3,)
    budget.set_limit(1_000_000)
    assert embedder.embedded(Encoder(), "a.png", pixels[:900]).shape == (3,)  # usual views are not asked


def test_without_a_limit_a_network_may_take_most_of_what_is_free():
    assert 0.4 * free_memory() < MemoryBudget().alone < free_memory()
    assert MemoryBudget(5).alone == 5
