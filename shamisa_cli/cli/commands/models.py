"""`shamisa models`: list, show, download, upload, export and derive models."""

from __future__ import annotations

import re
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shamisa_cli.cli import inputs, options
from shamisa_cli.cli.command_group import CommandGroup
from shamisa_cli.cli.console import Console
from shamisa_cli.cli.output import write_facts, write_json
from shamisa_cli.cli.reporters.model_facts import SHORT_HASH, as_rows, megabytes, model_facts, write_models
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.existence import exists
from shamisa_cli.core.extras import needs_pytorch


class ProtocolName(StrEnum):
    """Ways of reading pictures that have a name."""

    PAPER = "paper"


AsJson = Annotated[bool, typer.Option("--json", show_default="off", help="Print one JSON document with all details.")]
Named = Annotated[
    str,
    typer.Argument(
        metavar="NAME|PATH|hf:ORG/NAME[@REV]",
        show_default=False,
        help="A bundled model, a folder, or a model or probe on the Hugging Face Hub.",
        autocompletion=options.bundled_models,
    ),
]


def list_models(as_json: AsJson = False) -> None:
    """List the models available without a download: those bundled with shamisa, and those in the Hub's cache.

    Makes no network request. Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.models.catalogue import installed_models

    entries = installed_models()
    console = Console()
    with console.results(None) as stream:
        if as_json:
            write_json({"schema": 1, "models": [entry.to_json() for entry in entries]}, stream)
        else:
            write_models(entries, stream)
    for entry in entries:
        if entry.error is not None:
            console.warn(entry.error)


def show(
    name: Named,
    offline: options.Offline = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            show_default="off",
            help="Also compute fixed images with the graphs and with the weights, and compare. Needs PyTorch.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a summary of a model's card: architecture, preprocessing, probe, metrics, and files with their hashes.

    A model on the Hub is downloaded unless it is in the cache. Every file is checked against its hash.
    Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.models.catalogue import describe_model

    described = describe_model(name, offline=offline)
    verified = None
    if verify:
        with needs_pytorch("comparing graphs with weights"):
            from shamisa_cli.core.networks.export.export_model import verify_graphs
        verified = verify_graphs(described.entry.folder)
    with Console().results(None) as stream:
        if as_json:
            said = {} if verified is None else {"verified": list(verified)}
            write_json({"schema": 1, **described.to_json(), **said}, stream)
        else:
            facts = model_facts(described)
            if verified is not None:
                facts.append(("verified", f"{', '.join(verified)}: as the weights" if verified else "it has no graph"))
            write_facts(facts, stream)


def pull(
    name: Annotated[
        str, typer.Argument(metavar="hf:ORG/NAME[@REV]", show_default=False, help="A model or probe on the Hub.")
    ],
    offline: options.Offline = False,
    as_json: AsJson = False,
) -> None:
    """Download a model from the Hugging Face Hub into its cache, complete and verified, for use offline.

    Files already in the cache are checked and not downloaded again. HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE
    are honoured. Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.models.hub import SCHEME, HubName
    from shamisa_cli.core.models.transfer import pull_model

    entry = pull_model(name, offline=offline)
    console = Console()
    with console.results(None) as stream:
        if as_json:
            write_json({"schema": 1, **entry.to_json()}, stream)
        else:
            rows = [("model", entry.name), ("commit", entry.revision), ("size", megabytes(entry.size))]
            write_facts([*rows, ("folder", str(entry.folder))], stream)
    command = "compare --model" if entry.has_relational else "score --model" if entry.has_encoder else "score --probe"
    console.hint(f"To pin this revision: shamisa {command} {SCHEME}{HubName.parse(name).repository}@{entry.revision}")


