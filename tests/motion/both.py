"""The two readers of motion behind one face: from a payload to splats at ticks, or an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import StreamError
from gscodec.motion import read_motion
from gscodec.reference import motion as reference
from gscodec.reference.faults import Place
from tests.motion.made import DURATION, Made

OFFSET = 1234
Error = tuple[str, str, str, str, int | None]
NAMES = ("positions", "rotations", "opacities", "scales", "sh_dc", "sh_rest")
Arrays = dict[str, NDArray[np.float32]]


def facts(error: StreamError) -> Error:
    return type(error).__name__, error.code, error.clause, error.section, error.offset


def fast(
    chunk: Made, payload: bytes, ticks: Sequence[int], duration: int = DURATION, bases: Any = None
) -> list[Arrays] | Error:
    """The splats at each tick as the kernels have them."""
    try:
        motion = read_motion(
            memoryview(payload), OFFSET, chunk.fields, chunk.integers, chunk.coding, duration, bases
        )
    except StreamError as error:
        return facts(error)
    shown = [motion.at(tick).applied(chunk.splats) for tick in ticks]
    return [{name: getattr(splats, name) for name in NAMES} for splats in shown]


def plain(
    chunk: Made,
    payload: bytes,
    ticks: Sequence[int],
    duration: int = DURATION,
    known: Mapping[int, Any] | None = None,
) -> list[Arrays] | Error:
    """The same as the reference has them. Anything but a `StreamError` is a bug and gets through."""
    d = chunk.plain
    try:
        motion = reference.read_motion(
            payload, Place("MOTN", OFFSET), d.header, d.parameters, d.splats, duration, known or {}
        )
    except StreamError as error:
        return facts(error)
    found = []
    for tick in ticks:
        splats = reference.moved(motion, d, tick, duration, list(chunk.extras))
        fields = ("position", "rotation", "opacity", "scale", "colour", "harmonics")
        arrays: Arrays = {}
        for name, field in zip(NAMES, fields, strict=True):
            rows = [getattr(splat, field).binary32() for splat in splats]
            shape = (len(splats), *getattr(chunk.splats, name).shape[1:])
            arrays[name] = np.array(rows, np.float32).reshape(shape)
        found.append(arrays)
    return found


def assert_same(a: list[Arrays] | Error, b: list[Arrays] | Error) -> None:
    """The same bits, or the same error."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        assert a == b
        return
    for x, y in zip(a, b, strict=True):
        for name in NAMES:
            assert x[name].shape == y[name].shape, name
            np.testing.assert_array_equal(x[name].view(np.uint32), y[name].view(np.uint32), err_msg=name)


def mutated(payload: bytes, rng: np.random.Generator) -> bytes:
    """The payload with a few bytes changed, cut, or put in."""
    data = bytearray(payload)
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.integers(0, 8)
        # heads are short, and most is decided in them
        at = int(rng.integers(0, min(len(data), 120 if rng.random() < 0.6 else len(data))))
        if kind < 5:
            data[at] = int(rng.integers(0, 256)) if kind < 3 else data[at] ^ 1 << int(rng.integers(0, 8))
        elif kind == 5:
            del data[at : at + int(rng.integers(1, 9))]
        elif kind == 6:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        else:
            del data[at:]
        if not data:
            break
    return bytes(data)
