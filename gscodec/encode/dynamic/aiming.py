"""Targets of a sequence: it is encoded a few times, and decoded frames are held against those given."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gscodec.dynamic import scene as scenes
from gscodec.encode.dynamic.layers import INVISIBLE
from gscodec.encode.dynamic.sequence import FrameSequence
from gscodec.encode.encoder import MEASURED, RIG_SIZE
from gscodec.encode.inputs import is_usable
from gscodec.encode.sight import evenly, sized
from gscodec.encode.targets import CAMERAS, Ruler, Scores, Target, search
from gscodec.errors import InputError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.rigs import Kind, make_rig
from gscodec.splats import Splats, joined

FRAMES = 5  # that are looked at, each through other cameras
USUAL = 100  # frames that take about as many bytes for their motion as a static file


class FramesRuler:
    """Pictures of some frames, to hold decoded ones against.

    sees  whether any camera sees anything: only then can be measured
    """

    def __init__(
        self, sequence: FrameSequence, cameras: list[Camera] | None, rig: Kind, threads: int
    ) -> None:
        count = len(sequence)
        wanted = np.linspace(0, count - 1, FRAMES).round().astype(int).tolist()
        chosen = {index: splats for place in wanted for index, splats in _seen_near(sequence, place)}
        if cameras is None and chosen:
            views = make_rig(joined(list(chosen.values())), rig, views=CAMERAS, size=RIG_SIZE)
            cameras = [camera for camera in views if is_usable(camera)]
        cameras = [sized(camera, MEASURED) for camera in evenly(cameras or [], CAMERAS)]
        self._rulers: list[tuple[int, Ruler]] = []
        for number, index in enumerate(sorted(chosen) if cameras else []):
            own = cameras[number :: len(chosen)] or [cameras[number % len(cameras)]]
            ruler = Ruler(chosen[index], own, threads)
            if ruler.sees:
                self._rulers.append((sequence.places[index], ruler))

    @property
    def sees(self) -> bool:
        """Whether anything is seen of any frame."""
        return bool(self._rulers)

    def measure(self, path: str | os.PathLike[str], threads: int) -> Scores | None:
        """Of a .gsc; None where nothing is seen."""
        if not self._rulers:
            return None
        with scenes.open(path, threads=threads) as scene:
            frame_ticks = scene.time.frame_ticks if scene.time is not None else 0
            found = [ruler.measure(scene.at_tick(place * frame_ticks)) for place, ruler in self._rulers]
        levels = [each.psnr for each in found if each.psnr < math.inf]
        return Scores(
            psnr=math.fsum(levels) / len(levels) if levels else math.inf,
            worst=min(each.worst for each in found),
            error=max(each.error for each in found),
        )


def _seen_near(sequence: FrameSequence, place: int) -> Iterator[tuple[int, Splats]]:
    """The frame that shows anything and is nearest to a place; at most one."""
    for index in sorted(range(len(sequence)), key=lambda index: abs(index - place)):
        splats = sequence.read(index).splats
        shown = np.flatnonzero(splats.opacities > INVISIBLE)
        if len(shown):
            yield index, splats.take(shown)
            return


@dataclass(frozen=True, slots=True)
class Attempt:
    """A file, what became of it, and how near its pictures are, if these were looked at."""

    path: Path
    report: dict[str, Any]
    scores: Scores | None


def reach(
    target: Target,
    splats: float,
    frames: int,
    write: Callable[[float | str | None, Path], dict[str, Any]],
    ruler: FramesRuler | None,
    folder: Path,
    *,
    threads: int,
    tell: Callable[[float], None],
) -> Attempt:
    """The file that is nearest to the target.

    write   encode at a quality number to a path; the report
    splats  of a frame
    tell    gets the share that may be done
    """
    count = 0

    def attempt(number: float) -> tuple[float, Attempt]:
        nonlocal count
        tell(1 - 0.7**count)  # nobody knows how many there will be
        count += 1
        path = folder / f"{count}.gsc"
        report = write(number, path)
        scores = None if target.kind == "size" or ruler is None else ruler.measure(path, threads)
        return target.coarseness(scores, path.stat().st_size), Attempt(path, report, scores)

    found = search(target, int(splats * (1 + frames / USUAL)), attempt)
    best = found.best.result
    aims = {
        "quality": found.best.number,
        "target_reached": found.is_reached,
        "encodings": found.count,
    }
    return Attempt(best.path, {**best.report, **aims}, best.scores)


def attempts_folder(inside: str | None) -> tempfile.TemporaryDirectory[str]:
    """Where all files are until it is known which one is wanted. Raises `InputError` "io.write"."""
    try:
        return tempfile.TemporaryDirectory(prefix=".gsenc-", dir=inside)
    except OSError as error:
        where, why = inside or tempfile.gettempdir(), error.strerror or error
        raise InputError("io.write", f"cannot make a temporary folder in {where}: {why}") from error
