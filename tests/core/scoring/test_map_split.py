"""A score split over the picture: exact, in its place, without a frame, and the same without PyTorch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

import shamisa_cli as shamisa
from shamisa_cli.core.encoder import graph_padding, onnx_encoder
from shamisa_cli.core.encoder.feature_maps import Grid
from shamisa_cli.core.encoder.graph_padding import BRANCH, with_repeated_borders
from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing, box_in_picture, five_crop_boxes
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.models.loading import load_model
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.export.encoder_graph import export_graph
from shamisa_cli.core.networks.export.export_model import add_graph
from shamisa_cli.core.networks.feature_maps import feature_maps
from shamisa_cli.core.probe.ridge import POINTS
from shamisa_cli.core.scoring import map_split
from shamisa_cli.core.scoring.map_split import (
    _without_frame,
    embed_and_split,
    features_of,
    placed,
    split_model_score,
    sum_of_shares,
)

SPECS = {
    "the paper's": FeatureSpec(),
    "all moments of several stages, not in their order": FeatureSpec((-1, 0, 3), ("std", "mean"), (0.5, 1.0)),
    "five crops": FeatureSpec((1, -1), ("mean", "std"), crops=5, crop_size=48),
    "hidden maps": FeatureSpec((0, 2, 5), ("mean", "std"), (1.0,), layer="hidden"),
}
A_FIFTH_OF_A_CELL = 0.2


def encoder(architecture: str, spec: FeatureSpec) -> TorchEncoder:
    torch.manual_seed(1)
    return TorchEncoder.create(
        EncoderConfig(architecture, spec, Preprocessing()), build_backbone(architecture).state_dict()
    )


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("architecture", ["mobilenet_v2", "resnet18"])
def test_the_maps_hold_the_features_and_their_shares_the_weighted_sum(architecture: str, spec: FeatureSpec) -> None:
    read = encoder(architecture, spec)
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (70, 101, 3), dtype=np.uint8)
    weights = rng.normal(size=read.feature_length)
    features = read.embed(pixels).astype(np.float64)
    parts = placed(feature_maps(read, pixels), spec, (70, 101))
    np.testing.assert_allclose(features_of(parts, spec), features, atol=1e-5)
    drawn = sum_of_shares(parts, weights, spec, (70, 101))
    assert drawn.shape == (70, 101)
    assert np.isfinite(drawn).all()


def test_every_part_lies_in_the_picture_and_crops_where_they_were_cut() -> None:
    spec = SPECS["five crops"]
    read = encoder("mobilenet_v2", spec)
    parts = placed(feature_maps(read, np.zeros((70, 101, 3), dtype=np.uint8)), spec, (70, 101))
    full = {(0, 0, 48, 48), (0, 53, 48, 48), (22, 0, 48, 48), (22, 53, 48, 48), (11, 26, 48, 48)}
    # The half-size copy is 50 pixels wide and 35 high: less high than a crop, and a pixel of it is 2.02 of the picture.
    assert {part.box for of_crops in parts for part in of_crops} == full | {
        (0, 0, 70, 97),
        (0, 4, 70, 97),
        (0, 2, 70, 97),
    }


def test_crops_of_a_reduced_copy_reach_the_edges_of_the_picture() -> None:
    boxes = [box_in_picture(box, (257, 300), (513, 601)) for box in five_crop_boxes(257, 300, 224)]
    assert boxes[0][:2] == (0, 0)
    assert (boxes[3][0] + boxes[3][2], boxes[3][1] + boxes[3][3]) == (513, 601)
    assert {box[2:] for box in boxes} <= {(447, 449), (447, 448), (448, 449), (448, 448)}


@pytest.mark.parametrize("architecture", ["mobilenet_v2", "resnet18", "efficientnet_lite0"])
def test_a_cell_lies_where_a_change_of_the_picture_changes_it(architecture: str) -> None:
    spec = FeatureSpec((0, 1, 2, 3, 4, 5), ("mean",), (1.0,))
    state = build_backbone(architecture).state_dict()
    even = {name: torch.full_like(value, 1 / value[0].numel()) for name, value in state.items() if value.ndim == 4}
    read = TorchEncoder.create(EncoderConfig(architecture, spec, Preprocessing()), state | even)  # a chain of means
    rng = np.random.default_rng(5)
    before = rng.integers(100, 120, (128, 128, 3), dtype=np.uint8)
    old = list(feature_maps(read, before))
    errors = []
    for top, left in rng.integers(40, 80, (16, 2)):
        after = before.copy()
        after[top : top + 3, left : left + 3] = 255
        for stage, new in enumerate(feature_maps(read, after)):
            change = np.abs(new.values - old[stage].values).sum(axis=(0, 1))
            cells = [change.sum(axis=1 - axis) @ np.arange(change.shape[axis]) / change.sum() for axis in (0, 1)]
            places = new.grid.centre + np.array(cells) * new.grid.stride - (np.array([top, left]) + 1.5)
            errors.append((stage, *(places / new.grid.stride)))
    for stage in spec.stages:
        mean = np.mean([places for at, *places in errors if at == stage], axis=0)
        assert (np.abs(mean) < A_FIFTH_OF_A_CELL).all()


@given(st.integers(1, 7), st.integers(1, 2), st.integers(1, 2))
def test_padding_half_a_kernel_keeps_the_first_cell_in_its_place(half: int, stride: int, dilation: int) -> None:
    grid = Grid().after(2 * half + 1, stride, half * dilation, dilation)
    assert grid == Grid(float(stride), 0.5)


def test_a_pixel_sum_is_the_score_with_and_without_pytorch_and_the_maps_agree(
    tiny_model: Path, photos: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    add_graph(folder)
    pixels = decode(photos[0], view_size=64).pixels
    maps = [split_model_score(load_model(str(folder), runtime=runtime), pixels) for runtime in ("onnx", "torch")]
    light, heavy = (found.local for found in maps)
    assert maps[0].score == pytest.approx(maps[1].score, abs=0.01)
    assert np.abs(light - heavy).max() <= 0.005 * np.ptp(heavy)


def test_the_map_of_noise_has_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    model = shamisa.load_model()
    rng = np.random.default_rng(7)
    pixels = rng.normal(128, 40, (256, 320, 3)).clip(0, 255).astype(np.uint8)

    def frame() -> float:
        local = split_model_score(model, pixels).local
        return float(abs(np.median(local[:12]) - np.median(local[60:-60])))

    mended = frame()
    monkeypatch.setattr(map_split, "FRAMED", 0)
    monkeypatch.setattr(onnx_encoder, "with_repeated_borders", lambda graph, _after: (graph, frozenset()))
    model = shamisa.load_model()
    assert mended < frame() / 2


def test_the_outermost_cells_count_as_their_neighbours_do_and_no_cell_is_lost() -> None:
    cells = np.arange(20.0).reshape(4, 5)
    top, bottom = [6, 6, 7, 8, 8], [11, 11, 12, 13, 13]
    assert _without_frame(cells, ((1, 1), (1, 1))).tolist() == [top, top, bottom, bottom]
    assert _without_frame(cells[:1, :2], ((1, 1), (1, 1))).tolist() == [[0, 1]]
    assert _without_frame(cells, ((0, 0), (0, 0))).tolist() == cells.tolist()
    assert _without_frame(cells, ((0, 0), (1, 0)))[0].tolist() == [1, 1, 2, 3, 4]  # a tile at the left border


@pytest.mark.parametrize("name", ["shamisa-lite2", "shamisa-lite0"])
def test_features_are_those_of_the_score_to_the_last_bit(name: str) -> None:
    model = shamisa.load_model(name)
    assert isinstance(model.encoder, onnx_encoder.OnnxEncoder)
    for size in ((1, 1), (340, 512), (512, 512), (64, 301)):
        pixels = np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), dtype=np.uint8)
        features, found = embed_and_split(model, pixels)
        assert features.tobytes() == model.encoder.embed(pixels).tobytes()
        assert model.probe is not None
        assert found.score == pytest.approx(POINTS * model.probe.predict(features[None])[0], rel=1e-12)


def test_a_second_branch_repeats_borders_as_onnx_says_and_the_first_is_as_it_was(tmp_path: Path) -> None:
    network = encoder("mobilenet_v2", FeatureSpec((0, 3, 6, 18), ("mean",), (1.0, 0.5)))
    save_file(network.state(), tmp_path / "encoder.safetensors")
    graph = export_graph(network, tmp_path / "encoder.safetensors", "c0ffee")
    listed = json.loads(onnx.load_from_string(graph).metadata_props[1].value)
    far = [name for name, stride, _ in listed if stride >= 8]
    plain = onnx.load_from_string(graph).graph
    changed, twins = with_repeated_borders(graph, far)
    both = onnx.load_from_string(changed).graph
    assert both.node[: len(plain.node)] == plain.node
    made = {name: node for node in both.node for name in node.output}
    assert all(name + BRANCH in made for name in twins)
    assert onnx_encoder.FEATURES in twins
    assert {name in twins for name, stride, _ in listed if stride < 8} == {False}
    assert [name in twins for name in far] == [False, True, False, True]  # each scale has its branch
    for node in plain.node:
        sides = any(any(each.ints) for each in node.attribute if each.name == "pads")
        if node.op_type != "Conv" or node.output[0] not in twins:
            continue
        twin = made[node.output[0] + BRANCH]
        kept, of_twin = ([each for each in one.attribute if each.name != "pads"] for one in (node, twin))
        assert kept == of_twin
        if not sides:
            assert twin.input[0] == node.input[0] + BRANCH
            continue
        before, plain_before, wide = made[twin.input[0]], made[node.input[0]], 0
        while before.op_type != "Pad":  # the border is repeated before what widens the map cell by cell
            assert before.op_type in ("Conv", "BatchNormalization", "Clip")
            assert before.attribute == plain_before.attribute or before.op_type == "Conv"
            assert before.input[1:] == plain_before.input[1:]
            wide += before.op_type == "Conv"
            before, plain_before = made[before.input[0]], made[plain_before.input[0]]
        assert wide == 1
        assert before.attribute[0].s == b"edge"
        read = plain_before.output[0]
        assert before.input[0] == (read + BRANCH if read in twins else read)
        [constant] = [each for each in both.initializer if each.name == before.input[1]]
        assert onnx.numpy_helper.to_array(constant).tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_borders_are_repeated_to_the_same_maps_before_and_after_what_widens_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.random.default_rng(6).integers(0, 256, (90, 141, 3), dtype=np.uint8)

    def maps() -> list[bytes]:
        encoder = shamisa.load_model().encoder
        assert isinstance(encoder, onnx_encoder.OnnxEncoder)
        return [found.values.tobytes() for found in encoder.features_and_maps(pixels)[1]]

    before = maps()
    monkeypatch.setattr(graph_padding, "_widened", lambda *_given: [])
    assert maps() == before


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (17, 33)])
def test_small_pictures_have_maps(model: shamisa.Model, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 90, dtype=np.uint8)
    assert split_model_score(model, pixels).points.shape == size


def test_a_graph_without_a_list_of_maps_says_how_to_get_one(
    tiny_model: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shamisa_cli.core.encoder.onnx_encoder import OnnxEncoder
    from shamisa_cli.core.errors import ModelError

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    add_graph(folder)
    model = load_model(str(folder), runtime="onnx")
    monkeypatch.setattr("shamisa_cli.core.encoder.onnx_encoder.MAPS", "another key")
    assert isinstance(model.encoder, OnnxEncoder)
    assert not model.encoder.lists_maps
    with pytest.raises(ModelError, match="shamisa models export"):
        model.encoder.features_and_maps(decode(photos[0], view_size=64).pixels)


def test_pooled_features_tell_the_moments_of_each_map(monkeypatch: pytest.MonkeyPatch) -> None:
    model = shamisa.load_model()
    pixels = np.random.default_rng(3).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    pixels[:, :40] = 128  # channels that hardly vary there
    quick = split_model_score(model, pixels).local
    monkeypatch.setattr(map_split, "_unscaled", lambda values, _pooled: map_split._measured(values))
    counted = split_model_score(model, pixels).local
    assert np.abs(quick - counted).max() <= 1e-4 * np.ptp(counted)
