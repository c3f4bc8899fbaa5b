"""The layout holds: who may import whom, where PyTorch and the command line stay, and a few habits of the text.

Everything is read from the syntax trees.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "shamisa_cli"

LAYERS = (
    ("core.errors", "_version"),
    ("core.home", "core.existence"),
    ("core.places", "core.argument_words", "core.unfinished"),
    (
        "core.arguments",
        "core.arrays",
        "core.atomic",
        "core.machine",
        "core.groups",
        "core.overrides",
        "core.extras",
        "core.json_lines",
        "core.known_files",
        "core.patterns",
        "core.reliability",
        "core.ownership",
        "core.plain_files",
        "core.quantiles",
        "core.relative_names",
        "core.sole_writer",
    ),
    ("core.full_size",),
    ("core.remarks",),
    ("core.images", "core.records", "core.map_images"),
    ("core.encoder",),
    ("core.probe",),
    ("core.relational",),
    ("core.models",),
    ("core.scoring",),
    ("core.configuration", "core.installation", "core.cluster", "core.culling"),
    ("core.fitting",),
    ("core.api",),
    ("cli",),
    ("cli.reporters",),
    ("cli.commands",),
    ("cli.app",),
    ("__main__",),
)
"""A package may import itself and those of lines above it; packages of one line do not import each other."""

ROOMS = ("core.torch_state", "core.distortions", "core.graphs", "core.networks", "core.training")
"""Packages that may import PyTorch. A room may import those before it, but networks imports the first alone."""
ROOM_IMPORTS = {
    "core.torch_state": (),
    "core.distortions": ("core.torch_state",),
    "core.graphs": ("core.torch_state", "core.distortions"),
    "core.networks": ("core.torch_state",),
    "core.training": ("core.torch_state", "core.distortions", "core.graphs", "core.networks"),
}
HIGHEST_FOR_ROOMS = "core.scoring"

NETWORKS = (
    ("layers", "pixels", "backbones", "timm_backbones", "features", "encoder", "initial_weights"),
    ("pair_statistics", "distortion_network", "scoring_network", "windows"),
    ("model_folders",),
    ("derive", "export", "tensors", "torchmetric"),
    ("feature_maps",),
)
"""The ladder inside core.networks; a module that is not named stands on the last line but one."""

DOORS = (
    "core.models.runtimes",
    "core.models.loading",
    "core.scoring.map_split",
    "core.fitting.recipe",
    "core.fitting.checkpoints",
    "core.fitting.defects",
    "core.fitting.direction",
    "cli.commands.train",
    "cli.commands.fit_defects",
    "cli.commands.models",
)
"""Files in which light code may import a room, inside `with needs_pytorch(...)`."""

TORCH = ("torch", "torchvision", "torchmetrics", "timm", "piq", "safetensors.torch")
COMMAND_LINE = ("typer", "click", "rich")
TYPED_COMMAND = r"`shamisa [^`]*`"
"""A model's card may say what to type."""
LONGEST = 300
LONGEST_FUNCTION = 60


@dataclass(frozen=True)
class Import:
    """One imported module, as `core.errors` or `torch`."""

    importer: str
    imported: str
    line: int
    at_door: bool

    @property
    def place(self) -> str:
        return f"{self.importer} (line {self.line})"


