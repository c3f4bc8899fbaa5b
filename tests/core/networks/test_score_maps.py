"""A weighted sum of features, split over the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec, Preprocessing, box_in_picture, five_crop_boxes
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.features import MOMENTS
from shamisa_cli.core.networks.score_maps import SHARES, contributions

SPECS = {
    "the paper's": FeatureSpec(),
    "all moments of several stages, not in their order": FeatureSpec((-1, 0, 3), ("std", "mean"), (0.5, 1.0)),
    "five crops": FeatureSpec((1, -1), ("mean", "std"), crops=5, crop_size=48),
}


def encoder(architecture: str, spec: FeatureSpec) -> TorchEncoder:
    torch.manual_seed(1)
    return TorchEncoder.create(
        EncoderConfig(architecture, spec, Preprocessing()), build_backbone(architecture).state_dict()
    )


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("architecture", ["mobilenet_v2", "resnet18"])
def test_the_maps_of_a_picture_sum_to_the_weighted_features(architecture: str, spec: FeatureSpec) -> None:
    read = encoder(architecture, spec)
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (70, 101, 3), dtype=np.uint8)
    weights = rng.normal(size=read.feature_length)
    features = read.embed(pixels).astype(np.float64)
    total = sum(part.values.sum() for part in contributions(read, pixels, weights))
    assert total == pytest.approx(weights @ features, abs=1e-5 * np.abs(weights * features).sum())


def test_every_part_lies_in_the_picture_and_crops_where_they_were_cut() -> None:
    read = encoder("mobilenet_v2", SPECS["five crops"])
    pixels = np.zeros((70, 101, 3), dtype=np.uint8)
    boxes = {part.box for part in contributions(read, pixels, np.ones(read.feature_length))}
    full = {(0, 0, 48, 48), (0, 53, 48, 48), (22, 0, 48, 48), (22, 53, 48, 48), (11, 26, 48, 48)}
    # The half-size copy is 50 pixels wide and 35 high: less high than a crop, and a pixel of it is 2.02 of the picture.
    assert boxes == full | {(0, 0, 70, 97), (0, 4, 70, 97), (0, 2, 70, 97)}


def test_crops_of_a_reduced_copy_reach_the_edges_of_the_picture() -> None:
    boxes = [box_in_picture(box, (257, 300), (513, 601)) for box in five_crop_boxes(257, 300, 224)]
    assert boxes[0][:2] == (0, 0)
    assert (boxes[3][0] + boxes[3][2], boxes[3][1] + boxes[3][3]) == (513, 601)
    assert {box[2:] for box in boxes} <= {(447, 449), (447, 448), (448, 449), (448, 448)}


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_shares_of_positions_sum_to_the_moment_also_where_the_map_is_flat(moment: str) -> None:
    feature_map = torch.rand(1, 4, 5, 7, dtype=torch.float64)
    feature_map[:, 2] = 0.3
    shares = SHARES[moment](feature_map)
    assert shares.shape == feature_map.shape
    torch.testing.assert_close(shares.sum(dim=(2, 3)), MOMENTS[moment](feature_map))
