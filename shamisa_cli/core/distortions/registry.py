"""All operators by name."""

from __future__ import annotations

from shamisa_cli.core.distortions import blur, brightness, colour, compression, contrast, noise, spatial
from shamisa_cli.core.distortions.operator import Operator
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.groups import GROUPS, Group

_ALL = (
    *blur.OPERATORS,
    *colour.OPERATORS,
    *compression.OPERATORS,
    *noise.OPERATORS,
    *brightness.OPERATORS,
    *spatial.OPERATORS,
    *contrast.OPERATORS,
)

OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _ALL}
BY_GROUP: dict[Group, tuple[Operator, ...]] = {
    group: tuple(operator for operator in _ALL if operator.group == group) for group in GROUPS
}


def get_operator(name: str) -> Operator:
    """The operator of that name.

    Raises:
        SettingError: there is none; the text lists all names.
    """
    try:
        return OPERATORS[name]
    except KeyError:
        raise SettingError(f"There is no operator {name!r}; there are: {', '.join(OPERATORS)}.") from None
