"""The penalty on forgetting: nothing at the start, and a pull back to it afterwards."""

from __future__ import annotations

import numpy as np
import torch

from shamisa_cli.core.networks.backbones import build_backbone
from shamisa_cli.core.training.pretraining.retention import InitialEncoder, retention_loss, stage_means


def test_the_penalty_is_one_minus_cosine_averaged_over_crops_and_summed_over_stages() -> None:
    generator = torch.Generator().manual_seed(0)
    now = [torch.randn(5, width, generator=generator) for width in (4, 9)]
    then = [torch.randn(5, width, generator=generator) for width in (4, 9)]
    expected = 0.0
    for a, b in zip(now, then, strict=True):
        x, y = a.double().numpy(), b.double().numpy()
        expected += np.mean(1 - (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1))
    np.testing.assert_allclose(float(retention_loss(now, then)), expected, rtol=1e-5)


def test_length_does_not_count_only_direction() -> None:
    features = [torch.randn(3, 8)]
    assert abs(float(retention_loss([3 * features[0]], features))) < 1e-6


def test_following_the_penalty_leads_back_to_the_start() -> None:
    torch.manual_seed(0)
    start, now = torch.randn(4, 6), torch.randn(4, 6, requires_grad=True)
    optimiser = torch.optim.SGD([now], lr=2.0)
    before = float(retention_loss([now], [start]).detach())
    for _ in range(50):
        optimiser.zero_grad()
        retention_loss([now], [start]).backward()
        optimiser.step()
    assert float(retention_loss([now], [start])) < before / 10


def test_the_start_stays_what_it_was_while_the_encoder_moves_on() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18")
    pixels = torch.randn(2, 3, 32, 32)
    start = InitialEncoder(backbone, (0, -1))
    before = start.features(pixels)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.mul_(1.1)
    backbone(pixels)  # moves batch-norm statistics
    assert all(torch.equal(a, b) for a, b in zip(before, start.features(pixels), strict=True))
    assert not any(features.requires_grad for features in before)


def test_stage_means_are_means_over_positions_in_the_order_asked_for() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18").eval()
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        maps = backbone(pixels)
        last, first = stage_means(backbone, pixels, (-1, 0))
    np.testing.assert_allclose(last.numpy(), maps[-1].numpy().mean((2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(first.numpy(), maps[0].numpy().mean((2, 3)), rtol=1e-5, atol=1e-6)
