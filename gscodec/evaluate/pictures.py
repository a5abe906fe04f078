"""Pictures of a comparison as PNG files: `side_by_side`, `heat_map`, `write_png`, `Gallery`.

Composed pictures are (H, W, 3) uint8. Only this module and thumbnails on request need pillow: nothing
else that encodes, decodes or measures imports it.
"""

from __future__ import annotations

import heapq
import io
import math
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gscodec.evaluate import metrics
from gscodec.evaluate.comparison import Shot, distance_name
from gscodec.io import atomic_output

Bytes = NDArray[np.uint8]  # (H, W, 3)

SCALES = (4, 8, 16, 32, 64, 128, 255)  # ends of the colour scale, in units of 1/255
HEAD, FOOT, GAP = 20, 30, 4  # pixels: titles above, colour scale below, between panels
PAPER, INK = (24, 24, 24), (230, 230, 230)
_FROM_OKLAB = np.array(  # Oklab (Ottosson 2020) to the cube roots of its cone responses, and these to RGB
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_FROM_CONES = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@lru_cache(maxsize=1)
def colours() -> Bytes:
    """(256, 3): from black over violet, red and orange to pale yellow, in equal steps of lightness.

    Equal steps, so that an error that is twice as large looks twice as light, in print without colour too.
    """
    share = np.linspace(0, 1, 256)
    light = 0.97 * share
    vivid = 0.2 * np.sin(np.pi * share) ** 0.8
    hue = np.radians(-65 + 170 * share)
    cones = np.stack((light, vivid * np.cos(hue), vivid * np.sin(hue)), axis=1) @ _FROM_OKLAB.T
    linear = np.clip(cones**3 @ _FROM_CONES.T, 0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table = np.round(255 * shown).astype(np.uint8)
    table.setflags(write=False)
    return np.asarray(table)


def scale_for(error: float) -> int:
    """The shortest colour scale that reaches `error`; both in units of 1/255."""
    return next((scale for scale in SCALES if scale >= error), SCALES[-1])


def heat_map(reference: metrics.Image, test: metrics.Image, *, scale: float) -> Bytes:
    """The error of each pixel's worst channel, coloured from 0 to `scale` (units of 1/255), with a legend.

    (H, W, 3) floats in, (H + FOOT, W, 3) out. Raises `ValueError` for shapes that do not belong together.
    """
    return _paste([(0, 0, _heat(reference, test, scale))], reference.shape[1], scale)


def side_by_side(
    reference: metrics.Image, test: metrics.Image, *, scale: float, names: tuple[str, str]
) -> Bytes:
    """Reference, test and heat map in a row, under their names, above a legend.

    (H, W, 3) floats in, (HEAD + H + FOOT, 3 * W + 2 * GAP, 3) out. Raises `ValueError` as `heat_map` does.
    """
    step = reference.shape[1] + GAP
    panels = [_shown(reference), _shown(test), _heat(reference, test, scale)]
    titles = [*names, "error"]
    placed = [(HEAD, number * step, panel) for number, panel in enumerate(panels)]
    canvas = _paste(placed, 3 * step - GAP, scale)
    for number, title in enumerate(titles):
        panel = canvas[:HEAD, number * step : number * step + step - GAP]
        panel[:] = _labelled(panel, [(4, 3, title)])  # drawn on its own, so that no title runs into the next
    return canvas


def write_png(path: str | os.PathLike[str], picture: Bytes) -> None:
    """Write `picture`; the file appears whole or not at all. Raises `InputError` "io.write"."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG", compress_level=4)
    with atomic_output(path) as file:
        file.write(data.getvalue())


class Gallery:
    """Keeps pictures of the worst views of each test, then writes them.

    Holds no more than `worst` composed pictures for each test, so that memory stays small however many views
    there are. The names of files follow from those of the test, the distance and the camera.
    """

    def __init__(self, worst: int) -> None:
        self._worst = worst
        self._kept: dict[str, list[tuple[float, int, str, Bytes, Bytes]]] = {}
        self._count = 0

    def take(self, shot: Shot) -> None:
        """Look at the pictures of `shot`: a `watch` of `compare`. Low PSNR is bad."""
        self._count += 1
        scale = scale_for(max(scores["p99_error"] for scores in shot.scores.values()))  # tests share a scale
        for name, test in shot.tests.items():
            kept = self._kept.setdefault(name, [])
            badness = -shot.scores[name]["psnr"]
            if self._worst < 1 or (len(kept) >= self._worst and badness <= kept[0][0]):
                continue
            where = distance_name(shot.distance)
            stem = "-".join(_plain(part) for part in (name, where, shot.name) if part)
            titles = (f"reference: {shot.name} {where}", f"{name}: {_decibels(-badness)}")
            both = side_by_side(shot.reference.rgb, test.rgb, scale=scale, names=titles)
            heat = heat_map(shot.reference.rgb, test.rgb, scale=scale)
            entry = (badness, -self._count, stem, both, heat)
            if len(kept) < self._worst:
                heapq.heappush(kept, entry)
            else:
                heapq.heapreplace(kept, entry)

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write STEM.png (side by side) and STEM-error.png (heat map alone) of each view kept.

        Makes the folder if need be. Returns the paths, for each test the worst view first.
        Raises `InputError` "io.write" and `OSError`.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        for kept in self._kept.values():
            for _, _, stem, both, heat in sorted(kept, key=lambda entry: (-entry[0], -entry[1])):
                name, number = stem, 1
                while Path(folder, f"{name}.png") in paths:  # cameras may lack names, or share one
                    number += 1
                    name = f"{stem}-{number}"
                for path, picture in (
                    (Path(folder, f"{name}.png"), both),
                    (Path(folder, f"{name}-error.png"), heat),
                ):
                    write_png(path, picture)
                    paths.append(path)
        return paths


def _plain(name: str) -> str:
    """A name as part of a file name on any system."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:80]


def _decibels(value: float) -> str:
    return f"{value:.2f} dB" if math.isfinite(value) else "equal"


def _shown(image: metrics.Image) -> Bytes:
    return np.asarray(np.round(255 * np.clip(image, 0, 1)), np.uint8)


def _heat(reference: metrics.Image, test: metrics.Image, scale: float) -> Bytes:
    index = metrics.pixel_errors(reference, test) * (255 / scale)
    return colours()[np.minimum(np.round(index), 255).astype(np.uint8)]


def _paste(placed: list[tuple[int, int, Bytes]], width: int, scale: float) -> Bytes:
    """A canvas with pictures at (top, left), and below them the legend."""
    height = max(top + len(picture) for top, _, picture in placed) + FOOT
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = PAPER
    for top, left, picture in placed:
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    left = placed[-1][1]
    legend = canvas[-FOOT:, left:]
    room = legend.shape[1]
    legend[4:12] = colours()[np.linspace(0, 255, room).astype(np.uint8)]
    half, end = f"{scale / 2:g}", f"{scale:g}/255"
    texts = [(2, 14, "0"), (room // 2 - 3 * len(half), 14, half), (room - 7 * len(end), 14, end)]
    legend[:] = _labelled(legend, texts if room >= 100 else [(2, 14, f"0..{end}")])
    return canvas


def _labelled(picture: Bytes, texts: list[tuple[int, int, str]]) -> Bytes:
    """`picture` with texts at (left, top)."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    draw = ImageDraw.Draw(image)
    for left, top, text in texts:
        # pillow's own font has no more than Latin letters
        draw.text((left, top), text.encode("ascii", "replace").decode(), fill=INK, font=_font())
    return np.asarray(image)


@lru_cache(maxsize=1)
def _font() -> Any:
    return ImageFont.load_default()
