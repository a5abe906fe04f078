"""Steps that are too fine for the range of values are widened; a few wild splats are not worth it."""

from __future__ import annotations

import numpy as np
import pytest

from gscodec.decoder import decode
from gscodec.encode.whole import encode_splats
from gscodec.splats import Splats


def scene(spread: float, count: int = 2000) -> Splats:
    random = np.random.default_rng(7)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    return Splats(
        positions=normal(count, 3),
        scales=-4 + 0.3 * normal(count, 3),
        rotations=normal(count, 4),
        opacities=normal(count),
        sh_dc=spread * normal(count, 3),
        sh_rest=spread * normal(count, 15, 3),
    )


@pytest.mark.parametrize("effort", [1, 3])
def test_values_fit(effort: int) -> None:
    splats = scene(30.0)
    encoded = encode_splats(splats, quality=0.05, effort=effort, steps={"prune": 0.0})
    assert encoded.report["widened"] == ["colour", "harmonics"]
    decoded = decode(encoded.data)
    off = np.abs(decoded.sh_rest - splats.sh_rest[encoded.order])
    assert np.quantile(off, 0.99) < 1.0  # values reach 100


def test_what_fits_is_not_widened() -> None:
    encoded = encode_splats(scene(0.3), quality="default", effort=1)
    assert "widened" not in encoded.report


def test_wild_splats_do_not_widen() -> None:
    splats = scene(0.3, 4000)
    splats.sh_dc[:2] = 1e20
    splats.sh_rest[2:4] = -1e20
    encoded = encode_splats(splats, quality="default", effort=1)
    assert "widened" not in encoded.report
    decoded = decode(encoded.data)
    off = np.abs(decoded.sh_dc - splats.sh_dc[encoded.order])
    assert np.sort(off.max(1))[-3] < 0.1
