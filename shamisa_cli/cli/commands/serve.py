"""`shamisa serve`: keep a model loaded for programs that score one image at a time."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from shamisa_cli.cli import inputs, options
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.ends import ENDED_BY_SIGNAL, end_within_grace
from shamisa_cli.cli.errors import told
from shamisa_cli.cli.output import write_json_line
from shamisa_cli.core.models.resolver import DEFAULT_MODEL


class Terminated(Exception):  # noqa: N818  no error: someone asked the server to end
    """SIGTERM was received."""


def serve(
    view_size: options.ViewSizeText = "model",
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_memory: options.MaxMemory = None,
    model: options.ModelName = DEFAULT_MODEL,
    probe: options.ProbeName = None,
    offline: options.Offline = False,
    device: options.DeviceName = options.Device.AUTO,
    runtime: options.RuntimeName = options.Runtime.AUTO,
    jobs: options.Jobs = None,
    cache: options.UseCache = True,
    cache_dir: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_MEGABYTES,
) -> None:
    """Score pictures named on stdin and answer with JSON lines on stdout, keeping the model loaded.

    A request is a line such as {"path": "a.jpg", "id": 1}; its answer is the line that score -f jsonl prints for the
    picture, with the id. Answers come in the order of the requests, each as soon as it is ready. Errors in a request
    or a picture are reported in its answer. The gate does not apply.

    Stops at the end of stdin, or on Ctrl-C or SIGTERM, after the last answer.

    Exit codes: 0 success; 2 error; 130 after Ctrl-C.
    """
    inputs.limit_memory(max_memory)
    console = Console()
    view = inputs.view_size(view_size)

    from shamisa_cli.core.api import serve as answer_all
    from shamisa_cli.core.models.loading import load_model
    from shamisa_cli.core.scoring.scorer import require_probe
    from shamisa_cli.core.scoring.serving import Answer

    with inputs.open_cache(cache, cache_dir, cache_size, console) as known, _ending_on_sigterm():
        loaded = load_model(model, probe=probe, offline=offline, device=device, runtime=runtime.value)
        require_probe(loaded)
        console.hint(f"{loaded.name} ({loaded.revision}) is ready.")
        with console.results(None) as stream:

            def write(answer: Answer) -> None:
                record = replace(answer.record, error=told(answer.record.error))
                write_json_line(replace(answer, record=record).to_json(), stream)

            answer_all(sys.stdin.buffer, write, loaded, jobs=jobs, view_size=view, max_pixels=max_pixels, cache=known)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Context in which SIGTERM acts like the end of the input."""

    def end(number: int, _frame: FrameType | None) -> None:
        end_within_grace(ENDED_BY_SIGNAL + number)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except Terminated:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
