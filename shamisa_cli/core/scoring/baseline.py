"""Baselines: earlier scores, in a JSON file that is kept with the images and has readable diffs."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shamisa_cli.core.atomic import replacing
from shamisa_cli.core.errors import PARSE_ERRORS, ModelError, SettingError
from shamisa_cli.core.existence import is_gone
from shamisa_cli.core.patterns import composed
from shamisa_cli.core.plain_files import read_plain

if TYPE_CHECKING:
    from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.relative_names import RelativeNames
from shamisa_cli.core.scoring.toolchain import Toolchain

MOST_BYTES = 500_000_000
"""Of a baseline; a million pictures take some 50 MB."""
SCHEMA = 1
DECIMALS = 2
"""Decimals of scores in the file: few enough to hide differences in arithmetic between machines."""
REGRESSOR_DIGITS = 12


@dataclass(frozen=True)
class ScoreSource:
    """Model and settings that produced scores; scores are comparable only between matching sources.

    Attributes:
        name: name of the model, for people; not compared, since a folder may be renamed.
        revision: first hex digits of the SHA-256 over all that the encoder's features depend on.
        regressor: first hex digits of a SHA-256 over the probe's numbers.
        preprocessing: JSON values, `view_size` included.
        details: SHA-256 over what the other columns of a table depend on, such as intervals and defects; "" in
            baselines, which hold rounded scores alone.
        computed_by: all else that numbers depend on, as text; see `core.scoring.provenance`. "" in baselines.
        division: for a table that is one part of several, the record of which; see `core.cluster.division`.
    """

    name: str
    revision: str
    regressor: str
    preprocessing: Mapping[str, Any]
    details: str = ""
    computed_by: str = ""
    division: Mapping[str, Any] | None = None

    @classmethod
    def of_model(cls, model: ModelIdentity, encoder_digest: str, probe: Probe) -> ScoreSource:
        """The source of a run's scores."""
        # Through JSON, like values read from a file: tuples become lists.
        preprocessing = json.loads(json.dumps(dict(model.preprocessing or {})))
        return cls(model.name, encoder_digest[:REGRESSOR_DIGITS], _fingerprint(probe), preprocessing)

    def matches(self, other: ScoreSource) -> bool:
        """Whether scores from the two sources can be compared."""
        mine = (self.revision, self.regressor, self.preprocessing)
        return mine == (other.revision, other.regressor, other.preprocessing)

    def made_alike(self, other: ScoreSource) -> bool:
        """Whether rows of the two sources may stand in one table."""
        return self.matches(other) and (self.details, self.computed_by) == (other.details, other.computed_by)

    def __str__(self) -> str:
        return f"{self.name} ({self.revision}, probe {self.regressor})"


@dataclass(frozen=True)
class Baseline:
    """Earlier scores to compare with.

    Attributes:
        file: its file. Images are named relative to its folder, so that both can be moved together.
        scores: name, with forward slashes → score 0…100, rounded.
        scorer: model and settings that produced the scores; None while there is no file.
        made_with: program and packages that made them; None in older files, which do not say it, and while there is
            no file.
    """

    file: Path
    scores: Mapping[str, float]
    scorer: ScoreSource | None = None
    made_with: Toolchain | None = None

    def score_of(self, path: str) -> float | None:
        """The earlier score of the image at `path`, also with its accents in another form; None for a new one."""
        return self.scores.get(self._known(path))

    def changed_names(self, paths: Iterable[str]) -> tuple[int, int]:
        """How many images at `paths` have no earlier score, and how many with one are not there any more.

        An image that was renamed counts as both.
        """
        known = [self._known(path) for path in paths]
        new = sum(name not in self.scores for name in known)
        return new, len(_gone(self.file.parent, self.scores.keys() - set(known)))

    def require(self, scorer: ScoreSource, made_with: Toolchain) -> None:
        """Check that the scores are from a matching source and toolchain. Raises ModelError if they are not."""
        if self.scorer is None:
            return
        if self.scorer.matches(scorer):
            self._require_made_alike(made_with)
            return
        if (self.scorer.revision, self.scorer.regressor) == (scorer.revision, scorer.regressor):
            before, now = (dict(one.preprocessing) for one in (self.scorer, scorer))
            changed = ", ".join(
                f"{name} {before.get(name)} → {now.get(name)}"
                for name in {**before, **now}
                if before.get(name) != now.get(name)
            )
            raise ModelError(
                f"The scores in {self.file} were made with other preprocessing ({changed}), so they cannot be "
                "compared. Use the settings they were made with.",
                remedy="rewrite-baseline",
            )
        raise ModelError(
            f"The scores in {self.file} were made by {self.scorer}, and this is {scorer}: they cannot be compared. "
            "Use the model they were made with.",
            remedy="rewrite-baseline",
        )

    def changes_to(self, made_with: Toolchain) -> str:
        """Packages that this toolchain has in other versions than the scores' own; see `Toolchain.changes_to`."""
        return "" if self.made_with is None else self.made_with.changes_to(made_with)

    def updated(self, scores: Mapping[str, float], scorer: ScoreSource, made_with: Toolchain) -> Baseline:
        """This baseline with new scores (path → 0…100).

        Scores of other images are kept, unless the file was deleted, or another model or way of reading made them.
        While any are kept, the toolchain is that of both.
        """
        new = {self._name(path): round(score, DECIMALS) for path, score in scores.items()}
        others = self.scores.keys() - new.keys() if self._has_alike(scorer, made_with) else ()
        gone = _gone(self.file.parent, others)
        kept = {name: self.scores[name] for name in others if name not in gone}
        both = self.made_with and self.made_with.and_also(made_with)
        return replace(self, scores=kept | new, scorer=scorer, made_with=both if kept else made_with)

    def write(self) -> None:
        """Write the file atomically: one line per image, sorted by name."""
        assert self.scorer is not None
        scorer = self.scorer
        document = {
            "schema": SCHEMA,
            "model": {
                "name": scorer.name,
                "revision": scorer.revision,
                "regressor": scorer.regressor,
                "preprocessing": dict(sorted(scorer.preprocessing.items())),
            },
            **({} if self.made_with is None else {"made_with": self.made_with.to_json()}),
            "scores": dict(sorted(self.scores.items())),
        }
        # Names that are not valid UTF-8 are written as JSON escapes, from which they are read again.
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        with replacing(self.file) as temporary:
            temporary.write_bytes(text.encode("utf-8", "backslashreplace"))

    def _has_alike(self, scorer: ScoreSource, made_with: Toolchain) -> bool:
        alike = self.scorer is not None and self.scorer.matches(scorer)
        return alike and (self.made_with is None or self.made_with.matches(made_with))

    def _require_made_alike(self, made_with: Toolchain) -> None:
        if self.made_with is not None and not self.made_with.matches(made_with):
            raise ModelError(
                f"The scores in {self.file} were made by {self.made_with}, and this is {made_with}, which may read or "
                "score the same picture in another way: they cannot be compared. Use the version they were made with.",
                remedy="rewrite-baseline",
            )

    def _known(self, path: str) -> str:
        """The name of an image, as it stands among the scores where that differs only in the form of accents."""
        name = self._name(path)
        return name if name in self.scores else self._spellings.get(composed(name), name)

    @functools.cached_property
    def _spellings(self) -> Mapping[str, str]:
        return {composed(name): name for name in self.scores}

    def _name(self, path: str) -> str:
        return self._names.of(path)

    @functools.cached_property
    def _names(self) -> RelativeNames:
        return RelativeNames(self.file.parent)


