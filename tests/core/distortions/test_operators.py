"""Each of the 26 operators on real photographs."""

from __future__ import annotations

import functools
import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage import color

from shamisa_cli.core.distortions.colour_spaces import rgb_to_roots, roots_to_rgb
from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.distortions.filtering import convolve, displace, gaussian_blur
from shamisa_cli.core.distortions.operator import OperatorContext, random_places
from shamisa_cli.core.distortions.registry import BY_GROUP, OPERATORS
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.groups import GROUPS

UNCHANGED_AT_MILDEST = (
    "gaussian blur",
    "Lab saturation",
    "mean shift down",
    "mean shift up",
    "contrast down",
    "contrast up",
)


SEVERITIES = np.linspace(0, 4, 9)

LARGER = {"colour blocks": 224, "moved patches": 224}
"""Operators on blocks of a fixed size, of which a crop of 96 pixels has no room for enough."""


def crops_of(example_photos: Path, size: int) -> torch.Tensor:
    """(3, 3, size, size) crops of real photographs."""
    crops = []
    for name in ("astronaut", "coffee", "temple"):
        picture = Image.open(example_photos / f"{name}.jpg").crop((120, 60, 120 + size, 60 + size))
        crops.append(torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1))
    return torch.stack(crops).float() / 255


@pytest.fixture(scope="module")
def photographs(example_photos: Path) -> torch.Tensor:
    """(3, 3, 96, 96) crops of real photographs."""
    return crops_of(example_photos, 96)


@dataclass(frozen=True)
class Sweep:
    """One call of an operator: 12 pictures (random operators are judged on their average) at 9 rising severities.

    Attributes:
        before, given: (9, 12, 3, height, width) pictures, and the same after the operator had them.
        result: (9, 12, 3, height, width).
    """

    before: torch.Tensor
    given: torch.Tensor
    result: torch.Tensor

    @property
    def distances(self) -> list[float]:
        """The mean absolute change at each severity."""
        return [float(change) for change in (self.result - self.before).abs().mean(dim=(1, 2, 3, 4))]


@pytest.fixture(scope="module")
def sweep(example_photos: Path) -> Callable[[str], Sweep]:
    """The sweep of an operator by its name."""

    @functools.cache
    def swept(name: str) -> Sweep:
        before = crops_of(example_photos, LARGER.get(name, 96)).repeat(4, 1, 1, 1).expand(9, -1, -1, -1, -1)
        given = before.clone()
        result = applied(given.flatten(0, 1), name, SEVERITIES.repeat(12).tolist())
        assert result.shape == given.flatten(0, 1).shape
        return Sweep(before, given, result.view_as(before))

    return swept


def applied(pictures: torch.Tensor, name: str, severity: float | list[float], seed: int = 0) -> torch.Tensor:
    return apply_operator(pictures, name, severity, torch.Generator().manual_seed(seed), angle=0.6, channel=1)


def test_there_are_26_operators_in_seven_groups() -> None:
    assert {group: len(BY_GROUP[group]) for group in GROUPS} == {
        "blur": 3,
        "colour": 4,
        "compression": 2,
        "noise": 4,
        "brightness": 4,
        "spatial": 5,
        "contrast": 4,
    }


@pytest.mark.parametrize("name", OPERATORS)
def test_result_is_a_picture_of_the_same_shape(
    sweep: Callable[[str], Sweep], photographs: torch.Tensor, name: str
) -> None:
    one_severity = applied(photographs, name, 1.7)
    assert one_severity.shape == photographs.shape
    for result in (one_severity, sweep(name).result):  # whose shape its maker holds against that of what it was given
        assert torch.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1


@pytest.mark.parametrize("name", OPERATORS)
def test_distortion_does_not_fall_with_severity(sweep: Callable[[str], Sweep], name: str) -> None:
    distances = sweep(name).distances
    assert all(later >= earlier - 1e-3 for earlier, later in pairwise(distances)), distances
    assert distances[-1] > 1.5 * distances[0]


@pytest.mark.parametrize("name", UNCHANGED_AT_MILDEST)
def test_mildest_value_leaves_the_picture_as_it_is(sweep: Callable[[str], Sweep], name: str) -> None:
    assert (sweep(name).result[0] - sweep(name).before[0]).abs().max() < 2e-3


@pytest.mark.parametrize("name", OPERATORS)
def test_each_picture_of_a_batch_gets_its_own_severity(sweep: Callable[[str], Sweep], name: str) -> None:
    """Of one batch, each photograph changes more where it was asked for more."""
    changes = (sweep(name).result - sweep(name).before).abs().mean(dim=(2, 3, 4))
    mild, strong = changes[1, :3], changes[7, :3]
    assert (strong > mild).all()


@pytest.mark.parametrize("name", OPERATORS)
def test_the_input_is_left_alone(sweep: Callable[[str], Sweep], name: str) -> None:
    assert torch.equal(sweep(name).given, sweep(name).before)


