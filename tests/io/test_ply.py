"""PLY in and out, with plyfile as the independent oracle."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plyfile import PlyData, PlyElement

from gscodec.errors import InputError, UsageError
from gscodec.io import (
    PlyScene,
    _ply_layout,
    _ply_rows,
    ply_header,
    ply_rows,
    ply_writing,
    read_ply,
    write_ply,
)
from gscodec.io._ply_ascii import BYTES_PER_VALUE
from gscodec.splats import SH_REST_COUNTS, Splats

SCENES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "scenes"
PLY_TYPES = {
    "i1": "char",
    "u1": "uchar",
    "i2": "short",
    "u2": "ushort",
    "i4": "int",
    "u4": "uint",
    "f4": "float",
    "f8": "double",
}
FORMATS = {"<": "binary_little_endian", ">": "binary_big_endian", "=": "ascii"}


# ---- helpers ----------------------------------------------------------------------------------------------


def standard_names(degree: int, normals: bool = True) -> list[str]:
    rest = 3 * SH_REST_COUNTS[degree]
    return [
        *("x", "y", "z"),
        *(("nx", "ny", "nz") if normals else ()),
        *("f_dc_0", "f_dc_1", "f_dc_2"),
        *(f"f_rest_{i}" for i in range(rest)),
        "opacity",
        *("scale_0", "scale_1", "scale_2"),
        *("rot_0", "rot_1", "rot_2", "rot_3"),
    ]


def made_rows(count: int, degree: int = 3, *, seed: int = 0, order: str = "<", **extras: str) -> np.ndarray:
    """A structured array as plyfile would give it; `extras` are name=dtype."""
    rng = np.random.default_rng(seed)
    fields = [(name, order + "f4") for name in standard_names(degree)]
    fields += [(name, order + code) for name, code in extras.items()]
    rows = np.zeros(count, dtype=fields)
    for name in rows.dtype.names or ():
        if name not in ("nx", "ny", "nz"):
            rows[name] = rng.integers(0, 100, count) if name in extras else rng.normal(0, 3, count)
    return rows


def ply_bytes(
    rows: np.ndarray, form: str = "binary_little_endian", *, comments: tuple[str, ...] = ()
) -> bytes:
    """Serialised by plyfile."""
    element = PlyElement.describe(rows, "vertex")
    out = io.BytesIO()
    data = PlyData(
        [element],
        text=form == "ascii",
        byte_order=">" if form == "binary_big_endian" else "<",
        comments=list(comments),
    )
    data.write(out)
    return out.getvalue()


def header(
    count: int, properties: list[str], form: str = "binary_little_endian", *, before: str = ""
) -> bytes:
    lines = ["ply", f"format {form} 1.0", *before.splitlines(), f"element vertex {count}"]
    lines += [f"property {p}" for p in properties]
    return "\n".join([*lines, "end_header", ""]).encode()


def floats(degree: int = 0) -> list[str]:
    return [f"float {name}" for name in standard_names(degree)]


def assert_equals_rows(splats: Splats, rows: np.ndarray) -> None:
    """Every column of the oracle's `rows` is where it belongs, bit for bit."""
    names = rows.dtype.names or ()
    k = splats.sh_rest.shape[1]
    columns = {name: splats.positions[:, i] for i, name in enumerate("xyz")}
    columns |= {f"f_dc_{i}": splats.sh_dc[:, i] for i in range(3)}
    columns |= {f"f_rest_{c * k + i}": splats.sh_rest[:, i, c] for i in range(k) for c in range(3)}
    columns |= {f"scale_{i}": splats.scales[:, i] for i in range(3)}
    columns |= {f"rot_{i}": splats.rotations[:, i] for i in range(4)}
    columns |= {"opacity": splats.opacities}
    assert len(splats) == len(rows)
    for name in names:
        wanted = rows[name]
        if name in columns:
            wanted = wanted.astype(np.float32)
            found = columns.pop(name)
        elif name in ("nx", "ny", "nz") and name not in splats.extras:
            assert not wanted.astype(np.float64).any()
            continue
        else:
            wanted = wanted.astype(wanted.dtype.newbyteorder("="))
            found = splats.extras[name]
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes(), name
    assert set(splats.extras) <= set(names)


