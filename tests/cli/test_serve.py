"""`shamisa serve`, as a program that asks for one picture at a time meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from helpers.program import ENVIRONMENT, run_here

pytestmark = pytest.mark.slow  # every test starts processes

Server = subprocess.Popen  # type: ignore[type-arg]


@pytest.fixture
def serve(tiny_model: Path) -> Iterator[Callable[..., Server]]:
    """Start `shamisa serve` with more options; what is left running is killed."""
    started: list[Server] = []

    def start(*options: str) -> Server:
        command = [sys.executable, "-m", "shamisa_cli", "serve", "--model", str(tiny_model), *options]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        # A shell that runs the tests in the background has them ignore Ctrl-C, and so would the server.
        started.append(
            Server(  # type: ignore[call-overload]
                command, **pipes, env=ENVIRONMENT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
            )
        )
        return started[-1]

    yield start
    for server in started:
        server.kill()
        server.wait()
        for pipe in (server.stdin, server.stdout, server.stderr):
            with suppress(BrokenPipeError):
                pipe.close()


def asked(server: Server, *requests: Any) -> list[dict[str, Any]]:
    """The answers to requests that are written all at once; bytes go as they are."""
    lines = [request if isinstance(request, bytes) else json.dumps(request).encode() for request in requests]
    server.stdin.write(b"".join(line + b"\n" for line in lines))
    server.stdin.flush()
    return [json.loads(server.stdout.readline()) for _ in lines]


def answered(tiny_model: Path, stdin: bytes, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and answers of a server in this process, for an input that is there as a whole."""
    done = run_here("serve", "--model", tiny_model, *options, input=stdin)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def ended(server: Server) -> tuple[int, bytes, str]:
    rest, said = server.communicate(timeout=60)
    return server.returncode, rest, said.decode()


def test_each_answer_comes_before_the_next_question_and_is_what_score_says(  # type: ignore[no-untyped-def]
    serve, shamisa, tiny_model: Path, photos: Path
) -> None:
    lines = shamisa("score", photos, "--model", tiny_model, "-f", "jsonl").stdout.splitlines()
    server = serve()
    for row in map(json.loads, lines):
        assert asked(server, {"path": row["path"], "id": row["path"]}) == [{**row, "id": row["path"]}]
    assert ended(server) == (
        0,
        b"",
        f"tiny ({json.loads(shamisa('models', 'show', tiny_model, '--json').stdout)['revision']}) is ready.\n",
    )


def test_a_hundred_answers_come_in_the_order_of_the_questions(tiny_model: Path, photos: Path) -> None:
    paths = [str(photos / f"{number % 4}.jpg") for number in range(100)]
    questions = "".join(json.dumps({"path": path, "id": number}) + "\n" for number, path in enumerate(paths))
    code, answers = answered(tiny_model, questions.encode(), "--jobs", "4")
    assert code == 0
    assert [answer["id"] for answer in answers] == list(range(100))
    assert [answer["path"] for answer in answers] == paths
    assert [answer["score"] for answer in answers] == [answers[number % 4]["score"] for number in range(100)]


def test_what_is_wrong_is_said_in_the_answer_and_the_next_one_is_right(tiny_model: Path, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"no picture")
    good = {"path": str(photos / "0.jpg")}
    wrong: list[tuple[Any, str, Any]] = [
        (b"no JSON", "bad-request", None),
        (b'{"path": "a.jpg", "id": NaN}', "bad-request", None),
        (b"\xff\xfe", "bad-request", None),
        (b"[" * 100_000, "bad-request", None),
        (b"x" * 5_000_000, "bad-request", None),
        ([], "bad-request", None),
        ({"id": {"any": ["value"]}}, "bad-request", {"any": ["value"]}),
        ({"path": 3, "id": 3}, "bad-request", 3),
        ({"path": str(photos / "gone.jpg"), "id": "ü"}, "missing", "ü"),
        ({"path": str(photos), "id": 1}, "unreadable", 1),
        ({"path": str(photos / "broken.jpg"), "id": 2}, "not-an-image", 2),
    ]
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one, _, _ in wrong]
    question = json.dumps(good).encode()
    ends = (b"", question[:-1] + b"}\r", question)  # empty lines ask for nothing; the last line has no end
    code, answers = answered(
        tiny_model, b"\n".join([question, *(one for line in lines for one in (line, question)), *ends])
    )
    assert code == 0
    first, *rest = answers
    assert (first["status"], first["error"]) == ("ok", None)
    assert len(rest) == 2 * len(wrong) + 2
    for (_, kind, identity), answer, after in zip(wrong, rest[::2], rest[1::2], strict=False):
        assert (answer["status"], answer["score"], answer["error"]["kind"]) == ("error", None, kind)
        assert answer["id"] == identity
        assert answer.keys() == first.keys()
        assert after == first
    assert rest[-2:] == [first, first]


def test_a_huge_line_without_an_end_is_answered_at_the_end_of_the_input(tiny_model: Path) -> None:
    code, (answer,) = answered(tiny_model, b'{"path": "' + b"x" * 3_000_000)
    assert (code, answer["error"]["kind"]) == (0, "bad-request")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_after_the_last_answer(serve, photos: Path, number: signal.Signals, code: int) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    requests = [{"path": str(photos / "0.jpg"), "id": number} for number in range(5)]
    first, *_ = asked(server, *requests)
    server.send_signal(number)
    found, rest, said = ended(server)
    assert (found, rest) == (code, b"")
    assert first["id"] == 0
    assert "Traceback" not in said


def test_a_client_that_went_away_ends_it(serve, photos: Path) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    asked(server, {"path": str(photos / "0.jpg")})
    server.stdout.close()
    server.stdin.write(json.dumps({"path": str(photos / "0.jpg")}).encode() + b"\n")
    server.stdin.close()
    assert server.wait(timeout=60) == 141
    assert b"Traceback" not in server.stderr.read()


def test_a_model_that_is_not_there_is_said_at_once() -> None:
    done = run_here("serve", "--model", "no-such-model")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no-such-model" in done.stderr