@cache
def texts() -> dict[str, str]:
    """Module name without `shamisa_cli.` → its text."""
    return {_name(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def files() -> dict[str, ast.Module]:
    """Module name → its tree."""
    return {name: ast.parse(text) for name, text in texts().items()}


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> tuple[Import, ...]:
    """All imports of the package, wherever they stand."""
    return tuple(found for name, tree in files().items() for found in _imports(name, tree, at_door=False))


def _imports(importer: str, node: ast.AST, *, at_door: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(importer, _short(alias.name), child.lineno, at_door)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{importer}, line {child.lineno}: imports are absolute"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                name = whole if _short(whole) in files() or whole in TORCH else str(child.module)
                yield Import(importer, _short(name), child.lineno, at_door)
        else:
            yield from _imports(importer, child, at_door=at_door or _is_door(child))


def _is_door(node: ast.AST) -> bool:
    return isinstance(node, ast.With) and any(
        isinstance(item.context_expr, ast.Call)
        and isinstance(item.context_expr.func, ast.Name)
        and item.context_expr.func.id == "needs_pytorch"
        for item in node.items
    )


def _short(module: str) -> str:
    return module.removeprefix("shamisa_cli.") if module.startswith("shamisa_cli.") else module


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def room(module: str) -> str | None:
    """The PyTorch room a module is in."""
    return next((name for name in ROOMS if _inside(module, name)), None)


def package(module: str) -> str:
    """The package of `LAYERS` that a module belongs to."""
    if _inside(module, "cli"):
        named = ("cli.reporters", "cli.commands", "cli.app")
        return next((name for name in named if _inside(module, name)), "cli")
    return next((name for line in LAYERS for name in line if _inside(module, name)), module)


def line(name: str) -> int:
    return next((number for number, names in enumerate(LAYERS) if name in names), -1)


def upward_imports() -> Iterator[tuple[str, str]]:
    for each in imports():
        if each.imported not in files() or not each.importer or each.imported in ("", "core"):
            continue
        importer, imported = package(each.importer), package(each.imported)
        if room(each.importer) or room(each.imported) or importer == imported:
            continue
        if line(importer) <= line(imported):
            yield f"{each.importer} imports {each.imported}", each.place


def room_imports() -> Iterator[tuple[str, str]]:
    """Imports of rooms that are not allowed, and those of rooms that reach too high."""
    for each in imports():
        if each.imported not in files() or each.imported in ("", "core"):
            continue
        if not each.importer:
            continue  # the root names the homes of its lazy names for type checkers
        importer, imported = room(each.importer), room(each.imported)
        words = f"{each.importer} imports {each.imported}", each.place
        if importer and imported:
            if importer != imported and imported not in ROOM_IMPORTS[importer]:
                yield words
        elif (importer and line(package(each.imported)) > line(HIGHEST_FOR_ROOMS)) or (
            imported and not importer and not (each.at_door and each.importer in DOORS)
        ):
            yield words


def network_imports() -> Iterator[tuple[str, str]]:
    def step(module: str) -> int:
        part = module.split(".")[2]
        return next((number for number, names in enumerate(NETWORKS) if part in names), len(NETWORKS) - 2)

    for each in imports():
        inside = each.importer.startswith("core.networks.") and each.imported.startswith("core.networks.")
        if inside and step(each.importer) < step(each.imported):
            yield f"{each.importer} imports {each.imported}", each.place


def torch_imports() -> Iterator[tuple[str, str]]:
    for each in imports():
        if not room(each.importer) and any(_inside(each.imported, name) for name in TORCH):
            yield f"{each.importer} imports {each.imported}", each.place


def command_line_imports() -> Iterator[tuple[str, str]]:
    for each in imports():
        if _inside(each.importer, "core") and any(_inside(each.imported, name) for name in COMMAND_LINE):
            yield f"{each.importer} imports {each.imported}", each.place


def training_cycles() -> Iterator[tuple[str, str]]:
    """Modules of core.training that import each other in a circle, and the two tasks where one imports the other."""
    graph: dict[str, set[str]] = {}
    for each in imports():
        if _inside(each.importer, "core.training") and _inside(each.imported, "core.training"):
            graph.setdefault(each.importer, set()).add(each.imported)
            tasks = [module.split(".")[2] for module in (each.importer, each.imported) if module.count(".") > 1]
            if set(tasks) == {"pretraining", "relational"}:
                yield f"{each.importer} imports {each.imported}", each.place
    for start in graph:
        reached, waiting = set[str](), list(graph[start])
        while waiting:
            module = waiting.pop()
            if module not in reached:
                reached.add(module)
                waiting.extend(graph.get(module, ()))
        if start in reached:
            yield f"{start} imports itself through others", start


@cache
def options() -> frozenset[str]:
    """The options of the program, from its pages, which a test holds against it."""
    rows = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "docs" / "cli").glob("*.md"))
    return frozenset(re.findall(r"(?<=`)--[a-z][a-z-]*", rows))


def options_in_core() -> Iterator[tuple[str, str]]:
    for name, tree in files().items():
        if not _inside(name, "core"):
            continue
        if "--" not in texts()[name]:
            continue
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                said = re.sub(TYPED_COMMAND, "", node.value)
                for option in sorted(options() & set(re.findall(r"--[a-z][a-z-]*", said))):
                    yield f"{name} names {option}", f"{name} (line {node.lineno})"


def docstrings_that_begin_with_what() -> Iterator[tuple[str, str]]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for name, tree in files().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds) and (ast.get_docstring(node) or "").startswith("What"):
                yield f"{name}.{getattr(node, 'name', '')}: What", f"{name} (line {getattr(node, 'lineno', 1)})"


