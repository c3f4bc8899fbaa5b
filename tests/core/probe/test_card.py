"""The card and the figure that a fitted probe carries."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.probe.card import CardDetails, probe_card, save_scatter
from shamisa_cli.core.probe.protocol import fit_final, run_protocol
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import linear_scale

FACTS = CardDetails("mos.csv", 80, "tiny", "shamisa fit-probe --mos mos.csv -o probe", logistic=False, grouped=False)


@pytest.fixture(scope="module")
def fitted():
    generator = np.random.default_rng(0)
    features = generator.standard_normal((80, 6)).astype(np.float32)
    mos = 50 + 10 * features[:, 0] + generator.standard_normal(80)
    result = run_protocol(features, mos, subsets=["plain", "a|b"] * 40, splits=3)
    probe = Probe.from_ridge(
        fit_final(features, mos, result), scale=linear_scale(0, 100), encoder_fingerprint="ab" * 32
    )
    return mos, result, probe


def test_the_card_tells_the_data_the_scale_the_figures_and_the_command(fitted):
    _, result, probe = fitted
    card = probe_card(result, probe, FACTS)
    assert "mos.csv" in card
    assert "| pictures | 80 |" in card
    assert "0 (worst) … 100 (best), mapped linearly" in card
    assert f"| all | {result.spread('srcc').median:.3f} ± {result.spread('srcc').iqr:.3f} |" in card
    assert "| plain |" in card
    assert "shamisa fit-probe --mos mos.csv -o probe" in card
    assert "abababababab" in card


def test_names_cannot_break_the_card(fitted):
    _, result, probe = fitted
    details = CardDetails("x\n# y|z", 80, "tiny", "a ``` b", logistic=True, grouped=True)
    card = probe_card(result, probe, details)
    assert "\n# y" not in card
    assert "| a\\|b |" in card
    assert "````sh\na ``` b\n````" in card
    assert "splits of groups" in card
    assert "logistic" in card


def test_the_figure_is_a_picture_of_held_out_predictions(fitted, tmp_path):
    mos, result, _ = fitted
    target = tmp_path / "new" / "scatter.png"
    save_scatter(target, result, mos, data_name="cost$ and more$ of_it")
    with Image.open(target) as picture:
        assert picture.format == "PNG"
        colours = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 50
    assert [path.name for path in target.parent.iterdir()] == ["scatter.png"]
