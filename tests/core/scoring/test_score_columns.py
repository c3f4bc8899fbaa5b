"""Records as a table for pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd

from shamisa_cli import score
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.records import ErrorRecord, ImageRecord
from shamisa_cli.core.scoring.score_columns import ScoreRecords


def test_scored_pictures_make_a_frame_that_sorts_and_describes(model: Model, tmp_path: Path) -> None:
    from PIL import Image

    for number in range(3):
        Image.new("RGB", (80, 60), (60 * number, 90, 90)).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"")
    records = score(tmp_path, model=model)
    frame = records.to_pandas()
    assert list(frame.path) == [record.path for record in records]
    assert frame.score.max() == max(record.score for record in records if record.score is not None)
    assert frame.width.sum() == 240
    assert list(frame[frame.status == "error"].error_kind) == ["empty"]
    assert frame.score.isna().sum() == 1


def test_intervals_and_defects_are_columns_of_their_own() -> None:
    records = ScoreRecords(
        [
            ImageRecord("a", 50.0, 3.0, (40.0, 60.0), 8, 6, {"blur": 1.5, "noise": 0.0}),
            ImageRecord("b", status="error", error=ErrorRecord("missing", "b does not exist.")),
        ]
    )
    frame = records.to_pandas()
    assert list(frame.columns[-3:]) == ["defect_blur", "defect_noise", "warnings"]
    assert (frame.interval_low[0], frame.interval_high[0], frame.defect_blur[0]) == (40, 60, 1.5)
    assert frame.error[1] == "b does not exist."
    assert pd.isna(frame.width[1])
    assert pd.isna(frame.defect_blur[1])


def test_no_records_make_an_empty_frame_with_the_same_columns() -> None:
    empty = ScoreRecords().to_pandas()
    assert len(empty) == 0
    assert {"path", "score", "status"} <= set(empty.columns)


def test_without_pandas_records_say_what_to_install() -> None:
    program = """
import sys
sys.modules["pandas"] = None
from shamisa_cli.core.scoring.score_columns import ScoreRecords
try:
    ScoreRecords().to_pandas()
except ImportError as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "pip install 'shamisa[pandas]'" in shown
