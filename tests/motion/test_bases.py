"""(12.7) Shared bases: what is recorded comes back, near to what was wanted; both readers agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gscodec import kernels
from gscodec.encode.clustering import choose_tables
from gscodec.encode.dynamic.bases_recording import (
    Trajectories,
    TrajectoriesSettings,
    record_bases,
    record_mixture,
    shares_of,
)
from gscodec.entropy.fields import FieldWriter
from gscodec.errors import StreamError
from gscodec.motion import Bases, read_bases, read_motion
from gscodec.motion.bases import SIZES, BasesFields, MixtureIntegers, TimeFunctions, write_bases_fields
from gscodec.motion.channels import write_coder
from gscodec.reference import bases as reference
from gscodec.reference.faults import Place
from tests.motion.both import OFFSET, assert_same, facts, fast, mutated, plain
from tests.motion.made import DURATION, Made, between, made, product
from tests.motion.test_polynomial_parity import any_of

SPAN = (0, DURATION)
ID = 7


def matrices(vectors: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations by vectors (..., 3): angle times axis."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    k = k / np.maximum(angle, 1e-12)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def smooth(seed: int = 1, keys: int = 6, bases: int = 4, size: float = 0.4) -> Trajectories:
    """Rigid motions that start as they are."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, keys)[:, None, None]
    turns = matrices(time * rng.normal(0, size, (bases, 3)))
    return Trajectories(
        interval=DURATION // keys,
        rotations=np.concatenate([turns[..., 0], turns[..., 1]], -1),
        translations=time * rng.normal(0, 1, (bases, 3)),
    )


def both_bases(payload: bytes) -> tuple[Any, Any]:
    """What both readers make of MBAS."""
    found: list[Any] = []
    for read, place in ((read_bases, OFFSET), (reference.read_bases, Place("MBAS", OFFSET))):
        try:
            found.append(read(memoryview(payload) if place == OFFSET else payload, place, {9: None}))
        except StreamError as error:
            found.append(facts(error))
    return found[0], found[1]


def assert_same_bases(payload: bytes) -> tuple[Bases, Any] | None:
    """The same bases or the same error."""
    a, b = both_bases(payload)
    if isinstance(a, tuple) or isinstance(b, tuple):
        assert a == b
        return None
    if isinstance(a, TimeFunctions):  # a writer of bases seldom comes by these, but by chance
        assert a.values[..., None].tolist() == b.functions
        return None
    assert a.rotations.tolist() == b.rotations
    assert a.translations.tolist() == b.translations
    return a, b


def mixture_of(chunk: Made, bases: Bases, seed: int = 1, levels: int = 63) -> bytes:
    rng = np.random.default_rng(seed)
    weights = rng.random((chunk.distinct, bases.fields.count)) ** 6
    mask = (rng.random(chunk.distinct) < 0.8).astype(np.uint8)
    found = record_mixture(
        chunk.fields, chunk.integers, chunk.coding, (bases, mask, weights), levels, SPAN,
        predicted=seed % 2 == 0,
    )  # fmt: skip
    payload = found.payload()
    arguments = (OFFSET, chunk.fields, chunk.integers, chunk.coding, DURATION)
    again = read_motion(memoryview(payload), *arguments, {bases.fields.id: bases}).integers
    assert isinstance(again, MixtureIntegers)
    np.testing.assert_array_equal(again.mask, found.decoded.mask)
    np.testing.assert_array_equal(again.shares, found.decoded.shares)
    return payload


def test_bases_come_back() -> None:
    motion = smooth()
    found = record_bases(ID, motion, TrajectoriesSettings())
    same = assert_same_bases(found.payload())
    assert same is not None
    np.testing.assert_array_equal(same[0].rotations, found.decoded.rotations)
    np.testing.assert_array_equal(same[0].translations, found.decoded.translations)
    assert np.abs(same[0].rotations / 2**20 - motion.rotations).max() <= 2.0**-15
    unit = 2.0 ** same[0].fields.exponent
    assert np.abs(same[0].translations * unit - motion.translations).max() <= unit / 2 <= 0.5e-4


def test_values_are_near_to_the_formulas() -> None:
    chunk = made(300, quality=0.1, repeats=9)
    motion = smooth()
    bases = record_bases(ID, motion, TrajectoriesSettings()).decoded
    payload = mixture_of(chunk, bases, levels=255)
    arguments = (OFFSET, chunk.fields, chunk.integers, chunk.coding, DURATION)
    found = read_motion(memoryview(payload), *arguments, {ID: bases})
    rec = found.integers
    assert isinstance(rec, MixtureIntegers)
    share = (rec.shares / 255.0)[chunk.integers.source]
    for key in range(6):
        splats = found.at(key * motion.interval).applied(chunk.splats)
        a, b = share @ motion.rotations[key, :, :3], share @ motion.rotations[key, :, 3:]
        x = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-9)
        z = np.cross(x, b)
        z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-9)
        matrix = np.stack([x, np.cross(z, x), z], -1)
        moves = rec.mask[chunk.integers.source] > 0
        place = np.einsum("nij,nj->ni", matrix, chunk.splats.positions) + share @ motion.translations[key]
        place = np.where(moves[:, None], place, chunk.splats.positions)
        assert np.abs(splats.positions - place).max() < 1e-3
        w = np.sqrt(np.maximum(1 + np.trace(matrix, axis1=1, axis2=2), 1e-12)) / 2
        v = [matrix[:, 2, 1] - matrix[:, 1, 2], matrix[:, 0, 2] - matrix[:, 2, 0]]
        v.append(matrix[:, 1, 0] - matrix[:, 0, 1])
        p = np.stack([w, *(each / (4 * w) for each in v)], 1)
        p[~moves] = (1.0, 0, 0, 0)
        assert between(splats.rotations, product(p, chunk.splats.rotations)).max() < 2e-3
        assert splats.opacities is chunk.splats.opacities


