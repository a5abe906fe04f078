"""Moments of a scene with what is coded and what is around it, to look at and to correct colours for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.body import Rows, Stage
from gscodec.encode.dynamic.model import Motion
from gscodec.encode.dynamic.sequence import HIDDEN
from gscodec.evaluate.cameras import Camera
from gscodec.splats import Splats, joined


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """The static layer: as it should be, and as readers have it. Both may be empty or None."""

    wanted: Splats | None = None
    decoded: Splats | None = None

    def behind(self, splats: Splats) -> Splats:
        """The layer as it should be, then `splats`."""
        return splats if self.wanted is None else joined([self.wanted, splats])


class MotionStage(Stage):
    """A frame of a segment. Pictures are held against those of the fitted motion, not of its noise."""

    def __init__(self, motion: Motion, frame: int, around: Around, cameras: Sequence[Camera]) -> None:
        super().__init__(0, cameras)
        self.motion, self.frame, self.around = motion, frame, around

    def wanted(self) -> Splats:
        return self.around.behind(self.motion.at(self.frame))

    def shown(self, decoded: Splats, rows: Rows) -> tuple[Splats, Rows]:
        here = self.motion.at(self.frame, decoded, rows)
        behind = self.around.decoded
        first = 0 if behind is None else len(behind)
        return here if behind is None else joined([behind, here]), np.arange(first, first + len(rows))


class FrameStage(Stage):
    """A frame whose splats are no others': `rows` from `first` to before `last` of all that are coded."""

    def __init__(self, number: int, splats: Splats, first: int, cameras: Sequence[Camera]) -> None:
        super().__init__(number, cameras)
        self.splats, self.first, self.last = splats, first, first + len(splats)

    def wanted(self) -> Splats:
        return self.splats

    def shown(self, decoded: Splats, rows: Rows) -> tuple[Splats, Rows]:
        mine = np.flatnonzero((rows >= self.first) & (rows < self.last))
        place = np.full(len(rows), -1, np.intp)
        place[mine] = np.arange(len(mine))
        return decoded.take(mine), place


class StaticStage(Stage):
    """A frame of the whole sequence, in which the rows `still` are the static layer `base`."""

    def __init__(
        self,
        read: Callable[[], Splats],
        still: NDArray[np.intp],
        base: Splats,
        cameras: Sequence[Camera],
    ) -> None:
        super().__init__(0, cameras)
        self.read, self.still, self.base = read, still, base

    def wanted(self) -> Splats:
        return put(self.read(), self.still, self.base)

    def shown(self, decoded: Splats, rows: Rows) -> tuple[Splats, Rows]:
        whole = self.wanted()
        whole.opacities[self.still] = HIDDEN
        return put(whole, self.still[rows], decoded), self.still[rows]


def put(splats: Splats, rows: NDArray[np.intp], values: Splats) -> Splats:
    """A copy of `splats` with others in some rows."""
    whole = splats.take(np.arange(len(splats)))
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        getattr(whole, name)[rows] = getattr(values, name)
    return whole
