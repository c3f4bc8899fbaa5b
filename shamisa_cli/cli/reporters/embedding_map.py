"""`shamisa embed --plot`: a map of the pictures for the browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shamisa_cli.cli.console import Console, check_output
from shamisa_cli.core.errors import SettingError

if TYPE_CHECKING:
    from shamisa_cli.core.models.loading import Model
    from shamisa_cli.core.scoring.embedding_map import LabelTable
    from shamisa_cli.core.scoring.scorer import ViewSize

PANEL = "Map"
SUFFIXES = (".html", ".htm")


class ProjectionName(StrEnum):
    """Methods that place features on a plane."""

    TSNE = "tsne"
    UMAP = "umap"


Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        rich_help_panel=PANEL,
        show_default="none",
        help="Also draw a map of the pictures, similar ones near each other, as one HTML file that needs no network.",
    ),
]
ColourBy = Annotated[
    list[str] | None,
    typer.Option(
        "--color-by",
        metavar="COLUMN",
        rich_help_panel=PANEL,
        show_default="score, or folder if the model has no probe",
        help="Colour by score, folder, a group of defects such as blur, or a column of --table. May be given several "
        "times, to choose from on the page.",
    ),
]
LabelFile = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        rich_help_panel=PANEL,
        show_default="none",
        help="CSV file about the pictures, with column names in its first line and names relative to its folder.",
    ),
]
LabelImage = Annotated[
    str,
    typer.Option("--image-column", metavar="NAME", rich_help_panel=PANEL, help="Column of --table with the names."),
]
CentreBy = Annotated[
    str | None,
    typer.Option(
        "--center-by",
        metavar="COLUMN",
        rich_help_panel=PANEL,
        show_default="none",
        help="Use features relative to the mean of the pictures with the same value, such as the photograph that they "
        "are versions of: what remains is how they differ from each other.",
    ),
]
ProjectionOption = Annotated[
    ProjectionName,
    typer.Option("--projection", rich_help_panel=PANEL, help="t-SNE, or UMAP where umap-learn is installed."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, rich_help_panel=PANEL, help="Random seed of the projection.")]


@dataclass(frozen=True)
class MapSettings:
    """Options of an embedding map.

    Attributes:
        target: the HTML file to write.
        colour_by: columns to colour the map by, see `colouring`.
        table: CSV file of further columns, or None.
        image_column: its column that names the images.
        centre_by: column within whose values features are centred, or None.
        projection: method that places features on a plane.
        seed: of the projection.
    """

    target: Path
    colour_by: Sequence[str]
    table: Path | None
    image_column: str
    centre_by: str | None
    projection: ProjectionName
    seed: int

    @property
    def labels(self) -> LabelTable | None:
        """The table, if one is named."""
        from shamisa_cli.core.scoring.embedding_map import LabelTable

        return None if self.table is None else LabelTable(self.table, self.image_column)


def check_map(settings: MapSettings) -> None:
    """Raise SettingError or MosTableError before any work if the map could not be drawn."""
    from shamisa_cli.core.scoring.embedding_map import check_column
    from shamisa_cli.core.scoring.projection import require_projection

    if settings.target.suffix.lower() not in SUFFIXES:
        raise SettingError(f"{settings.target} does not end in .html; --plot must name an .html file.")
    check_output(settings.target, "--plot")
    require_projection(settings.projection.value)
    for column in (*settings.colour_by, *([settings.centre_by] if settings.centre_by else [])):
        check_column(column, settings.labels)


def draw_map(
    settings: MapSettings,
    model: Model,
    features: Path,
    files: Sequence[Path],
    view_size: ViewSize,
    *,
    jobs: int | None,
    console: Console,
) -> None:
    """Project the features in a file, and write the page.

    Args:
        settings: options of the map.
        model: the model that computed the features.
        features: a file of `shamisa embed` with all of `files` that could be read.
        files: the pictures.
        view_size: at which they were embedded.
        jobs: threads that make thumbnails.
        console: shows progress.
    Raises SettingError, ModelError and MosTableError as `colouring` does.
    """
    from shamisa_cli.cli.reporters.html.map_page import write_map
    from shamisa_cli.core.scoring.embedding_map import colouring, embedding_map, thumbnails
    from shamisa_cli.core.scoring.feature_formats import portable
    from shamisa_cli.core.scoring.feature_table import load_features
    from shamisa_cli.core.scoring.pipeline import describe_run

    stored = load_features(features)
    if not stored.paths:
        console.warn(f"there is no map in {settings.target}, since no picture could be read.")
        return
    by_name = {portable(str(path)): path for path in files}
    pictures = [by_name[name] for name in stored.paths]
    wanted = settings.colour_by or (["folder"] if model.probe is None else ["score"])
    colourings = [colouring(name, pictures, stored.features, model, settings.labels) for name in wanted]
    centre = settings.centre_by and colouring(settings.centre_by, pictures, stored.features, model, settings.labels)
    found = embedding_map(
        pictures,
        stored.features,
        colourings,
        projection=settings.projection.value,
        centre_by=centre or None,
        seed=settings.seed,
    )
    with console.progress("Thumbnails", len(pictures)) as advance:
        small = thumbnails(pictures, jobs=jobs, advance=advance)
    with console.results(settings.target) as stream:
        write_map(found, describe_run(model, view_size).model, small, stream)
    console.hint(f"The map is in {settings.target}.")
