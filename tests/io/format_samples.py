"""Made splats, and damage, for the tests of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gscodec.errors import InputError
from gscodec.io.splat_file import SplatFile
from gscodec.splats import SH_REST_COUNTS, Splats


def made(count: int = 40, degree: int = 3, seed: int = 0) -> Splats:
    """Splats with values that every format has in its range."""
    rng = np.random.default_rng(seed)
    rotations = rng.normal(0, 1, (count, 4))
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    return Splats(
        positions=rng.normal(0, 5, (count, 3)).astype(np.float32),
        scales=rng.uniform(-8, 2, (count, 3)).astype(np.float32),
        rotations=rotations.astype(np.float32),
        opacities=rng.normal(0, 2, count).astype(np.float32),
        sh_dc=rng.uniform(-2, 2, (count, 3)).astype(np.float32),
        sh_rest=rng.uniform(-0.9, 0.9, (count, SH_REST_COUNTS[degree], 3)).astype(np.float32),
    )


def wild(count: int = 40) -> Splats:
    """Splats of which some have NaN, infinities, and values of any size; no two of them in one splat."""
    splats = made(count)
    values = (np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, -200.0, 1e-40)
    row = 0
    for array in (splats.positions, splats.scales, splats.rotations, splats.opacities, splats.sh_dc):
        for value in values:
            array[row % count, ...] = value if array.ndim == 1 else array[row % count]
            if array.ndim > 1:
                array[row % count, row % array.shape[1]] = value
            row += 1
    splats.sh_rest[-1, -1, -1] = np.nan
    splats.rotations[0] = 0
    return splats


def rotation_difference(one: Splats, other: Splats) -> float:
    """The largest difference of unit quaternions, whose signs mean nothing."""
    a, b = (each.rotations.astype(np.float64) for each in (one, other))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    return float(np.minimum(np.abs(a - b).max(axis=1), np.abs(a + b).max(axis=1)).max(initial=0))


def damaged(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` variants of `data`: cut off, changed, with pieces left out, repeated or overwritten."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        piece = bytearray(data)
        at = int(rng.integers(len(piece)))
        length = int(rng.integers(1, 9))
        kind = number % 5
        if kind == 0:
            del piece[at:]
        elif kind == 1:
            for _ in range(length):
                piece[int(rng.integers(len(piece)))] = int(rng.integers(256))
        elif kind == 2:
            del piece[at : at + length]
        elif kind == 3:
            piece[at:at] = piece[at : at + length]
        else:
            piece[at : at + length] = bytes([int(rng.choice([0, 255, 127]))]) * min(length, len(piece) - at)
        yield bytes(piece)


def survives(read: Callable[[bytes], SplatFile], data: bytes) -> InputError | None:
    """Read what may be damaged: splats come, or the one error that says so."""
    try:
        file = read(data)
    except InputError as error:
        return error
    assert isinstance(file.splats, Splats)
    return None
