from __future__ import annotations

import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shamisa_cli.core.cluster import ray_job, retrying
from shamisa_cli.core.cluster.division import SharedJob
from shamisa_cli.core.cluster.part_number import PartNumber
from shamisa_cli.core.cluster.parts import Part, split_into_parts, write_part
from shamisa_cli.core.cluster.ray_job import _gathered, _Worker
from shamisa_cli.core.cluster.retrying import TRIES, as_os_errors, with_retries
from shamisa_cli.core.cluster.row_makers import FeatureRows, JobSettings, Kind, RowMaker, ScoreRows
from shamisa_cli.core.cluster.sources import Sources, find_sources
from shamisa_cli.core.cluster.store import Store, open_parts
from shamisa_cli.core.errors import ModelError, SettingError, ShamisaError
from shamisa_cli.core.images import memory
from shamisa_cli.core.images.budget import MemoryBudget
from shamisa_cli.core.models import runtimes
from shamisa_cli.core.models.loading import Model
from shamisa_cli.core.records import JobResult, ModelIdentity
from shamisa_cli.core.scoring import provenance
from shamisa_cli.core.scoring.feature_table import load_features
from shamisa_cli.core.scoring.pipeline import embed_files, score_files
from shamisa_cli.core.scoring.resumable import score_to_file
from shamisa_cli.core.scoring.scorer import ViewSize


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Where parts go: a folder, or an object store."""
    if request.param == "folder":
        yield Store(str(tmp_path / "out"))
        return
    yield Store("memory://out/scores")
    fsspec.filesystem("memory").rm("/out", recursive=True)


def make_all(parts: list[Part], maker: RowMaker, store: Store) -> list[JobResult]:
    return [write_part(part, maker, store) for part in parts]


def test_parts_together_hold_every_picture_once_with_its_score(model: Model, photos: Path, store: Store) -> None:
    parts = split_into_parts(find_sources([photos]), 4)
    made = make_all(parts, ScoreRows(model, "model"), store)
    assert sum(one.rows for one in made) == 13
    assert [error for one in made for error in one.errors] == [
        f"{photos}/broken.jpg is a text, whatever its name says."
    ]
    table = open_parts(store.address).to_table(columns=["path", "score"]).sort_by("path")
    expected = {record.path: record.score for record in score_files(model, sorted(photos.iterdir()))}
    assert dict(zip(table["path"].to_pylist(), table["score"].to_pylist(), strict=True)) == expected
    assert len(table) == 13


def test_what_is_there_is_not_made_again(model: Model, photos: Path, store: Store) -> None:
    maker = ScoreRows(model, "model")
    make_all(split_into_parts(find_sources([photos]), 3), maker, store)
    (photos / "broken.jpg").unlink()
    os.utime(photos / "00.jpg", ns=(0, 0))
    (photos / "01.jpg").unlink()
    (photos / "new.jpg").write_bytes((photos / "02.jpg").read_bytes())
    made = make_all(split_into_parts(find_sources([photos]), 3), maker, store)
    assert (sum(one.rows for one in made), sum(one.reused for one in made)) == (12, 10)
    paths = open_parts(store.address).to_table(columns=["path"])["path"].to_pylist()
    assert sorted(paths) == sorted(str(path) for path in photos.iterdir())


def test_features_in_parts_are_those_of_embed(model: Model, photos: Path, tmp_path: Path) -> None:
    parts = split_into_parts(find_sources([photos]), 1)
    made = make_all(parts, FeatureRows(model, "model"), Store(str(tmp_path)))
    assert (made[0].rows, len(made[0].errors)) == (12, 1)
    table = load_features(tmp_path / parts[0].name)
    for path, features in zip(table.paths, table.features, strict=True):
        (embedding,) = embed_files(model.encoder, [Path(path)])
        assert np.array_equal(features, embedding.features)


def test_a_part_whose_rows_are_damaged_is_made_anew(model: Model, photos: Path, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "out"))
    maker = ScoreRows(model, "model")
    parts = split_into_parts(find_sources([photos]), 1)
    (made,) = make_all(parts, maker, store)
    whole = (tmp_path / "out" / parts[0].name).read_bytes()
    (tmp_path / "out" / parts[0].name).write_bytes(whole[:4] + bytes(196) + whole[200:])
    assert store.read(parts[0].name) is None
    assert make_all(parts, maker, store) == [made]
    assert (tmp_path / "out" / parts[0].name).read_bytes() == whole


def test_features_that_are_there_are_not_made_again(model: Model, photos: Path, tar: bytes, store: Store) -> None:
    (photos / "broken.jpg").unlink()
    (photos / "000.tar").write_bytes(tar)
    parts = split_into_parts(find_sources([photos]), 2)
    maker = JobSettings("features").maker(model)
    first = make_all(parts, maker, store)
    assert [one.reused for one in first] == [0, 0, 0]
    assert sum(one.rows for one in first) == 24
    assert [one.reused for one in make_all(parts, maker, store)] == [one.rows for one in first]
    features = open_parts(store.address).to_table()["features"].to_pylist()

    (photos / "00.jpg").unlink()
    again = make_all(split_into_parts(find_sources([photos]), 2), maker, store)
    assert (sum(one.rows for one in again), sum(one.reused for one in again)) == (23, 23)
    assert [row in features for row in open_parts(store.address).to_table()["features"].to_pylist()] == [True] * 23


def test_a_tar_is_a_part(model: Model, photos: Path, tar: bytes, tmp_path: Path, store: Store) -> None:
    for folder in ("a", "b"):
        (tmp_path / "tars" / folder).mkdir(parents=True)
        (tmp_path / "tars" / folder / "000.tar").write_bytes(tar)
    parts = split_into_parts(find_sources([tmp_path / "tars"]), 5)
    assert len({part.name for part in parts}) == len(parts) == 2
    maker = ScoreRows(model, "model")
    assert [one.rows for one in make_all(parts, maker, store)] == [12, 12]
    assert [one.reused for one in make_all(parts, maker, store)] == [12, 12]
    scores = open_parts(store.address).to_table(filter=pc.ends_with(pc.field("path"), "a/000.tar"))["score"].to_pylist()
    assert scores == [record.score for record in score_files(model, sorted(photos.glob("[0-9]*.jpg")))]

    first = Path(parts[0].sources[0].path)
    first.write_bytes(tar[:-2000])
    again = make_all(split_into_parts(find_sources([tmp_path / "tars"]), 5), maker, store)
    assert [one.reused for one in again] == [0, 12]


@pytest.mark.parametrize("kind", ["scores", "features"])
def test_what_was_wrong_with_a_tar_is_said_again_when_it_is_there(
    model: Model, tar: bytes, tmp_path: Path, store: Store, kind: Kind
) -> None:
    (tmp_path / "cut.tar").write_bytes(tar[: len(tar) // 2])
    parts = split_into_parts(find_sources([tmp_path / "cut.tar"]), 1)
    maker = JobSettings(kind).maker(model)
    (made,) = make_all(parts, maker, store)
    assert made.unreadable == 1
    assert "damaged or cut short" in made.errors[0]
    assert make_all(parts, maker, store) == [replace(made, reused=made.rows)]
    (tmp_path / "cut.tar").write_bytes(tar)
    (again,) = make_all(split_into_parts(find_sources([tmp_path / "cut.tar"]), 1), maker, store)
    assert (again.rows, again.reused, again.unreadable, again.errors) == (12, 0, 0, ())


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are Unicode there")
def test_names_that_are_no_text_are_opened_and_escaped_in_the_table(
    model: Model, photos: Path, tar: bytes, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    for name, data in ((b"\xe9.jpg", (photos / "00.jpg").read_bytes()), (b"n\xe9.jpg", b"none"), (b"\xe9.tar", tar)):
        (odd / os.fsdecode(name)).write_bytes(data)
    out = str(tmp_path / "out")
    for reused in (0, 13):
        for address in (odd, f"file://{odd}"):
            parts = [Part.from_json(part.to_json()) for part in split_into_parts(find_sources([address]), 1)]
            made = make_all(parts, ScoreRows(model, "model"), Store(f"{out}-{len(str(address))}"))
            assert sum(one.rows for one in made) == 14
            assert sum(one.reused for one in made) == reused
            assert sum(one.unreadable for one in made) == 1
            assert str(tmp_path / "caf\\udce9" / "n\\udce9.jpg is a text") in made[0].errors[0]
    paths = open_parts(f"{out}-{len(str(odd))}").to_table()["path"].to_pylist()
    assert str(tmp_path / "caf\\udce9" / "\\udce9.jpg") in paths
    assert sum(path.endswith("\\udce9.tar") for path in paths) == 12


def test_the_job_is_not_read_as_a_whole_before_it_is_one(model: Model, photos: Path, tmp_path: Path) -> None:
    parts = split_into_parts(find_sources([photos]), 3)
    store = Store(str(tmp_path / "out"))
    with pytest.raises(ModelError, match="no part"):
        open_parts(store.address)
    make_all(parts[:1] + parts[2:], ScoreRows(model, "model"), store)
    with pytest.raises(ModelError, match=r"1 of 3 parts are missing .* the first is 2/3"):
        open_parts(store.address)
    write_part(parts[1], ScoreRows(model, 96), store)
    with pytest.raises(ModelError, match="different models or settings"):
        open_parts(store.address)
    write_part(parts[1], ScoreRows(model, "model"), store)
    assert open_parts(store.address).count_rows() == 13


@pytest.mark.parametrize("again", ["another number of parts", "a copy of a part", "a table of the same pictures"])
def test_pictures_that_are_there_twice_are_told_of_and_not_joined(
    model: Model, photos: Path, tmp_path: Path, again: str
) -> None:
    out, maker = tmp_path / "out", ScoreRows(model, "model")
    parts = split_into_parts(find_sources([photos]), 3)
    make_all(parts, maker, Store(str(out)))
    if again == "another number of parts":
        make_all(split_into_parts(find_sources([photos]), 2), maker, Store(str(tmp_path / "other")))
        for file in (tmp_path / "other").iterdir():
            file.rename(out / file.name)
        words = "jobs of 2 and of 3 parts"
    elif again == "a copy of a part":
        (out / "part-00001-of-00003 (1).parquet").write_bytes((out / parts[0].name).read_bytes())
        words = r"holds part-00001-of-00003 \(1\)\.parquet, which is not a part"
    else:
        score_to_file(model, sorted(photos.glob("0*.jpg")), out / "all.parquet")
        words = r"holds all\.parquet, which is not a part"
    with pytest.raises(ModelError, match=words):
        open_parts(out)


@pytest.mark.parametrize("kind", ["of --shard", "of a tar"])
def test_one_part_under_two_names_is_told_of(model: Model, photos: Path, tar: bytes, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "of a tar":
        (tmp_path / "a.tar").write_bytes(tar)
        (part,) = split_into_parts(find_sources([tmp_path / "a.tar"]), 1)
        write_part(part, ScoreRows(model, "model"), Store(str(out)))
        name = part.name
    else:
        name, paths = "first.parquet", sorted(photos.glob("0*.jpg"))
        division = SharedJob.of(paths, [path.name for path in paths], PartNumber(1, 1))
        out.mkdir()
        score_to_file(model, division.paths, out / name, division=division.record)
    assert open_parts(out).count_rows() > 0
    (out / "z.parquet").write_bytes((out / name).read_bytes())
    with pytest.raises(ModelError, match=r"and z\.parquet in .* are the same part"):
        open_parts(out)


def test_a_file_is_no_folder_of_parts(model: Model, photos: Path, tmp_path: Path) -> None:
    (part,) = split_into_parts(find_sources([photos]), 1)
    write_part(part, ScoreRows(model, "model"), Store(str(tmp_path)))
    with pytest.raises(ModelError, match="is a file; open_parts takes the folder"):
        open_parts(tmp_path / part.name)


def test_an_empty_part_is_a_file_too(model: Model, store: Store) -> None:
    part = Part("part-00001-of-00001.parquet", ())
    assert write_part(part, ScoreRows(model, "model"), store).rows == 0
    assert open_parts(store.address).count_rows() == 0


def test_a_part_survives_the_way_to_a_worker(photos: Path) -> None:
    for part in split_into_parts(find_sources([photos]), 2):
        assert Part.from_json(part.to_json()) == part


def test_a_store_that_does_not_answer_is_asked_again() -> None:
    made = JobResult(1, 0)
    answers: list[OSError | JobResult] = [TimeoutError(), ConnectionError(), made]
    waits: list[float] = []

    def make() -> JobResult:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert with_retries(make, waits.append) is made
    assert waits == [1, 2]
    answers += [ConnectionError() for _ in range(TRIES)]
    with pytest.raises(ConnectionError):
        with_retries(make, waits.append)
    assert answers == []
    answers += [FileNotFoundError(), made]
    with pytest.raises(FileNotFoundError):
        with_retries(make, waits.append)


def test_a_store_that_fails_in_its_own_words_is_quoted_with_its_address() -> None:
    with pytest.raises(OSError, match="credentials") as caught, as_os_errors("s3://bucket/photos"):
        raise RuntimeError("Unable to locate credentials")
    assert (caught.value.filename, caught.value.strerror) == (
        "s3://bucket/photos", "RuntimeError: Unable to locate credentials"
    )  # fmt: skip


def test_a_picture_that_could_not_be_fetched_is_fetched_again_and_no_other(
    model: Model, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred million reads some fail; a part must not begin again for each."""
    opened: Counter[str] = Counter()
    really = MemoryFileSystem._open

    def once_in_vain(store: MemoryFileSystem, path: str, *given: Any, **settings: Any) -> Any:
        opened[path] += 1
        if opened[path] == 1:
            raise RuntimeError("503")  # libraries of stores have errors of their own
        return really(store, path, *given, **settings)

    monkeypatch.setattr(MemoryFileSystem, "_open", once_in_vain)
    monkeypatch.setattr(retrying, "FIRST_WAIT", 0)
    sources = Sources(find_sources([f"{bucket}/photos"]).pictures, ())
    store = Store("memory://bucket/out")
    (made,) = make_all(split_into_parts(sources, 1), ScoreRows(model, "model"), store)
    assert (made.rows, made.errors) == (12, ())
    assert {opened[f"/bucket/photos/{number:02}.jpg"] for number in range(12)} == {2}