def _gone(folder: Path, names: Iterable[str]) -> set[str]:
    """Those of the names, relative to a folder, at which nothing is any more; each folder is listed once."""
    held: dict[str, frozenset[str]] = {}
    gone = set()
    for name in names:
        place, file = os.path.split(name)
        if place not in held:
            held[place] = _listed(folder / place)
        if file not in held[place] and is_gone(folder / name):
            gone.add(name)
    return gone


def _listed(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208  names alone
    except (OSError, ValueError):  # whether each name is there is asked of the system
        return frozenset()


def read_baseline(file: Path) -> Baseline:
    """Read the baseline in `file`; an empty one if there is no such file.

    Raises:
        SettingError: the file is not a baseline of this version.
    """
    try:
        document = json.loads(read_plain(file, MOST_BYTES), object_pairs_hook=_each_once)
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema is {document['schema']!r}, and this program knows {SCHEMA}")
        model, scores = document["model"], document["scores"]
        name, revision, regressor = (_text(model, key) for key in ("name", "revision", "regressor"))
        scorer = ScoreSource(name, revision, regressor, dict(model["preprocessing"]))
        made_with = Toolchain.from_json(document["made_with"]) if "made_with" in document else None
        return Baseline(file, {str(name): _score(name, score) for name, score in scores.items()}, scorer, made_with)
    except FileNotFoundError:
        return Baseline(file, {})
    except IsADirectoryError:
        raise SettingError(f"{file} is a folder, and a baseline is a file. Name one, such as quality.json.") from None
    except UnicodeDecodeError:
        raise SettingError(f"{file} is not text, so it is not a baseline. Name another file.") from None
    except (*PARSE_ERRORS, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise SettingError(
            f"{file} is not a baseline ({reason}). Name another file, or delete it.", remedy="new-baseline"
        ) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The entries of an object; ValueError if one is there twice, as after a merge of two versions line by line."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice} is named twice, and only one can count")
    return entries


def _text(entries: Mapping[str, Any], name: str) -> str:
    if not isinstance(entries[name], str):
        raise TypeError(f"{name} is not text")
    return str(entries[name])


def _score(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"the score of {name} is {value!r}")
    return float(value)


def _fingerprint(probe: Probe) -> str:
    """Digits that differ for probes that score differently."""
    offset = probe.offset
    vectors = [probe.weights, probe.feature_mean, probe.feature_scale, probe.scale.positions, probe.scale.scores]
    numbers = [probe.bias, probe.clip]
    if offset:
        vectors.append(offset.weights)
        numbers += [offset.bias, offset.low, offset.high, offset.share]
    digest = hashlib.sha256()
    for vector in vectors:
        digest.update(vector.astype("<f8").tobytes())
    digest.update(json.dumps(numbers).encode())
    return digest.hexdigest()[:REGRESSOR_DIGITS]
