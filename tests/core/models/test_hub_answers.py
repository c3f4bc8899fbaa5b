"""A Hub that answers with paths, or without an end: nothing is written outside its cache, and memory is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers.program import ENVIRONMENT
from helpers.program import run_here as shamisa

COMMIT = "a" * 40
FILE = b"# a model\n"


@contextmanager
def hostile(info: dict[str, object], headers: dict[str, str], *, endless: bool = False) -> Iterator[str]:
    """The address of a Hub that answers this about every model, and with these headers about every file."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api = self.path.startswith("/api/")
            listing = [{"type": "file", "path": "README.md", "size": len(FILE), "oid": "0" * 40}]
            body = json.dumps(listing if "/tree/" in self.path else info).encode() if api else FILE
            self.send_response(200)
            for key, value in ({} if api else {"X-Repo-Commit": COMMIT, "ETag": f'"{COMMIT}"'} | headers).items():
                self.send_header(key, value)
            if endless and api:
                self._send_without_end()
                return
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def _send_without_end(self) -> None:
            self.end_headers()
            self.close_connection = True
            try:
                for _ in range(2000):  # 200 MB, should nobody stop it
                    self.wfile.write(b" " * 100_000)
                Handler.came_to_its_end = True
            except OSError:
                pass

        came_to_its_end = False

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not Handler.came_to_its_end


def pull(address: str, home: Path) -> str:
    variables = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "TMPDIR": str(home)}
    done = shamisa("models", "pull", "hf:org/model", env={**ENVIRONMENT, **variables})
    assert done.returncode == 2, done.stdout
    assert "bug" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("climbs", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("place", ["sha", "X-Repo-Commit", "ETag", "X-Linked-ETag"])
def test_no_answer_of_a_hub_leads_out_of_the_cache(tmp_path: Path, place: str, climbs: bool) -> None:
    outside = f"{'../' * 12}{tmp_path}/outside" if climbs else f"{tmp_path}/outside"
    siblings = [{"rfilename": "README.md"}]
    info = {"id": "org/model", "sha": outside if place == "sha" else COMMIT, "siblings": siblings}
    with hostile(info, {} if place == "sha" else {place: f'"{outside}"' if "ETag" in place else outside}) as address:
        said = pull(address, tmp_path / "home")
    assert "could lead out of the cache" in said
    assert "HF_ENDPOINT" in said
    assert not (tmp_path / "outside").exists()


def test_an_answer_without_an_end_is_not_read(tmp_path: Path) -> None:
    with hostile({}, {}, endless=True) as address:
        assert "too long or too slow" in pull(address, tmp_path)