def questions_that_raise() -> Iterator[tuple[str, str]]:
    """Calls of Path.exists and its siblings, which raise for a folder that may not be entered and for a long name."""
    raising = ("exists", "is_file", "is_dir", "is_symlink")
    for name, tree in files().items():
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) and not node.args else None
            if isinstance(called, ast.Attribute) and called.attr in raising and ast.unparse(called.value) != "entry":
                yield f"{name} asks {ast.unparse(called)}", f"{name} (line {called.lineno})"


def long_modules() -> Iterator[tuple[str, str]]:
    for name, text in texts().items():
        count = len(text.splitlines())
        if count > LONGEST:
            yield f"{name} is too long", f"{name} has {count} lines"


def long_functions() -> Iterator[tuple[str, str]]:
    """Functions whose bodies are long, without docstrings: options of Typer are signatures, and are not counted."""
    for name, tree in files().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :]
                count = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if count > LONGEST_FUNCTION:
                    yield f"{name}.{node.name} is too long", f"{name}.{node.name} has {count} lines"


def lazy_names() -> Iterator[tuple[str, str]]:
    found: dict[str, set[str]] = {}
    for node in files()[""].body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name) and target.id in ("__all__", "_HOMES"):
            found[target.id] = set(ast.literal_eval(node.value))
    for name in sorted((found["__all__"] - {"__version__"}) ^ found["_HOMES"]):
        yield f"{name} is in one of __all__ and _HOMES", name


def repository_of_an_installed_package() -> Iterator[tuple[str, str]]:
    """Tests that look beside the package for files of the repository: where it is installed, there are none."""
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "__file__" and ast.unparse(node).startswith("shamisa"):
                name = path.relative_to(REPOSITORY).as_posix()
                yield f"{name} asks where the package is", f"{name} (line {node.lineno})"


RULES = {
    "a package imports only those above it": upward_imports,
    "a PyTorch room is entered through the door": room_imports,
    "networks are in order": network_imports,
    "torch stays in its rooms": torch_imports,
    "core knows no command line": command_line_imports,
    "core names no option": options_in_core,
    "training has no circle": training_cycles,
    "no docstring begins with What": docstrings_that_begin_with_what,
    "core.existence says what exists": questions_that_raise,
    "modules are short": long_modules,
    "functions are short": long_functions,
    "public names are lazy": lazy_names,
    "tests find the repository from their own place": repository_of_an_installed_package,
}


@pytest.mark.parametrize("rule", RULES)
def test_the_layout_holds(rule: str) -> None:
    found = [f"{what}: {where}" for what, where in dict(RULES[rule]()).items()]
    assert not found, f"{rule}:\n" + "\n".join(found)
