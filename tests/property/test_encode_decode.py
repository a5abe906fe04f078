"""Whatever is encoded comes back: as many, in the order stated, extras exact, places within half a cell."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gscodec
from gscodec.chunk import read_chunk
from gscodec.container import Chunk, ContainerReader, SceneHeader
from gscodec.container import Parameters as ParametersEvent
from gscodec.encode.effort import Effort
from gscodec.encode.whole import encode_splats
from gscodec.parameters import read_parameters
from gscodec.splats import SH_REST_COUNTS, Splats

SMALL = Effort(views=6, pixels=3000, refit_views=3, refit_pixels=3000, refit_steps=2)  # all parts, quick
EFFORTS = (1, SMALL, SMALL)
QUALITIES = ("near-lossless", "high", "default", "small", "tiny")
DTYPES = ("u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "<f8", "<u8", "<i8")
LARGEST = float(np.finfo(np.float32).max)
WEIRD = np.array([0.0, -0.0, 1e-45, -1e-40, 1e-30, 1.0, -1.0, 1e10, -3e38, LARGEST, -LARGEST], np.float32)


@st.composite
def splats(draw: st.DrawFn, finite: bool = False) -> Splats:
    """Up to 50 splats; each attribute is ordinary, weird, or a mixture."""
    n = draw(st.integers(0, 50))
    dice = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coefficients = SH_REST_COUNTS[draw(st.integers(0, 3))]

    def values(shape: tuple[int, ...], spread: float, offset: float, extremes: list[float]) -> Any:
        out = dice.normal(offset, spread * draw(st.sampled_from((0, 1e-3, 1, 1, 1, 30))), shape)
        share = draw(st.sampled_from((0.0, 0.0, 0.05, 0.5)))
        special = np.array(extremes)[dice.integers(len(extremes), size=shape)]
        with np.errstate(over="ignore"):
            return np.where(dice.random(shape) < share, special, out).astype(np.float32)

    odd = [float(v) for v in WEIRD]
    result = Splats(
        positions=values((n, 3), 1, 0, odd),
        scales=values((n, 3), 1.5, -4, [-100, 88, 1000, -3000, 0, 1e30, -LARGEST]),
        rotations=values((n, 4), 1, 0, [0, 0, 0, 1e-30, 1e30, LARGEST]),
        opacities=values((n,), 3, 0, [50, -50, 1e4, -LARGEST, 0]),
        sh_dc=values((n, 3), 1, 0, odd),
        sh_rest=values((n, coefficients, 3), 0.1, 0, odd),
        extras=draw(extras(n)),
    )
    if not finite and n and draw(st.booleans()):
        target = draw(st.sampled_from(("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")))
        array = getattr(result, target).copy()
        array.reshape(-1)[:: draw(st.integers(1, 20))] = draw(st.sampled_from((np.nan, np.inf, -np.inf)))
        result = replace(result, **{target: array})
    if n > 3 and draw(st.booleans()):  # some of them twice
        result = result.take(dice.integers(0, n, n))
    return result


@st.composite
def extras(draw: st.DrawFn, n: int) -> dict[str, Any]:
    """Attributes of any type and any bits."""
    out: dict[str, Any] = {}
    for number in range(draw(st.sampled_from((0, 0, 1, 2)))):
        dtype, width = np.dtype(draw(st.sampled_from(DTYPES))), draw(st.integers(1, 3))
        dice = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        array = np.frombuffer(dice.bytes(n * width * dtype.itemsize), dtype).reshape(n, width)
        out[draw(st.sampled_from(("label", "größe", "nx")))[: 20 - number] + str(number)] = (
            array if width > 1 or draw(st.booleans()) else array[:, 0]
        )
    return out


def half_cells(data: bytes) -> Any:
    """(N,) for each decoded splat, half a cell of its own octree."""
    reader = ContainerReader()
    reader.feed(data)
    reader.close()
    sets: dict[int, Any] = {}
    scene, found = None, [np.zeros(0)]
    for event in reader.events():
        if isinstance(event, SceneHeader):
            scene = event
        elif isinstance(event, ParametersEvent):
            assert scene is not None
            sets[event.id] = read_parameters(
                event.payload, event.offset, sh_degree=scene.sh_degree, extras=scene.extras
            )
        elif isinstance(event, Chunk):
            assert scene is not None
            parameters = sets[event.header.parameters_id]
            fields, integers = read_chunk(event.payload, event.offset, parameters, scene.extras)
            half = parameters.coding.position_mantissa * 2.0**fields.grid.exponent
            found.append(half * 2.0 ** integers.positions.tree.astype(np.float64))
    return np.concatenate(found)


def finite(s: Splats) -> Any:
    arrays = (s.positions, s.scales, s.rotations, s.opacities, s.sh_dc, s.sh_rest)
    rows = [np.isfinite(a.reshape(len(s), int(np.prod(a.shape[1:])))).all(1) for a in arrays]
    return np.flatnonzero(np.all(rows, axis=0))


def check(s: Splats, quality: str, effort: int | Effort) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoded = encode_splats(s, quality=quality, effort=effort, threads=1, steps={"prune": 0.0})
        data, order = encoded.data, encoded.order
        decoded = gscodec.decode(data, threads=1)
    assert sorted(order.tolist()) == finite(s).tolist()
    assert len(decoded) == len(order)
    assert decoded.sh_degree == s.sh_degree
    assert decoded.extras.keys() == s.extras.keys()
    for name, array in s.extras.items():
        got = decoded.extras[name]
        assert got.dtype == array.dtype
        assert got.reshape(len(order), -1 if got.size else 0).tobytes() == array[order].tobytes()
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        assert np.isfinite(getattr(decoded, name)).all(), name
    if not len(order):
        return
    original = s.positions[order].astype(np.float64)
    largest = np.maximum(np.abs(decoded.positions), np.abs(s.positions[order])).astype(np.float64)
    rounding = np.maximum(largest * 2.0**-23, 2.0**-149)
    off = np.abs(decoded.positions.astype(np.float64) - original)
    assert (off <= half_cells(data)[:, None] + rounding).all(), (off - half_cells(data)[:, None]).max()
    norms = np.linalg.norm(decoded.rotations.astype(np.float64), axis=1)
    assert np.abs(norms - 1).max() < 1e-5
    assert (np.diff(decoded.scales, axis=1) <= 0).all()


COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=100, **COMMON)  # type: ignore[arg-type]
@given(splats(), st.sampled_from(QUALITIES), st.sampled_from(EFFORTS))
def test_any_splats(s: Splats, quality: str, effort: int | Effort) -> None:
    check(s, quality, effort)


@settings(max_examples=8, **COMMON)  # type: ignore[arg-type]
@given(splats(), st.sampled_from(QUALITIES))
def test_threads_do_not_matter(s: Splats, quality: str) -> None:
    first, *others = (
        encode_splats(s, quality=quality, effort=SMALL, threads=threads).data for threads in (1, 5, 0)
    )
    assert others == [first, first]
    one, four = gscodec.decode(first, threads=1), gscodec.decode(first, threads=4)
    assert one.positions.tobytes() == four.positions.tobytes()
    assert one.rotations.tobytes() == four.rotations.tobytes()


def plain(n: int, **changes: Any) -> Splats:
    dice = np.random.default_rng(n)
    values: dict[str, Any] = {
        "positions": dice.normal(size=(n, 3)),
        "scales": dice.normal(-4, 1, (n, 3)),
        "rotations": dice.normal(size=(n, 4)),
        "opacities": dice.normal(0, 2, n),
        "sh_dc": dice.normal(size=(n, 3)),
        "sh_rest": np.zeros((n, 0, 3)),
    }
    return Splats(**{name: np.asarray(value, np.float32) for name, value in {**values, **changes}.items()})


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"positions": np.full((20, 3), 3e38)},
        {"positions": np.linspace(-3e38, 3e38, 60).reshape(20, 3)},
        {"positions": np.linspace(-1e-44, 1e-44, 60).reshape(20, 3)},
        {"positions": np.where(np.arange(60).reshape(20, 3) % 7, 1e-3, 1e30)},
        {"scales": np.full((20, 3), 88.0)},
        {"scales": np.full((20, 3), -1e30)},
        {"scales": np.full((20, 3), 1e30)},
        {"scales": np.where(np.arange(60).reshape(20, 3) % 2, -50.0, 50.0)},
        {"rotations": np.zeros((20, 4))},
        {"rotations": np.full((20, 4), 3e38)},
        {"rotations": np.full((20, 4), 1e-45)},
        {"opacities": np.where(np.arange(20) % 2, 50.0, -50.0)},
        {"opacities": np.full(20, -3e38)},
        {"sh_dc": np.full((20, 3), 3e38)},
        {"sh_dc": np.where(np.arange(60).reshape(20, 3) % 2, -3e38, 3e38)},
        {"sh_rest": np.where(np.arange(180).reshape(20, 3, 3) % 2, -3e38, 3e38)},
        {"sh_rest": np.full((20, 15, 3), 1e-45)},
        {"sh_rest": np.where(np.arange(900).reshape(20, 15, 3) % 7, 0.1, -3e38)},
    ],
    ids=lambda c: ",".join(f"{k} {np.ravel(v)[:2]}" for k, v in c.items()) or "plain",
)
def test_extremes(changes: dict[str, Any], quality: str) -> None:
    for effort in (1, SMALL):
        check(plain(20, **changes), quality, effort)