@pytest.mark.parametrize("name", OPERATORS)
def test_pictures_need_not_be_square_or_large(name: str) -> None:
    small = torch.rand(1, 3, 40, 57, generator=torch.Generator().manual_seed(1))
    assert applied(small, name, 4.0).shape == small.shape


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(SettingError, match=r"'sepia'.*gaussian blur"):
        applied(torch.zeros(1, 3, 8, 8), "sepia", 1.0)


def test_parameters_interpolate_the_documented_anchors() -> None:
    blur, jpeg = OPERATORS["gaussian blur"], OPERATORS["JPEG"]
    np.testing.assert_allclose(blur.value(np.array([0, 0.5, 2, 3.5, 4])), [0.1, 0.3, 1, 3.5, 5])
    np.testing.assert_allclose(jpeg.value(np.array([0, 0.5, 2.5, 4])), [43, 40, 16, 4])


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.integer])
def test_recorded_severity_is_that_of_the_rounded_parameter(name: str) -> None:
    operator = OPERATORS[name]
    asked = np.linspace(0, 4, 41)
    recorded = operator.applied_severity(asked)
    unrounded = np.interp(recorded, np.arange(5), operator.anchors)
    np.testing.assert_allclose(unrounded, operator.value(asked), atol=1e-9)


@pytest.mark.parametrize("sigma", [0.4, 2.5, 7.0])
def test_gaussian_blur_agrees_with_scipy(sigma: float) -> None:
    pictures = torch.rand(2, 3, 64, 80, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    blurred = gaussian_blur(pictures, torch.tensor([0.3, sigma], dtype=torch.float64))
    radius = math.ceil(3 * sigma)
    expected = ndimage.gaussian_filter(pictures[1, 2].numpy(), sigma, mode="mirror", radius=radius)
    np.testing.assert_allclose(blurred[1, 2].numpy(), expected, atol=1e-12)


def test_convolution_agrees_with_scipy_and_is_not_mirrored() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, 3, 30, 41, dtype=torch.float64, generator=generator)
    kernels = torch.rand(2, 7, 7, dtype=torch.float64, generator=generator)
    expected = ndimage.convolve(pictures[1, 0].numpy(), kernels[1].numpy(), mode="mirror")
    np.testing.assert_allclose(convolve(pictures, kernels)[1, 0].numpy(), expected, atol=1e-12)


def test_displacement_moves_content_towards_the_angle() -> None:
    channel = torch.zeros(1, 9, 9)
    channel[0, 4, 4] = 1
    assert displace(channel, torch.tensor([2.0]), 0.0)[0, 4, 6] == 1
    down = displace(channel, torch.tensor([1.5]), math.pi / 2)[0, :, 4]
    assert down[5].item() == pytest.approx(0.5, abs=1e-5)
    assert down[6].item() == pytest.approx(0.5, abs=1e-5)


def test_lab_made_of_its_roots_agrees_with_scikit_image(photographs: torch.Tensor) -> None:
    expected = color.rgb2lab(photographs[0].permute(1, 2, 0).double().numpy())
    roots = rgb_to_roots(photographs.double())
    x, y, z = roots[0].numpy()
    np.testing.assert_allclose(np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1), expected, atol=0.01)
    np.testing.assert_allclose(roots_to_rgb(roots).numpy(), photographs.numpy(), atol=1e-5)


def test_lab_saturation_agrees_with_scikit_image(photographs: torch.Tensor) -> None:
    lab = color.rgb2lab(photographs[1].permute(1, 2, 0).double().numpy())
    lab[..., 1:] *= 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # colours that sRGB does not have are clipped, which is meant
        expected = color.lab2rgb(lab)
    result = applied(photographs[1:2], "Lab saturation", 1.0)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(result, expected, atol=2e-3)


def test_hsv_saturation_agrees_with_a_conversion_to_hsv(photographs: torch.Tensor) -> None:
    hsv = color.rgb2hsv(photographs[1].permute(1, 2, 0).numpy())
    hsv[..., 1] *= 0.2
    result = applied(photographs[1:2], "HSV saturation", 1.0)[0].permute(1, 2, 0)
    np.testing.assert_allclose(result.numpy(), color.hsv2rgb(hsv), atol=1e-5)


def test_jpeg_is_pillows_jpeg(photographs: torch.Tensor) -> None:
    stream = io.BytesIO()
    pixels = (photographs[2] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(stream, "JPEG", quality=36)
    expected = np.asarray(Image.open(stream))
    result = (applied(photographs[2:], "JPEG", 1.0)[0] * 255).round().byte().permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("threads", [1, 3])
def test_codecs_give_the_same_on_any_number_of_threads(photographs: torch.Tensor, threads: int) -> None:
    generator = torch.Generator()
    qualities = [0.0, 2.0, 4.0]
    expected = torch.cat([applied(photographs[i : i + 1], "JPEG", quality) for i, quality in enumerate(qualities)])
    assert torch.equal(apply_operator(photographs, "JPEG", qualities, generator, threads=threads), expected)


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"JPEG"}))
def test_no_operator_but_a_codec_waits_for_the_device(name: str) -> None:
    """On a device that holds no values, whoever asks for one fails."""
    operator = OPERATORS[name]
    pictures = torch.empty(2, 3, 224, 224, device="meta")
    draw = OperatorContext(generator=None, angle=0.3, channel=2)  # type: ignore[arg-type]
    values = torch.from_numpy(operator.value(np.array([0.5, 3.5])))
    result = operator.apply(pictures, values, draw)
    assert result.shape == pictures.shape
    assert result.device == pictures.device


