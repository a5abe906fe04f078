"""(12.8) Keyframes on their way into a file: wanted values to integers, as a reader will have them.

Arrays are of the M distinct splats of a chunk in coded order, that of `ChunkIntegers`, and of keys 1 to F.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import colour, harmonics, opacity, scale
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.encode.chunks import lanes_for
from gscodec.encode.dynamic.recording import (
    NOT_CODED,
    RecordedMotion,
    finite,
    rotation_unit,
    translation_unit,
)
from gscodec.entropy.fields import FieldWriter
from gscodec.motion import keyframes, reading
from gscodec.motion.channels import (
    Around,
    Lives,
    record_channels,
    record_lifespans,
    record_masks,
)
from gscodec.motion.keyframes import NAMES, KeyframesFields, KeyframesIntegers
from gscodec.motion.polynomial import ONE
from gscodec.parameters import CodingParameters

F64 = NDArray[np.float64]
MOST_TURN = 4.0  # of u, with which a turn is 1 + u


@dataclass(frozen=True, kw_only=True)
class Keyframes:
    """(12.8) Wanted values at keys; None for what does not change.

    interval  ticks from key to key
    alive     (F + 1, M) bool: at which keys, from 0 on, a splat is shown: those from its first to its last
              one. A splat is as in the chunk at the first. None: all at all keys
    position  (F, M, 3)  scene units, from where the splat is in the chunk
    rotation  (F, M, 4)  quaternions, w first, that turn the splat as it is in the chunk (on the left)
    scale     (F, M, 3)  logarithms, in the order of the chunk, in which the first is the largest
    opacity   (F, M)     logits
    colour    (F, M, 3)  coefficients of degree 0
    harmonics (F, M, K, 3)
    """

    interval: int
    alive: NDArray[np.bool_] | None = None
    position: F64 | None = None
    rotation: F64 | None = None
    scale: F64 | None = None
    opacity: F64 | None = None
    colour: F64 | None = None
    harmonics: F64 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyframesSettings:
    """Steps and classes; those of attributes other than position and rotation are the chunk's.

    Recs hold 4,095 steps of class 0 either way, those of positions 65,535, where values end.

    position      scene units, of class 0
    rotation      radians
    left          steps: a splat that is as near as this to its last values is not coded at a key
    extrapolated  names of attributes whose changes go on
    exponents, caps   of class multipliers (4.3): position, rotation
    """

    position: float = 1e-3
    rotation: float = 1e-2
    left: float = NOT_CODED
    predicted: bool = True
    extrapolated: frozenset[str] = frozenset()
    exponents: tuple[int, int] = (0, 0)
    caps: tuple[int, int] = (7, 7)


def record_keyframes(
    fields: ChunkFields,
    integers: ChunkIntegers,
    coding: CodingParameters,
    motion: Keyframes,
    settings: KeyframesSettings,
    span: tuple[int, int],
) -> RecordedMotion[KeyframesIntegers]:
    """(12.8) Keyframes of a chunk that is shown from `span[0]` until `span[1]`, ticks of its segment.

    Raises ValueError if there is nothing that says how many keys there are, or a splat is never alive.
    """
    present = {name: value for name in NAMES if (value := getattr(motion, name)) is not None}
    keys = {len(value) for value in present.values()}
    if motion.alive is not None:
        keys.add(len(motion.alive) - 1)
    if len(keys) != 1:
        raise ValueError(f"keyframes: numbers of keys {sorted(keys)}")
    p = KeyframesFields(
        flags=0,
        attributes=sum(1 << NAMES.index(name) for name in present),
        extrapolated=sum(1 << NAMES.index(name) for name in settings.extrapolated & present.keys()),
        keys=keys.pop(),
        interval=motion.interval,
        position=(settings.exponents[0], settings.caps[0]),
        rotation=(settings.exponents[1], settings.caps[1]),
        position_unit=translation_unit(settings.position, fields),
        rotation_unit=rotation_unit(settings.rotation),
    )
    masks = np.full((p.keys, len(integers.classes)), p.attributes, np.uint8)
    if (lives := lives_of(motion.alive)) is not None:
        at = np.arange(1, p.keys + 1)[:, None]
        masks[(at <= lives[:, 0]) | (at >= lives[:, 1])] = 0
    flags = keyframes.LIFESPANS * (lives is not None) | keyframes.PREDICTED * settings.predicted
    p = replace(p, flags=flags)
    around = Around.of(fields, integers, coding, predicted=settings.predicted)
    lanes = lanes_for(integers.classes)
    ops: dict[str, kernels.Ops] = {}
    recs: dict[str, NDArray[np.int32]] = {}
    for name, channel in p.channels(coding, integers):
        wanted = recs_of(name, (p.position_unit, p.rotation_unit), fields, coding, present[name])
        ops[name], masks, recs[name] = record_channels(
            around, channel, masks, finite(wanted), lanes, left=settings.left
        )
    first = {} if lives is None else {"lifespans": record_lifespans(lives, p.keys, lanes)}
    ops = {**first, "masks": record_masks(around, lives, masks, p.attributes, lanes), **ops}
    f = FieldWriter()
    reading.write_head(f, reading.KEYFRAMES, p.flags, span)
    keyframes.write_fields(f, p)
    return RecordedMotion(
        fields=bytes(f.data),
        ops=ops,
        contexts=p.sizes(coding, integers),
        decoded=KeyframesIntegers(lives=lives, masks=masks, recs=recs),
    )


def lives_of(alive: NDArray[np.bool_] | None) -> Lives | None:
    """(12.5) Keys of birth and death (M, 2), if any splat is not always there: `alive` (F + 1, M).

    Raises ValueError if a splat is never alive.
    """
    if alive is None or alive.all():
        return None
    if not alive.any(0).all():
        raise ValueError("motion: a splat that is never alive")
    return np.stack([alive.argmax(0), len(alive) - alive[::-1].argmax(0)], 1).astype(np.uint16)


def recs_of(
    name: str,
    units: tuple[tuple[int, int], tuple[int, int]],
    fields: ChunkFields,
    coding: CodingParameters,
    values: F64,
) -> NDArray[np.floating]:
    """(F, M, W) values, as `Keyframes` has them, in rec units; `units` are those of position and rotation."""
    shape = values.shape[:2]
    flat = finite(values).reshape(-1, *values.shape[2:])
    small = np.clip(flat, -1e30, 1e30).astype(np.float32)  # as lattices take them
    if name == "position":
        factor, shift = units[0]
        return values / math.ldexp(factor, fields.grid.exponent - shift)
    if name == "rotation":
        factor, shift = units[1]
        return turns(values) * (ONE / math.ldexp(factor, -shift))
    if name == "scale":
        found: NDArray[np.floating] = scale.lattice(flat, coding.scale)
    elif name == "opacity":
        found = opacity.lattice(small, coding.opacity)
    elif name == "colour":
        found = colour.lattice(small, coding.colour)
    else:
        assert coding.harmonics is not None
        found = harmonics.lattice(small, coding.harmonics)
    return found.reshape(*shape, -1)


def turns(quaternions: F64) -> F64:
    """(12.8) (..., 3) u, with which 1 + u turns as a quaternion (..., 4) does, up to 152 degrees."""
    w, v = quaternions[..., :1], quaternions[..., 1:]
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    ratio = np.where(w < 0, -1.0, 1.0) / np.maximum(np.abs(w), np.maximum(length / MOST_TURN, 1e-300))
    return np.asarray(v * ratio)