def push(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|PATH",
            show_default=False,
            help="The folder of a model or probe, or a bundled model.",
            autocompletion=options.bundled_models,
        ),
    ],
    repository: Annotated[
        str,
        typer.Argument(
            metavar="hf:ORG/NAME", show_default=False, help="Target repository; created if it does not exist."
        ),
    ],
    private: Annotated[
        bool,
        typer.Option(
            "--private", show_default="off", help="Create the repository as private; an existing public one is refused."
        ),
    ] = False,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", show_default="names the model", help="The commit's message.")
    ] = None,
    offline: options.Offline = False,
    as_json: AsJson = False,
) -> None:
    """Upload a model or probe to the Hugging Face Hub: card, JSON files, weights, ONNX graph, and the card's figures.

    Nothing else in the folder is uploaded, and a folder that holds a pickle is refused. Where another encoder takes the
    place of one, the probe, direction and graph of the earlier one are removed there. The card's metadata is
    completed. There are no prompts; HF_TOKEN or the login of the Hub's client gives permission to write.
    Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.models.transfer import push_model

    done = push_model(name, repository, private=private, message=message, offline=offline)
    console = Console()
    with console.results(None) as stream:
        if as_json:
            write_json({"schema": 1, **asdict(done)}, stream)
        else:
            rows = [("model", done.name), ("commit", done.commit), ("url", done.url)]
            rows += as_rows("uploaded", [f"{file}  {megabytes(size)}" for file, size in done.files.items()])
            rows += as_rows("left out", done.left_out)
            rows += as_rows("removed there", [f"{file}  of the encoder or networks before" for file in done.removed])
            write_facts(rows, stream)


def export(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="NAME|PATH",
            show_default=False,
            help="The folder of a model, or a bundled model.",
            autocompletion=options.bundled_models,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Export a model as ONNX graphs in its folder: scoring and comparing are faster and need no PyTorch.

    A graph reads its weights from the safetensors file beside it. Probes stay valid. Needs the package onnx.
    Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.models.folder import holds_networks
    from shamisa_cli.core.models.manifest import MODEL_MANIFEST
    from shamisa_cli.core.models.resolver import resolve

    with needs_pytorch("exporting a model"):
        from shamisa_cli.core.networks.export.export_model import add_graph, add_relational_graphs

    target = resolve(folder, offline=True).path
    compares_only = holds_networks(target) and not exists(target / MODEL_MANIFEST)
    graphs = add_relational_graphs(target) if compares_only else (add_graph(target),)
    with Console().results(None) as stream:
        for graph in graphs:
            if as_json:
                write_json({"schema": 1, "graph": str(graph), "size": graph.stat().st_size}, stream)
            else:
                write_facts([("graph", str(graph)), ("size", megabytes(graph.stat().st_size))], stream)


def derive(
    source: Named,
    folder: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", show_default=False, help="A new folder for the model.")
    ],
    view_size: Annotated[
        str,
        typer.Option(
            metavar="N|native", show_default="the model's", help="Scale pictures down to a long side of N pixels."
        ),
    ] = "model",
    stages: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", show_default="the model's", help="Stages of the encoder to read, such as 3-17 or 0,3,7-17."
        ),
    ] = None,
    scales: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            show_default="the model's",
            help="Sizes to read pictures at, relative to the view size, such as 1,0.5.",
        ),
    ] = None,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            show_default="the model's own way",
            help="paper: read five crops of 224 pixels of a picture at its native size and five of its half-size copy, "
            "at the last stage, as fit-probe and evaluate --protocol paper need.",
        ),
    ] = None,
    offline: options.Offline = False,
    as_json: AsJson = False,
) -> None:
    """Derive a model with the same encoder and other features: smaller pictures, or fewer stages or scales, for speed;
    or the crops of the paper's test protocol.

    The new model has no probes yet; fit them with fit-probe and fit-defects. Exit codes: 0 success; 2 error.
    """
    from shamisa_cli.core.models.resolver import resolve

    with needs_pytorch("deriving a model"):
        from shamisa_cli.core.networks.derive import derive as derived

    made = derived(
        resolve(source, offline=offline).path,
        folder,
        view_size=inputs.view_size(view_size),
        stages=None if stages is None else _whole_numbers(stages),
        scales=None if scales is None else _numbers(scales),
        paper=protocol is ProtocolName.PAPER,
    )
    with Console().results(None) as stream:
        if as_json:
            write_json({"schema": 1, "model": str(made.path), "fingerprint": made.fingerprint}, stream)
        else:
            write_facts([("model", str(made.path)), ("fingerprint", made.fingerprint[:SHORT_HASH])], stream)


def _whole_numbers(text: str) -> tuple[int, ...]:
    """ "0,3-5" → (0, 3, 4, 5)."""
    spans = [re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip()) for part in text.split(",")]
    limits = [(int(span[1]), int(span[2] or span[1])) for span in spans if span]
    if len(limits) < len(spans) or any(first > last for first, last in limits):
        raise SettingError(f"--stages is {text!r}; it takes whole numbers and ranges, such as 3-17 or 0,3,7-17.")
    return tuple(number for first, last in limits for number in range(first, last + 1))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise SettingError(f"--scales is {text!r}; it takes numbers, such as 1,0.5.") from None


MODELS = CommandGroup(
    help="List, show, download, upload, export and derive models.",
    commands={"list": list_models, "show": show, "pull": pull, "push": push, "export": export, "derive": derive},
)
