"""What Python functions return and raise can be copied, stored and handed from process to process."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import pkgutil
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import shamisa_cli as shamisa
from shamisa_cli.core.encoder.embedder import Embedder
from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.errors import ImageError, ShamisaError
from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.models.folder import ModelFolder

FAST = Path(__file__).resolve().parents[2] / "weights" / "shamisa-lite0"
COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "pickle of the first protocol": lambda value: pickle.loads(pickle.dumps(value, protocol=0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
COPIED = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


def error_classes() -> list[type[ShamisaError]]:
    for module in pkgutil.walk_packages(shamisa.__path__, "shamisa_cli."):
        if module.name.startswith("shamisa_cli.core."):
            import_module(module.name)
    found: list[type[ShamisaError]] = [ShamisaError]
    for each in found:
        found += [subclass for subclass in each.__subclasses__() if subclass not in found]
    return found


def record_classes() -> list[type]:
    """Every public dataclass, and those of its fields."""
    public = [getattr(shamisa, name) for name in shamisa.__all__]
    found = [each for each in public if inspect.isclass(each) and dataclasses.is_dataclass(each)]
    for each in found:
        for hint in hints_of(each).values():
            found += [part for part in parts(hint) if dataclasses.is_dataclass(part) and part not in found]
    return found


def hints_of(record: type) -> dict[str, Any]:
    hints = typing.get_type_hints(record, localns={"np": np, "npt": npt})
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}


def parts(hint: Any) -> Iterator[Any]:
    yield typing.get_origin(hint) or hint
    for each in typing.get_args(hint):
        yield from parts(each)


def example(hint: Any) -> Any:
    """A value of this type, with everything in it that may be there."""
    kind, inner = typing.get_origin(hint) or hint, [each for each in typing.get_args(hint) if each is not NoneType]
    if kind is Embedder:
        return shamisa.load_model(str(FAST), on_demand=True).encoder
    if kind is ModelFolder:
        return ModelFolder.open(FAST, EncoderConfig)
    if kind in (typing.Union, UnionType):
        return example(inner[0])
    if kind is typing.Literal:
        return inner[0]
    if issubclass_of(kind, ShamisaError):
        return ImageError("a.jpg", "empty", "a.jpg is empty.")
    if dataclasses.is_dataclass(kind):
        return record_of(typing.cast("type", kind))
    if kind is tuple:
        return tuple(example(each) for each in inner if each is not Ellipsis)
    if issubclass_of(kind, Mapping):
        return {example(inner[0]): example(inner[1])}
    if kind is np.ndarray:
        return np.arange(3.0)
    made: dict[Any, Any] = {
        Path: Path("a.jpg"),
        str: "text",
        bytes: b"bytes",
        int: 1,
        float: 0.5,
        bool: True,
        Any: "anything",
    }
    return made[kind]


def issubclass_of(kind: Any, base: type) -> bool:
    return inspect.isclass(kind) and issubclass(kind, base)


def record_of(kind: type) -> Any:
    made = object.__new__(kind)
    for name, hint in hints_of(kind).items():
        object.__setattr__(made, name, example(hint))
    return made


def text_of(value: object) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@COPIED
def test_every_error_is_itself_in_a_copy(copied: Callable[[Any], Any]) -> None:
    kinds = error_classes()
    assert len(kinds) > 9
    for kind in kinds:
        if issubclass(kind, ImageError):
            error: ShamisaError = kind(Path("a\x1b.jpg"), "empty", "a\x1b.jpg is empty.\nThe rest.")
        else:
            error = kind("There is none.", remedy="name-a-probe", device="cuda:9")
        found = copied(error)
        assert type(found) is kind
        assert (str(found), vars(found)) == (str(error), vars(error)), kind


@COPIED
def test_every_record_is_itself_in_a_copy(copied: Callable[[Any], Any]) -> None:
    kinds = record_classes()
    assert len(kinds) > 60
    for kind in kinds:
        record = example(kind)
        assert text_of(copied(record)) == text_of(record), kind


@COPIED
@pytest.mark.parametrize(
    "settings",
    [{"runtime": "onnx"}, {"runtime": "onnx", "on_demand": True}, {"runtime": "torch", "device": "cpu"}],
    ids=["onnx", "on demand", "torch"],
)
def test_a_copy_of_a_model_scores_as_the_model(settings: dict[str, Any], copied: Callable[[Any], Any]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    model = shamisa.load_model(str(FAST), **settings)
    [expected] = shamisa.score(picture, model)
    [found] = shamisa.score(picture, copied(model))
    assert found.score == expected.score


@COPIED
def test_a_copy_of_what_compares_tells_the_same(copied: Callable[[Any], Any]) -> None:
    a, b = np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), dtype=np.uint8)
    comparer = shamisa.load_relational_model(runtime="onnx")
    assert text_of(copied(comparer).relate(a, b)) == text_of(comparer.relate(a, b))


def test_a_damaged_picture_in_another_process_is_its_error_and_the_others_go_on(
    example_photos: Path, tmp_path: Path
) -> None:
    good = sorted(example_photos.glob("*.jpg"))[0]
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(good.read_bytes()[:3000])
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(decode, str(path)) for path in (good, torn, good)]
        assert jobs[0].result().width == jobs[2].result().width > 0
        with pytest.raises(ImageError) as caught:
            jobs[1].result()
    assert (caught.value.path, caught.value.kind) == (str(torn), "truncated")


def test_public_records_can_be_compared_whatever_they_hold() -> None:
    kinds = [getattr(shamisa, name) for name in shamisa.__all__]
    records = [kind for kind in kinds if inspect.isclass(kind) and dataclasses.is_dataclass(kind)]
    assert len(records) > 20
    for kind in records:
        one = example(kind)
        assert (one == example(kind)) in (True, False), kind
        assert (one == copy.copy(one)) in (True, False), kind