def test_shares_sum_to_the_levels() -> None:
    rng = np.random.default_rng(1)
    weights = np.concatenate([rng.random((50, 5)), np.zeros((2, 5)), np.eye(5) * 1e300])
    for levels in (1, 7, 4095):
        shares = shares_of(weights, levels)
        assert (shares.sum(1) == levels).all()
        assert (shares[-5:] == np.eye(5) * levels).all()


@pytest.mark.parametrize("seed", range(4))
def test_readers_agree_on_recorded_motion(seed: int) -> None:
    chunk = made(150, seed=seed, repeats=9)
    settings = TrajectoriesSettings(rotation=2.0**-10, extrapolates=(seed % 2 == 0, seed < 2))
    same = assert_same_bases(record_bases(ID, smooth(seed, bases=seed + 1, size=2.0), settings).payload())
    assert same is not None
    payload = mixture_of(chunk, same[0], seed)
    ticks = (0, 1, 7_999, 8_000, 12_345, 47_999)
    found = fast(chunk, payload, ticks, DURATION, {ID: same[0]})
    assert not isinstance(found, tuple)
    assert_same(found, plain(chunk, payload, ticks, DURATION, {ID: same[1]}))


def any_bases(rng: np.random.Generator) -> bytes:
    """Recs and fields of any value; columns that are alike, or nothing."""
    p = BasesFields(
        id=ID,
        flags=int(rng.integers(0, 4)),
        count=int(rng.integers(1, 5)),
        keys=int(rng.integers(1, 6)),
        interval=any_of(rng, 1, (1 << 32) - 1) if rng.random() < 0.3 else 5000,
        exponent=any_of(rng, -200, 120) if rng.random() < 0.5 else int(rng.integers(-40, 0)),
        step=any_of(rng, 1, 65535),
    )
    wanted = []
    for width, bound in zip((6, 3), p.bounds, strict=True):
        size = float(rng.choice([1.5, 100, bound]))
        rec = np.clip(np.rint(rng.normal(0, size, (p.keys, p.count, width))), -bound, bound)
        wanted.append(rec.astype(np.int32))
    kind = rng.integers(0, 6)
    if kind == 0:
        wanted[0][..., 3:] = wanted[0][..., :3]
    elif kind == 1:
        wanted[0][..., :3] = 0
    elif kind == 2:
        wanted[0][...] = np.eye(3, dtype=np.int32)[:2].ravel()
    elif kind == 3:  # half a turn, and back
        wanted[0][...] = [0, 1, 0, 1, 0, 0]
    ops: dict[str, kernels.Ops] = {
        name: kernels.write_trajectories(rec, bound, bool(p.flags >> n & 1), 2)
        for n, (name, rec, bound) in enumerate(zip(SIZES, wanted, p.bounds, strict=True))
    }
    tables, maps = choose_tables({name: each.histogram(SIZES[name]) for name, each in ops.items()})
    f = FieldWriter()
    write_bases_fields(f, p)
    return bytes(f.data) + write_coder(tables, maps, ops)


@pytest.mark.parametrize("seed", range(40))
def test_readers_agree_on_any_bases(seed: int) -> None:
    chunk = made(60, seed=seed % 3, repeats=5, degree=0, quality=2.0 * (seed % 2) + 0.3)
    rng = np.random.default_rng(seed)
    same = assert_same_bases(any_bases(rng))
    assert same is not None
    payload = mixture_of(chunk, same[0], seed, any_of(rng, 1, 4095))
    interval = same[0].fields.interval
    ticks = (0, min(interval // 3, DURATION - 1), min(2 * interval, DURATION - 1), DURATION - 1)
    found = fast(chunk, payload, ticks, DURATION, {ID: same[0]})
    assert not isinstance(found, tuple)
    assert_same(found, plain(chunk, payload, ticks, DURATION, {ID: same[1]}))


@pytest.mark.parametrize("seed", range(10))
def test_readers_agree_on_damaged_payloads(seed: int) -> None:
    chunk = made(50, repeats=5, degree=0)
    rng = np.random.default_rng(seed)
    original = any_bases(rng)
    same = assert_same_bases(original)
    assert same is not None
    payload = mixture_of(chunk, same[0], seed)
    for _ in range(30):
        assert_same_bases(mutated(original, rng))
        damaged = mutated(payload, rng)
        known = ({ID: same[0]}, {ID: same[1]})
        assert_same(
            fast(chunk, damaged, (100,), DURATION, known[0]),
            plain(chunk, damaged, (100,), DURATION, known[1]),
        )


def test_bases_are_given_once_and_before_they_are_used() -> None:
    chunk = made(50, repeats=5, degree=0)
    bases = record_bases(ID, smooth(), TrajectoriesSettings()).decoded
    payload = mixture_of(chunk, bases)
    found = fast(chunk, payload, (), DURATION, {})
    assert found == ("Malformed", "motion.bases", "12.7", "MOTN", OFFSET + 12)
    assert_same(found, plain(chunk, payload, (), DURATION, {}))
    twice = replace(bases.fields, id=9)
    f = FieldWriter()
    write_bases_fields(f, twice)
    a, b = both_bases(bytes(f.data))
    assert a == b == ("Malformed", "motion.bases", "12.7", "MBAS", OFFSET)
