"""What the tests of the formats share: splats, comparisons, and bytes that are damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gscodec.errors import InputError
from gscodec.io._quantise import unit
from gscodec.io.splat_file import SplatFile
from gscodec.splats import SH_REST_COUNTS, Splats

SCENES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "scenes"


def made(count: int, degree: int = 0, *, seed: int = 0, **extras: np.ndarray) -> Splats:
    """Splats as training makes them."""
    rng = np.random.default_rng(seed)
    return Splats(
        positions=rng.normal(0, 2, (count, 3)).astype(np.float32),
        scales=rng.normal(-4, 1, (count, 3)).astype(np.float32),
        rotations=rng.normal(0, 1, (count, 4)).astype(np.float32),
        opacities=rng.normal(0, 3, count).astype(np.float32),
        sh_dc=rng.uniform(-1.7, 1.7, (count, 3)).astype(np.float32),
        sh_rest=rng.normal(0, 0.3, (count, SH_REST_COUNTS[degree], 3)).astype(np.float32),
        extras=extras,
    )


def odd() -> Splats:
    """Ten splats: 0 to 5 have values that no format of few bits holds, 6 to 9 are extreme but finite."""
    splats = made(10, 1, seed=3)
    splats.positions[0, 1] = np.nan
    splats.positions[1, 2] = -np.inf
    splats.rotations[2, 0] = np.nan
    splats.sh_dc[3, 0] = np.inf
    splats.sh_rest[4, 2, 1] = np.nan
    splats.opacities[5] = np.nan
    splats.positions[6] = [3e38, -3e38, 1e-38]
    splats.scales[6] = [-np.inf, 300, -300]
    splats.opacities[7], splats.opacities[8] = np.inf, -np.inf
    splats.rotations[8] = 0
    splats.rotations[9] = [3e38, -3e38, 1e30, 0]
    splats.sh_dc[9] = [-1e9, 1e9, 0]
    splats.sh_rest[9] = 1e9
    return splats


def alpha(splats: Splats) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(splats.opacities.astype(np.float64), -80, 80)))


def apart(a: Splats, b: Splats) -> dict[str, float]:
    """The largest differences; of rotations up to their sign, of opacities as opacities."""
    assert len(a) == len(b)
    dots = (unit(a.rotations) * unit(b.rotations)).sum(axis=1)
    left, right = unit(a.rotations), np.where(dots[:, None] < 0, -1, 1) * unit(b.rotations)
    pairs = {
        "positions": (a.positions, b.positions),
        "scales": (a.scales, b.scales),
        "rotations": (left, right),
        "opacities": (alpha(a), alpha(b)),
        "sh_dc": (a.sh_dc, b.sh_dc),
        "sh_rest": (a.sh_rest, b.sh_rest),
    }
    return {name: float(np.abs(x.astype(np.float64) - y).max(initial=0)) for name, (x, y) in pairs.items()}


def damaged(data: bytes, times: int, *, head: int, seed: int = 0) -> Iterator[bytes]:
    """Copies with a few bytes changed, half of them within the first `head`, cut, or with more in between."""
    rng = np.random.default_rng(seed)
    for turn in range(times):
        copy = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            top = min(head, len(copy)) if turn % 2 else len(copy)
            if top:
                copy[rng.integers(top)] = rng.choice([0, 1, 127, 128, 254, 255, rng.integers(256)])
        if turn % 5 == 0:
            del copy[rng.integers(len(copy) + 1) :]
        if turn % 7 == 0:
            at = rng.integers(len(copy) + 1)
            copy[at:at] = rng.bytes(int(rng.integers(1, 40)))
        yield bytes(copy)


def survives(read: Callable[[bytes], SplatFile], data: bytes, *codes: str) -> bool:
    """Whether it was read; otherwise the error is an `InputError` with one of the codes' beginnings."""
    try:
        found = read(data)
    except InputError as error:
        if not error.code.startswith(codes):
            raise
        return False
    assert isinstance(found.splats, Splats)
    return True
