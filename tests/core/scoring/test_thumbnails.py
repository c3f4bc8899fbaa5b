"""Small pictures kept for a report."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.heatmap import overlay
from shamisa_cli.core.scoring.score_map import ScoreMap
from shamisa_cli.core.scoring.thumbnails import (
    MAP,
    MAP_SIDE,
    MOST_BYTES_EACH,
    THUMBNAIL,
    THUMBNAIL_SIDE,
    TILE,
    Thumbnails,
    encode_thumbnail,
    folder_of_thumbnails,
    write_beside,
)


def picture(height: int, width: int, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def shown(content: bytes | None) -> Image.Image:
    assert content is not None
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("size", "expected"), [((400, 640), (256, 160)), ((50, 30), (30, 50)), ((1, 4000), (256, 1)), ((3000, 2), (1, 256))]
)
def test_thumbnails_keep_their_shape_and_are_never_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shown(encode_thumbnail(picture(*size), THUMBNAIL_SIDE)).size == expected


def test_each_picture_gets_back_its_own_thumbnail_and_map() -> None:
    records = [ImageRecord(f"{number}.jpg", 50.0) for number in range(20)]
    with Thumbnails() as thumbnails:
        assert not thumbnails.has_maps
        for number, record in enumerate(records):
            thumbnails.add(record, picture(300, 400, 10 * number))
            if number % 2:
                lost = np.full((300, 400), -200 / 120_000)
                thumbnails.add_map(Path(record.path), overlay(picture(300, 400), ScoreMap(lost, 50.0)))
        assert thumbnails.has_maps
        for number, record in reversed(list(enumerate(records))):
            grey = np.asarray(shown(thumbnails.read(record.path, THUMBNAIL)))
            assert abs(float(grey.mean()) - 10 * number) < 4
            assert (thumbnails.read(record.path, MAP) is not None) == bool(number % 2)
        seen = shown(thumbnails.read("1.jpg", MAP))
        assert max(seen.size) == MAP_SIDE
        red, green, blue = np.asarray(seen).reshape(-1, 3).mean(axis=0)
        assert red > green + 20
        assert red > blue + 20
        assert thumbnails.read("unknown.jpg", THUMBNAIL) is None


def sharp(path: str) -> ImageRecord:
    look = AtFullSize(0.5, 0.0, 0.0, (10, 20, 128, 128), np.full((128, 128), 90, dtype=np.uint8))
    return ImageRecord(path, 50.0, at_full_size=look)


def test_the_sharpest_part_is_kept_at_its_own_size() -> None:
    with Thumbnails() as thumbnails:
        thumbnails.add(sharp("a.jpg"), picture(300, 400))
        seen = shown(thumbnails.read("a.jpg", TILE))
        assert seen.size == (128, 128)
        assert abs(float(np.asarray(seen).mean()) - 90) < 2


def test_a_folder_beside_holds_what_is_there_and_nothing_of_an_earlier_page(tmp_path: Path) -> None:
    folder = tmp_path / "page-pictures"
    with Thumbnails() as thumbnails:
        for number in range(5):
            thumbnails.add(ImageRecord(f"{number}.jpg", 50.0), picture(30, 40, 10 * number))
        thumbnails.add(sharp("5.jpg"), picture(30, 40))
        with folder_of_thumbnails(folder) as new:
            assert len(list(write_beside(thumbnails, [f"{number}.jpg" for number in range(6)], new))) == 6
        with folder_of_thumbnails(folder) as new:
            names = list(write_beside(thumbnails, ["3.jpg", "unreadable.jpg", "5.jpg"], new))
            assert (folder / "1.webp").exists()
    assert names == [["0.webp", None, None], [None, None, None], ["2.webp", None, "2-100.webp"]]
    assert sorted(file.name for file in folder.iterdir()) == ["0.webp", "2-100.webp", "2.webp"]
    assert abs(float(np.asarray(shown((folder / "0.webp").read_bytes())).mean()) - 30) < 4


def test_the_most_bytes_of_a_picture_are_more_than_any_picture_takes() -> None:
    noise = np.random.default_rng(0).integers(0, 2, (256, 256, 3), dtype=np.uint8) * 255
    tile = AtFullSize(1.0, 0.5, 0.2, (0, 0, 128, 128), noise[:128, :128, 0])
    with Thumbnails() as thumbnails:
        thumbnails.add(ImageRecord("a.jpg", 50.0, at_full_size=tile), noise)
        assert MOST_BYTES_EACH * 0.8 < thumbnails.total_bytes < MOST_BYTES_EACH
