"""Model folders from a Hub on loopback, fetched by the real client."""

from __future__ import annotations

import shutil
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.loopback_hub import LoopbackHub

from shamisa_cli.core.encoder.spec import EncoderConfig
from shamisa_cli.core.models.folder import ModelFolder
from shamisa_cli.core.models.hub import hub_error_message

RESOLVE = """
import json, sys, warnings
from shamisa_cli.core.errors import ModelError, ModelWarning
from shamisa_cli.core.models.resolver import resolve
outcomes = []
for name, offline in json.loads(sys.argv[1]):
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", ModelWarning)
            outcomes.append(["folder", str(resolve(name, offline=offline).path)])
        outcomes[-1] += [str(each.message) for each in said]
    except ModelError as error:
        outcomes.append(["refused", str(error)])
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def published(hub: LoopbackHub, saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Repositories on the Hub: name → its last commit."""
    newer = Path(shutil.copytree(saved_model, tmp_path_factory.mktemp("newer") / "model"))
    (newer / "README.md").write_text("# newer\n")
    altered = bytearray((saved_model / "encoder.safetensors").read_bytes())
    altered[-1] ^= 1
    first = hub.publish("org/model", saved_model)
    last = hub.publish("org/model", newer, **{"pytorch_model.bin": b"a pickle", "sub/config.json": b"{}"})
    hub.gated.add("org/gated")
    hub.cut.add(("org/cut", "encoder.safetensors"))
    return {
        "first": first,
        "org/model": last,
        "org/altered": hub.publish("org/altered", saved_model, **{"encoder.safetensors": bytes(altered)}),
        "org/cut": hub.publish("org/cut", saved_model),
        "org/gated": hub.publish("org/gated", saved_model),
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's cache, shared by the module's tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def online(
    hub: LoopbackHub, published: dict[str, str], home: Path, run_python: Callable[..., Any]
) -> dict[str, list[str]]:
    """Every name resolved once with the network there, by one client: name → outcome."""
    repositories = ("model", "altered", "cut", "gated", "missing", "private", "forbidden", "busy", "broken")
    names = [f"hf:org/{name}" for name in repositories]
    names += [f"hf:org/model@{published['first']}", "hf:org/model@nonsense"]
    outcomes = run_python(
        RESOLVE, [(name, False) for name in names], HF_ENDPOINT=hub.endpoint, HF_HOME=str(home), HF_TOKEN="none"
    )
    return dict(zip(names, outcomes, strict=True))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_branch_is_downloaded_whole_and_named_after_its_commit(
    online: dict[str, list[str]], published: dict[str, str], saved_model: Path
) -> None:
    kind, folder = online["hf:org/model"]
    assert kind == "folder"
    assert Path(folder).name == published["org/model"]
    assert content(Path(folder)) == {**content(saved_model), "README.md": b"# newer\n"}
    assert (
        ModelFolder.open(Path(folder), EncoderConfig).fingerprint
        == ModelFolder.open(saved_model, EncoderConfig).fingerprint
    )


def test_an_earlier_commit_is_downloaded_as_it_was(
    online: dict[str, list[str]], published: dict[str, str], saved_model: Path
) -> None:
    kind, folder = online[f"hf:org/model@{published['first']}"]
    assert kind == "folder"
    assert content(Path(folder)) == content(saved_model)


@pytest.mark.usefixtures("online")
def test_nothing_but_a_models_own_files_is_fetched(hub: LoopbackHub) -> None:
    fetched = {request.split("/")[-1] for request in hub.requests if "/resolve/" in request}
    assert fetched == {"config.json", "encoder.safetensors", "README.md"}
    assert not [request for request in hub.requests if "sub/config.json" in request]
    assert [request for request in hub.requests if request.startswith("GET /storage/org-model-")]


def test_a_file_altered_on_the_hub_is_fetched_once_more_and_then_refused(
    online: dict[str, list[str]], hub: LoopbackHub
) -> None:
    kind, text = online["hf:org/altered"]
    assert kind == "refused"
    assert "hf:org/altered cannot be used as it is on the Hub." in text
    assert "encoder.safetensors is damaged or was altered" in text
    assert len([line for line in hub.requests if line.startswith("GET /storage/org-altered-encoder")]) == 2


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("hf:org/cut", ["could not be downloaded completely", "Consistency check failed", "Try again"]),
        ("hf:org/gated", ["hf:org/gated is gated", "HF_TOKEN"]),
        ("hf:org/missing", ["hf:org/missing does not exist on the Hub", "Check the name"]),
        ("hf:org/private", ["is private or does not exist (HTTP 401)", "HF_TOKEN"]),
        ("hf:org/forbidden", ["is private or does not exist (HTTP 403)", "HF_TOKEN"]),
        ("hf:org/busy", ["HTTP 429", "Try again in a few minutes"]),
        ("hf:org/broken", ["answered HTTP 500", "Try again later"]),
        ("hf:org/model@nonsense", ["org/model on the Hub has no revision 'nonsense'"]),
    ],
)
def test_what_the_hub_refuses_is_a_sentence(online: dict[str, list[str]], name: str, sentences: list[str]) -> None:
    kind, text = online[name]
    assert kind == "refused"
    assert "\n" not in text
    assert text.endswith(".")
    for sentence in sentences:
        assert sentence in text


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_offline_takes_what_is_in_the_cache_and_makes_no_request(
    hub: LoopbackHub,
    online: dict[str, list[str]],
    published: dict[str, str],
    home: Path,
    run_python: Callable[..., Any],
    way: str,
) -> None:
    asked = len(hub.requests)
    names = ["hf:org/model", f"hf:org/model@{published['first']}", "hf:org/never-seen", "hf:org/cut"]
    outcomes = run_python(
        RESOLVE,
        [(name, way == "argument") for name in names],
        HF_ENDPOINT=hub.endpoint,
        HF_HOME=str(home),
        **({"HF_HUB_OFFLINE": "1"} if way == "environment" else {}),
    )
    assert len(hub.requests) == asked
    assert outcomes[:2] == [online[name] for name in names[:2]]
    for (kind, text), name in zip(outcomes[2:], names[2:], strict=True):
        assert kind == "refused"
        assert f"{name} is not completely in this machine's cache, and offline mode is on. Download it once" in text


