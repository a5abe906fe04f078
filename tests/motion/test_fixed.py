"""(12.6) Powers and logarithms in integers, factors with a shift, and what kernels refuse."""

from __future__ import annotations

import numpy as np
import pytest

from gscodec import kernels
from gscodec.motion.fixed import MAX_FACTOR, exp2, factor_of, log2, scaled
from gscodec.reference import polynomial as reference
from tests.motion.made import made

ONE = 1 << 20


def test_powers_are_those_of_the_reference_and_near_to_the_real_ones() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([np.arange(-3000, 3000), rng.integers(-25 * ONE, 17 * ONE, 3000)])
    value, power = exp2(x)
    assert list(zip(value.tolist(), power.tolist(), strict=True)) == [reference.power(v) for v in x.tolist()]
    real = np.exp2(x / ONE)
    assert np.abs(value * 2.0 ** (power - 24) / real - 1).max() < 2.0**-22


def test_logarithms_are_those_of_the_reference_and_near_to_the_real_ones() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [np.arange(1, 3000), 2 ** np.arange(24), rng.integers(1, 1 << 24, 3000), [(1 << 24) - 1]]
    )
    found = log2(x)
    assert found.tolist() == [reference.logarithm(v) for v in x.tolist()]
    assert np.abs(found / ONE - np.log2(x / (1 << 24))).max() < 2.0**-19


@pytest.mark.parametrize("value", [1e-30, 2.0**-53, 1e-9, 0.3, 1.0, 12345.678, 2.0**22 - 0.1, 1e9])
def test_factors_are_near(value: float) -> None:
    factor, shift = factor_of(value)
    assert 1 <= factor <= MAX_FACTOR
    assert 0 <= shift <= 52
    if 2.0**-31 < value < 2.0**22 - 1:
        assert abs(factor * 2.0**-shift / value - 1) < 2.0**-20


def test_scaled_is_to_the_nearest() -> None:
    x = np.arange(-1000, 1000)
    assert scaled(x, 3, 2).tolist() == np.floor(x * 0.75 + 0.5).astype(int).tolist()
    assert scaled(x, 3, 0).tolist() == (3 * x).tolist()


def test_kernels_refuse_what_does_not_fit() -> None:
    chunk = made(60, degree=0)
    i, count = chunk.integers, chunk.distinct
    base = (i.positions.x, i.source, i.rotation, i.opacity)
    grid = (np.zeros(3, np.int64), 1, 0)
    mask, none = np.zeros(count, np.uint8), np.zeros((count, 0), np.int32)

    def build(**changed: object) -> kernels.Polynomial:
        arguments = {
            "chunk": base, "grid": grid, "opacity": (1, 0), "mask": mask, "translation": (none, 1, 0),
            "rotation": None, "time": None, "reference": 0, "threshold": 0,
        }  # fmt: skip
        return kernels.make_polynomial(**{**arguments, **changed})  # type: ignore[arg-type]

    assert len(build()) == 60
    for moment in (-1, ONE + 1):
        with pytest.raises(ValueError, match="outside"):
            build().at(moment)
    large = np.full((count, 3), 262_144, np.int32)
    for wrong in (
        {"mask": mask + np.uint8(1)},
        {"mask": mask[1:]},
        {"translation": (large, 1, 0)},
        {"translation": (none, 0, 0)},
        {"translation": (none, 1, 53)},
        {"grid": (np.full(3, 1 << 36), 1, 0)},
        {"chunk": (i.positions.x, i.source + np.uint32(count), i.rotation, i.opacity)},
        {"reference": -1},
        {"threshold": 65_536},
        {"time": (np.zeros((count, 2), np.int32), 0, 0, 1, 0)},
    ):
        with pytest.raises(ValueError, match=r"polynomial|motion"):
            build(**wrong)
    with pytest.raises(ValueError, match="too many"):
        kernels.write_masks(None, None, np.zeros((4096, 4097), np.uint8), 0, 1)
    side = kernels.Side(mask, 1, np.full(8, 64, np.int32), None)
    ideal, groups = np.full((1, count, 1), np.nan), np.zeros(1, np.uint8)
    with pytest.raises(ValueError, match="not finite"):
        kernels.write_channels(side, mask[None], 0, groups, 1, None, None, False, 100, ideal, -1.0, 1)
