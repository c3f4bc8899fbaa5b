"""The page of an embedding map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from string import Template
from typing import Any, TextIO

from shamisa_cli.cli.console import printable
from shamisa_cli.cli.output import counted
from shamisa_cli.cli.reporters.html.page import PLACE_OF_PICTURES
from shamisa_cli.cli.reporters.html.parts import as_base64, head, json_block, part
from shamisa_cli.core.records import ModelIdentity
from shamisa_cli.core.scoring.embedding_map import Colouring, EmbeddingMap, value_counts

METHODS = {"tsne": "t-SNE", "umap": "UMAP"}
PLACE_DECIMALS, VALUE_DIGITS = 5, 6


def write_map(found: EmbeddingMap, model: ModelIdentity, thumbnails: Mapping[str, bytes], stream: TextIO) -> None:
    """Write the page of a map; as in the page of a run, untrusted text is embedded as data that is not parsed as code.

    Args:
        found: the map.
        model: the model whose encoder was read.
        thumbnails: WebP files by name of the image; without one the page shows the name alone.
        stream: receives the page.
    """
    style, script = "\n\n".join((part("theme.css"), part("map.css"))), part("map.js")
    before, after = part("map.html").split(PLACE_OF_PICTURES)
    data = json_block(_document(found, model))
    stream.write(head("Map of pictures", style, script) + Template(before).substitute(data=data))
    stream.write("[")
    for index, path in enumerate(found.paths):
        stream.write(("," if index else "") + "\n" + json.dumps(as_base64(thumbnails.get(path))))
    stream.write("\n]")
    stream.write(Template(after).substitute(script=script))


def _document(found: EmbeddingMap, model: ModelIdentity) -> dict[str, Any]:
    relative = "" if found.centred_by is None else f", relative to their mean within {printable(found.centred_by)}"
    made = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")[:16]
    return {
        "about": f"{counted(len(found.paths), 'picture')}. Pictures near each other have similar features. "
        "Distances between far groups, directions and the sizes of groups mean nothing.",
        "origin": f"{METHODS[found.projection]} of the features of {printable(model.name)} "
        f"({printable(model.revision)}){relative}; made {made} by shamisa.",
        "paths": [printable(path) for path in found.paths],
        "x": found.places[:, 0].round(PLACE_DECIMALS).tolist(),
        "y": found.places[:, 1].round(PLACE_DECIMALS).tolist(),
        "colourings": [_colouring(each) for each in found.colourings],
    }


def _colouring(colouring: Colouring) -> dict[str, Any]:
    column = printable(colouring.column)
    if colouring.numeric:
        numbers = [None if value is None else float(f"{value:.{VALUE_DIGITS}g}") for value in colouring.values]
        present = [number for number in numbers if number is not None]
        return {"kind": "numbers", "column": column, "values": numbers, "low": min(present), "high": max(present)}
    texts = [None if value is None else str(value) for value in colouring.values]
    names = list(value_counts(texts))
    number = {name: index for index, name in enumerate(names)}
    values = [None if text is None else number[text] for text in texts]
    return {"kind": "texts", "column": column, "names": [printable(name) for name in names], "values": values}
