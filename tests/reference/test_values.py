"""(5, 6) Small cases worked out by hand or from the real-number formulas."""

from __future__ import annotations

import ast
import math
import random
import struct
import sys
from pathlib import Path

import pytest

from gscodec.reference.colour import rgb
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.decode import binary32
from gscodec.reference.extras import pattern_from_ordered, patterns
from gscodec.reference.harmonics import coefficients
from gscodec.reference.opacity import opacity_logit
from gscodec.reference.parameters import Colour, Harmonics, Opacity, PredictorSet, Rotation, Scale
from gscodec.reference.position import count_class, interval_start, morton, sibling_state, split_symbols
from gscodec.reference.predictor import (
    component_distance,
    distance,
    logarithm,
    neighbours,
    predict,
    rounded,
    short_logarithm,
    steps_within,
)
from gscodec.reference.rotation import (
    Shape,
    angle,
    columns,
    direction,
    predicted_cells,
    predicted_twist,
    quaternion_from_cells,
    shape_from_scales,
)
from gscodec.reference.scale import log_scale, undilated


def test_binary32() -> None:
    assert binary32(3, -1) == 1.5
    assert binary32((1 << 24) + 1, 0) == 1 << 24  # a tie, to even
    assert binary32((1 << 24) + 3, 0) == (1 << 24) + 4
    assert binary32((1 << 53) - 1, 120) == (2 - 2**-23) * 2.0**127
    assert binary32(-(1 << 24), 104) == -(2 - 2**-23) * 2.0**127
    assert binary32((1 << 24) - 1, 104) == (2 - 2**-23) * 2.0**127
    assert binary32(1, -149) == 2.0**-149
    assert struct.pack("<f", binary32(-1, -200)) == bytes.fromhex("00000080")
    assert struct.pack("<f", binary32(0, -200)) == bytes(4)


def test_splits() -> None:
    assert [count_class(n) for n in (1, 7, 8, 15, 16, 63, 64, 511, 512)] == [0, 6, 7, 7, 8, 8, 9, 9, 10]
    assert [interval_start(s, 17) for s in range(1, 18)] == list(range(1, 18))
    for n in (8, 9, 17, 100, 65_536):
        edges = [interval_start(s, n) for s in range(1, 18)]
        assert (edges[0], edges[-1]) == (1, n)
        assert edges == [1 + math.ceil(s * (n - 1) / 16) for s in range(17)]
    assert split_symbols(8) == [0, *(s for s in range(1, 17) if s in (1, 3, 5, 7, 10, 12, 14)), 17]
    assert [sibling_state(*pair) for pair in ((0, 0), (0, 4), (4, 4), (1, 4))] == [0, 1, 2, 3]


def test_morton() -> None:
    assert morton((1, 0, 0)) == 4
    assert morton((0, 1, 0)) == 2
    assert morton((0, 0, 1)) == 1
    assert morton((3, 0, 2)) == 0b101100
    assert morton(((1 << 21) - 1,) * 3) == (1 << 63) - 1


def test_logarithms() -> None:
    assert [logarithm(v) for v in (8, 9, 15, 16, 17, 18, (1 << 24) - 1)] == [0, 1, 7, 8, 8, 9, 167]
    assert [short_logarithm(v) for v in (0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 128, 192, 10**9)] == [
        0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 14, 15, 15,
    ]  # fmt: skip


def test_neighbours() -> None:
    settings = PredictorSet(16, 2, [0, 128, 256, 256, 256, 256], [0, 5, 50, 50, 60], [])
    near = neighbours([10, 6, 8, 100], settings)
    # the smallest code, 6, is that of the splat 2 places before; 0 and 5 are not above it
    assert (near.bucket, near.nearest) == (2, 2)
    raw = [2048, 4096, 2896, 0]  # 4096 x 2^(-2 (code - 6) / 8)
    scale = (256 << 20) // sum(raw)
    assert near.weights == tuple(u * scale + 32768 >> 16 for u in raw)
    assert abs(sum(near.weights) - 4096) <= 2
    values = [[-7], [100], [50], [-10]]
    expected = math.floor(
        (2048 + near.weights[0] * -10 + near.weights[1] * 50 + near.weights[2] * 100) / 4096
    )
    assert predict(values, 0, 4, near) == expected


