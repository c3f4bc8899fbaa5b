"""A Hub that answers with paths, or without an end: nothing is written outside its cache, and memory is kept."""

from __future__ import annotations

import json
import threading
import time
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
def hostile(
    info: dict[str, object], headers: dict[str, str], *, endless: bool = False, about: dict[str, str] | None = None,
    status: int = 200, broken: str = "", size: int = len(FILE), elsewhere: str = "", asked: list[str] | None = None,
) -> Iterator[str]:  # fmt: skip
    """The address of a Hub that answers this about every model, and with these headers about every file.

    Args:
        endless: whether answers about models have no end.
        about: headers of answers about models.
        status, broken: the answer to every request whose path holds `broken`.
        size: of the file README.md, as it is claimed.
        elsewhere: the host where files lie, which have no end there; empty: they come from the Hub itself.
        asked: gets the path of each request.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api = self.path.startswith("/api/")
            if asked is not None:
                asked.append(self.path)
            if elsewhere and not api:
                self._send_elsewhere()
                return
            listing = [{"type": "file", "path": "README.md", "size": size, "oid": "0" * 40}]
            body = json.dumps(listing if "/tree/" in self.path else info).encode() if api else FILE
            body = b"" if broken and broken in self.path else body
            self.send_response(status if broken and broken in self.path else 200)
            for key, value in (
                (about or {}) if api else {"X-Repo-Commit": COMMIT, "ETag": f'"{COMMIT}"'} | headers
            ).items():
                self.send_header(key, value)
            if endless and api:
                self._send_without_end()
                return
            self.send_header("Content-Length", str(size if body is FILE else len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_POST = do_GET  # noqa: N815

        def _send_elsewhere(self) -> None:
            there = f"http://{elsewhere}:{server.server_port}/weights.safetensors"
            self.send_response(302 if "/resolve/" in self.path else 200)
            for key, value in {"X-Repo-Commit": COMMIT, "ETag": f'"{COMMIT}"', "X-Linked-Size": "9"}.items():
                self.send_header(key, value)
            if "/resolve/" in self.path:
                self.send_header("Location", there)
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.command == "HEAD":
                self.end_headers()
            else:
                self._send_without_end()

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
    variables = {"HF_ENDPOINT": address, "HF_HOME": str(home), "TMPDIR": str(home)}
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


def test_an_answer_without_an_end_to_an_upload_is_not_read(tmp_path: Path, tiny_model: Path) -> None:
    with hostile({}, {}, endless=True) as address:
        variables = ENVIRONMENT | {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "HF_TOKEN": "hf_x"}
        done = shamisa("models", "push", tiny_model, "hf:org/model", env=variables)
    assert done.returncode == 2
    assert "too long or too slow" in done.stderr


@pytest.mark.parametrize("broken", ["/api/models/org/model", "/tree/", "/resolve/"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_is_out_of_order_does_not_hold_the_program(tmp_path: Path, status: int, broken: str) -> None:
    info = {"id": "org/model", "sha": COMMIT, "siblings": [{"rfilename": "README.md"}]}
    waiting = {"Retry-After": "1000000"}
    begin = time.monotonic()
    with hostile(info, waiting, about=waiting, status=status, broken=broken) as address:
        said = pull(address, tmp_path)
    assert f"HTTP {status}" in said
    assert "retr" not in said.lower()
    assert time.monotonic() - begin < 20  # a start takes seconds on a busy machine; the client itself waits 30


def test_pages_of_a_listing_without_an_end_are_not_read(tmp_path: Path) -> None:
    info = {"id": "org/model", "sha": COMMIT, "siblings": [{"rfilename": "README.md"}]}
    about: dict[str, str] = {}
    with hostile(info, {}, about=about) as address:
        about["Link"] = f'<{address}/api/models/org/model/tree/{COMMIT}?again>; rel="next"'
        assert "too long or too slow" in pull(address, tmp_path)


@pytest.mark.parametrize("size", [10**15, 2_000_000])
def test_a_size_that_no_file_of_a_model_has_is_a_sentence(tmp_path: Path, size: int) -> None:
    info = {"id": "org/model", "sha": COMMIT, "siblings": [{"rfilename": "README.md"}]}
    with hostile(info, {}, size=size) as address:
        said = pull(address, tmp_path)
    assert "could not be downloaded" in said.splitlines()[-1]
    assert "Warning" not in said


@pytest.mark.parametrize("elsewhere", ["127.0.0.1", "localhost"], ids=["the same host", "another host"])
def test_a_text_that_lies_elsewhere_is_as_short_as_any(tmp_path: Path, elsewhere: str) -> None:
    info = {"id": "org/model", "sha": COMMIT, "siblings": [{"rfilename": "README.md"}]}
    with hostile(info, {}, elsewhere=elsewhere) as address:
        assert "too long or too slow" in pull(address, tmp_path)


def test_a_hub_does_not_send_the_client_where_no_bounds_hold(tmp_path: Path) -> None:
    info = {"id": "org/model", "sha": COMMIT, "siblings": [{"rfilename": "README.md"}]}
    asked: list[str] = []
    headers = {"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": "/api/xet"}
    with hostile(info, headers, size=2_000_000, asked=asked) as address:
        headers["X-Xet-Refresh-Route"] = f"{address}/api/xet"
        pull(address, tmp_path)
    assert any("/resolve/" in path for path in asked)
    assert "/api/xet" not in asked
