"""The consensus of established measures: 0 for the same picture, lower the worse."""

from __future__ import annotations

import sys

import pytest
import torch

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.training.relational.consensus import consensus


def picture() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 12, 12, generator=generator)
    return torch.nn.functional.interpolate(coarse, (192, 192), mode="bicubic").clamp(0, 1)


def test_the_same_picture_costs_nothing() -> None:
    assert float(consensus(picture(), picture())) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("operator", ["gaussian blur", "JPEG", "white noise", "colour blocks"])
def test_it_falls_as_severity_rises(operator: str) -> None:
    pytest.importorskip("piq")
    levels = [apply_operator(picture(), operator, s, torch.Generator().manual_seed(0)) for s in (0.5, 2.0, 4.0)]
    judged = consensus(picture().expand(3, -1, -1, -1).contiguous(), torch.cat(levels)).tolist()
    assert judged[0] > judged[1] > judged[2] > -100


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piq", None)
    with pytest.raises(SettingError, match=r"shamisa\[train\]"):
        consensus(picture(), picture())