def test_distances() -> None:
    assert component_distance((0, 10, -5), (0, 0, 0)) == 12
    assert distance([[(0, 0, 0), (4, 0, 0)]], [(3, 1)], 1, 0) == 8 + 6
    assert distance([[(0, 0, 0), (1 << 20, 0, 0)]] * 2, [(255, 0)] * 2, 1, 0) == (1 << 24) - 1


def test_rounding() -> None:
    assert [rounded(v, 64) for v in (-97, -96, -33, -32, 31, 32)] == [-2, -1, -1, 0, 0, 1]
    assert steps_within(100, 37, 64) == range(-2, 1)
    assert steps_within(100, -100, 50) == range(5)


@pytest.mark.parametrize("is_disc", [True, False])
@pytest.mark.parametrize("cell", [(0, 0, 1, 0, 1), (3, 1, 7, 5, 9), (20, 63, 64, 200, 301), (0, 6, 7, 3, 4)])
def test_quaternions_point_where_their_cells_say(cell: tuple[int, ...], is_disc: bool) -> None:
    i1, i2, n, twist, turns = cell
    axis, length = direction(i1, i2, n)
    shape = Shape(is_disc, n, turns)
    w, x, y, z = quaternion_from_cells(axis, length, twist, shape)
    assert abs(math.sqrt(w * w + x * x + y * y + z * z) / 2**24 - 1) < 1e-6
    frame = columns((w, x, y, z))
    main, second = (frame[2], frame[0]) if is_disc else (frame[0], frame[1])
    real = math.sqrt(sum(v * v for v in axis))
    assert all(abs(m / 2**14 - a / real) < 2e-3 for m, a in zip(main, axis, strict=True))
    # what is decoded predicts itself
    upward = main if main[2] >= 0 else tuple(-v for v in main)
    assert predicted_cells((upward[0], upward[1], upward[2]), n) == (i1, i2)
    assert predicted_twist(second, axis, length, turns) == twist


def test_angles() -> None:
    for degrees in range(0, 180, 7):
        x, y = math.cos(math.radians(degrees)) * 2**28, math.sin(math.radians(degrees)) * 2**28
        assert abs(angle(int(x), int(y)) - degrees / 180 * 4096) < 6
        assert angle(-int(x), -int(y)) == angle(int(x), int(y))
    assert angle(0, 0) == 0


def test_cells_from_scales() -> None:
    settings = Rotation(1 << 8, 1 << 9, 255, 17)
    assert shape_from_scales((640, 320, 0), 64, settings) == Shape(True, 15, 10)
    assert shape_from_scales((6400, 320, 320), 128, settings) == Shape(False, 95, 1)
    assert shape_from_scales((64000, 320, -64000), 64, settings) == Shape(True, 255, 17)


def test_log_scales() -> None:
    plain = Scale(64 << 14, -1000, 0, 0, 0)  # a step of 2^20 in 2^-26: 2^-6, so that rec is in 2^-12
    assert log_scale(5, plain) == -1000 + 5 * 256
    assert undilated(9 << 20) == undilated(8 << 20) == 0
    for x in (0.1, 0.3, 1.0, 2.51, 7.9):
        assert abs(undilated(round(x * 2**20)) / 2**20 - 0.5 * math.log(1 - math.exp(-2 * x))) < 0.02
    dilated = Scale(64 << 14, 0, 0, 1, -(3 << 20))
    assert log_scale(0, dilated) == undilated(3 << 20)


