"""Small pictures kept for a report."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.records import ImageRecord
from shamisa_cli.core.scoring.score_map import ScoreMap
from shamisa_cli.core.scoring.thumbnails import MAP_SIDE, THUMBNAIL_SIDE, Thumbnails, encode_thumbnail


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
                thumbnails.add_map(record, picture(300, 400), ScoreMap(lost, 50.0))
        assert thumbnails.has_maps
        for number, record in reversed(list(enumerate(records))):
            grey = np.asarray(shown(thumbnails.thumbnail(record.path)))
            assert abs(float(grey.mean()) - 10 * number) < 4
            assert (thumbnails.map(record.path) is not None) == bool(number % 2)
        seen = shown(thumbnails.map("1.jpg"))
        assert max(seen.size) == MAP_SIDE
        red, green, blue = np.asarray(seen).reshape(-1, 3).mean(axis=0)
        assert red > green + 20
        assert red > blue + 20
        assert thumbnails.thumbnail("unknown.jpg") is None
