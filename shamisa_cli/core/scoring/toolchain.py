"""The program and packages that made scores, beside the model, as a baseline records them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OWN = "shamisa"


@dataclass(frozen=True)
class Toolchain:
    """The program and the packages that made scores.

    Attributes:
        reading: number of the way pictures are read; see `core.images.decoding.READING`.
        formulas: number of the formulas; see `core.scoring.provenance.FORMULAS`.
        packages: name → version of this program, and of the packages that decode and compute.
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

    def changes_to(self, other: Toolchain) -> str:
        """Other packages that both have in other versions, such as "pillow 11.1 → 11.2"; empty if there is none.

        This program's own changes are in its two numbers.
        """
        return ", ".join(
            f"{name} {version} → {other.packages[name]}"
            for name, version in sorted(self.packages.items())
            if name != OWN and other.packages.get(name, version) != version
        )

    def __str__(self) -> str:
        return f"shamisa {self.packages.get(OWN, '?')} (reading {self.reading}, formulas {self.formulas})"
