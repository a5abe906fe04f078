"""(12.4) Splats of the static layer that segments move: what they look like stands once in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.chunk import Recorded
from gscodec.encode.dynamic.body import Coded, Prepared, Rows, Setting
from gscodec.encode.dynamic.factors import MOST, Factor, factor
from gscodec.encode.dynamic.following import Follow, basis_of, payload_of, rests
from gscodec.encode.dynamic.grain import Clock, grain_of
from gscodec.encode.dynamic.layers import Tolerances, tolerances
from gscodec.encode.dynamic.model import FUNCTIONS, Motion, Track
from gscodec.encode.dynamic.residuals import residuals_of
from gscodec.encode.dynamic.trajectories import variation
from gscodec.encode.dynamic.turns import Float, Frames, turns_from
from gscodec.motion.channels import distinct
from gscodec.parameters import CodingParameters
from gscodec.splats import Splats

BASES = 1  # id of their functions: those of a segment's own splats have 0


@dataclass(frozen=True, slots=True, eq=False)
class MovingChunk:
    """A chunk of the static layer: its number there, and which distinct splats of the layer it has, (M,)."""

    number: int
    recorded: Recorded
    rows: Rows
    decoded: Splats


@dataclass(frozen=True, slots=True, eq=False)
class MovingLayer:
    """n splats that move and change in nothing else.

    base      where they are on the mean, and how they look
    decoded   those that are coded, as a reader has them; `order` (m,) which of the n these are
    prepared  the same before they were coded: `rows` of the n
    """

    base: Splats
    decoded: Splats
    order: Rows
    prepared: Prepared
    chunks: Sequence[MovingChunk]
    coding: CodingParameters

    @classmethod
    def of(cls, base: Splats, first: int, prepared: Prepared, coded: Coded) -> MovingLayer:
        """Of a coded static layer, of which the splats from `first` on are those of `base`."""
        mine = np.flatnonzero(prepared.rows >= first)
        place = np.full(len(prepared.rows), -1, np.intp)
        place[mine] = np.arange(len(mine))
        chunks, orders, shown, at = [], [], [], 0
        for number, (chunk, index) in enumerate(zip(coded.passes.chunks, coded.indices, strict=True)):
            if coded.groups[number]:
                once = distinct(np.arange(len(index), dtype=np.int32), chunk.integers)
                decoded = coded.decoded.take(at + once)
                chunks.append(MovingChunk(number, chunk, place[index[once]], decoded))
                orders.append(prepared.rows[index] - first)
                shown.append(np.arange(at, at + len(index)))
            at += len(index)
        part = replace(
            prepared,
            rows=prepared.rows[mine] - first,
            splats=prepared.splats.take(mine),
            classes=prepared.classes[mine],
            weight=prepared.weight[mine],
            sight=None,
        )
        empty = np.zeros(0, np.intp)
        return cls(
            base=base,
            decoded=coded.decoded.take(np.concatenate([empty, *shown])),
            order=np.concatenate([empty, *orders]),
            prepared=part,
            chunks=chunks,
            coding=coded.passes.coding,
        )

    def __len__(self) -> int:
        return len(self.base)

    def motion(self, track: Track, times: Float, setting: Setting) -> Motion:
        """How they move in the frames of a segment."""
        return motion_from(
            self.base, track, times, tolerances(self.base, setting.fine, setting.shared.extent)
        )

    def moves(self, motion: Motion, clock: Clock, setting: Setting) -> tuple[bytes, list[tuple[int, bytes]]]:
        """The payload of MBAS, and of MOTN by the number of the chunk."""
        grain = grain_of(motion, self.prepared.plan.half_cell, setting.fine)
        residuals = residuals_of(motion, self.prepared, setting.fine, grain.position)
        basis = basis_of(motion, clock, grain, BASES)
        span = (0, clock.duration)
        found = []
        for chunk in self.chunks:
            follow = Follow(motion, self.prepared, chunk.rows, chunk.decoded, basis, residuals)
            wanted = follow.functions()
            if not rests(wanted):
                found.append((chunk.number, payload_of(wanted, chunk.recorded, self.coding, grain, span)))
        return basis.payload, found


def motion_from(base: Splats, track: Track, times: Float, limit: Tolerances) -> Motion:
    """The motion of splats that are alive in all frames, from where `base` has them."""
    count, frames = len(base), len(times)
    start = base.rotations.astype(np.float64)
    functions, left = {}, {}
    values: list[tuple[str, Frames, Float]] = [
        ("position", (track.positions - base.positions).astype(np.float32), limit.position),
        ("rotation", turns_from(track.rotations, start), limit.rotation / 2),
    ]
    for name, value, unit in values:
        found, left[name] = _with_constant(value, unit)
        functions[name] = np.arange(count), found
    return Motion(
        base=base,
        kind=np.full(count, FUNCTIONS, np.uint8),
        span=np.tile(np.array([0, frames], np.int32), (count, 1)),
        times=times,
        functions=functions,
        track=track,
        left=left,
    )


def _with_constant(values: Frames, unit: Float) -> tuple[Factor, NDArray[np.float64]]:
    """What all splats follow of functions of which the first is 1, and how much is left."""
    frames, count, width = values.shape
    moved, left = variation(values, np.ones((frames, count), bool))
    rows = np.flatnonzero(moved > unit)
    constant = values.mean(0, dtype=np.float64)
    functions = np.ones((frames, 1))
    c = np.zeros((count, 1, width))
    if len(rows):
        found = factor(values[:, rows], unit[rows], most=MOST - 1)
        functions = np.concatenate([functions, found.functions], 1)
        c = np.zeros((count, functions.shape[1], width))
        c[rows, 1:] = found.coefficients
        constant[rows], left[rows] = found.constant, found.left
    c[:, 0] = constant
    c[np.abs(c[:, 0]).max(1, initial=0) < unit / 2, 0] = 0
    zeros = np.zeros(count)
    return Factor(functions, c, np.zeros((count, width)), zeros, left, zeros), left
