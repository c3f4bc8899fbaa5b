"""The encoder room: backbones, feature spec, projector, initialisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models, transforms

from shamisa_cli.core.encoder.spec import PAPER_FEATURES, EncoderConfig, FeatureSpec, Preprocessing, five_crop_boxes
from shamisa_cli.core.errors import ModelError
from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.networks.encoder import TorchEncoder
from shamisa_cli.core.networks.features import pooled, rescaled, spread
from shamisa_cli.core.networks.initial_weights import initial_state
from shamisa_cli.core.training.pretraining.learner import Projector

ARCHITECTURES: tuple[str, ...] = ("mobilenet_v2", "resnet18", "resnet50")


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build_backbone("mobilenet_v2").state_dict()


def picture(height: int = 64, width: int = 96) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_last_stage_is_what_torchvision_pools(architecture: str) -> None:
    torch.manual_seed(0)
    whole = models.get_model(architecture, weights=None).eval()
    backbone = build_backbone(architecture).eval()
    kept = {name: value for name, value in whole.state_dict().items() if not name.startswith(("fc.", "classifier."))}
    backbone.load_state_dict(kept)
    pixels = torch.rand(2, 3, 64, 64)
    hidden = torch.nn.Sequential(*list(whole.children())[: -2 if architecture != "mobilenet_v2" else -1])
    with torch.no_grad():
        maps = backbone(pixels)
        torch.testing.assert_close(maps[-1], hidden(pixels))
    assert tuple(feature_map.shape[1] for feature_map in maps) == backbone.stage_channels


def test_pooling_is_mean_and_standard_deviation_over_positions() -> None:
    feature_map = torch.rand(2, 5, 7, 9, dtype=torch.float64)
    flat = feature_map.flatten(2).numpy()
    np.testing.assert_allclose(pooled(feature_map), flat.mean(axis=2))
    np.testing.assert_allclose(spread(feature_map), flat.std(axis=2), atol=1e-5)


def test_blocks_are_ordered_by_scale_stage_moment_and_have_unit_norm(weights: dict[str, torch.Tensor]) -> None:
    spec = FeatureSpec(stages=(3, -1), moments=("mean", "std"), scales=(1.0, 0.5))
    encoder = TorchEncoder.create(EncoderConfig(features=spec), weights)
    vector = encoder.embed(picture())
    assert vector.shape == (encoder.feature_length,) == (2 * 2 * (24 + 1280),)
    pixels = torch.from_numpy(picture()).permute(2, 0, 1)[None].float() / 255
    mean, std = torch.tensor(Preprocessing().mean), torch.tensor(Preprocessing().std)
    with torch.no_grad():
        stage = encoder.backbone((pixels - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))[3]
    block = stage.mean(dim=(2, 3))[0]
    np.testing.assert_allclose(vector[:24], block / block.norm(), rtol=1e-4)
    lengths = [24, 24, 1280, 1280] * 2
    for part in np.split(vector, np.cumsum(lengths)[:-1]):
        assert np.linalg.norm(part) == pytest.approx(1, abs=1e-5)


def test_half_scale_is_antialiased() -> None:
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1
    half = rescaled(stripes, 0.5)
    assert half.shape == (1, 3, 32, 32)
    assert (half[..., 4:-4] - 0.5).abs().max() < 0.1


def test_five_crops_are_the_corners_and_the_centre() -> None:
    corners = [(0, 0), (0, 176), (76, 0), (76, 176), (38, 88)]
    assert five_crop_boxes(300, 400, 224) == [(top, left, 224, 224) for top, left in corners]
    assert set(five_crop_boxes(100, 300, 224)) == {(0, left, 100, 224) for left in (0, 76, 38)}


def test_five_crops_of_a_small_picture_are_the_picture(weights: dict[str, torch.Tensor]) -> None:
    whole = TorchEncoder.create(EncoderConfig(features=FeatureSpec()), weights)
    crops = TorchEncoder.create(EncoderConfig(features=FeatureSpec(crops=5)), weights)
    np.testing.assert_allclose(crops.embed(picture()), whole.embed(picture()), atol=1e-6)


def test_the_papers_rows_are_a_crop_of_the_picture_beside_the_same_crop_of_its_half_size_copy(
    weights: dict[str, torch.Tensor],
) -> None:
    encoder = TorchEncoder.create(EncoderConfig(features=PAPER_FEATURES), weights)
    pixels = picture(480, 536)
    network = models.mobilenet_v2(weights=None).eval()
    network.load_state_dict(weights, strict=False)
    transform = transforms.Normalize(Preprocessing().mean, Preprocessing().std)
    full = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    half = transforms.functional.resize(full, [240, 268], transforms.InterpolationMode.BICUBIC, antialias=True).clamp(
        0, 1
    )
    expected = []
    for crops in zip(transforms.FiveCrop(224)(full), transforms.FiveCrop(224)(half), strict=True):
        with torch.no_grad():
            pooled_maps = [network.features(transform(crop)[None]).mean(dim=(2, 3))[0].numpy() for crop in crops]
        expected.append(np.concatenate([vector / np.linalg.norm(vector) for vector in pooled_maps]))
    rows = encoder.embed_crops(pixels)
    assert rows.shape == (5, 2560)
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    np.testing.assert_allclose(encoder.embed(pixels), rows.mean(axis=0), atol=1e-7)


def test_an_encoder_of_whole_pictures_has_one_row(weights: dict[str, torch.Tensor]) -> None:
    encoder = TorchEncoder.create(EncoderConfig(), weights)
    assert (encoder.embed_crops(picture()) == encoder.embed(picture())[None]).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (33, 32)])
def test_tiny_pictures_have_finite_features(weights: dict[str, torch.Tensor], size: tuple[int, int]) -> None:
    spec = FeatureSpec(stages=tuple(range(19)), moments=("mean", "std"))
    assert np.isfinite(TorchEncoder.create(EncoderConfig(features=spec), weights).embed(picture(*size))).all()


def test_weights_of_another_architecture_are_refused_with_the_name_that_is_wrong(
    weights: dict[str, torch.Tensor],
) -> None:
    with pytest.raises(ModelError, match=r"resnet18.*lack 'bn1.bias'"):
        TorchEncoder.create(EncoderConfig("resnet18"), weights)
    with pytest.raises(ModelError, match=r"'features.0.0.weight' has shape \(1,\)"):
        TorchEncoder.create(EncoderConfig(), {**weights, "features.0.0.weight": torch.zeros(1)})


@pytest.mark.parametrize(
    "damage",
    [
        {"stages": []},
        {"stages": ["x"]},
        {"stages": [1, 1]},
        {"moments": ["median"]},
        {"scales": [2.0]},
        {"crops": 3},
        {"crop_size": "big"},
        {"colour": "blue"},
    ],
)
def test_impossible_feature_specs_are_refused(damage: dict[str, object]) -> None:
    good = EncoderConfig().to_json()
    with pytest.raises(ModelError):
        EncoderConfig.from_json({**good, "features": {**good["features"], **damage}})


def test_preprocessing_of_a_newer_release_is_refused() -> None:
    good = EncoderConfig().to_json()
    with pytest.raises(ModelError, match="preprocessing version 99"):
        EncoderConfig.from_json({**good, "preprocessing": {**good["preprocessing"], "version": 99}})


def test_calibration_starts_z_near_unit_variance() -> None:
    torch.manual_seed(0)
    h = torch.nn.functional.normalize(torch.rand(126, 1280), dim=1)
    projector = Projector(1280, 512, 128)
    assert projector(h).std(dim=0).mean() < 0.05
    projector.calibrate(h)
    z = projector(h)
    assert z.var(dim=0).mean().item() == pytest.approx(1, rel=0.05)
    assert z.mean(dim=0).abs().max() < 1e-3


def test_training_starts_from_a_file_whose_classifier_is_left_out(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "start.safetensors"
    save_file({**weights, "classifier.1.weight": torch.zeros(2, 2)}, path)
    state = initial_state("mobilenet_v2", str(path))
    assert all(torch.equal(state[name], value) for name, value in weights.items())


def test_a_start_that_does_not_fit_is_refused(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    save_file(weights, path)
    with pytest.raises(ModelError, match=r"do not fit resnet18"):
        initial_state("resnet18", str(path))
    with pytest.raises(ModelError, match="There is no file"):
        initial_state("mobilenet_v2", str(tmp_path / "absent.safetensors"))
    path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be read as safetensors"):
        initial_state("mobilenet_v2", str(path))
