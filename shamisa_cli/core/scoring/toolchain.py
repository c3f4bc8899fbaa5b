"""The program and packages that made scores, beside the model, as a baseline records them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

OWN = "shamisa"
COMPUTING = {"onnx": "onnxruntime", "torch": "torch"}
"""Runtime → the package that computes with it."""
AND = " and "
"""Between the versions of a package, where several made the scores."""


@dataclass(frozen=True)
class Toolchain:
    """The program and the packages that made scores.

    Attributes:
        reading: number of the way pictures are read; see `core.images.decoding.READING`.
        formulas: number of the formulas; see `core.scoring.provenance.FORMULAS`.
        packages: name → version of this program, and of the packages that decode and compute; several where scores
            were made by several, as "12.0.0 and 13.0.0".
    """

    reading: int
    formulas: int
    packages: Mapping[str, str]

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Toolchain:
        """The toolchain in these JSON values. Raises KeyError or TypeError if there is none."""
        reading, formulas, packages = entries["reading"], entries["formulas"], dict(entries["packages"])
        for name, value in {"reading": reading, "formulas": formulas}.items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}")
        for name, version in packages.items():
            if not isinstance(version, str):
                raise TypeError(f"the version of {name} is {version!r}")
        return cls(reading, formulas, packages)

    def to_json(self) -> dict[str, Any]:
        """JSON values, sorted by name."""
        return {"formulas": self.formulas, "packages": dict(sorted(self.packages.items())), "reading": self.reading}

    def matches(self, other: Toolchain) -> bool:
        """Whether scores of the two can be compared: pictures are read alike, and scores computed alike."""
        return (self.reading, self.formulas) == (other.reading, other.formulas)

    def and_also(self, other: Toolchain) -> Toolchain:
        """The toolchain of scores of which some are of this one and some of another that matches it."""
        names = self.packages.keys() | other.packages.keys()
        held = {name: {each for one in (self, other) for each in one._versions(name)} for name in names}
        return replace(self, packages={name: AND.join(sorted(versions)) for name, versions in held.items()})

    def changes_to(self, other: Toolchain) -> str:
        """Other packages in other versions, such as "pillow 11.1 → 11.2", or to compute with; empty if there is none.

        This program's own changes are in its two numbers. A decoder that only one has says nothing of most pictures.
        """
        return ", ".join(
            f"{name} {self.packages.get(name, 'none')} → {other.packages.get(name, 'none')}"
            for name in sorted(self.packages.keys() | other.packages.keys())
            if name != OWN
            and self.packages.get(name) != other.packages.get(name)
            and (name in COMPUTING.values() or (name in self.packages and name in other.packages))
        )

    def _versions(self, name: str) -> list[str]:
        return self.packages[name].split(AND) if name in self.packages else []

    def __str__(self) -> str:
        return f"shamisa {self.packages.get(OWN, '?')} (reading {self.reading}, formulas {self.formulas})"