def test_a_part_that_cannot_be_made_stops_no_other(
    model: Model, tiny_model: Path, photos: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = _Worker(
        JobSettings("scores", str(tiny_model), device="cpu"),
        store,
        ScoreRows(model, "model").schema.metadata,
        readers=2,
    )
    first, *others = split_into_parts(find_sources([photos]), 3)
    really = ray_job.write_part

    def full(part: Part, *given: Any, **settings: Any) -> JobResult:
        if part.name == first.name:
            raise OSError(28, "No space left on device")
        return really(part, *given, **settings)

    with monkeypatch.context() as broken:
        broken.setattr(ray_job, "write_part", full)
        answers = [worker({"part": part.to_json()}) for part in (first, *others)]
    advanced: list[int] = []
    with pytest.raises(ShamisaError, match=rf"^1 of 3 parts were not written; the first: {first.name}: .*run the job"):
        _gathered(answers, store, advanced.append)
    assert len(advanced) == 3
    assert store.names == tuple(part.name for part in others)
    assert _gathered([worker({"part": first.to_json()})], store, advanced.append).rows == len(first.sources)


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError("odd"), MemoryError()])
def test_whatever_goes_wrong_with_a_part_is_said_of_that_part(
    model: Model, tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store = Store(str(tmp_path / "out"))
    worker = _Worker(
        JobSettings("scores", str(tiny_model), device="cpu"),
        store,
        ScoreRows(model, "model").schema.metadata,
        readers=2,
    )

    def fail(*_given: object, **_settings: object) -> JobResult:
        raise error

    monkeypatch.setattr(ray_job, "write_part", fail)
    (part,) = split_into_parts(find_sources([photos]), 1)
    assert worker({"part": part.to_json()}) == {"failure": f"{part.name}: {str(error) or 'MemoryError'}"}


def test_a_tar_that_was_gone_is_made_when_it_is_there(model: Model, tar: bytes, tmp_path: Path, store: Store) -> None:
    maker = ScoreRows(model, "model")
    late = tmp_path / "late.tar"

    def made() -> tuple[int, int, int]:
        (one,) = make_all(split_into_parts(find_sources([], listed=[late]), 1), maker, store)
        return one.rows, one.reused, one.unreadable

    assert made() == made() == (1, 0, 1)
    late.write_bytes(tar)
    assert made() == (12, 0, 0)
    assert made() == (12, 12, 0)


def test_a_model_that_is_another_one_on_a_worker_makes_no_rows(model: Model, tiny_model: Path, tmp_path: Path) -> None:
    """Also one that differs in nothing but its regressor."""
    assert model.probe is not None
    other = replace(model, probe=replace(model.probe, weights=model.probe.weights + 1))
    store = Store(str(tmp_path / "out"))
    with pytest.raises(ModelError, match="differs from the one where the job was started"):
        _Worker(
            JobSettings("scores", str(tiny_model), device="cpu"),
            store,
            ScoreRows(other, "model").schema.metadata,
            readers=1,
        )


@pytest.fixture
def gpu_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Context in which this machine computes by PyTorch, as one with a GPU does, and has a reader of RAW files."""

    @contextmanager
    def entered() -> Iterator[None]:
        real = provenance._version
        with monkeypatch.context() as there:
            there.setattr(runtimes, "choose_runtime", lambda *_given, **_settings: ("torch", "cpu"))
            there.setattr(provenance, "_version", lambda package: "9.9" if package == "rawpy" else real(package))
            yield

    return entered


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_machine_without_gpu_starts_a_job_that_machines_with_gpus_do(
    tiny_model: Path, photos: Path, store: Store, gpu_machine: Callable[[], AbstractContextManager[None]], kind: Kind
) -> None:
    settings = JobSettings(kind, str(tiny_model))
    started = settings.maker(replace(settings, device="cpu").loaded()).schema.metadata
    with gpu_machine():
        worker = _Worker(settings, store, started, readers=2)
        answers = [worker({"part": part.to_json()}) for part in split_into_parts(find_sources([photos]), 2)]
    assert _gathered(answers, store, lambda _parts: None).rows == (13 if kind == "scores" else 12)
    source = json.loads(open_parts(store.address).schema.metadata[b"shamisa"])
    assert source["computed_by"].startswith("torch on cpu, reading ")
    assert "rawpy 9.9" in source["computed_by"]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_worker_whose_version_reads_pictures_otherwise_is_told_apart_from_one_with_another_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    settings = JobSettings(kind, str(tiny_model), device="cpu")
    started = settings.maker(settings.loaded()).schema.metadata
    monkeypatch.setattr(provenance, "READING", 99)
    with pytest.raises(ModelError, match=r"\(reading 99\) than .* \(reading \d+\)\. Install the same version on all"):
        _Worker(settings, Store(str(tmp_path / "out")), started, readers=1)


def test_machines_that_compute_differently_end_the_job_with_what_differs(
    tiny_model: Path, photos: Path, tmp_path: Path, gpu_machine: Callable[[], AbstractContextManager[None]]
) -> None:
    settings, store = JobSettings("scores", str(tiny_model)), Store(str(tmp_path / "out"))
    started = settings.maker(settings.loaded()).schema.metadata
    first, second, third = split_into_parts(find_sources([photos]), 3)

    def answers() -> Iterator[dict[str, str]]:
        yield _Worker(settings, store, started, readers=1)({"part": first.to_json()})
        with gpu_machine():
            yield _Worker(settings, store, started, readers=1)({"part": second.to_json()})
        pytest.fail("the job went on")

    host = socket.gethostname()
    differ = rf"{host} by onnx on cpu, .*onnxruntime .*; {host} by torch on cpu, .*rawpy 9\.9, torch .*\."
    with pytest.raises(ShamisaError, match=rf"differently: {differ} Use the same packages .* run the job again"):
        _gathered(answers(), store, lambda _parts: None)
    with gpu_machine():
        worker = _Worker(settings, store, started, readers=1)
        answered = [worker({"part": part.to_json()}) for part in (first, second, third)]
    done = _gathered(answered, store, lambda _parts: None)
    readable = [stamp for stamp in second.sources if not stamp.path.endswith("broken.jpg")]
    assert (done.rows, done.reused) == (13, len(readable))
    assert open_parts(store.address).count_rows() == 13


@pytest.mark.parametrize("kind", [ScoreRows, FeatureRows])
def test_parts_that_were_computed_differently_are_not_read_together(
    model: Model,
    photos: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[[Model, ViewSize], RowMaker],
) -> None:
    first, second = split_into_parts(find_sources([photos]), 2)
    real = provenance._version
    write_part(first, kind(model, "model"), store)
    monkeypatch.setattr(provenance, "_version", lambda package: "9.9" if package == "pillow" else real(package))
    write_part(second, kind(model, "model"), store)
    differ = rf"{first.name} by pillow [\d.]+; {second.name} by pillow 9\.9\. .* run the whole job again"
    with pytest.raises(ModelError, match=f"were computed differently: {differ}"):
        open_parts(store.address)
    assert write_part(first, kind(model, "model"), store).reused == 0
    assert open_parts(store.address).count_rows() == (13 if kind is ScoreRows else 12)


def test_parts_of_a_model_that_was_renamed_are_read_together(model: Model, photos: Path, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "out"))
    first, second = split_into_parts(find_sources([photos]), 2)
    for kind in (ScoreRows, FeatureRows):
        for part, name in ((first, "before"), (second, "after")):
            write_part(part, kind(replace(model, identity=ModelIdentity(name, model.revision)), "model"), store)
        assert open_parts(store.address).count_rows() == (13 if kind is ScoreRows else 12)
    (tmp_path / "out" / first.name).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ModelError, match=f"{first.name} .* is damaged"):
        open_parts(store.address)


@pytest.mark.parametrize("readers", [1, 3, 20])
def test_reading_ahead_changes_nothing(model: Model, photos: Path, tmp_path: Path, readers: int) -> None:
    (part,) = split_into_parts(find_sources([photos]), 1)
    maker = ScoreRows(model, "model")
    stores = [Store(str(tmp_path / name)) for name in ("default", "other")]
    write_part(part, maker, stores[0])
    write_part(part, maker, stores[1], readers=readers)
    assert stores[1].read(part.name).equals(stores[0].read(part.name))  # type: ignore[union-attr]


def test_a_worker_decodes_within_the_memory_of_its_job(
    tiny_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MemoryBudget()
    for module in (ray_job, memory):
        monkeypatch.setattr(module, "DECODING", budget)
    settings = JobSettings("scores", str(tiny_model), device="cpu", max_memory=1000)
    made_by = settings.maker(settings.loaded()).schema.metadata
    worker = _Worker(settings, Store(str(tmp_path / "out")), made_by, 1)
    (part,) = split_into_parts(find_sources([photos]), 1)
    done = json.loads(worker({"part": part.to_json()})["done"])
    assert budget.limit == 1000
    assert done["unreadable"] == done["rows"] == 13
    assert any("more than the 0 MB that pictures may take together" in error for error in done["errors"])


def test_a_part_that_unpacks_to_far_more_than_it_holds_counts_as_damaged(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for name, rows in (("fine.parquet", 1000), ("bomb.parquet", 40_000_000)):
        column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array(["x" * 200]))
        pq.write_table(pa.table({"remarks": column}), tmp_path / name, compression="zstd")
    assert (tmp_path / "bomb.parquet").stat().st_size < 1_000_000
    assert store.read("bomb.parquet") is None
    found = store.read("fine.parquet")
    assert found is not None
    assert found.num_rows == 1000


@pytest.mark.parametrize("settings", [{"max_pixels": 0}, {"max_pixels": -1}, {"max_memory": 0}, {"max_memory": -1}])
def test_limits_that_no_picture_meets_are_refused_before_a_job_begins(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="it must be at least 1"):
        JobSettings("scores", **settings)
