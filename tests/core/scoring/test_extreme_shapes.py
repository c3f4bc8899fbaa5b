"""A panorama is judged at pixels in which blur and compression can be seen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import shamisa_cli as shamisa
from shamisa_cli.core.images import decode

PHOTO = Path(__file__).parents[3] / "examples" / "photos" / "cat.jpg"


def panorama() -> Image.Image:
    """Eighteen to one, as from a sweep."""
    photo = Image.open(PHOTO).convert("RGB")
    return Image.fromarray(np.tile(np.asarray(photo), (1, 12, 1)))


def scored(image: Image.Image, kind: str, **settings: int) -> float:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    model = shamisa.load_model()
    pixels = decode("a", content=stream.getvalue(), view_size=model.encoder.config.preprocessing.view_size).pixels
    probe = model.probe
    assert probe is not None
    return float(probe.score(probe.predict(model.encoder.embed(pixels)[None]))[0])


@pytest.mark.slow
def test_a_blurred_or_badly_compressed_panorama_scores_well_below_it() -> None:
    whole = panorama()
    small = whole.resize((whole.width // 8, whole.height // 8))
    score = scored(whole, "PNG")
    assert scored(small.resize(whole.size), "PNG") < score - 10
    assert scored(whole, "JPEG", quality=5) < score - 10
