"""Remarks, measured: how often good photographs get one, and whether a fault gets its own.

    python benchmarks/remarks.py --best mos.csv PICTURES
    python benchmarks/remarks.py --untouched FOLDERS...
    python benchmarks/remarks.py --causes PHOTOS... [--only REMARK]...

The first prints, for each remark, the share of the best tenth of rated photographs that get it; the thresholds were
set on rows 1, 3, 5… of these, so 2, 4, 6… are reported apart. The second prints the same for each of some folders of
photographs that nobody has degraded. The third spoils photographs in known ways. Printed are the remark's share before
and after, the area under the ROC curve of its measure, and, of the spoiled photographs with a remark of this kind, the
share that names the right direction.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter, rotate
from scipy.signal import fftconvolve
from sklearn.metrics import roc_auc_score

from shamisa_cli.core.distortions.engine import apply_operator
from shamisa_cli.core.full_size.look import look_at_pixels
from shamisa_cli.core.full_size.record import AtFullSize
from shamisa_cli.core.images import decode, discover
from shamisa_cli.core.remarks.remark import REMARKS, remarks_on
from shamisa_cli.core.remarks.tones import LUMA, Tones, tones_of
from shamisa_cli.core.training.direction.damages import balanced, contrasted, exposed, to_levels

Cause = Callable[[np.ndarray], np.ndarray]
Measure = Callable[[Tones, AtFullSize | None], float]


def operator(name: str, severity: float) -> Cause:
    def apply(pixels: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
        spoiled = apply_operator(tensor, name, severity, torch.Generator().manual_seed(0))
        return to_levels(spoiled[0].permute(1, 2, 0).numpy() * 255)

    return apply


def gained(red: float, green: float, blue: float) -> Cause:
    """Channels multiplied by powers of two, the luminance kept."""
    gains = 2.0 ** np.array([red, green, blue])
    return lambda pixels: balanced(pixels, gains / (gains @ np.array([0.2126, 0.7152, 0.0722])))


def moved(length: int, degrees: float) -> Cause:
    def apply(pixels: np.ndarray) -> np.ndarray:
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        kernel[length, length - length // 2 : length + length // 2 + 1] = 1
        kernel = np.clip(rotate(kernel, degrees, reshape=False, order=1), 0, None)
        padded = np.pad(pixels.astype(np.float32), ((length, length), (length, length), (0, 0)), "reflect")
        planes = [fftconvolve(padded[..., channel], kernel / kernel.sum(), "valid") for channel in range(3)]
        return to_levels(np.stack(planes, -1))

    return apply


def defocused(sigma: float) -> Cause:
    return lambda pixels: to_levels(gaussian_filter(pixels.astype(np.float32), (sigma, sigma, 0)))


def _focus(_tones: Tones, look: AtFullSize | None) -> float:
    return (look.focus or 0.0) if look else 0.0


def noisy(deviation: float, denoising: float) -> Cause:
    """Noise of a deviation in grey levels, and a Gaussian filter of this σ in pixels over it."""

    def apply(pixels: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, deviation, pixels.shape)
        return to_levels(gaussian_filter(pixels + noise, (denoising, denoising, 0)))

    return apply


def coded(quality: int) -> Cause:
    def apply(pixels: np.ndarray) -> np.ndarray:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
        return np.asarray(Image.open(stream))

    return apply


def coloured(factor: float) -> Cause:
    return lambda pixels: np.asarray(ImageEnhance.Color(Image.fromarray(pixels)).enhance(factor))


def _noise(_tones: Tones, look: AtFullSize | None) -> float:
    return look.noise if look else 0.0


def _blocks(_tones: Tones, look: AtFullSize | None) -> float:
    return look.compression if look else 0.0


def _motion(_tones: Tones, look: AtFullSize | None) -> float:
    return (look.motion or 0.0) if look else 0.0


KINDS: dict[str, tuple[str, Measure]] = {
    "underexposed": ("overexposed", lambda tones, _: -tones.lights),
    "overexposed": ("underexposed", lambda tones, _: tones.lightness),
    "low contrast": ("harsh contrast", lambda tones, _: -tones.whole_range),
    "harsh contrast": ("low contrast", lambda tones, _: tones.harshness),
    "desaturated": ("oversaturated", lambda tones, _: -tones.vivid),
    "oversaturated": ("desaturated", lambda tones, _: tones.overdone),
    "warm cast": ("cool cast", lambda tones, _: tones.warmth),
    "cool cast": ("warm cast", lambda tones, _: -tones.warmth),
    "green cast": ("magenta cast", lambda tones, _: tones.greenness),
    "magenta cast": ("green cast", lambda tones, _: -tones.greenness),
    "motion blur": ("out of focus", _motion),
    "out of focus": ("motion blur", _focus),
    "noisy": ("", _noise),
    "compression artefacts": ("", _blocks),
}
"""Remark → its opposite, if it has one, and its measure."""

LOOKED = ("motion blur", "out of focus", "noisy", "compression artefacts")
"""Remarks that take a look at 100 %."""

CAUSES: dict[str, dict[str, Cause]] = {
    "underexposed": {
        "darken 3": operator("darken", 3),
        "darken 4": operator("darken", 4),
        "1 stop": lambda pixels: exposed(pixels, -1),
        "2 stops": lambda pixels: exposed(pixels, -2),
    },
    "overexposed": {
        "brighten 3": operator("brighten", 3),
        "brighten 4": operator("brighten", 4),
        "1 stop": lambda pixels: exposed(pixels, 1),
        "2 stops": lambda pixels: exposed(pixels, 2),
    },
    "low contrast": {
        "contrast down 4": operator("contrast down", 4),
        "non-linear 2": operator("non-linear contrast", 2),
        "× .6": lambda pixels: contrasted(pixels, 0.6),
    },
    "harsh contrast": {
        "contrast up 4": operator("contrast up", 4),
        "× 1.5": lambda pixels: contrasted(pixels, 1.5),
        "× 2": lambda pixels: contrasted(pixels, 2),
    },
    "desaturated": {"HSV × .4": operator("HSV saturation", 0), "HSV × .1": operator("HSV saturation", 2)},
    "oversaturated": {
        "Lab × 2": operator("Lab saturation", 1),
        "Lab × 3": operator("Lab saturation", 2),
        "Pillow × 2": coloured(2),
        "Pillow × 2.5": coloured(2.5),
        "Pillow × 2.5, JPEG 90": lambda pixels: coded(90)(coloured(2.5)(pixels)),
    },
    "warm cast": {"slight": gained(0.4, 0, -0.4), "strong": gained(0.8, 0, -0.8)},
    "cool cast": {"slight": gained(-0.4, 0, 0.4), "strong": gained(-0.8, 0, 0.8)},
    "green cast": {"slight": gained(-0.2, 0.2, -0.2), "strong": gained(-0.4, 0.4, -0.4)},
    "magenta cast": {"slight": gained(0.2, -0.2, 0.2), "strong": gained(0.4, -0.4, 0.4)},
    "motion blur": {"9 pixels, 30°": moved(9, 30), "15 pixels, 100°": moved(15, 100)},
    "out of focus": {"σ 2": defocused(2), "σ 3.5": defocused(3.5)},
    "noisy": {
        "8 levels": noisy(8, 0),
        "16 levels": noisy(16, 0),
        "16 levels, denoised": noisy(16, 0.6),
        "32 levels, denoised": noisy(32, 0.6),
    },
    "compression artefacts": {"JPEG 30": coded(30), "JPEG 10": coded(10)},
}


def seen(pixels: np.ndarray, looked: bool) -> tuple[Tones, AtFullSize | None, tuple[str, ...]]:
    look = look_at_pixels((pixels @ LUMA + 0.5).astype(np.uint8)) if looked else None
    return tones_of(pixels), look, remarks_on(pixels, look, max(pixels.shape[:2]))


def false_alarms(table: Path, folder: Path) -> None:
    with table.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["mos"]))
    best = rows[: len(rows) // 10]
    found = [decode(folder / row["image"], view_size=512, look=True).remarks for row in best]
    counts = [Counter(remark for remarks in half for remark in remarks) for half in (found[::2], found[1::2])]
    for remark in REMARKS:
        print(f"{remark}: {counts[0][remark] / len(found[::2]):.1%}, {counts[1][remark] / len(found[1::2]):.1%}")
    print(f"no remark: {sum(not remarks for remarks in found) / len(found):.1%}")


def untouched_alarms(folder: Path) -> None:
    found = [decode(path, view_size=512, look=True).remarks for path in discover([folder])]
    counts = Counter(remark for remarks in found for remark in remarks)
    shares = ", ".join(f"{remark} {counts[remark] / len(found):.1%}" for remark in REMARKS if counts[remark])
    print(f"{folder.name}, {len(found)} photographs: {shares}; none {sum(not each for each in found) / len(found):.1%}")


def causes(photos: list[Path], names: Sequence[str]) -> None:
    pictures = [np.ascontiguousarray(decode(path, view_size=512).pixels) for path in photos]
    untouched = {looked: [seen(pixels, looked) for pixels in pictures] for looked in {name in LOOKED for name in names}}
    for remark in names:
        ways, (opposite, measure), looked = CAUSES[remark], KINDS[remark], remark in LOOKED
        before = untouched[looked]
        share = np.mean([remark in remarks for _, _, remarks in before])
        for way, cause in ways.items():
            after = [seen(np.ascontiguousarray(cause(pixels)), looked) for pixels in pictures]
            values = [measure(tones, look) for tones, look, _ in (*before, *after)]
            area = roc_auc_score([0] * len(before) + [1] * len(after), values)
            right = sum(remark in remarks for _, _, remarks in after)
            wrong = sum(opposite in remarks for _, _, remarks in after)
            direction = right / max(1, right + wrong)
            shown = f"{share:.0%} → {right / len(after):.0%}, AUC {area:.2f}, direction {direction:.0%}"
            print(f"{remark}, {way}: {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--best", nargs=2, type=Path, metavar=("TABLE", "FOLDER"))
    parser.add_argument("--untouched", nargs="+", type=Path, metavar="FOLDERS")
    parser.add_argument("--causes", nargs="+", type=Path, metavar="PHOTOS")
    parser.add_argument("--only", action="append", choices=CAUSES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.best:
        false_alarms(*options.best)
    for folder in options.untouched or ():
        untouched_alarms(folder)
    if options.causes:
        causes(list(discover(options.causes)), options.only or list(CAUSES))


if __name__ == "__main__":
    main()