def test_without_a_hub_the_cache_is_used_and_what_is_not_in_it_is_explained(
    online: dict[str, list[str]], home: Path, run_python: Callable[..., Any]
) -> None:
    with socket.socket() as closed:  # bound and not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with_password = endpoint.replace("//", "//user:s3cr@et@")
        names = ["hf:org/model", "hf:org/never-seen"]
        cached, unknown = run_python(
            RESOLVE, [(name, False) for name in names], HF_ENDPOINT=with_password, HF_HOME=str(home)
        )
    assert cached[:2] == online["hf:org/model"]
    assert unknown[0] == "refused"
    assert "s3cr" not in unknown[1]
    assert f"hf:org/never-seen is not in the cache, and {endpoint} cannot be reached" in unknown[1]


@pytest.mark.parametrize("status", [None, 500])
def test_a_branch_as_it_was_last_seen_is_said_to_be_that(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any], status: int | None
) -> None:
    commit = hub.publish("org/seen", saved_model)
    [[_, folder]] = run_python(RESOLVE, [("hf:org/seen", False)], HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path))
    with hub.answering("org/seen", status) as endpoint:
        names = [("hf:org/seen", False), (f"hf:org/seen@{commit}", False), ("hf:org/seen", True)]
        branch, pinned, offline = run_python(RESOLVE, names, HF_ENDPOINT=endpoint, HF_HOME=str(tmp_path))
    why = "cannot be reached" if status is None else f"answered HTTP {status}"
    assert branch == ["folder", folder, f"The Hub {why}: hf:org/seen is taken as it was last seen, commit {commit}."]
    assert pinned == offline == ["folder", folder]


