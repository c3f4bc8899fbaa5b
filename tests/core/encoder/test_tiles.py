"""Large pictures are read tile by tile: the same score in a bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from shamisa_cli.core.encoder import onnx_encoder, tiles
from shamisa_cli.core.encoder.feature_maps import Grid
from shamisa_cli.core.encoder.graph_edits import AXES, giving, part_inputs, part_of, with_parts
from shamisa_cli.core.encoder.moments import moments_of
from shamisa_cli.core.encoder.tiles import HALO, MAP_HALO, Tile, can_be_tiled, tiles_of
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.probe.ridge import POINTS
from shamisa_cli.core.scoring.map_split import embed_and_split, split_model_score


def scene(height: int, width: int) -> np.ndarray:
    """Soft shapes with some grain: edges and flat parts, as photographs have."""
    random = np.random.default_rng(4)
    noise = Image.fromarray(random.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8))
    shapes = noise.resize((width, height), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    grain = random.normal(0, 4, (height, width, 3))
    return np.clip(np.asarray(shapes) * 0.8 + grain + 20, 0, 255).astype(np.uint8)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([1.0, 0.5]), st.sampled_from([HALO, MAP_HALO]))
def test_each_pixel_belongs_to_one_tile_which_reads_around_it(
    height: int, width: int, smallest: float, halo: int
) -> None:
    owned = 0
    for tile in tiles_of(height, width, smallest, halo):
        inside = min(tile.rows[0], tile.columns[0]) > 0 and tile.rows[1] < height and tile.columns[1] < width
        assert tile.reads_border != inside
        for (start, stop, first, end), side in ((tile.rows, height), (tile.columns, width)):
            assert 0 <= start <= first < end <= stop <= side
            assert start == 0 or first - start >= halo / smallest
            assert stop == side or stop - end >= halo / smallest
            assert start % tiles.ALIGNMENT == 0
        owned += (tile.rows[3] - tile.rows[2]) * (tile.columns[3] - tile.columns[2])
    assert owned == height * width


@given(st.integers(1, 9), st.integers(1, 9), st.floats(-1e3, 1e3), st.integers(0, 100))
def test_moments_of_parts_add_up_to_those_of_the_whole(above: int, below: int, far: float, seed: int) -> None:
    values = (far + np.random.default_rng(seed).normal(0, 2, (3, above + below, 5))).astype(np.float32)
    added = moments_of(values[:, :above]).plus(moments_of(values[:, above:]))
    exact = values.astype(np.float64)
    assert added.cells == 5 * (above + below)
    assert added.means == pytest.approx(exact.mean(axis=(1, 2)), abs=1e-3)
    assert added.deviations == pytest.approx(np.sqrt(exact.var(axis=(1, 2)) + 1e-6), rel=1e-3, abs=1e-3)


def test_tiles_need_strides_that_divide_them() -> None:
    assert can_be_tiled([(Grid(32), 1.0), (Grid(32), 0.5)])
    assert not can_be_tiled([(Grid(2), 0.3)])
    assert not can_be_tiled([(Grid(64), 0.5)])


@pytest.mark.parametrize("size", [(300, 500), (257, 511)])
def test_early_stages_are_exact_as_their_halo_is_all_that_they_see(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_model("shamisa-lite0").encoder
    pixels = scene(*size)
    whole = encoder.embed(pixels)
    monkeypatch.setattr(onnx_encoder, "LARGE", 1000)
    monkeypatch.setattr(tiles, "TILE", 128)
    monkeypatch.setattr(onnx_encoder, "HALO", 256)
    assert len(list(tiles_of(*size, 1.0, 256))) >= 8
    # Stages 2 to 10 of EfficientNet-Lite0 see at most 251 pixels far; they make the first 5,568 features.
    assert np.abs(encoder.embed(pixels) - whole)[:5568].max() < 2e-5


def test_a_map_drawn_by_tiles_is_that_of_the_whole_and_sums_to_the_score_by_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = load_model("shamisa-lite0")
    assert model.probe is not None
    pixels = scene(389, 517)
    whole = split_model_score(model, pixels)
    monkeypatch.setattr(onnx_encoder, "LARGE", 1000)
    monkeypatch.setattr(tiles, "TILE", 192)
    assert len(list(tiles_of(389, 517, 1.0, HALO))) >= 6
    features, tiled = embed_and_split(model, pixels)
    assert features.tobytes() == model.encoder.embed(pixels).tobytes()
    assert tiled.score == pytest.approx(POINTS * model.probe.predict(features[None])[0], rel=1e-9)
    # The same everywhere, as at the seams, but for what the deepest stages see beyond a halo.
    assert np.abs(tiled.local - whole.local).max() < 0.02 * np.ptp(whole.local)


def test_tiles_inside_a_picture_have_no_border_to_repeat_and_are_computed_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = load_model("shamisa-lite0")
    assert model.probe is not None
    assert isinstance(model.encoder, onnx_encoder.OnnxEncoder)
    pixels = scene(512, 520)
    monkeypatch.setattr(onnx_encoder, "LARGE", 1000)
    monkeypatch.setattr(tiles, "TILE", 128)
    for halo in ("HALO", "MAP_HALO"):
        monkeypatch.setattr(onnx_encoder, halo, 64)
    cut = list(tiles_of(512, 520, 1.0, 64))
    assert 0 < sum(not tile.reads_border for tile in cut) < len(cut)
    features, shared = embed_and_split(model, pixels)
    assert features.tobytes() == model.encoder.embed(pixels).tobytes()
    assert shared.score == pytest.approx(POINTS * model.probe.predict(features[None])[0], rel=1e-9)
    _, moments, _ = model.encoder.features_and_tiles(pixels)
    monkeypatch.setattr(Tile, "reads_border", True)
    _, alone, _ = model.encoder.features_and_tiles(pixels)
    assert [found.cells for found in moments] == [found.cells for found in alone]
    # The first maps of the branch: zeros outside a halo of 64 pixels are not seen.
    for found, expected in zip(moments[:6], alone[:6], strict=True):
        assert found.means == pytest.approx(expected.means, rel=1e-5, abs=1e-5)
        assert found.deviations == pytest.approx(expected.deviations, rel=1e-4)


def test_a_graph_for_tiles_computes_nothing_that_its_outputs_do_not_need() -> None:
    encoder = load_model("shamisa-lite0").encoder
    assert isinstance(encoder, onnx_encoder.OnnxEncoder)
    name = encoder._maps[2][0]
    model = onnx.load_from_string(giving(with_parts(encoder.graph.read_bytes(), [name]), [part_of(name)]))
    assert [output.name for output in model.graph.output] == [part_of(name)]
    assert {given.name for given in model.graph.input} == {"pixels", AXES, *part_inputs(name)}
    read = {each for node in model.graph.node for each in node.input}
    made = {each for node in model.graph.node for each in node.output}
    assert made - read == {part_of(name)}
    assert {constant.name for constant in model.graph.initializer} <= read


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shamisa-lite2", "shamisa-lite0"])
def test_a_picture_of_two_megapixels_scores_the_same_by_tiles(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(name)
    assert model.probe is not None
    pixels = scene(1200, 1700)
    monkeypatch.setattr(onnx_encoder, "LARGE", 10_000_000)
    whole = model.encoder.embed(pixels)
    monkeypatch.setattr(onnx_encoder, "LARGE", 1_000_000)
    positions = model.probe.predict(np.stack([whole, model.encoder.embed(pixels)]))
    assert positions[0] != positions[1]  # two ways to compute it
    assert abs(positions[0] - positions[1]) * POINTS < 0.05


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
@pytest.mark.parametrize(("call", "most"), [("score", 1000), ("score_map", 1500)])
def test_native_view_and_its_map_take_a_bounded_memory(tmp_path: Path, call: str, most: int) -> None:
    Image.fromarray(scene(1472, 2176)).save(tmp_path / "large.jpg", quality=90)
    program = (
        "import sys, shamisa_cli as shamisa\n"
        f"found = shamisa.{call}(sys.argv[1], view_size=None)\n"
        "assert (found.score if hasattr(found, 'points') else found[0].score) is not None, found\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", program, tmp_path / "large.jpg"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    assert int(found.stdout) * 1024 <= most * 1_000_000  # as a whole 1.3 GB, and 2 GB with its map
