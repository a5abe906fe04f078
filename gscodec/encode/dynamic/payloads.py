"""MOTN of each chunk of a segment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscodec.chunk import Recorded
from gscodec.encode.dynamic.body import Coded, Prepared, Rows
from gscodec.encode.dynamic.following import Follow, basis_of, payload_of
from gscodec.encode.dynamic.grain import Clock, Grain, keys_at
from gscodec.encode.dynamic.keyframe_recording import Keyframes, KeyframesSettings, record_keyframes
from gscodec.encode.dynamic.model import FUNCTIONS, KEYFRAMES, Motion
from gscodec.encode.dynamic.recording import still_payload
from gscodec.encode.dynamic.residuals import Residuals
from gscodec.encode.dynamic.turns import Float, Frames, conjugate, hamilton
from gscodec.motion.channels import distinct
from gscodec.parameters import CodingParameters

LEFT = 0.5  # steps that are not worth coding


def groups_of(motion: Motion, rows: Rows) -> tuple[NDArray[np.int32], list[tuple[int, int, int]]]:
    """Numbers (n,) of groups of `rows`, and (kind, first frame, frame after the last) of each group."""
    keys = np.concatenate([motion.kind[rows, None].astype(np.int32), motion.span[rows]], 1)
    found, number = np.unique(keys, axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int32), [(int(k), int(a), int(b)) for k, a, b in found]


def payloads_of(
    motion: Motion,
    prepared: Prepared,
    coded: Coded,
    groups: Sequence[tuple[int, int, int]],
    clock: Clock,
    grain: Grain,
    residuals: Residuals,
) -> tuple[list[bytes], list[bytes | None]]:
    """Payloads of MBAS, if any, and of MOTN of each chunk, None where it has none."""
    out: list[bytes | None] = []
    basis, first_row = None, 0
    for chunk, number, index in zip(coded.passes.chunks, coded.groups, coded.indices, strict=True):
        kind, first, last = groups[number]
        span = clock.span((first, last))
        once = distinct(np.arange(len(index), dtype=np.int32), chunk.integers)
        decoded = coded.decoded.take(first_row + once)
        first_row += len(index)
        if kind == FUNCTIONS:
            basis = basis or basis_of(motion, clock, grain)
            follow = Follow(motion, prepared, index[once], decoded, basis, residuals)
            out.append(payload_of(follow.functions(), chunk, coded.passes.coding, grain, span))
        elif kind == KEYFRAMES:
            rows = prepared.rows[index[once]]
            out.append(_keyed(motion, rows, chunk, coded.passes.coding, clock, grain))
        else:
            out.append(None if span == (0, clock.duration) else still_payload(span))
    return [] if basis is None else [basis.payload], out


def _keyed(
    motion: Motion, rows: Rows, chunk: Recorded, coding: CodingParameters, clock: Clock, grain: Grain
) -> bytes:
    """The payload of a chunk of splats with keyframes: one key a frame, in gaps as many as frames lack."""
    keys = keyframes_of(motion, rows, clock)
    payloads = []
    for further in (frozenset[str](), frozenset({"position"})):
        settings = KeyframesSettings(
            position=grain.key,
            rotation=grain.key_turn,
            left=LEFT,
            extrapolated=further,
            exponents=(1, 1),
            caps=(4, 4),
        )
        span = 0, clock.duration
        recorded = record_keyframes(chunk.fields, chunk.integers, coding, keys, settings, span)
        payloads.append(recorded.payload())
    return min(payloads, key=len)


def keyframes_of(motion: Motion, rows: Rows, clock: Clock) -> Keyframes:
    """(12.8) Wanted values of some splats at all frames after the first one."""
    if motion.keys is None:
        raise RuntimeError("no keyframes")
    place = np.full(len(motion), -1, np.intp)
    place[motion.keys.rows] = np.arange(len(motion.keys.rows))
    keys, base = motion.keys.take(place[rows]), motion.base.take(rows)
    at, interval = keys_at(clock)
    at = at[1:]
    axes = np.argsort(-base.scales.astype(np.float64), axis=1, kind="stable")
    scales = keys.scales
    if scales is not None:
        scales = np.take_along_axis(scales, np.broadcast_to(axes, scales.shape), 2)
    start = conjugate(base.rotations.astype(np.float64))
    turns = hamilton(keys.rotations[at].astype(np.float64), start)
    turns /= np.maximum(np.linalg.norm(turns, axis=2, keepdims=True), 1e-30)
    turns_at_all = bool((np.abs(turns[..., 1:]) > 1e-6).any())
    fades = bool((keys.opacities[at] != base.opacities)[keys.alive[at]].any())

    def of(array: Frames | None) -> Float | None:
        return None if array is None else array[at].astype(np.float64)

    return Keyframes(
        interval=interval,
        alive=np.concatenate([keys.alive[:1], keys.alive[at]]),
        position=keys.positions[at].astype(np.float64) - base.positions,
        rotation=turns if turns_at_all else None,
        scale=of(scales),
        opacity=keys.opacities[at].astype(np.float64) if fades else None,
        colour=of(keys.colours),
        harmonics=of(keys.harmonics),
    )