def test_a_damaged_copy_in_the_cache_is_replaced(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    hub.publish("org/fine", saved_model)
    places = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
    [[_, folder]] = run_python(RESOLVE, [("hf:org/fine", False)], **places)
    weights = Path(folder) / "encoder.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"x")
    [[kind, text]] = run_python(RESOLVE, [("hf:org/fine", True)], **places)
    assert (kind, "not completely in this machine's cache" in text) == ("refused", True)
    assert run_python(RESOLVE, [("hf:org/fine", False)], **places) == [["folder", folder]]
    assert weights.read_bytes() == whole


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    hub.publish("org/wobbly", saved_model)
    hub.dropped["org/wobbly", "encoder.safetensors"] = 2
    [[kind, folder]] = run_python(RESOLVE, [("hf:org/wobbly", False)], HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path))
    assert kind == "folder"
    assert content(Path(folder)) == content(saved_model)
    assert hub.dropped["org/wobbly", "encoder.safetensors"] == 0


def test_a_pull_that_failed_is_continued_with_the_files_that_are_missing(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    hub.publish("org/later", saved_model)
    places = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
    hub.cut.add(("org/later", "encoder.safetensors"))
    [[kind, _]] = run_python(RESOLVE, [("hf:org/later", False)], **places)
    assert kind == "refused"
    hub.cut.clear()
    asked = len(hub.requests)
    [[kind, folder]] = run_python(RESOLVE, [("hf:org/later", False)], **places)
    assert kind == "folder"
    assert content(Path(folder)) == content(saved_model)
    fetched = [line for line in hub.requests[asked:] if line.startswith("GET /org/") or "/storage/" in line]
    assert len(fetched) == 1
    assert "encoder.safetensors" in fetched[0]


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<html>Log in</html>..\n"]
)
def test_where_something_else_answers_the_model_is_taken_as_it_was_last_seen(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any], answer: bytes
) -> None:
    hub.publish("org/whole", saved_model)
    [[kind, folder]] = run_python(RESOLVE, [("hf:org/whole", False)], HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path))
    assert kind == "folder"

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(10_000)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        outcomes = run_python(
            RESOLVE,
            [("hf:org/whole", False), ("hf:org/other", False), (f"hf:org/whole@{Path(folder).name}", False)],
            HF_ENDPOINT=endpoint,
            HF_HOME=str(tmp_path),
        )
        server.shutdown()
    assert outcomes[0][:2] == ["folder", folder]
    assert "hf:org/whole is taken as it was last seen" in outcomes[0][2]
    assert outcomes[1][0] == "refused"
    assert outcomes[2] == ["folder", folder]  # a commit is itself, and no warning says otherwise


def test_offline_what_an_interrupted_pull_left_is_not_the_model(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    hub.publish("org/broken-off", saved_model)
    places = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
    [[kind, folder]] = run_python(RESOLVE, [("hf:org/broken-off", False)], **places)
    assert kind == "folder"
    (Path(folder) / "README.md").unlink()  # one that the others do not name
    [[kind, text]] = run_python(RESOLVE, [("hf:org/broken-off", True)], **places)
    assert kind == "refused"
    assert "hf:org/broken-off is not completely in this machine's cache" in text


@pytest.mark.slow
@pytest.mark.parametrize("line", ["GET /api/models/org/mute", "HEAD /org/mute", "GET /storage/org-mute"])
def test_a_hub_that_falls_silent_holds_nobody(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any], line: str
) -> None:
    hub.publish("org/mute", saved_model)
    hub.silent.add(line)
    try:
        [[kind, text]] = run_python(
            RESOLVE,
            [("hf:org/mute", False)],
            HF_ENDPOINT=hub.endpoint,
            HF_HOME=str(tmp_path),
            HF_HUB_DOWNLOAD_TIMEOUT="1",
        )
    finally:
        hub.silent.clear()
    assert (kind, "took too long to answer" in text) == ("refused", True), text


def test_offline_asks_nothing_even_with_an_empty_cache(
    hub: LoopbackHub, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    asked = len(hub.requests)
    [[kind, text]] = run_python(
        RESOLVE, [("hf:org/model", True)], HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path / "empty")
    )
    assert (kind, "offline" in text) == ("refused", True)
    assert len(hub.requests) == asked


def test_a_user_without_a_home_folder_is_told_which_variable_to_set() -> None:
    message = hub_error_message(RuntimeError("Could not determine home directory."), "hf:org/model", "downloaded")
    assert message.endswith("this user has no home folder to keep it in. Set HF_HOME to a folder.")
