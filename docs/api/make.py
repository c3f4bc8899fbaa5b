"""Writes the reference of the public Python API from its docstrings.

    python docs/api/make.py

`page()` gives its text; a test holds the file against it.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import shamisa_cli

HERE = Path(__file__).resolve().parent
PAGE = HERE / "README.md"
NOTE = "<!-- Made by docs/api/make.py from the docstrings: edit them and run it again. -->\n"
INTRODUCTION = """# Reference of the Python API

All public names of `import shamisa_cli as shamisa`, with their docstrings. Examples that run, by subject:
[python.md](../python.md).
"""
SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
ITEM = re.compile(r"^    (\S[^:]*?): (.*)$")
LONGEST_LINE = 100
UNPRINTED = "…"


def page() -> str:
    """The page as Markdown."""
    names = [name for name in shamisa_cli.__all__ if name != "__version__"]
    kinds: dict[str, dict[str, Any]] = {"Functions": {}, "Classes": {}, "Errors": {}, "Constants": {}}
    for name in sorted(names, key=str.lower):
        value = getattr(shamisa_cli, name)
        kinds[_kind(value)][name] = value
    contents = "".join(f"- {kind}: {', '.join(map(_link, values))}\n" for kind, values in kinds.items())
    parts = [NOTE, INTRODUCTION, contents]
    for kind, values in kinds.items():
        parts += [f"## {kind}\n", *(_entry(name, value) for name, value in values.items())]
    return "\n".join(parts)


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        return "Errors" if issubclass(value, Exception) else "Classes"
    return "Functions" if callable(value) else "Constants"


def _link(name: str) -> str:
    return f"[`{name}`](#{name.lower()})"


def _entry(name: str, value: Any) -> str:
    heading = f"### `{name}`\n\n"
    if _kind(value) == "Constants":
        return f"{heading}{_listed(value)}\n"
    call = "" if _kind(value) == "Errors" or _is_protocol(value) else f"{_block(name, value)}\n"
    members = "".join(_member(value, *each) for each in _members(value)) if inspect.isclass(value) else ""
    return f"{heading}{call}{_text(value)}{members}"


def _listed(value: Any) -> str:
    return ", ".join(f"`{each}`" for each in sorted(value))


def _is_protocol(value: Any) -> bool:
    return bool(getattr(value, "_is_protocol", False))


def _block(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    shown = [_parameter(each) for each in signature.parameters.values()]
    for at, each in enumerate(signature.parameters.values()):
        if each.kind is inspect.Parameter.KEYWORD_ONLY:
            shown.insert(at, "*")
            break
    returned = signature.return_annotation
    result = "" if inspect.isclass(function) or returned is inspect.Signature.empty else f" -> {_type(returned)}"
    line = f"{name}({', '.join(shown)}){result}"
    if len(line) > LONGEST_LINE:
        line = f"{name}(\n{''.join(f'    {each},{chr(10)}' for each in shown)}){result}"
    return f"```python\n{line}\n```\n"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    kind = "" if parameter.annotation is inspect.Parameter.empty else f": {_type(parameter.annotation)}"
    if parameter.default is inspect.Parameter.empty:
        return f"{stars}{parameter.name}{kind}"
    return f"{stars}{parameter.name}{kind}{' = ' if kind else '='}{_default(parameter.default)}"


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _default(value: Any) -> str:
    """The default where it reads the same everywhere: no addresses of objects, and no contents of records."""
    if value is None or isinstance(value, (bool, int, float, str, tuple, Path)):
        return repr(str(value)) if isinstance(value, Path) else repr(value)
    return UNPRINTED if not dataclasses.is_dataclass(value) else f"{type(value).__name__}({UNPRINTED})"


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that the class itself defines and describes."""
    for name, value in vars(owner).items():
        described = inspect.getdoc(value.__func__ if isinstance(value, (classmethod, staticmethod)) else value)
        known = isinstance(value, (property, classmethod, staticmethod)) or inspect.isfunction(value)
        if known and described and not name.startswith("_"):
            yield name, value


def _member(owner: type, name: str, value: Any) -> str:
    whole = f"{owner.__name__}.{name}"
    if isinstance(value, property):
        kind = _type(inspect.signature(value.fget).return_annotation) if value.fget is not None else ""
        return f"#### `{whole}: {kind}`\n\n{_text(value)}"
    function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    bound = function if function is value else getattr(owner, name)
    return f"#### `{whole}`\n\n{_block(name, bound)}\n{_text(function)}"


def _text(value: Any) -> str:
    """A docstring as Markdown: its sections of named things become lists."""
    lines = (inspect.getdoc(value) or "").splitlines()
    made: list[str] = []
    in_section = False
    for line in lines:
        if SECTION.match(line):
            in_section = True
            made += [f"**{line}**", ""]
        elif in_section and (found := ITEM.match(line)):
            names = ", ".join(f"`{name.strip()}`" for name in found[1].split(","))
            made.append(f"- {names}: {found[2]}")
        elif in_section and line.startswith("     "):
            made[-1] += f" {line.strip()}"
        else:
            if in_section and line.strip():
                in_section = line.startswith(" ")
                made += [""] if made[-1] else []
            made.append(line.strip() if in_section else line)
    return "\n".join(made).strip() + "\n\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
