"""AVIF and HEIC pictures whose colours are said by code points: HDR modes of cameras, and wide colours."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, features

from shamisa_cli.core.images import decode
from shamisa_cli.core.images.heif_colours import code_points_in

BT2020_PQ, BT2020_HLG, P3, SRGB, UNSAID = (9, 16), (9, 18), (12, 13), (1, 13), (2, 2)
HALF_IN_PQ = 130
"""Level of 101.6 cd/m² (SMPTE ST 2084), half of diffuse white, which is level 188 in sRGB."""
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(kind: str, level: tuple[int, int, int], points: tuple[int, int], **settings: object) -> bytes:
    """A picture of one colour with these code points."""
    picture, stream = Image.new("RGB", (64, 48), level), io.BytesIO()
    if kind == "heic":
        heif = pytest.importorskip("pillow_heif")
        colours = {"color_primaries": points[0], "transfer_characteristics": points[1], "matrix_coefficients": 6}
        file = heif.from_pillow(picture)
        file.save(stream, quality=100, chroma=444, save_nclx_profile=True, full_range_flag=1, **colours, **settings)
        return stream.getvalue()
    if not features.check("avif"):
        pytest.skip("the installed Pillow cannot write AVIF")
    picture.save(stream, "AVIF", quality=100, subsampling="4:4:4", **settings)
    content = bytearray(stream.getvalue())
    place = content.index(b"nclx") + 4
    content[place : place + 4] = struct.pack(">HH", *points)
    return bytes(content)


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_hdr_pictures_are_turned_into_srgb_and_said_to_be_ones(tmp_path: Path, kind: str) -> None:
    (tmp_path / f"a.{kind}").write_bytes(saved(kind, (HALF_IN_PQ,) * 3, BT2020_PQ))
    decoded = decode(tmp_path / f"a.{kind}")
    assert np.abs(decoded.pixels.astype(int) - 188).max() <= 4
    assert decoded.warnings == ("is an HDR picture (PQ), in which all that is brighter than white is cut off",)
    (tmp_path / f"b.{kind}").write_bytes(saved(kind, (90, 90, 90), BT2020_HLG))
    assert "HLG" in decode(tmp_path / f"b.{kind}").warnings[0]


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_wide_colours_become_those_of_srgb(tmp_path: Path, kind: str) -> None:
    (tmp_path / f"a.{kind}").write_bytes(saved(kind, (200, 120, 100), P3))
    # P3's to sRGB's primaries in linear light, by hand: .578, .188, .127 → .666, .172, .113
    assert np.abs(decode(tmp_path / f"a.{kind}").pixels.reshape(-1, 3).astype(int) - (213, 115, 95)).max() <= 4


@pytest.mark.parametrize("points", [SRGB, UNSAID])
@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_others_stay_as_they_are(tmp_path: Path, kind: str, points: tuple[int, int]) -> None:
    (tmp_path / f"a.{kind}").write_bytes(saved(kind, (200, 120, 100), points))
    decoded = decode(tmp_path / f"a.{kind}")
    assert np.abs(decoded.pixels.reshape(-1, 3).astype(int) - (200, 120, 100)).max() <= 4
    assert not decoded.warnings


def test_a_profile_says_more_than_code_points(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(saved("avif", (HALF_IN_PQ,) * 3, BT2020_PQ, icc_profile=SRGB_PROFILE))
    assert np.abs(decode(tmp_path / "a.avif").pixels.astype(int) - HALF_IN_PQ).max() <= 4


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_bytes_of_a_header_raise_anything(data: st.DataObject) -> None:
    content = bytearray(saved("avif", (9, 9, 9), BT2020_PQ))
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, min(400, len(content) - 1)))] = data.draw(st.integers(0, 255))
    found = code_points_in(io.BytesIO(bytes(content[: data.draw(st.integers(0, len(content)))])))
    assert found is None or len(found) == 2


def test_the_colours_of_a_thumbnail_or_gain_map_are_not_those_of_the_picture() -> None:
    content = saved("avif", (9, 9, 9), BT2020_PQ)
    assert code_points_in(io.BytesIO(content)) == BT2020_PQ
    place = content.index(b"pitm") + 8
    assert content[place : place + 2] == b"\0\1"
    other = content[:place] + b"\0\2" + content[place + 2 :]  # of which no properties are said
    assert code_points_in(io.BytesIO(other)) is None


@pytest.mark.parametrize("primary", [0, 1])
def test_several_pictures_are_told_of_whichever_is_the_primary_one(tmp_path: Path, primary: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    file = heif.from_pillow(Image.new("RGB", (64, 48), (200, 200, 200)))
    file.add_from_pillow(Image.new("RGB", (64, 48), (30, 30, 30)))
    file.save(tmp_path / "a.heic", quality=100, primary_index=primary)
    decoded = decode(tmp_path / "a.heic")
    assert abs(decoded.pixels.mean() - (200, 30)[primary]) < 4
    assert decoded.warnings == ("has several pictures or pages, of which only one is read",)