def assert_same(a: Splats, b: Splats) -> None:
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.shape == right.shape
        assert left.tobytes() == right.tobytes(), name
    assert list(a.extras) == list(b.extras)
    for name, array in a.extras.items():
        assert array.dtype == b.extras[name].dtype
        assert array.tobytes() == b.extras[name].tobytes()


def read_bytes(data: bytes, **options: int) -> PlyScene:
    return read_ply(io.BytesIO(data), **options)


def read_pipe(data: bytes, **options: int) -> PlyScene:
    """The same through a pipe, unbuffered, so that reads are short."""
    out, into = os.pipe()

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), open(into, "wb") as sink:
            sink.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        with open(out, "rb", buffering=0) as source:
            return read_ply(source, **options)
    finally:
        feeder.join()


def error_code(data: bytes, **options: int) -> str:
    """The code with which `data` is refused; the same from memory and from a pipe."""
    with pytest.raises(InputError) as from_memory:
        read_bytes(data, **options)
    with pytest.raises(InputError) as from_pipe:
        read_pipe(data, **options)
    assert from_memory.value.code == from_pipe.value.code
    return from_memory.value.code


def made_splats(count: int, degree: int = 3, *, seed: int = 0, **extras: np.ndarray) -> Splats:
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=(count, *shape)).astype(np.float32)

    return Splats(
        positions=normal(3),
        scales=normal(3),
        rotations=normal(4),
        opacities=normal(),
        sh_dc=normal(3),
        sh_rest=normal(SH_REST_COUNTS[degree], 3),
        extras=extras,
    )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, and no memory in advance, so that small inputs reach every loop and growth."""
    monkeypatch.setattr(ply_writing, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(_ply_rows, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(_ply_layout, "_UNPROVEN_BYTES", 500)


# ---- reading: equal to the oracle -------------------------------------------------------------------------


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("form", FORMATS.values())
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_every_format_and_degree(form: str, degree: int, count: int) -> None:
    rows = made_rows(count, degree, tag="u1", weight="f8")
    data = ply_bytes(rows, form)
    for scene in (read_bytes(data), read_pipe(data)):
        assert_equals_rows(scene.splats, PlyData.read(io.BytesIO(data))["vertex"].data)
        assert scene.splats.sh_degree == degree
        assert scene.format == form
        assert scene.trailing_bytes == 0
        assert scene.missing == ()
        assert scene.properties[-1] == ("weight", "double")
        assert [name for name, _ in scene.properties] == list(rows.dtype.names or ())


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("form", FORMATS.values())
def test_many_blocks(form: str) -> None:
    rows = made_rows(100, 2, tag="i2")
    rows["ny"][70:] = 1  # normals turn up late
    data = ply_bytes(rows, form)
    for scene in (read_bytes(data), read_pipe(data)):
        assert_equals_rows(scene.splats, rows)
        assert list(scene.splats.extras) == ["nx", "ny", "nz", "tag"]


@settings(max_examples=60, deadline=None)
@given(
    order=st.permutations([*standard_names(1), "a", "b", "normal"]),
    codes=st.lists(st.sampled_from(sorted(PLY_TYPES)), min_size=29, max_size=29),
    form=st.sampled_from(sorted(FORMATS.values())),
    count=st.integers(0, 5),
    seed=st.integers(0, 1000),
    with_normals=st.booleans(),
)
def test_any_order_and_type(
    order: list[str], codes: list[str], form: str, count: int, seed: int, with_normals: bool
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, [(name, code) for name, code in zip(order, codes, strict=True)])
    for name in order:
        if with_normals or name not in ("nx", "ny", "nz"):
            rows[name] = rng.integers(0, 120, count) + (rng.random() if rows[name].dtype.kind == "f" else 0)
    data = ply_bytes(rows, form)
    assert_equals_rows(read_bytes(data).splats, PlyData.read(io.BytesIO(data))["vertex"].data)


@settings(max_examples=40, deadline=None)
@given(
    values=hnp.arrays(np.uint32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=17, max_side=17)),
    big=st.booleans(),
)
def test_float_bits_pass_untouched(values: np.ndarray, big: bool) -> None:
    """NaN payloads, infinities, subnormal numbers, minus zero."""
    names = standard_names(0)
    data = header(len(values), floats(), "binary_big_endian" if big else "binary_little_endian")
    data += values.astype(">u4" if big else "<u4").tobytes()
    rows = values.view(np.float32).view([(name, "f4") for name in names]).reshape(-1)
    assert_equals_rows(read_bytes(data).splats, rows)


@pytest.mark.parametrize("code", PLY_TYPES)
def test_extremes_of_every_extra_type(code: str) -> None:
    info = np.finfo(code) if code[0] == "f" else np.iinfo(code)
    for form in FORMATS.values():
        rows = made_rows(3, 0, extra=code)
        rows["extra"] = [info.min, info.max, 1]
        data = ply_bytes(rows, form)
        assert_equals_rows(read_bytes(data).splats, PlyData.read(io.BytesIO(data))["vertex"].data)


def test_sized_type_names() -> None:
    names = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
    data = header(0, floats() + [f"{name} e_{name}" for name in names])
    extras = read_bytes(data).splats.extras
    assert [str(extras[f"e_{name}"].dtype) for name in names] == names


def test_extras_may_be_called_like_our_arrays() -> None:
    rows = made_rows(4, 0, scales="u1", positions="f8", opacities="i4")
    assert_equals_rows(read_bytes(ply_bytes(rows)).splats, rows)


def test_comments_crlf_tabs() -> None:
    rows = made_rows(3, 0)
    plain = ply_bytes(rows, comments=("made by hand", "second"))
    head, _, body = plain.partition(b"end_header\n")
    head = head.replace(b"comment second\n", b"obj_info n\xc3\xa4h \xff\ncomment\n")
    head = head.replace(b"property float x", b"property\tfloat   x ")
    for end in (b"\n", b"\r\n"):
        scene = read_bytes((head + b"end_header\n").replace(b"\n", end) + body)
        assert scene.comments == ("made by hand", "näh �", "")
        assert_equals_rows(scene.splats, rows)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", " \t \n "])
@pytest.mark.parametrize("last", [True, False])
def test_ascii_line_ends(end: str, last: bool) -> None:
    lines = ["  ".join(str(17 * row + i) for i in range(17)) for row in range(3)]
    data = header(3, floats(), "ascii") + (end.join(lines) + (end if last else "")).encode()
    for scene in (read_bytes(data), read_pipe(data)):
        assert scene.splats.positions.tolist() == [[0, 1, 2], [17, 18, 19], [34, 35, 36]]
        assert scene.splats.rotations[:, 3].tolist() == [16, 33, 50]
        assert scene.trailing_bytes == 0


def nearest_float32(text: str) -> float:
    """By trying the neighbours, with exact arithmetic."""
    with np.errstate(over="ignore"):
        guess = np.float32(float(text))
    near = [guess, np.nextafter(guess, np.float32(np.inf)), np.nextafter(guess, np.float32(-np.inf))]
    # Infinity stands where the next power of two would.
    value = [Fraction(float(n)) if np.isfinite(n) else int(np.sign(n)) * Fraction(2**128) for n in near]
    bits = [int(n.view(np.uint32)) & 1 for n in near]
    distance = [abs(v - Fraction(text)) for v in value]
    best = min(range(3), key=lambda i: (distance[i], bits[i]))
    return float(near[best])


HALF_WAY = [
    "1.000000059604644775390625",  # exactly half way from 1 to the next float32
    "1.00000005960464477539062500000000000000001",
    "1.00000005960464477539062499999999999999999",
    "1.00000017881393432617187500000000000000001",
    "1.00000017881393432617187499999999999999999",
    "-1.00000005960464477539062500000000000000001",
    "-1.00000017881393432617187499999999999999999",
    "7.006492321624085354618e-46",  # half of the smallest float32
    "7.0064923216240853546186479164495806564013097093825788587853e-46",
    "7.0064923216240853546186479164495806564013097093825788587854e-46",
    "340282356779733661637539395458142568447",  # half way from the largest float32 to overflow
    "340282356779733661637539395458142568448",
    "-340282356779733661637539395458142568447",
    "1e39",
    "-1e308",
    "1e-60",
    "0.1",
]


@pytest.mark.parametrize("text", HALF_WAY)
def test_ascii_floats_are_rounded_once(text: str) -> None:
    data = header(1, floats(), "ascii") + " ".join(["0"] * 16 + [text]).encode()
    found = read_bytes(data).splats.rotations[0, 3]
    assert found == np.float32(nearest_float32(text))


def test_ascii_half_way_with_thousands_of_digits() -> None:
    text = "1.000000059604644775390625" + "0" * 6000
    for word, wanted in ((text + "0", 1), (text + "1", 1 + 2**-23)):
        data = header(1, floats(), "ascii") + " ".join(["0"] * 16 + [word]).encode()
        assert read_bytes(data).splats.rotations[0, 3] == wanted


@settings(max_examples=100, deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-1, 1), st.integers(20, 60))
def test_ascii_near_half_way(value: float, side: int, digits: int) -> None:
    low = np.float32(value)
    with np.errstate(over="ignore"):
        high = np.nextafter(low, np.float32(np.inf))
    if not np.isfinite(high):
        return
    with localcontext(prec=400):
        middle = (Decimal(float(low)) + Decimal(float(high))) / 2
        text = str(middle + side * abs(middle).scaleb(-digits))
    data = header(1, floats(), "ascii") + " ".join(["0"] * 16 + [text]).encode()
    assert read_bytes(data).splats.rotations[0, 3] == np.float32(nearest_float32(text))


@pytest.mark.parametrize("word", ["nan", "-inf", "inf", "NaN", "Infinity", "1E3", "+.5", "-0"])
def test_ascii_words(word: str) -> None:
    data = header(1, floats(), "ascii") + " ".join(["0"] * 16 + [word]).encode()
    found = read_bytes(data).splats.rotations[:, 3]
    assert found.tobytes() == np.array([float(word)], np.float32).tobytes() or np.isnan(found[0])


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        *[("float", word) for word in ("1_0", "x", "0x10", "1,5", "--1", "1e", "\u0661")],
        *[("int", word) for word in ("1.5", "2147483648", "nan", "inf")],
        *[("uchar", word) for word in ("-1", "256")],
    ],
)
def test_ascii_bad_words(kind: str, word: str) -> None:
    data = header(1, [*floats(), f"{kind} e"], "ascii") + " ".join(["0"] * 17 + [word]).encode()
    assert error_code(data) == "ply.value"


@pytest.mark.parametrize("counts", [(16,), (18,), (17, 16, 18), (17, 17, 34)])
def test_ascii_rows_are_lines(counts: tuple[int, ...]) -> None:
    text = "\n".join(" ".join(["1"] * n) for n in counts)
    assert error_code(header(3, floats(), "ascii") + text.encode() + b"\n" * 200) == "ply.value"


def test_ascii_endless_line() -> None:
    text = b"1" * (BYTES_PER_VALUE * 1024 + (1 << 20) + 1)
    assert error_code(header(1, floats(), "ascii") + text) == "ply.value"


# ---- reading: normals, defaults, other elements, trailing bytes -------------------------------------------


@pytest.mark.parametrize("value", [1.0, -0.0, np.nan])
def test_normals_that_say_something_are_extras(value: float) -> None:
    rows = made_rows(5, 0)
    rows["nz"][3] = value
    splats = read_bytes(ply_bytes(rows)).splats
    assert list(splats.extras) == ["nx", "ny", "nz"]
    assert_equals_rows(splats, rows)


def test_defaults() -> None:
    names = [n for n in standard_names(0, normals=False) if n not in ("opacity", "scale_2")]
    data = header(2, [f"float {n}" for n in names]) + np.arange(24, dtype="<f4").tobytes()
    scene = read_bytes(data)
    assert scene.missing == ("opacity", "scale_2")
    assert 1 / (1 + np.exp(-scene.splats.opacities.astype(np.float64))) == pytest.approx([0.999, 0.999])
    assert np.exp(scene.splats.scales[:, 2].astype(np.float64)) == pytest.approx([1e-6, 1e-6])
    assert scene.splats.scales[:, :2].tolist() == [[6, 7], [18, 19]]


@pytest.mark.parametrize(
    "name", [n for n in standard_names(0, normals=False) if n not in ("opacity", "scale_2")]
)
def test_required(name: str) -> None:
    data = header(0, [p for p in floats() if p != f"float {name}"])
    assert error_code(data) == "ply.missing"


@pytest.mark.parametrize("count", [1, 3, 8, 10, 12, 23, 44, 46, 48, 72])
def test_odd_numbers_of_harmonics(count: int) -> None:
    assert error_code(header(0, [*floats(), *(f"float f_rest_{i}" for i in range(count))])) == "ply.sh"


def test_harmonics_with_a_gap() -> None:
    assert error_code(header(0, [*floats(), *(f"float f_rest_{i}" for i in range(1, 10))])) == "ply.sh"


def test_point_cloud_and_compressed() -> None:
    points = [f"float {n}" for n in "xyz"] + [f"uchar {n}" for n in ("red", "green", "blue")]
    assert error_code(header(1, points) + bytes(15)) == "ply.pointcloud"
    packed = header(1, ["uint packed_position"], before="element chunk 0\nproperty float min_x")
    assert error_code(packed + bytes(4)) == "ply.compressed"


@pytest.mark.parametrize("form", FORMATS.values())
def test_other_elements(form: str) -> None:
    """Fixed-size elements around the vertices; lists after them."""
    rows = made_rows(4, 1)
    camera = np.array([(1, 2.5), (3, 4.5)], [("a", "u1"), ("b", "f8")])
    nothing = np.zeros(0, [("c", "f4")])
    face = np.array([([0, 1, 2],), ([2, 3],)], dtype=[("vertex_indices", object)])
    elements = [
        PlyElement.describe(camera, "camera"),
        PlyElement.describe(nothing, "nothing"),
        PlyElement.describe(rows, "vertex"),
        PlyElement.describe(camera, "after"),
    ]
    out = io.BytesIO()
    order = ">" if form == "binary_big_endian" else "<"
    PlyData(elements, text=form == "ascii", byte_order=order).write(out)
    for tail in (b"", b"xyz"):
        for scene in (read_bytes(out.getvalue() + tail), read_pipe(out.getvalue() + tail)):
            assert_equals_rows(scene.splats, rows)
            assert scene.trailing_bytes == len(tail)
    elements.append(PlyElement.describe(face, "face", val_types={"vertex_indices": "i4"}))
    out = io.BytesIO()
    PlyData(elements, text=form == "ascii", byte_order=order).write(out)
    for scene in (read_bytes(out.getvalue()), read_pipe(out.getvalue())):
        assert_equals_rows(scene.splats, rows)
        assert scene.trailing_bytes == 0


def test_lists() -> None:
    face = "element face 1\nproperty list uchar int i"
    assert error_code(header(0, floats(), before=face) + bytes(1)) == "ply.list"
    assert error_code(header(0, [*floats(), "list uchar int i"])) == "ply.list"
    text = header(1, floats(), "ascii", before=face) + b"3 0 1 2\n" + b"7 " * 17
    assert read_bytes(text).splats.positions.tolist() == [[7, 7, 7]]


@pytest.mark.parametrize("form", FORMATS.values())
@pytest.mark.parametrize("size", [1, 5000, 1 << 20])
def test_trailing_bytes(form: str, size: int) -> None:
    rows = made_rows(3, 0)
    data = ply_bytes(rows, form) + b"\x01" * size
    for scene in (read_bytes(data), read_pipe(data)):
        assert scene.trailing_bytes == size
        assert_equals_rows(scene.splats, rows)


def test_reading_starts_where_the_file_stands(tmp_path: Path) -> None:
    data = ply_bytes(made_rows(3, 0))
    path = tmp_path / "a.bin"
    path.write_bytes(b"before" + data)
    with open(path, "rb") as file:
        file.seek(6)
        assert len(read_ply(file).splats) == 3


def test_objects_that_only_read() -> None:
    class Drip:
        """No seek, no readinto, a few bytes at a time."""

        def __init__(self, data: bytes) -> None:
            self.file = io.BytesIO(data)

        def read(self, size: int) -> bytes:
            return self.file.read(min(size, 7))

    rows = made_rows(20, 1)
    assert_equals_rows(read_ply(Drip(ply_bytes(rows))).splats, rows)  # type: ignore[arg-type]


# ---- reading: refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS.values())
def test_truncated_anywhere(form: str) -> None:
    data = ply_bytes(made_rows(3, 0), form)
    # Who cuts into the last number of an ascii file leaves another number.
    last = data.rindex(b" ") if form == "ascii" else len(data) - 1
    ends = {*range(8, last, 13), last}
    start = data.index(b"end_header\n") + 11
    for end in sorted(ends):
        with pytest.raises(InputError) as caught:
            read_bytes(data[:end])
        # A line of ascii data may also be cut short in the middle.
        assert caught.value.code in ({"ply.truncated", "ply.value"} if end > start else {"ply.truncated"})
        if form != "ascii":
            assert error_code(data[:end]) == "ply.truncated"


def test_truncated_within_an_earlier_element() -> None:
    before = "element a 10\nproperty double d"
    assert error_code(header(0, floats(), before=before) + bytes(79)) == "ply.truncated"
    assert error_code(header(0, floats(), "ascii", before=before) + b"1\n" * 9) == "ply.truncated"


@pytest.mark.parametrize("form", FORMATS.values())
@pytest.mark.parametrize("count", [10**6, 10**15, 10**18 - 1])
def test_counts_without_data_take_no_memory(form: str, count: int) -> None:
    data = header(count, floats(), form) + b"1 " * 17 + b"\n"
    assert error_code(data) == "ply.truncated"
    before = f"element a {count}\nproperty double d"
    assert error_code(header(1, floats(), form, before=before) + b"1 " * 17) == "ply.truncated"


def test_limit() -> None:
    data = ply_bytes(made_rows(100, 0))
    assert len(read_bytes(data, max_bytes=len(data)).splats) == 100
    assert len(read_pipe(data, max_bytes=len(data)).splats) == 100
    assert error_code(data, max_bytes=len(data) - 1) == "io.limit"
    assert error_code(data + b"x", max_bytes=len(data)) == "io.limit"
    assert error_code(header(10**15, floats()) + bytes(100), max_bytes=10**9) in ("io.limit", "ply.truncated")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ply.magic"),
        (b"pl", "ply.magic"),
        (b"plyx\n", "ply.magic"),
        (b"ply\rformat ascii 1.0\r", "ply.magic"),
        (b"\x1f\x8b\x08", "ply.magic"),
        (b"\0" * 100_000, "ply.magic"),
        (b"ply\n", "ply.truncated"),
        (b"ply\nend_header\n", "ply.header"),
        (b"ply\nformat ascii 1.0\nend_header\n", "ply.header"),
        (b"ply\nformat ascii 2.0\nend_header\n", "ply.header"),
        (b"ply\nformat ascii\nend_header\n", "ply.header"),
        (b"ply\nformat binary 1.0\nend_header\n", "ply.header"),
        (b"ply\nformat ascii 1.0\nformat ascii 1.0\n", "ply.header"),
        (b"ply\nproperty float x\n", "ply.header"),
        (b"ply\nelement vertex\n", "ply.header"),
        (b"ply\nelement vertex -1\n", "ply.header"),
        (b"ply\nelement vertex 1e3\n", "ply.header"),
        (b"ply\nelement vertex " + b"9" * 5000 + b"\n", "ply.header"),
        (b"ply\nelement vertex 1\nproperty half x\n", "ply.header"),
        (b"ply\nelement vertex 1\nproperty float\n", "ply.header"),
        (b"ply\nelement vertex 1\nproperty float a b\n", "ply.header"),
        (b"ply\nelement vertex 1\nproperty list int x\n", "ply.header"),
        (b"ply\nelement vertex 1\nproperty float \xff\n", "ply.header"),
        (b"ply\nelement vertex 1\nnonsense\n", "ply.header"),
        (b"ply\n" + b"comment " + b"x" * (1 << 20), "ply.header"),
        (b"ply\n" + b"comment\n" * (1 << 17), "ply.header"),
        (header(0, [*floats(), "float x"]), "ply.header"),
        (header(0, floats(), before="element vertex 0"), "ply.header"),
    ],
)
def test_bad_headers(data: bytes, code: str) -> None:
    assert error_code(data) == code


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_give_input_errors(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(sorted(FORMATS.values())))
    damaged = bytearray(ply_bytes(made_rows(2, 0), form))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        scene = read_bytes(bytes(damaged))
    except InputError:
        return
    assert len(scene.splats) <= 2


def test_paths(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.ply", tmp_path):
        with pytest.raises(InputError) as caught:
            read_ply(path)
        assert caught.value.code == "io.read"
        assert str(path) in str(caught.value)
    with pytest.raises(UsageError):
        read_ply(io.StringIO("ply\n"))  # type: ignore[arg-type]


def test_wide_headers_are_fast_enough() -> None:
    data = header(1, [*floats(), *(f"uchar e{i}" for i in range(40_000))]) + bytes(17 * 4 + 40_000)
    assert len(read_bytes(data).splats.extras) == 40_000


# ---- writing ----------------------------------------------------------------------------------------------


def written(*args: object, **options: object) -> bytes:
    out = io.BytesIO()
    assert write_ply(out, *args, **options) == len(out.getvalue())  # type: ignore[arg-type]
    return out.getvalue()


def test_header_is_exact() -> None:
    splats = made_splats(2, 1, tag=np.zeros(2, np.uint8), feature=np.zeros((2, 2), np.float64))
    rest = "".join(f"property float f_rest_{i}\n" for i in range(9))
    common = (
        f"property float f_dc_0\nproperty float f_dc_1\nproperty float f_dc_2\n{rest}property float opacity\n"
    )
    common += "".join(f"property float scale_{i}\n" for i in range(3))
    common += "".join(f"property float rot_{i}\n" for i in range(4))
    common += "property uchar tag\nproperty double feature_0\nproperty double feature_1\nend_header\n"
    start = "ply\nformat binary_little_endian 1.0\nelement vertex 2\n"
    start += "property float x\nproperty float y\nproperty float z\n"
    normals = "property float nx\nproperty float ny\nproperty float nz\n"
    assert ply_header(splats).decode() == start + normals + common
    assert ply_header(splats, layout="compact").decode() == start + common
    assert written(splats) == ply_header(splats) + ply_rows(splats).tobytes()


@pytest.mark.parametrize("layout", ["inria", "compact"])
@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("count", [0, 1, 37])
@pytest.mark.usefixtures("small_blocks")
def test_written_files_read_back(layout: str, degree: int, count: int) -> None:
    rng = np.random.default_rng(count)
    extras = {code: rng.integers(0, 99, count).astype(code) for code in PLY_TYPES}
    splats = made_splats(count, degree, **extras)
    data = written(splats, layout=layout)
    scene = read_bytes(data)
    assert_same(scene.splats, splats)
    assert scene.comments == ()
    oracle = PlyData.read(io.BytesIO(data))["vertex"].data
    assert list(oracle.dtype.names) == standard_names(degree, layout == "inria") + list(PLY_TYPES)
    assert_equals_rows(splats, oracle)


def test_what_plyfile_writes_we_write() -> None:
    rows = made_rows(11, 3)
    data = ply_bytes(rows)
    assert written(read_bytes(data).splats) == data


def test_normals_take_their_places() -> None:
    rows = made_rows(9, 2, tag="u2")
    rows["nx"], rows["ny"] = 1, np.arange(9)
    data = ply_bytes(rows)
    splats = read_bytes(data).splats
    assert written(splats) == data
    # The compact layout leaves out placeholders, not data.
    assert_same(read_bytes(written(splats, layout="compact")).splats, splats)
    one = made_splats(2, 0, ny=np.array([1, 2], np.int8))
    names = [name for name, _ in read_bytes(written(one)).properties]
    assert names == standard_names(0)
    assert read_bytes(written(one)).splats.extras["ny"].dtype == np.int8


def test_columns_and_byte_orders_of_extras() -> None:
    wide = np.arange(12, dtype=">u2").reshape(4, 3)
    splats = made_splats(4, 0, wide=wide, none=np.zeros((4, 0), np.uint8), strided=np.arange(8.0)[::2])
    back = read_bytes(written(splats)).splats
    assert list(back.extras) == ["wide_0", "wide_1", "wide_2", "strided"]
    assert back.extras["wide_1"].tolist() == [1, 4, 7, 10]
    assert back.extras["wide_1"].dtype == np.uint16


@pytest.mark.parametrize("lengths", [(), (0,), (5,), (3, 0, 4), (0, 30, 1)])
@pytest.mark.usefixtures("small_blocks")
def test_streamed_blocks(lengths: tuple[int, ...]) -> None:
    total = sum(lengths)
    splats = made_splats(total, 1, tag=np.arange(total, dtype=np.int32))
    ends = np.cumsum(lengths, dtype=int)
    blocks = (splats.take(np.arange(end - n, end)) for end, n in zip(ends, lengths, strict=True))
    if not lengths:
        splats = made_splats(0, 1)
    assert written(blocks, count=total, sh_degree=1) == written(splats)


def test_degree_cut_and_filled() -> None:
    splats = made_splats(5, 2)
    low = read_bytes(written(splats, sh_degree=1)).splats
    assert low.sh_rest.tobytes() == splats.sh_rest[:, :3].tobytes()
    high = read_bytes(written(splats, sh_degree=3)).splats
    assert high.sh_rest[:, :8].tobytes() == splats.sh_rest.tobytes()
    assert not high.sh_rest[:, 8:].any()


def unwritable() -> list[tuple[object, dict[str, object], str]]:
    def extra(**extras: np.ndarray) -> Splats:
        return made_splats(2, 0, **extras)

    ones = np.ones(2, np.float32)
    return [
        (extra(), {"layout": "other"}, "ply.layout"),
        (extra(), {"sh_degree": 4}, "usage.sh_degree"),
        ([], {"sh_degree": 4, "count": 0}, "usage.sh_degree"),
        (extra(), {"count": 3}, "ply.count"),
        (extra(), {"count": 1}, "ply.count"),
        ([extra()], {}, "ply.count"),
        ([extra(), extra()], {"count": 5}, "ply.count"),
        ([extra(), extra()], {"count": 3}, "ply.count"),
        ([extra(), extra(a=ones)], {"count": 4}, "ply.blocks"),
        ([extra(a=ones), extra(a=ones.astype(int).astype("i4"))], {"count": 4}, "ply.blocks"),
        ([extra(), made_splats(2, 1)], {"count": 4}, "ply.blocks"),
        (extra(x=ones), {}, "ply.name"),
        (extra(f_dc=np.ones((2, 1), np.float32)), {}, "ply.name"),
        (extra(**{"a b": ones}), {}, "ply.name"),
        (extra(**{"": ones}), {}, "ply.name"),
        (extra(ä=ones), {}, "ply.name"),
        (extra(a=np.ones((2, 1), np.float32), a_0=ones), {}, "ply.name"),
        (extra(a=np.ones(2, np.int64)), {}, "ply.type"),
        (extra(a=np.ones(2, np.float16)), {}, "ply.type"),
        (extra(a=np.ones(2, bool)), {}, "ply.type"),
    ]


@pytest.mark.parametrize(("what", "options", "code"), unwritable())
def test_unwritable(what: object, options: dict[str, object], code: str, tmp_path: Path) -> None:
    path = tmp_path / "out.ply"
    with pytest.raises(UsageError) as caught:
        write_ply(path, what, **options)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_sinks_that_take_a_little_at_a_time(tmp_path: Path) -> None:
    class Sip(io.RawIOBase):
        def __init__(self) -> None:
            self.taken = bytearray()

        def write(self, data: memoryview) -> int:  # type: ignore[override]
            self.taken += data[:1000]
            return min(len(data), 1000)

    splats = made_splats(50)
    sip = Sip()
    size = write_ply(sip, splats)  # type: ignore[arg-type]
    assert bytes(sip.taken) == written(splats)
    assert write_ply(tmp_path / "a.ply", splats) == size
    assert (tmp_path / "a.ply").read_bytes() == sip.taken


# ---- real files -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SCENES.is_dir(), reason="no real scenes here")
@pytest.mark.parametrize("path", sorted(SCENES.rglob("*.ply")), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_real_scenes(path: Path) -> None:
    if path.name.endswith(".compressed.ply"):
        with pytest.raises(InputError) as caught:
            read_ply(path)
        assert caught.value.code == "ply.compressed"
        return
    scene = read_ply(path)
    assert_equals_rows(scene.splats, PlyData.read(str(path))["vertex"].data)
    declared = path.stat().st_size - scene.trailing_bytes
    with open(path, "rb") as file:
        assert written(scene.splats) == file.read(declared)
