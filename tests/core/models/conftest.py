"""A small trained-looking encoder, its model folder, a probe for it, and a Hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from shamisa_cli.core.encoder.spec import EncoderConfig, FeatureSpec
from shamisa_cli.core.models.folder import read_model, save_model
from shamisa_cli.core.probe.ridge import Probe
from shamisa_cli.core.probe.scale import linear_scale

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIG = EncoderConfig("mobilenet_v2", FeatureSpec(stages=(1, -1), moments=("mean", "std"), scales=(1.0,)))
FEATURES = 2 * (16 + 1280)


@pytest.fixture(scope="session")
def encoder_state() -> dict[str, Any]:
    """Random weights of a MobileNetV2 by torchvision's key names."""
    import torch

    from shamisa_cli.core.encoder.backbones import build_backbone

    with torch.random.fork_rng():
        torch.manual_seed(5)
        return dict(build_backbone("mobilenet_v2").state_dict())


@pytest.fixture(scope="session")
def saved_model(encoder_state: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder; read-only by convention, see `model_folder`."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(
        folder,
        CONFIG,
        encoder_state,
        name="tiny",
        card="# tiny\n",
        origin="Random numbers.",
        license="Apache-2.0",
    )
    return folder


@pytest.fixture
def model_folder(saved_model: Path, tmp_path: Path) -> Path:
    """A model folder of the test's own."""
    return Path(shutil.copytree(saved_model, tmp_path / "model"))


@pytest.fixture(scope="session")
def probe(saved_model: Path) -> Probe:
    """A probe for the encoder in `saved_model`."""
    rng = np.random.default_rng(11)
    return Probe(
        weights=rng.normal(size=FEATURES),
        bias=0.1 + 0.2,
        feature_mean=rng.normal(size=FEATURES),
        feature_scale=rng.uniform(0.5, 2, size=FEATURES),
        scale=linear_scale(5.0, 1.0),
        alpha=1e-3,
        encoder_fingerprint=read_model(saved_model).fingerprint,
    )


@pytest.fixture
def foreign_probe(probe: Probe) -> Probe:
    """A probe that was fitted on some other encoder."""
    return replace(probe, encoder_fingerprint="c0ffee" + "0" * 58)


@pytest.fixture
def edit_json() -> Callable[..., None]:
    """Change entries of a JSON file in place; ... removes one."""

    def edit(path: Path, **changes: Any) -> None:
        entries = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in entries.items() if value is not ...}))

    return edit


# --- the Hub on loopback: the routes the client uses to download a snapshot --------------------------------------

ANSWERS = {
    "missing": (404, {"X-Error-Code": "RepoNotFound"}),
    "private": (401, {}),
    "forbidden": (403, {}),
    "busy": (429, {}),
    "broken": (500, {}),
}
"""org/<key>: what every request for this repository is answered with."""


@dataclass
class LoopbackHub:
    """What the server offers, and the paths it was asked for.

    Attributes:
        endpoint: its address.
        storage: where large files are kept, on another host name.
        repositories: name → commit → file → content. The last commit is the main branch.
        gated: names whose files are refused.
        cut: (name, file) pairs of large files whose bodies lack the last half.
        requests: "METHOD path" of every request, in order.
        stored: the large files by the names that the storage knows them by.
    """

    endpoint: str = ""
    storage: str = ""
    repositories: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    cut: set[tuple[str, str]] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)

    def publish(self, name: str, folder: Path, **more: bytes) -> str:
        """Add a commit with the files of a folder; returns its hash."""
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())} | more
        commits = self.repositories.setdefault(name, {})
        commit = hashlib.sha1(f"{name} {len(commits)}".encode()).hexdigest()
        commits[commit] = files
        return commit

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        if parts[0] == "storage":
            return 200, {}, self.stored[parts[1]]
        api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if api else parts[:2])
        rest = parts[4:] if api else parts[2:]
        if name.startswith("org/") and name[4:] in ANSWERS:
            return (*ANSWERS[name[4:]], b"")
        if name not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        commit = self._commit(name, rest[1] if len(rest) > 1 else "main")
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        files = self.repositories[name][commit]
        if not api:
            return self._file(name, commit, rest[2], files)
        if rest[:1] == ["tree"]:
            return 200, {}, json.dumps([_listed(path, content) for path, content in files.items()]).encode()
        siblings = [{"rfilename": path} for path in files]
        return 200, {}, json.dumps({"id": name, "modelId": name, "sha": commit, "siblings": siblings}).encode()

    def _commit(self, name: str, revision: str) -> str | None:
        commits = self.repositories[name]
        return list(commits)[-1] if revision == "main" else revision if revision in commits else None

    def _file(self, name: str, commit: str, path: str, files: Mapping[str, bytes]) -> tuple[int, dict[str, str], bytes]:
        if name in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b""
        if path not in files:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        content = files[path]
        digest = hashlib.sha256(content).hexdigest()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest}"'}
        if not path.endswith(".safetensors"):
            return 200, headers, content
        body = content[: len(content) // 2] if (name, path) in self.cut else content
        key = f"{name.replace('/', '-')}-{digest}"
        self.stored[key] = body
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
        headers["Location"] = f"{self.storage}/storage/{key}"
        return 302, headers, b""


def _listed(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content)}
    entry["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    if path.endswith(".safetensors"):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    """An empty Hub that listens on loopback while the module's tests run."""
    state = LoopbackHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._reply(with_body=False)

        def do_GET(self) -> None:
            self._reply(with_body=True)

        def _reply(self, *, with_body: bool) -> None:
            state.requests.append(f"{self.command} {self.path}")
            status, headers, body = state.answer(self.path)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    state.storage = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


RunPython = Callable[..., Any]


@pytest.fixture(scope="module")
def run_python() -> RunPython:
    """Run Python code in a process of its own, with JSON arguments, and read the JSON it prints last."""

    def run(code: str, arguments: Any = None, **environment: str) -> Any:
        kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(("HF_", "HTTP"))}
        completed = subprocess.run(
            [sys.executable, "-c", code, json.dumps(arguments)],
            env={**kept, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr
        return json.loads(completed.stdout.splitlines()[-1])

    return run
