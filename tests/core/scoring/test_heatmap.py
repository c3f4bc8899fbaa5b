"""Maps of many pictures in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shamisa_cli.core.images.decoding import decode
from shamisa_cli.core.map_images import map_names
from shamisa_cli.core.models.loading import Model, load_model
from shamisa_cli.core.scoring.heatmap import MapWriter, overlay, render, smoothed
from shamisa_cli.core.scoring.pipeline import score_files
from shamisa_cli.core.scoring.score_map import ScoreMap


def test_pictures_of_one_name_get_maps_of_different_names() -> None:
    pictures = [Path("shoot/a/x.jpg"), Path("shoot/b/x.jpg"), Path("shoot/x.jpg"), Path("shoot/x.png")]
    names = [str(name) for name in map_names(pictures).values()]
    assert names == ["a/x.jpg.png", "b/x.jpg.png", "x.jpg.png", "x.png.png"]


def test_maps_stay_in_their_folder_wherever_the_pictures_are() -> None:
    names = map_names([Path("../up/x.jpg"), Path("/elsewhere/x.jpg"), Path("x.jpg")]).values()
    assert len(set(names)) == 3
    assert not any(name.is_absolute() or ".." in name.parts for name in names)


def test_names_too_long_for_a_file_system_are_cut_and_stay_different() -> None:
    pictures = [Path("é" * 120 + end + ".jpg") for end in "ab"]
    names = list(map_names(pictures).values())
    assert len(set(names)) == 2
    assert all(len(str(name).encode()) <= 200 and name.suffix == ".png" for name in names)


def test_each_scored_picture_gets_a_whole_png_and_nothing_else_is_left(
    model: Model, photos: list[Path], broken: Path, tmp_path: Path
) -> None:
    pictures = [photos[0], broken, photos[1]]
    folder = tmp_path / "new" / "maps"
    list(score_files(model, pictures, draws=MapWriter(model, folder, pictures)))
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [path.name for path in found] == ["0.jpg.png", "1.jpg.png"]
    for path in found:
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG"


def test_a_map_is_told_of_when_it_is_drawn(model: Model, photos: list[Path], broken: Path, tmp_path: Path) -> None:
    told = {}
    pictures = [photos[0], broken, photos[1]]
    writer = MapWriter(model, tmp_path / "maps", pictures, watch=told.__setitem__)
    scored = [record for record in score_files(model, pictures, draws=writer) if record.error is None]
    assert {str(path) for path in told} == {record.path for record in scored}
    for path, shown in told.items():
        view = model.encoder.config.preprocessing.view_size
        assert shown.shape == decode(path, view_size=view).pixels.shape


@pytest.mark.parametrize("name", ["shamisa-lite2", "shamisa-lite0"])
def test_maps_change_no_score_by_a_bit_and_are_the_same_for_any_number_of_jobs(name: str, tmp_path: Path) -> None:
    loaded = load_model(name)
    pictures = []
    for number, size in enumerate([(600, 400), (37, 511), (512, 512), (1, 1), (90, 64)]):
        noise = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        pictures.append(tmp_path / f"{number}.png")
        Image.fromarray(noise).save(pictures[-1])
    plain = list(score_files(loaded, pictures))
    found = []
    for jobs in (1, 4):
        folder = tmp_path / str(jobs)
        assert list(score_files(loaded, pictures, jobs=jobs, draws=MapWriter(loaded, folder, pictures))) == plain
        found.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert len(found[0]) == len(pictures)
    assert found[0] == found[1]


def points(local: np.ndarray) -> ScoreMap:
    return ScoreMap(local / local.size, average=60.0)


def test_places_below_an_average_picture_are_red_above_it_blue_and_like_it_grey() -> None:
    local = np.full((300, 300), 60.0)
    local[:, :100], local[:, 200:] = 10, 110
    shown = overlay(np.full((300, 300, 3), 128, dtype=np.uint8), points(local)).astype(int)
    red, grey, blue = shown[150, 20], shown[150, 150], shown[150, 280]
    assert red[0] > 20 + max(red[1], red[2])
    assert blue[2] > 20 + max(blue[0], blue[1])
    assert np.ptp(grey) <= 3


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (512, 340)])
def test_a_picture_of_any_shape_can_be_drawn(size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    shown = overlay(pixels, points(np.full(size, 60.0)))
    sheet = render(pixels, shown, 60.0, title="ü" * 300, score=60.0)
    assert sheet.width >= 2 * size[1]
    assert sheet.height >= size[0]


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (300, 201)])
def test_smoothing_keeps_the_level_and_the_size_of_a_map(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: size[0], : size[1]]
    slope = 10.0 + 20 * rows / size[0] + 40 * columns / size[1]
    found = smoothed(slope)
    assert found.shape == size
    assert found.mean() == pytest.approx(slope.mean())
    middle = found[size[0] // 4 : 3 * size[0] // 4 + 1, size[1] // 4 : 3 * size[1] // 4 + 1]
    same = slope[size[0] // 4 : 3 * size[0] // 4 + 1, size[1] // 4 : 3 * size[1] // 4 + 1]
    np.testing.assert_allclose(middle, same, atol=8)
