"""(12.8) Keyframes: what is recorded comes back, near to what was wanted; both readers agree."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gscodec import kernels
from gscodec.encode.clustering import choose_tables
from gscodec.encode.dynamic.keyframe_recording import Keyframes, KeyframesSettings, record_keyframes
from gscodec.encode.dynamic.recording import RecordedMotion
from gscodec.entropy.fields import FieldWriter
from gscodec.errors import LimitError
from gscodec.motion import keyframes, read_motion, reading
from gscodec.motion.channels import (
    Around,
    record_channels,
    record_lifespans,
    record_masks,
    write_coder,
)
from gscodec.motion.fixed import MAX_FACTOR
from gscodec.motion.keyframes import NAMES, KeyframesFields, KeyframesIntegers
from tests.motion.both import OFFSET, assert_same, fast, mutated, plain
from tests.motion.made import DURATION, Made, between, made, product
from tests.motion.test_polynomial_parity import any_of

KEYS, INTERVAL, START = 7, 6000, 2000
SETTINGS = KeyframesSettings(position=0.002, rotation=0.01, extrapolated=frozenset(["position", "colour"]))
SPAN = (START, DURATION)


def motion_of(chunk: Made, seed: int = 1, keys: int = KEYS, names: tuple[str, ...] = NAMES) -> Keyframes:
    """Splats that wander and change, one in ten of them at a key."""
    rng, count = np.random.default_rng(seed), chunk.distinct
    first = np.diff(chunk.integers.source, prepend=np.uint32(0xFFFFFFFF)) != 0
    still = chunk.splats.take(np.flatnonzero(first))

    def walk(*shape: int, size: float) -> np.ndarray:
        moves = rng.normal(0, size, (keys, count, *shape))
        return np.cumsum(moves * (rng.random((keys, count)) < 0.4).reshape(keys, count, *[1] * len(shape)), 0)

    turns = walk(4, size=0.1) + np.array([1.0, 0, 0, 0])
    births = np.minimum(rng.geometric(0.6, count) - 1, keys)
    deaths = np.maximum(births + 1, keys + 2 - rng.geometric(0.5, count))
    at = np.arange(keys + 1)[:, None]
    values = {
        "position": walk(3, size=0.2),
        "rotation": turns / np.linalg.norm(turns, axis=-1, keepdims=True),
        "scale": still.scales + walk(3, size=0.1),
        "opacity": still.opacities + walk(size=0.3),
        "colour": still.sh_dc + walk(3, size=0.1),
        "harmonics": still.sh_rest + walk(*still.sh_rest.shape[1:], size=0.05),
    }
    chosen = {name: values[name] for name in names if values[name].size}
    return Keyframes(interval=INTERVAL, alive=(births <= at) & (at < deaths), **chosen)


def recorded(
    chunk: Made, motion: Keyframes, settings: KeyframesSettings = SETTINGS
) -> RecordedMotion[KeyframesIntegers]:
    return record_keyframes(chunk.fields, chunk.integers, chunk.coding, motion, settings, SPAN)


@pytest.mark.parametrize("predicted", [False, True])
def test_what_is_recorded_comes_back(predicted: bool) -> None:
    chunk = made(300, degree=2, repeats=15)
    motion = motion_of(chunk)
    found = recorded(chunk, motion, replace(SETTINGS, predicted=predicted))
    payload = memoryview(found.payload())
    arguments = (OFFSET, chunk.fields, chunk.integers, chunk.coding, DURATION)
    again = read_motion(payload, *arguments).integers
    assert isinstance(again, KeyframesIntegers)
    np.testing.assert_array_equal(again.lives, found.decoded.lives)
    np.testing.assert_array_equal(again.masks, found.decoded.masks)
    assert set(again.recs) == set(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(again.recs[name], found.decoded.recs[name], err_msg=name)
    whole = read_motion(payload, *arguments)
    for tick in (0, START, START + 1, START + INTERVAL - 1, START + 3 * INTERVAL, DURATION - 1):
        part = read_motion(payload, *arguments, last=tick)
        assert isinstance(part.integers, KeyframesIntegers)
        assert len(part.integers.masks) == min(KEYS, max(0, tick - START) // INTERVAL)
        for name in ("positions", "rotations", "opacities", "scales", "sh_dc", "sh_rest"):
            a, b = (getattr(each.at(tick).applied(chunk.splats), name) for each in (whole, part))
            np.testing.assert_array_equal(a, b)


def test_values_are_near_to_the_wanted_ones() -> None:
    chunk = made(300, degree=1, quality=0.1)
    motion = motion_of(chunk)
    found = recorded(chunk, motion)
    again = read_motion(
        memoryview(found.payload()), OFFSET, chunk.fields, chunk.integers, chunk.coding, DURATION
    )
    assert motion.alive is not None
    for key in range(KEYS + 1):
        shown = again.at(min(START + key * INTERVAL, DURATION - 1))
        rows = np.flatnonzero(motion.alive[key])
        np.testing.assert_array_equal(rows, shown.rows)
        if key == 0:
            continue
        grown = motion.alive[:key].any(0)[rows]  # the others are as in the chunk
        splats = shown.applied(chunk.splats)
        assert motion.position is not None
        assert motion.rotation is not None
        assert motion.colour is not None
        assert motion.opacity is not None
        wanted = chunk.splats.positions[rows] + motion.position[key - 1][rows]
        assert np.abs(splats.positions - wanted)[grown].max() < 0.0011 + 1e-5
        turned = product(motion.rotation[key - 1][rows], chunk.splats.rotations[rows])
        assert between(splats.rotations, turned)[grown].max() < 0.01
        assert np.abs(splats.sh_dc - motion.colour[key - 1][rows])[grown].max() < 0.2
        alpha, want = (1 / (1 + np.exp(-v)) for v in (splats.opacities, motion.opacity[key - 1][rows]))
        assert np.abs(alpha - want)[grown].max() < 0.15


def test_turns_are_limited() -> None:
    chunk = made(60, degree=0)
    turn = np.array([0.0, 0, 1, 0])  # half a turn
    motion = Keyframes(interval=1, rotation=np.tile(turn, (1, chunk.distinct, 1)))
    again = fast(chunk, recorded(chunk, motion).payload(), (START + 1,))
    assert not isinstance(again, tuple)
    angle = between(again[0]["rotations"], chunk.splats.rotations)
    assert np.abs(angle - 2 * math.atan(4)).max() < 0.02


def test_a_still_chunk_costs_next_to_nothing() -> None:
    chunk = made(2000, degree=0)
    still = np.zeros((50, chunk.distinct, 3))
    found = recorded(chunk, Keyframes(interval=10, position=still))
    assert len(found.payload()) < 100
    assert not found.decoded.masks.any()


def test_too_many_values() -> None:
    chunk = made(600)
    payload = bytearray(recorded(chunk, motion_of(chunk, names=("position",))).payload())
    payload[14:16] = (4096).to_bytes(2, "little")
    arguments = (OFFSET, chunk.fields, chunk.integers, chunk.coding, DURATION)
    with pytest.raises(LimitError) as error:
        read_motion(memoryview(payload), *arguments, max_symbols=600 * 4096 * 3 - 1)
    assert (error.value.code, error.value.offset) == ("limit.stream_symbols", OFFSET)


# ---- both readers

TICKS = (START, START + INTERVAL, START + 3 * INTERVAL - 1, DURATION - 1)


def any_payload(chunk: Made, rng: np.random.Generator) -> bytes:
    """Recs and fields of any value."""
    count, harmonics = chunk.distinct, chunk.coding.harmonics is not None
    attributes = int(rng.integers(0, 64 if harmonics else 32))
    p = KeyframesFields(
        flags=int(rng.integers(0, 4)),
        attributes=attributes,
        extrapolated=int(rng.integers(0, 64)) & attributes,
        keys=int(rng.integers(1, 6)),
        interval=any_of(rng, 1, (1 << 32) - 1) if rng.random() < 0.2 else INTERVAL,
        position=(int(rng.integers(0, 4)), int(rng.integers(0, 8))),
        rotation=(int(rng.integers(0, 4)), int(rng.integers(0, 8))),
        position_unit=(any_of(rng, 1, MAX_FACTOR), any_of(rng, 0, 52)),
        rotation_unit=(any_of(rng, 1, MAX_FACTOR), any_of(rng, 0, 52)),
    )
    masks = rng.integers(0, 64, (p.keys, count)).astype(np.uint8) & np.uint8(attributes)
    lives = None
    if p.flags & keyframes.LIFESPANS:
        births = rng.integers(0, p.keys + 1, count)
        deaths = rng.integers(births + 1, p.keys + 2)
        lives = np.stack([births, deaths], 1).astype(np.uint16)
        at = np.arange(1, p.keys + 1)[:, None]
        masks[(at <= births) | (at >= deaths)] = 0
    predicted = bool(p.flags & keyframes.PREDICTED)
    around = Around.of(chunk.fields, chunk.integers, chunk.coding, predicted=predicted)
    ops: dict[str, kernels.Ops] = {}
    spread = float(rng.choice([100.0, 3e3, 3e5]))
    for name, channel in p.channels(chunk.coding, chunk.integers):
        start = 0 if channel.start is None else channel.start
        wanted = rng.normal(0, spread, (p.keys, count, len(channel.groups))) + start
        ops[name], _, _ = record_channels(around, channel, masks, wanted, 2)
    ops = {"masks": record_masks(around, lives, masks, attributes, 1), **ops}
    if lives is not None:
        ops = {"lifespans": record_lifespans(lives, p.keys, 4), **ops}
    sizes = p.sizes(chunk.coding, chunk.integers)
    tables, maps = choose_tables({name: each.histogram(sizes[name]) for name, each in ops.items()})
    f = FieldWriter()
    reading.write_head(f, reading.KEYFRAMES, p.flags, SPAN)
    keyframes.write_fields(f, p)
    return bytes(f.data) + write_coder(tables, maps, ops)


@pytest.mark.parametrize("seed", range(3))
def test_readers_agree_on_recorded_motion(seed: int) -> None:
    chunk = made(200, seed=seed, repeats=10, degree=seed)
    payload = recorded(chunk, motion_of(chunk, seed)).payload()
    assert_same(fast(chunk, payload, TICKS), plain(chunk, payload, TICKS))


@pytest.mark.parametrize("seed", range(30))
def test_readers_agree_on_any_fields_and_recs(seed: int) -> None:
    chunk = made(80, seed=seed % 2, repeats=6, degree=seed % 3, quality=2.0 * (seed % 2) + 0.3)
    payload = any_payload(chunk, np.random.default_rng(seed))
    found = fast(chunk, payload, TICKS)
    assert not isinstance(found, tuple)
    assert_same(found, plain(chunk, payload, TICKS))


@pytest.mark.parametrize("seed", range(15))
def test_readers_agree_on_damaged_payloads(seed: int) -> None:
    chunk = made(50, repeats=5, degree=seed % 2)
    rng = np.random.default_rng(seed)
    payload = any_payload(chunk, rng)
    for _ in range(20):
        damaged = mutated(payload, rng)
        assert_same(fast(chunk, damaged, TICKS[:2]), plain(chunk, damaged, TICKS[:2]))
