"""A program with threads: what this library needs of the Hub's client while it pulls is nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.loopback_hub import LoopbackHub

TWO_PULLS_THAT_OVERLAP = """
import json, logging, os, sys, threading, warnings
import huggingface_hub
from huggingface_hub import constants, get_session, hf_hub_download
import shamisa_cli

warned = []

class Heard(logging.Handler):
    def emit(self, record):
        warned.append(record.getMessage())

logging.getLogger("huggingface_hub").addHandler(Heard())

def state():
    hooks = get_session().event_hooks
    return [len(hooks["request"]), len(hooks["response"]), bool(constants.HF_HUB_DISABLE_XET), len(warnings.filters)]

inside = {name: threading.Event() for name in ("org/first", "org/second")}
go_on = {name: threading.Event() for name in inside}
download = huggingface_hub.snapshot_download

def held(name, **settings):
    inside[name].set()
    go_on[name].wait()
    return download(name, **settings)

huggingface_hub.snapshot_download = held
outcomes = {}

def pull(name):
    try:
        outcomes[name] = str(shamisa_cli.pull_model("hf:" + name).folder)
    except BaseException as error:
        outcomes[name] = str(error)

def own(repository):
    xet = bool(constants.HF_HUB_DISABLE_XET)
    logging.getLogger("huggingface_hub.own").warning(repository)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exec(compile("import warnings; warnings.warn('mine')", "own", "exec"), {"__name__": "huggingface_hub.own"})
            return [os.path.getsize(hf_hub_download(repository, "tokenizer.json")), xet, len(caught)]
    except BaseException as error:
        return str(error)

before, threads, owned = state(), {}, []
for name in inside:
    threads[name] = threading.Thread(target=pull, args=(name,))
    threads[name].start()
    inside[name].wait()
owned.append(own("me/one"))
for name in inside:
    go_on[name].set()
    threads[name].join()
owned.append(own("me/two"))
print(json.dumps([before, state(), outcomes, owned, warned]))
"""


def test_a_pull_bounds_neither_my_own_downloads_nor_those_after_it(
    hub: LoopbackHub, saved_model: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "tokenizer.json").write_bytes(b"x" * 3_000_000)
    for name in ("me/one", "me/two"):
        hub.publish(name, mine)
    hub.publish("org/first", saved_model)
    hub.publish("org/second", saved_model, **{"README.md": b"x" * 3_000_000})
    before, after, outcomes, owned, warned = run_python(
        TWO_PULLS_THAT_OVERLAP, HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path / "home")
    )
    assert after == before
    assert owned == [[3_000_000, False, 1]] * 2
    assert warned == ["me/one", "me/two"]
    assert Path(outcomes["org/first"]).is_dir()
    assert "too long or too slow" in outcomes["org/second"]  # its bounds hold after the other's end
