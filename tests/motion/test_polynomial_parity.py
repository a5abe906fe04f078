"""(12.6) Polynomials: both readers give the same bits, or the same error, whatever the payload says."""

from __future__ import annotations

import numpy as np
import pytest

from gscodec import kernels
from gscodec.encode.clustering import choose_tables
from gscodec.entropy.fields import FieldWriter
from gscodec.motion import polynomial, reading
from gscodec.motion.channels import Around, record_channels, record_masks, write_coder
from gscodec.motion.fixed import MAX_FACTOR
from gscodec.motion.polynomial import ONE, PolynomialFields
from gscodec.parameters import REC_MAX
from tests.motion.both import assert_same, fast, mutated, plain
from tests.motion.made import DURATION, Made, made
from tests.motion.test_polynomial import motion_of, recorded

TICKS = (0, 1, 11_111, 24_000, 47_999)


def any_of(rng: np.random.Generator, low: int, high: int) -> int:
    """A number of the range: an end, a small one, or any."""
    kind = rng.integers(0, 5)
    if kind == 0:
        return low
    if kind == 1:
        return high
    if kind == 2:
        return min(max(int(rng.integers(-50, 50)), low), high)
    return int(rng.integers(low, high + 1))


def any_fields(rng: np.random.Generator) -> PolynomialFields:
    """Fields of any value that they may have."""
    bound = 1 << 31
    is_wild = rng.random() < 0.5
    offset = (-bound, bound - 1) if is_wild else (-ONE, ONE)
    shift = (0, 52) if is_wild else (20, 40)
    return PolynomialFields(
        flags=int(rng.integers(0, 8)),
        degree=int(rng.integers(0, 4)),
        translation=(int(rng.integers(0, 4)), int(rng.integers(0, 8))),
        rotation=(int(rng.integers(0, 4)), int(rng.integers(0, 8))),
        reference=any_of(rng, 0, ONE),
        translation_unit=(any_of(rng, 1, MAX_FACTOR), any_of(rng, *shift)),
        rotation_unit=(any_of(rng, 1, MAX_FACTOR), any_of(rng, *shift)),
        centre_step=any_of(rng, 1, ONE if is_wild else 1000),
        centre_offset=any_of(rng, *offset),
        width_step=any_of(rng, 1, 1 << 28 if is_wild else 1 << 17),
        width_offset=any_of(rng, *((-bound, bound - 1) if is_wild else (-4 * ONE, ONE))),
        threshold=any_of(rng, 0, 65535 if is_wild else 400),
    )


def any_payload(chunk: Made, rng: np.random.Generator, span: tuple[int, int] = (0, DURATION)) -> bytes:
    """Recs and fields of any value."""
    p, count = any_fields(rng), chunk.distinct
    mask = rng.integers(0, 8, count).astype(np.uint8) & np.uint8(p.allowed)
    around = Around.of(
        chunk.fields, chunk.integers, chunk.coding, predicted=bool(p.flags & polynomial.PREDICTED)
    )
    ops: dict[str, kernels.Ops] = {}
    view = np.zeros(count, np.uint8)
    spread = float(rng.choice([100.0, 3e3, 3e5]))
    for name, channel in p.channels():
        wanted = np.clip(rng.normal(0, spread, (1, count, len(channel.groups))), -REC_MAX, REC_MAX)
        uses = view if channel.views > 1 else None
        ops[name], _, rec = record_channels(around, channel, mask[None], wanted, 4, view=uses)
        if name == "time":
            view = polynomial.views(p, mask, rec[0])
    ops = {"masks": record_masks(around, None, mask[None], p.allowed, 2), **ops}
    sizes = p.sizes(chunk.coding.classes)
    tables, maps = choose_tables({name: each.histogram(sizes[name]) for name, each in ops.items()})
    f = FieldWriter()
    reading.write_head(f, reading.POLYNOMIAL, p.flags, span)
    polynomial.write_fields(f, p)
    return bytes(f.data) + write_coder(tables, maps, ops)


@pytest.mark.parametrize("seed", range(3))
def test_recorded_motion(seed: int) -> None:
    chunk = made(300, seed=seed, repeats=10, degree=seed)
    payload = recorded(chunk, motion_of(chunk, seed=seed)).payload()
    assert_same(fast(chunk, payload, TICKS), plain(chunk, payload, TICKS))


@pytest.mark.parametrize("seed", range(40))
def test_any_fields_and_recs(seed: int) -> None:
    chunk = made(120, seed=seed % 2, repeats=10, degree=0, quality=2.0 * (seed % 2) + 0.3)
    rng = np.random.default_rng(seed)
    payload = any_payload(chunk, rng)
    ticks = (0, int(rng.integers(0, DURATION)), DURATION - 1)
    found = fast(chunk, payload, ticks)
    assert not isinstance(found, tuple)
    assert_same(found, plain(chunk, payload, ticks))


@pytest.mark.parametrize("seed", range(20))
def test_damaged_payloads(seed: int) -> None:
    chunk = made(60, repeats=5, degree=0)
    rng = np.random.default_rng(seed)
    payload = any_payload(chunk, rng, (5, 40_000))
    for _ in range(30):
        damaged = mutated(payload, rng)
        assert_same(fast(chunk, damaged, (100,)), plain(chunk, damaged, (100,)))


def test_a_long_segment() -> None:
    chunk = made(60, degree=0)
    rng = np.random.default_rng(5)
    duration = (1 << 32) - 1
    payload = any_payload(chunk, rng, (1, duration))
    ticks = (1, duration // 3, duration - 1)
    assert_same(fast(chunk, payload, ticks, duration), plain(chunk, payload, ticks, duration))