def test_places_are_spread_evenly_over_both_directions() -> None:
    draw = OperatorContext(torch.Generator().manual_seed(0))
    places = random_places((4, 50, 1001), torch.zeros(()), draw)
    assert places.shape == (4, 50, 1001)
    assert -1 <= places.min() < -0.999
    assert 0.999 < places.max() <= 1
    shares = torch.histc(places, 8, -1, 1) / places.numel()
    np.testing.assert_allclose(shares.numpy(), 1 / 8, atol=0.003)
    flat = places.flatten()
    for distance in (1, 2, 3, 4):  # four come from one random word
        assert abs(float((flat[distance:] * flat[:-distance]).mean())) < 0.004


def test_jitter_moves_pixels_as_far_as_asked() -> None:
    columns = torch.arange(192.0).expand(1, 3, 128, 192)
    jittered = OPERATORS["jitter"].apply(
        columns, torch.tensor([0.6]), OperatorContext(torch.Generator().manual_seed(0))
    )
    moved = (jittered - columns)[..., 4:-4]
    assert moved.abs().max() < 5 * 0.6 + 1e-4
    assert abs(moved.mean().item()) < 0.03
    once, five_times = 0.6 * math.sqrt(1 / 3), 0.6 * math.sqrt(5 / 3)  # neighbours are mixed on the way, so less
    assert 1.35 * once < moved.std().item() < five_times  # four passes would stay below


@pytest.mark.parametrize(("name", "variance"), [("white noise", 0.005), ("multiplicative noise", 0.02 / 4)])
def test_noise_has_the_documented_variance(name: str, variance: float) -> None:
    grey = torch.full((4, 3, 128, 128), 0.5)
    assert (applied(grey, name, 3.0) - grey).var().item() == pytest.approx(variance, rel=0.03)


def test_ycbcr_noise_has_the_documented_variance_in_ycbcr() -> None:
    grey = torch.full((4, 3, 128, 128), 0.5)
    noise = (applied(grey, "YCbCr noise", 4.0) - grey).flatten(2).transpose(0, 1).flatten(1)
    to_ycbcr = torch.linalg.inv(torch.tensor([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]]))
    np.testing.assert_allclose((to_ycbcr @ noise).var(dim=1).numpy(), 0.003, rtol=0.05)


def test_impulse_noise_hits_the_documented_share_half_white_half_black() -> None:
    result = applied(torch.full((4, 3, 128, 128), 0.5), "impulse noise", 4.0)
    assert (result == 1).float().mean().item() == pytest.approx(0.015, rel=0.1)
    assert (result == 0).float().mean().item() == pytest.approx(0.015, rel=0.1)


def test_tone_curves_keep_black_and_white() -> None:
    ramp = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    brighter, darker = (applied(ramp, name, 4.0)[0, 0, 0] for name in ("brighten", "darken"))
    np.testing.assert_allclose(brighter, [0, 0.5 + 0.5 * math.tanh(1.1), 1], atol=1e-5)
    np.testing.assert_allclose(darker, [0, 0.5 - 0.5 * math.tanh(0.8), 1], atol=1e-5)


def test_contrast_down_undoes_contrast_up() -> None:
    ramp = torch.linspace(0, 1, 99).view(1, 1, 1, -1).expand(1, 3, 1, 99)
    up = applied(ramp, "contrast up", 3.0)
    np.testing.assert_allclose(applied(up, "contrast down", 3.0).numpy(), ramp.numpy(), atol=1e-5)


def test_quantising_leaves_as_many_values_as_asked() -> None:
    ramp = torch.linspace(0, 1, 999).view(1, 1, 1, -1).expand(1, 3, 1, 999)
    assert len(applied(ramp, "quantise", 4.0).unique()) == 7


def test_colour_blocks_cover_at_most_their_area_and_at_least_one_block() -> None:
    background = torch.full((1, 3, 224, 224), 0.5)
    covered = (applied(background, "colour blocks", 0.0) != 0.5).any(dim=1).sum().item()
    assert 32 * 32 <= covered <= 2 * 32 * 32


def test_moved_patches_only_show_what_was_in_the_picture(photographs: torch.Tensor) -> None:
    result = applied(photographs[:1], "moved patches", 4.0)
    known = {tuple(pixel) for pixel in photographs[0].flatten(1).T.tolist()}
    assert {tuple(pixel) for pixel in result[0].flatten(1).T.tolist()} <= known


def test_pixelation_makes_blocks_of_equal_pixels() -> None:
    noise = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    strongest = 0.95 - 0.5**0.6
    distinct_rows = len(applied(noise, "pixelate", 4.0)[0, 0].unique(dim=0))
    assert distinct_rows == round(224 * strongest)
