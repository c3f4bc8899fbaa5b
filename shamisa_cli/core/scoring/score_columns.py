"""Records of images as a list, and as a table for pandas (an optional dependency)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shamisa_cli.core.records import ImageRecord

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMN_TYPES = {
    "path": "object", "score": "float64", "interval_low": "float64", "interval_high": "float64", "mos": "float64",
    "width": "Int64", "height": "Int64", "status": "object", "error_kind": "object", "error": "object",
}  # fmt: skip
"""Columns of the CSV format; integers that may be missing have pandas' nullable type."""

DEFECT = "defect_"


class Records(list[ImageRecord]):
    """A list of records, one per image, with a conversion to pandas."""

    def to_pandas(self) -> DataFrame:
        """A data frame, one row per image: the columns of the CSV format, then defect_<group> if there are defects.

        Missing values are NaN, <NA> or None. Raises ImportError if pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("to_pandas needs pandas. Install it with: pip install 'shamisa[pandas]'") from error
        frame = DataFrame([score_row(record) for record in self])
        groups = [column for column in frame.columns if column.startswith(DEFECT)]
        return frame.reindex(columns=[*COLUMN_TYPES, *groups]).astype(COLUMN_TYPES)


def score_row(record: ImageRecord) -> dict[str, Any]:
    """A record as one row of a table: a value for each column of `--format csv`, None if it is missing."""
    low, high = record.interval or (None, None)
    return {
        "path": record.path,
        "score": record.score,
        "interval_low": low,
        "interval_high": high,
        "mos": record.mos,
        "width": record.width,
        "height": record.height,
        "status": record.status,
        "error_kind": record.error.kind if record.error else None,
        "error": record.error.message if record.error else None,
        **{f"{DEFECT}{group}": severity for group, severity in (record.defects or {}).items()},
    }