def test_opacities() -> None:
    settings = Opacity(1 << 20, 0)
    for alpha in (0.001, 0.1, 0.5, 0.99):
        rec = round(math.log2(alpha + 1 / 16) * 4096)  # rec is in 2^-12, as above
        assert abs(opacity_logit(rec, settings) / 2**20 - math.log(alpha / (1 - alpha))) < 0.05
    assert opacity_logit(-262_143, settings) == opacity_logit(-20_000, settings)
    assert opacity_logit(262_143, settings) == opacity_logit(368, settings)


def test_colours() -> None:
    settings = Colour(0, [1, 1, 1], [0, 0, 0])
    # Y 100, Co 30, Cg 8: G = Y + Cg / 2, R = Y - Cg / 2 + Co / 2, B = R - Co
    assert rgb((100, 30, 8), settings) == (2 * 111, 2 * 104, 2 * 81)
    assert rgb((1, 2, 3), Colour(0, [3, 5, 7], [10, 20, 30])) == (66 - 231 + 110, 66 + 231, 66 - 231 - 110)


def test_harmonics() -> None:
    matrix = [[1, 0, 0], [0, 2, 0], [1, 1, 1]]
    plain = Harmonics(3, [3], 0, matrix, None, list(range(9)))
    assert coefficients([1, 2, 3, 4, 5, 6, 7, 8, 9], plain) == [(1, 4, 6), (4, 10, 15), (7, 16, 24)]
    basis = [[8192, 0, 0], [0, 0, 8192], [0, 4096, 0]]
    turned = Harmonics(3, [3], 0, matrix, basis, [8, 7, 6, 5, 4, 3, 2, 1, 0])
    # the components arrive from the last to the first; coefficient 1 is half of 2, 2 is 1
    assert coefficients([1, 2, 3, 4, 5, 6, 7, 8, 9], turned) == [(9, 16, 24), (2, 2, 4), (6, 10, 15)]


def test_extras() -> None:
    for value in (-math.inf, -1.5, -0.0, 0.0, 1e-45, 2.0):
        (pattern,) = struct.unpack("<I", struct.pack("<f", value))
        (ordered,) = (~pattern % (1 << 32) if pattern >> 31 else pattern | 1 << 31,)
        assert pattern_from_ordered(ordered, 32) == pattern
    double = ExtraAttribute(64, 7, 1, 0, "double")
    (pattern,) = struct.unpack("<Q", struct.pack("<d", math.pi))
    ordered = pattern | 1 << 63
    assert patterns([ordered >> 32, ordered & 0xFFFFFFFF], double) == [pattern]
    assert patterns([200, 3], ExtraAttribute(64, 1, 2, 0, "signed bytes")) == [200, 3]


def test_morton_order_without_codes() -> None:
    """The comparison that clause 6.11 describes."""
    rng = random.Random(1)
    for _ in range(300):
        bits = [rng.randint(1, 21) for _ in range(3)]
        a = (rng.getrandbits(bits[0]), rng.getrandbits(bits[1]), rng.getrandbits(bits[2]))
        b = tuple(v ^ rng.getrandbits(rng.choice([1, 3, n])) for v, n in zip(a, bits, strict=True))
        decisive, axis = a[0] ^ b[0], 0
        for k in (1, 2):
            other = a[k] ^ b[k]
            if decisive < other and decisive < (decisive ^ other):
                decisive, axis = other, k
        assert (a[axis] < b[axis]) == (morton(a) < morton((b[0], b[1], b[2])))


def test_reference_needs_the_standard_library_only() -> None:
    root = Path(__file__).resolve().parents[2]
    files = [*(root / "gscodec/reference").glob("*.py"), root / "gscodec/errors.py"]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                allowed = ("gscodec.reference", "gscodec._generated", "gscodec.errors")
                assert name.startswith(allowed) or name.split(".")[0] in sys.stdlib_module_names, path
