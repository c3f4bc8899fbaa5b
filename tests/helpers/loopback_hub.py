"""A Hub on loopback: the routes by which the real client loads a snapshot and pushes one, and failures on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Answer = tuple[int, dict[str, str], bytes]

TOKEN = "hf_may_write"

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
    """State of the server: the files it offers, and the paths it was asked for.

    Attributes:
        endpoint: its address.
        storage: where large files are kept, on another host name.
        repositories: name → commit → file → content. The last commit is the main branch.
        private: repositories made private.
        gated: names whose files are refused.
        cut: (name, file) pairs of large files whose bodies lack the last half.
        dropped: how often, from now on, a large file's connection breaks in the middle of it.
        ignored: names of files that uploads leave out, as by a repository's .gitignore.
        silent: parts of a request line ("HEAD /org/x"); such requests are never answered.
        requests: "METHOD path" of every request, in order.
        failing: name → the status of all answers about it.
        stored: the large files by the names that the storage knows them by.
    """

    endpoint: str = ""
    storage: str = ""
    repositories: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    cut: set[tuple[str, str]] = field(default_factory=set)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    ignored: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    def publish(self, name: str, folder: Path, **more: bytes) -> str:
        """Add a commit with the files of a folder; returns its hash."""
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())} | more
        return self._commit(name, files)

    def head(self, name: str) -> dict[str, bytes]:
        """The files at the tip of a repository's main branch."""
        return list(self.repositories[name].values())[-1]

    @contextmanager
    def answering(self, name: str, status: int | None) -> Iterator[str]:
        """The address of a Hub that answers with `status` about a repository; None: that nobody can reach."""
        if status is None:
            with socket.socket() as closed:  # bound and not listening: connections are refused
                closed.bind(("127.0.0.1", 0))
                yield f"http://127.0.0.1:{closed.getsockname()[1]}"
            return
        self.failing[name] = status
        try:
            yield self.endpoint
        finally:
            del self.failing[name]

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Status, headers and body for a request."""
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        if method in ("GET", "HEAD"):
            return self._reading(parts)
        if parts[0] == "storage":
            self.stored[parts[1]] = body
            return 200, {}, b""
        if parts == ["api", "validate-yaml"]:
            return _json({"errors": [], "warnings": []})
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {}, b"{}"
        return self._writing(parts, body)

    # --- what a download asks for ---

    def _reading(self, parts: list[str]) -> Answer:
        if parts[0] == "storage":
            return 200, {}, self.stored[parts[1]]
        api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if api else parts[:2])
        rest = parts[4:] if api else parts[2:]
        if name.startswith("org/") and name[4:] in ANSWERS:
            return (*ANSWERS[name[4:]], b"")
        if name in self.failing:
            return self.failing[name], {}, b""
        if name not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        commit = self._resolved(name, rest[1] if len(rest) > 1 else "main")
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        files = self.repositories[name][commit]
        if not api:
            return self._file(name, commit, rest[2], files)
        if rest[:1] == ["tree"]:
            return _json([_listed(path, content) for path, content in files.items()])
        siblings = [{"rfilename": path} for path in files]
        info = {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": name in self.private}
        return _json(info)

    def _resolved(self, name: str, revision: str) -> str | None:
        commits = self.repositories[name]
        return list(commits)[-1] if revision == "main" else revision if revision in commits else None

    def _file(self, name: str, commit: str, path: str, files: Mapping[str, bytes]) -> Answer:
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
        key = f"{name.replace('/', '-')}-{path}-{digest}"
        self.stored[key] = body
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
        headers["Location"] = f"{self.storage}/storage/{key}"
        return 302, headers, b""

    # --- what a push asks for ---

    def _writing(self, parts: list[str], body: bytes) -> Answer:
        wanted = json.loads(body) if body[:1] == b"{" and b"\n" not in body else {}
        if parts == ["api", "repos", "create"]:
            return self._created(f"{wanted['organization']}/{wanted['name']}", wanted)
        if parts[-3:] == ["lfs", "objects", "batch"]:
            return _json({"transfer": "basic", "objects": [self._upload(each) for each in wanted["objects"]]})
        name = "/".join(parts[2:4])
        if name not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if parts[4] == "preupload":
            modes = [{"path": file["path"], "uploadMode": _mode(file["path"])} for file in wanted["files"]]
            return _json({"files": [{**mode, "shouldIgnore": mode["path"] in self.ignored} for mode in modes]})
        lines = [json.loads(line) for line in body.splitlines()]
        added = {line["value"]["path"]: self._content(line) for line in lines if line["key"] in ("file", "lfsFile")}
        gone = {line["value"]["path"] for line in lines if line["key"] == "deletedFile"}
        kept = {path: content for path, content in self.head(name).items() if path not in gone}
        commit = self._commit(name, {**kept, **added})
        url = f"{self.endpoint}/{name}/commit/{commit}"
        return _json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _created(self, name: str, wanted: Mapping[str, Any]) -> Answer:
        if name.startswith("org/") and name[4:] in ANSWERS:
            return (*ANSWERS[name[4:]], b"{}")
        status = 409 if name in self.repositories else 200
        if status == 200:
            self._commit(name, {".gitattributes": b""})
            if wanted.get("private") or wanted.get("visibility") == "private":
                self.private.add(name)
        return _json({"url": f"{self.endpoint}/{name}", "name": name}, status)

    def _upload(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        href = f"{self.storage}/storage/upload-{wanted['oid']}"
        return {**wanted, "authenticated": True, "actions": {"upload": {"href": href, "header": {}}}}

    def _content(self, line: Mapping[str, Any]) -> bytes:
        value = line["value"]
        if line["key"] == "file":
            return base64.b64decode(value["content"])
        content = self.stored[f"upload-{value['oid']}"]
        assert hashlib.sha256(content).hexdigest() == value["oid"]
        return content

    def _commit(self, name: str, files: dict[str, bytes]) -> str:
        commits = self.repositories.setdefault(name, {})
        commit = hashlib.sha1(f"{name} {len(commits)}".encode()).hexdigest()
        commits[commit] = files
        return commit


@contextmanager
def serving() -> Iterator[LoopbackHub]:
    """An empty Hub that listens on loopback until the block ends."""
    state = LoopbackHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            line = f"{self.command} {self.path}"
            state.requests.append(line)
            body = self._body()
            if any(part in line for part in state.silent):
                state.closing.wait()
                self.close_connection = True
                return
            status, headers, content = state.answer(self.command, self.path, self.headers, body)
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
            if start and status == 200:
                status, headers = 206, {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if self.command != "HEAD":
                self._send(content[start:])

        do_GET = do_HEAD = do_POST = do_PUT = _reply  # noqa: N815

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def _send(self, content: bytes) -> None:
            broken = next((key for key, times in state.dropped.items() if times and self._names(key)), None)
            if broken is None:
                self.wfile.write(content)
                return
            state.dropped[broken] -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True

        def _names(self, key: tuple[str, str]) -> bool:
            return self.path.startswith(f"/storage/{key[0].replace('/', '-')}-{key[1]}-")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    state.storage = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _json(value: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _mode(path: str) -> str:
    return "lfs" if path.endswith((".safetensors", ".png")) else "regular"


def _listed(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content)}
    entry["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    if path.endswith(".safetensors"):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry
