"""Targets of a sequence: it is encoded a few times, and decoded frames are held against those given."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gscodec.dynamic import scene as scenes
from gscodec.encode.dynamic.sequence import FrameSequence
from gscodec.encode.encoder import Encoder, score_facts
from gscodec.encode.targets import Ruler, Scores, Target, search
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.rigs import Kind

FRAMES = 5  # that are looked at, each through other cameras
USUAL = 100  # frames that take about as many bytes for their motion as a static file


class FramesRuler:
    """Pictures of some frames, to hold decoded ones against; made when they are needed.

    sees  whether any camera sees anything: only then can be measured
    """

    def __init__(
        self, sequence: FrameSequence, cameras: list[Camera] | None, rig: Kind, threads: int
    ) -> None:
        filled = [index for index in range(len(sequence)) if len(sequence.read(index).splats)]
        chosen = np.unique(np.linspace(0, max(len(filled) - 1, 0), FRAMES).round().astype(int))
        self._rulers: list[tuple[int, Ruler]] = []
        if not filled:
            return
        middle = sequence.read(filled[len(filled) // 2]).splats
        usual = Encoder(middle, effort=1, cameras=cameras, rig=rig, threads=threads).ruler
        for number, place in enumerate(chosen.tolist() if usual is not None else []):
            views = usual.cameras[number :: len(chosen)] if usual is not None else []
            ruler = Ruler(sequence.read(filled[place]).splats, views, threads)
            if ruler.sees:
                self._rulers.append((sequence.places[filled[place]], ruler))

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
        **score_facts(best.scores),
    }
    return Attempt(best.path, {**best.report, **aims}, best.scores)


def attempts_folder(beside: str | None) -> tempfile.TemporaryDirectory[str]:
    """Where files are until it is known which one is wanted; it goes with them."""
    return tempfile.TemporaryDirectory(prefix=".gsenc-", dir=beside)
