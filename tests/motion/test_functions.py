"""(12.7, 12.11) Functions of time: what is recorded comes back, near to what was wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gscodec.encode.dynamic.bases_recording import record_functions_bases
from gscodec.encode.dynamic.function_recording import Functions, changes_of, linear, still
from gscodec.encode.dynamic.keyframe_recording import recs_of
from gscodec.encode.dynamic.recording import rotation_unit, translation_unit
from gscodec.motion import read_bases
from gscodec.motion.bases import TimeFunctions
from gscodec.motion.channels import multipliers
from gscodec.motion.functions import FunctionsIntegers, FunctionsMotion, key_at, start_of
from gscodec.motion.keyframes import NAMES
from gscodec.motion.reading import stream_bytes
from gscodec.parameters import COLOUR, HARMONICS, OPACITY, SCALE
from tests.motion.both import OFFSET
from tests.motion.function_samples import (
    ARRAYS,
    FINE,
    ID,
    INTERVAL,
    KEYS,
    SETTINGS,
    read,
    recorded,
    recorded_waves,
    waves,
    wishes,
)
from tests.motion.made import DURATION, between, made, product

F64 = NDArray[np.float64]


# ---- MBAS


@pytest.mark.parametrize("extrapolated", [None, False, True])
def test_functions_come_back(extrapolated: bool | None) -> None:
    found = record_functions_bases(ID, waves(40), 100, 2.0**-14, extrapolated=extrapolated)
    again = read_bases(memoryview(found.payload()), OFFSET, {})
    assert isinstance(again, TimeFunctions)
    assert again.fields == found.decoded.fields
    np.testing.assert_array_equal(again.values, found.decoded.values)
    assert np.abs(again.values / 2**20 - waves(40)).max() <= 2.0**-15
    np.testing.assert_array_equal(again.at(700), again.values[7])
    np.testing.assert_array_equal(again.at(99999), again.values[-1])
    middle = (again.values[3].astype(np.int64) + again.values[4] + 1) >> 1
    np.testing.assert_array_equal(again.at(350), middle)


def test_a_constant_and_one_key() -> None:
    found = record_functions_bases(ID, np.ones((1, 1)), 1, 1.0)
    again = read_bases(memoryview(found.payload()), OFFSET, {})
    assert isinstance(again, TimeFunctions)
    assert again.at(12).tolist() == [65535 * 16]  # the largest step
    with pytest.raises(ValueError, match="within"):
        record_functions_bases(ID, np.full((1, 1), 4.1), 1, 0.01)


# ---- MOTN


@pytest.mark.parametrize("predicted", [False, True])
def test_what_is_recorded_comes_back(predicted: bool) -> None:
    chunk = made(300, degree=2, repeats=15)
    functions = recorded_waves().decoded
    found = recorded(chunk, wishes(chunk, functions, noise=0.01), replace(SETTINGS, predicted=predicted))
    payload = found.payload()
    whole = read(chunk, payload, {ID: functions})
    again = whole.integers
    assert isinstance(again, FunctionsIntegers)
    np.testing.assert_array_equal(again.lives, found.decoded.lives)
    np.testing.assert_array_equal(again.mask, found.decoded.mask)
    assert list(again.coefficients) == list(NAMES)
    assert list(again.residuals) == ["position", "rotation", "colour"]
    for kind in ("coefficients", "fineness", "residuals"):
        a, b = getattr(again, kind), getattr(found.decoded, kind)
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=f"{kind} {name}")
    for tick in (0, 1, INTERVAL - 1, INTERVAL, 3 * INTERVAL + 7, DURATION - 1):
        part = read(chunk, payload, {ID: functions}, last=tick)
        assert isinstance(part.integers, FunctionsIntegers)
        assert len(part.integers.residuals["position"]) == min(KEYS, tick // INTERVAL + 1)
        for name in ARRAYS:
            a, b = (getattr(each.at(tick).applied(chunk.splats), name) for each in (whole, part))
            np.testing.assert_array_equal(a, b)


def test_values_are_near_to_the_wanted_ones() -> None:
    chunk = made(300, degree=1, quality=0.1)
    functions = recorded_waves().decoded
    motion = wishes(chunk, functions, noise=0.03)
    found = recorded(chunk, motion)
    again = read(chunk, found.payload(), {ID: functions})
    positions, rotations = still(chunk.fields, chunk.integers, chunk.coding)
    np.testing.assert_allclose(positions, chunk.splats.positions, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(rotations, chunk.splats.rotations, atol=1e-6)
    assert motion.alive is not None
    step = 2 ** ((FINE - 1) / 2) / 8
    for key in range(KEYS):
        shown = again.at(key * INTERVAL)
        rows = np.flatnonzero(motion.alive[key])
        np.testing.assert_array_equal(rows, shown.rows)
        splats = shown.applied(chunk.splats)
        fine = {name: motion.fineness[name][rows] > 0 for name in motion.fineness}
        error = np.abs(splats.positions - positions[rows] - motion.targets["position"][key][rows]).max(1)
        assert error[fine["position"]].max() < SETTINGS.position * step / 2 + 1e-5
        assert 0.02 < error[~fine["position"]].max() < 0.2
        turned = product(motion.targets["rotation"][key][rows], rotations[rows])
        assert between(splats.rotations, turned)[fine["rotation"]].max() < SETTINGS.rotation * step + 1e-3
        colours = np.abs(splats.sh_dc - motion.targets["colour"][key][rows]).max(1)
        assert colours[fine["colour"]].max() < 0.1


def test_functions_are_interpolated_between_keys() -> None:
    chunk = made(200, degree=1, repeats=5, quality=0.3)
    functions = recorded_waves().decoded
    motion = replace(wishes(chunk, functions), targets={}, fineness={}, alive=None)
    again = read(chunk, recorded(chunk, motion).payload(), {ID: functions})
    assert isinstance(again.model, FunctionsMotion)
    source, coding = chunk.integers.source, chunk.coding
    units = translation_unit(SETTINGS.position, chunk.fields), rotation_unit(SETTINGS.rotation)
    kinds = {"scale": SCALE, "opacity": OPACITY, "colour": COLOUR, "harmonics": HARMONICS}
    for tick in (0, INTERVAL // 3, 5 * INTERVAL + 100, DURATION - 1):
        t = min(tick / INTERVAL, KEYS - 1)
        values = np.array([np.interp(t, np.arange(KEYS), row) for row in functions.values.T / 2**20])
        shown = again.at(tick)
        assert shown.rows is None
        splats = shown.applied(chunk.splats)

        def changed(name: str, values: F64 = values) -> F64:
            first, rows = motion.coefficients[name]
            used = rows * motion.uses[name].reshape(len(rows), *[1] * (rows.ndim - 1))
            return np.asarray(np.tensordot(used, values[first : first + rows.shape[1]], (1, 0)))[source]

        assert np.abs(splats.positions - chunk.splats.positions - changed("position")).max() < 0.005
        turn = np.concatenate([np.ones((len(source), 1)), changed("rotation")], 1)
        assert between(splats.rotations, product(turn, chunk.splats.rotations)).max() < 0.01
        for name, (first, rows) in motion.coefficients.items():
            used = rows * motion.uses[name].reshape(len(rows), *[1] * (rows.ndim - 1))
            wanted = changes_of(name, units, chunk.fields, coding, used)
            now = values[first : first + rows.shape[1]]
            change = np.einsum("mow,o->mw", wanted.reshape(len(rows), len(now), -1), now)
            start = start_of(name, chunk.integers)
            found = again.model.recs(name, tick) - (0 if start is None else start)
            steps = multipliers(0, 0) if name not in kinds else coding.multipliers(kinds[name])
            error = np.abs(found - change).max(1)
            assert (error <= 0.5 * np.abs(now).sum() * steps[chunk.integers.classes] + 2).all(), name


def test_residuals_are_held_until_the_next_key() -> None:
    chunk = made(100, degree=1)
    functions = recorded_waves().decoded
    motion = wishes(chunk, functions, noise=0.05)
    full, bare = (
        read(chunk, recorded(chunk, each).payload(), {ID: functions})
        for each in (motion, replace(motion, targets={}, fineness={}))
    )
    assert isinstance(full.integers, FunctionsIntegers)
    assert isinstance(full.model, FunctionsMotion)
    assert isinstance(bare.model, FunctionsMotion)
    for name, residuals in full.integers.residuals.items():
        assert residuals.any()
        for tick in (0, 2 * INTERVAL, 3 * INTERVAL - 1, DURATION - 1):
            held = full.model.recs(name, tick) - bare.model.recs(name, tick)
            np.testing.assert_array_equal(held, residuals[key_at(functions, tick)])


def test_residuals_make_up_for_everything() -> None:
    """Without functions, and with a dead zone."""
    chunk = made(100, degree=0)
    functions = recorded_waves().decoded
    rng = np.random.default_rng(3)
    opacities = rng.normal(0, 1, (KEYS, chunk.distinct))
    motion = Functions(
        functions=functions,
        targets={"opacity": opacities},
        fineness={"opacity": np.full(chunk.distinct, 1, np.uint8)},
    )
    found = recorded(chunk, motion)
    again = read(chunk, found.payload(), {ID: functions})
    for key in range(KEYS):
        splats = again.at(key * INTERVAL).applied(chunk.splats)
        assert np.abs(splats.opacities - opacities[key]).max() < 0.1
    rough = recorded(chunk, motion, replace(SETTINGS, rounding=0.0))
    a, b = (each.decoded.residuals["opacity"] for each in (found, rough))
    assert (np.abs(b) <= np.abs(a)).all()
    assert (np.abs(b) < np.abs(a)).any()


def test_nothing_costs_next_to_nothing() -> None:
    chunk = made(2000, degree=0)
    functions = recorded_waves().decoded
    count = chunk.distinct
    motion = Functions(
        functions=functions,
        coefficients={"position": (0, np.zeros((count, 2, 3)))},
        targets={"position": np.zeros((KEYS, count, 3))},
        fineness={"position": np.full(count, 9, np.uint8)},
    )
    found = recorded(chunk, motion)
    payload = found.payload()
    assert len(payload) < 60
    shown = read(chunk, payload, {ID: functions}).at(INTERVAL)
    assert (shown.rows, shown.positions) == (None, None)
    empty = recorded(chunk, Functions(functions=functions))
    assert empty.payload() == payload
    assert stream_bytes(memoryview(payload), OFFSET, chunk.coding) == {}


def test_coefficients_are_differences_of_linear_values() -> None:
    chunk = made(40, degree=2)
    rng, count = np.random.default_rng(4), chunk.distinct
    units = translation_unit(0.01, chunk.fields), rotation_unit(0.01)
    turn = np.array([1.0, 0, 0, 0])
    values = {
        "position": rng.normal(0, 1, (2, count, 3)),
        "rotation": turn + rng.normal(0, 0.2, (2, count, 4)),
        "scale": rng.normal(-4, 1, (2, count, 3)),
        "opacity": rng.normal(0, 2, (2, count)),
        "colour": rng.normal(0, 1, (2, count, 3)),
        "harmonics": rng.normal(0, 0.2, (2, count, 8, 3)),
    }
    for name, (first, then) in values.items():
        a, b = (recs_of(name, units, chunk.fields, chunk.coding, each[None])[0] for each in (first, then))
        change = linear(name, then, chunk.coding) - linear(name, first, chunk.coding)
        found = changes_of(name, units, chunk.fields, chunk.coding, change[:, None])
        np.testing.assert_allclose(found, b - a, rtol=1e-4, atol=0.05, err_msg=name)


def test_one_key_and_lifespans() -> None:
    chunk = made(60, degree=0)
    functions = record_functions_bases(ID, np.ones((1, 1)), 7, 0.01).decoded
    moves = np.ones((chunk.distinct, 1, 3))
    alive = np.ones((1, chunk.distinct), bool)
    motion = Functions(functions=functions, coefficients={"position": (0, moves)}, alive=alive)
    found = read(chunk, recorded(chunk, motion).payload(), {ID: functions}).at(DURATION - 1)
    assert found.positions is not None
    assert np.abs(found.positions - chunk.splats.positions - functions.values[0, 0] / 2**20).max() < 0.002


def test_bytes_of_streams() -> None:
    chunk = made(300, degree=1)
    functions = recorded_waves().decoded
    payload = recorded(chunk, wishes(chunk, functions, noise=0.02)).payload()
    sizes = stream_bytes(memoryview(payload), OFFSET, chunk.coding)
    pairs = [
        f"{name} {kind}" for name in ("position", "rotation", "colour") for kind in ("fineness", "residuals")
    ]
    assert list(sizes) == ["lifespans", "masks", *NAMES, *pairs]
    assert min(sizes.values()) > 0
    assert 0 < len(payload) - sum(sizes.values()) < 4000
