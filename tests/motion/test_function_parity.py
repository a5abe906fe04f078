"""(12.7, 12.11) Both readers make the same of functions of time, of any values, and of damaged payloads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gscodec import kernels
from gscodec.encode.clustering import choose_tables
from gscodec.entropy.fields import FieldWriter
from gscodec.errors import StreamError
from gscodec.motion import functions, read_bases, reading
from gscodec.motion.bases import FUNCTION_SIZES, HAS_FUNCTIONS, BasesFields, TimeFunctions, write_bases_fields
from gscodec.motion.channels import (
    Around,
    record_channels,
    record_lifespans,
    record_masks,
    write_coder,
)
from gscodec.motion.fixed import MAX_FACTOR
from gscodec.motion.functions import FunctionsFields
from gscodec.motion.keyframes import NAMES
from gscodec.reference.faults import Place
from tests.motion.both import OFFSET, assert_same, facts, fast, mutated, plain
from tests.motion.function_samples import ID, INTERVAL, recorded, recorded_waves, wishes
from tests.motion.made import DURATION, Made, made
from tests.motion.test_polynomial_parity import any_of

reference = pytest.importorskip("gscodec.reference.bases")
pytest.importorskip("gscodec.reference.functions")
TICKS = (0, INTERVAL // 3, 3 * INTERVAL + 5, DURATION - 1)


def any_functions(rng: np.random.Generator) -> bytes:
    """Values and fields of any kind, as few as one key and one function."""
    p = BasesFields(
        id=ID,
        flags=HAS_FUNCTIONS | 2 * int(rng.integers(0, 2)),
        count=int(rng.integers(1, 7)),
        keys=int(rng.integers(1, 7)),
        interval=any_of(rng, 1, (1 << 32) - 1) if rng.random() < 0.3 else INTERVAL,
        exponent=0,
        step=any_of(rng, 1, 65535),
    )
    bound, _ = p.bounds
    size = float(rng.choice([1.5, 100, bound]))
    rec = np.clip(np.rint(rng.normal(0, size, (p.keys, p.count, 1))), -bound, bound).astype(np.int32)
    ops = {"functions": kernels.write_trajectories(rec, bound, bool(p.flags & 2), 2)}
    tables, maps = choose_tables({name: each.histogram(FUNCTION_SIZES[name]) for name, each in ops.items()})
    f = FieldWriter()
    write_bases_fields(f, p)
    return bytes(f.data) + write_coder(tables, maps, ops)


def both_functions(payload: bytes) -> tuple[Any, Any]:
    """What both readers make of MBAS, which is the same."""
    found: list[Any] = []
    for read, place in ((read_bases, OFFSET), (reference.read_bases, Place("MBAS", OFFSET))):
        try:
            found.append(read(memoryview(payload) if place == OFFSET else payload, place, {9: None}))
        except StreamError as error:
            found.append(facts(error))
    a, b = found
    if isinstance(a, TimeFunctions):
        assert a.values[..., None].tolist() == b.functions
    elif isinstance(a, tuple) or isinstance(b, tuple):
        assert a == b
    else:
        assert a.translations.tolist() == b.translations
    return a, b


def any_payload(chunk: Made, known: TimeFunctions, rng: np.random.Generator) -> bytes:
    """Recs and fields of any value."""
    count, coding, keys = chunk.distinct, chunk.coding, known.fields.keys
    most = 64 if coding.harmonics is not None else 32
    attributes, residual, flags = (int(rng.integers(0, each)) for each in (most, most, 4))
    follows = {}
    for bit, name in enumerate(NAMES):
        if attributes >> bit & 1:
            first = int(rng.integers(0, known.fields.count))
            follows[name] = first, int(rng.integers(1, known.fields.count - first + 1))
    p = FunctionsFields(
        flags=flags,
        bases=ID,
        follows=follows,
        residual=residual,
        position=(int(rng.integers(0, 4)), int(rng.integers(0, 8))),
        rotation=(int(rng.integers(0, 4)), int(rng.integers(0, 8))),
        position_unit=(any_of(rng, 1, MAX_FACTOR), any_of(rng, 0, 52)),
        rotation_unit=(any_of(rng, 1, MAX_FACTOR), any_of(rng, 0, 52)),
    )
    around = Around.of(chunk.fields, chunk.integers, coding, predicted=bool(flags & functions.PREDICTED))
    lives = None
    ops: dict[str, kernels.Ops] = {}
    if flags & functions.LIFESPANS:
        births = rng.integers(0, keys, count)
        lives = np.stack([births, rng.integers(births + 1, keys + 1)], 1).astype(np.uint16)
        ops["lifespans"] = record_lifespans(lives, keys - 1, 4)
    masks = rng.integers(0, 64, (1, count)).astype(np.uint8) & np.uint8(p.attributes)
    if p.follows:
        ops["masks"] = record_masks(around, None, masks, p.attributes, 1)
    spread = float(rng.choice([100.0, 3e3, 3e5]))
    for name, channel in p.channels(coding):
        wanted = rng.normal(0, spread, (1, count, len(channel.groups)))
        ops[name], _, _ = record_channels(around, channel, masks, wanted, 2)
    for name in p.residuals:
        fineness = (rng.integers(0, 25, count) * (rng.random(count) < 0.8)).astype(np.uint8)
        groups = functions.groups_of(name, coding)
        ideal = rng.normal(0, spread, (keys, count, 1)) * rng.normal(0, 1, (keys, count, len(groups)))
        ops[f"{name} fineness"] = kernels.write_fineness(functions.side(around), fineness, 1)
        ops[f"{name} residuals"], _ = kernels.write_residuals(
            functions.multiplier_of(fineness), lives, groups, functions.limit_of(name), ideal, 0.5, 4
        )
    sizes = p.sizes(coding)
    tables, maps = choose_tables({name: each.histogram(sizes[name]) for name, each in ops.items()})
    f = FieldWriter()
    reading.write_head(f, reading.FUNCTIONS, p.flags, (0, DURATION))
    functions.write_fields(f, p)
    return bytes(f.data) + write_coder(tables, maps, ops)


@pytest.mark.parametrize("seed", range(3))
def test_readers_agree_on_recorded_motion(seed: int) -> None:
    chunk = made(200, seed=seed, repeats=10, degree=seed)
    a, b = both_functions(recorded_waves().payload())
    payload = recorded(chunk, wishes(chunk, a, seed, noise=0.02)).payload()
    found = fast(chunk, payload, TICKS, DURATION, {ID: a})
    assert not isinstance(found, tuple)
    assert_same(found, plain(chunk, payload, TICKS, DURATION, {ID: b}))


@pytest.mark.parametrize("seed", range(40))
def test_readers_agree_on_any_fields_and_recs(seed: int) -> None:
    chunk = made(80, seed=seed % 2, repeats=6, degree=seed % 3, quality=2.0 * (seed % 2) + 0.3)
    rng = np.random.default_rng(seed)
    a, b = both_functions(any_functions(rng))
    payload = any_payload(chunk, a, rng)
    ticks = (*TICKS, min(a.fields.interval // 3, DURATION - 1))
    found = fast(chunk, payload, ticks, DURATION, {ID: a})
    assert not isinstance(found, tuple)
    assert_same(found, plain(chunk, payload, ticks, DURATION, {ID: b}))


@pytest.mark.parametrize("seed", range(15))
def test_readers_agree_on_damaged_payloads(seed: int) -> None:
    chunk = made(50, repeats=5, degree=seed % 2)
    rng = np.random.default_rng(seed)
    original = any_functions(rng)
    a, b = both_functions(original)
    payload = any_payload(chunk, a, rng)
    for _ in range(20):
        both_functions(mutated(original, rng))
        damaged = mutated(payload, rng)
        assert_same(
            fast(chunk, damaged, TICKS[:2], DURATION, {ID: a}),
            plain(chunk, damaged, TICKS[:2], DURATION, {ID: b}),
        )
