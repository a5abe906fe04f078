"""Moments of a scene with what is coded and what is around it, to look at and to correct colours for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.body import Rows, Stage
from gscodec.encode.dynamic.model import Motion
from gscodec.encode.dynamic.moving import MovingLayer
from gscodec.encode.dynamic.sequence import HIDDEN
from gscodec.encode.dynamic.turns import conjugate, hamilton
from gscodec.evaluate.cameras import Camera
from gscodec.splats import Splats, joined


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """The static layer: as it should be, and as readers have it. Both may be empty or None.

    layer, motion  those of it that move in this segment, if any
    """

    wanted: Splats | None = None
    decoded: Splats | None = None
    layer: MovingLayer | None = None
    motion: Motion | None = None

    def behind(self, splats: Splats, frame: int) -> Splats:
        """The layer as it should be at a frame, then `splats`."""
        parts = [] if self.wanted is None else [self.wanted]
        if self.motion is not None:
            parts.append(self.motion.at(frame))
        return joined([*parts, splats]) if parts else splats

    def count(self) -> int:
        """How many splats are behind."""
        return len(self.wanted or ()) + len(self.motion or ())

    def shown(self, frame: int) -> list[Splats]:
        """The layer as readers have it at a frame."""
        parts = [] if self.decoded is None else [self.decoded]
        if self.motion is not None and self.layer is not None:
            parts.append(self.motion.at(frame, self.layer.decoded, self.layer.order))
        return parts


class MotionStage(Stage):
    """A frame of a segment. Pictures are held against those of the fitted motion, not of its noise."""

    def __init__(self, motion: Motion, frame: int, around: Around, cameras: Sequence[Camera]) -> None:
        super().__init__(0, cameras)
        self.motion, self.frame, self.around = motion, frame, around

    def wanted(self) -> Splats:
        return self.around.behind(self.motion.at(self.frame), self.frame)

    def shown(self, decoded: Splats, rows: Rows) -> tuple[Splats, Rows]:
        here = self.motion.at(self.frame, decoded, rows)
        behind = self.around.shown(self.frame)
        first = sum(map(len, behind))
        return joined([*behind, here]) if behind else here, np.arange(first, first + len(rows))


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
    """A frame of the whole sequence, in which the rows `layer` are the static layer `base`.

    Those from `moving` on are where the frame has them.
    """

    def __init__(
        self,
        read: Callable[[], Splats],
        layer: NDArray[np.intp],
        moving: int,
        base: Splats,
        cameras: Sequence[Camera],
    ) -> None:
        super().__init__(0, cameras)
        self.read, self.layer, self.moving, self.base = read, layer, moving, base

    def wanted(self) -> Splats:
        return self._wanted(self.read())

    def shown(self, decoded: Splats, rows: Rows) -> tuple[Splats, Rows]:
        frame = self.read()
        whole = self._wanted(frame)
        whole.opacities[self.layer] = HIDDEN
        return put(whole, self.layer[rows], self._placed(frame, decoded, rows)), self.layer[rows]

    def _wanted(self, frame: Splats) -> Splats:
        return put(frame, self.layer, self._placed(frame, self.base, np.arange(len(self.layer))))

    def _placed(self, frame: Splats, splats: Splats, rows: Rows) -> Splats:
        """The splats `rows` of the layer, where they are at the frame."""
        moves = np.flatnonzero(rows >= self.moving)
        if not len(moves):
            return splats
        at, base = self.layer[rows[moves]], self.base.take(rows[moves])
        positions, rotations = splats.positions.copy(), splats.rotations.copy()
        positions[moves] += frame.positions[at] - base.positions
        turn = hamilton(frame.rotations[at].astype(np.float64), conjugate(base.rotations.astype(np.float64)))
        rotations[moves] = hamilton(turn, rotations[moves].astype(np.float64))
        return replace(splats, positions=positions, rotations=rotations)


def put(splats: Splats, rows: NDArray[np.intp], values: Splats) -> Splats:
    """A copy of `splats` with others in some rows."""
    whole = splats.take(np.arange(len(splats)))
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        getattr(whole, name)[rows] = getattr(values, name)
    return whole
