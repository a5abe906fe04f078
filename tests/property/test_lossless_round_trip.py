"""Whatever a PLY file holds, the lossless profile gives back every byte of it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gscodec.encode.lossless import encode_ply
from gscodec.errors import InputError
from gscodec.lossless import read_lossless
from gscodec.reference.lossless import read_lossless as read_by_reference
from gscodec.reference.lossless_ply import ply_from_lossless

TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
TYPES |= {"float": "f4", "double": "f8", "float32": "f4"}
NOTATIONS = ("%.6g", "%.9g", "%g", "%.6f", "%.3f", "%r", "%.18g", "%e")


def back(data: bytes) -> bytes:
    return b"".join(read_lossless(data).pieces())


@st.composite
def plys(draw: st.DrawFn) -> bytes:
    """Binary and ASCII files: columns of any type that repeat, drift or are noise; things around."""
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    form = draw(st.sampled_from(["binary_little_endian", "binary_big_endian", "ascii"]))
    count = draw(st.sampled_from([0, 1, 2, 7, 60, 700]))
    kinds = draw(st.lists(st.sampled_from([*TYPES, "float", "float"]), min_size=1, max_size=9))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    columns = [column(dice, TYPES[kind], count, draw(st.integers(0, 5))) for kind in kinds]
    lines = ["ply", f"format {form} 1.0", "comment  two  spaces \xe9", f"element vertex {count}"]
    lines += [f"property {kind} p{i}" for i, kind in enumerate(kinds)]
    if draw(st.booleans()):
        lines += ["element other 1", "property list uchar int i"]
    head = end.join([*lines, "end_header", ""]).encode()
    if form == "ascii":
        notation = draw(st.sampled_from(NOTATIONS))
        last = draw(st.sampled_from(["\n", " \n", "\r\n", "\n\n"]))
        rows = zip(*(c.tolist() for c in columns), strict=True)
        text = (
            " ".join(notation % v if isinstance(v, float) else str(v) for v in row) + last for row in rows
        )
        body = "".join(text).encode()
    else:
        order = ">" if form.endswith("big_endian") and "big" in form else "<"
        table = np.zeros(count, [(f"p{i}", order + TYPES[kind]) for i, kind in enumerate(kinds)])
        for i, values in enumerate(columns):
            table[f"p{i}"] = values
        body = table.tobytes()
    cut = draw(st.sampled_from([0, 0, 0, 1, 9]))
    body = body[: max(0, len(body) - cut)]
    return head + body + draw(st.sampled_from([b"", b"\n", b"\0\1\2 trailing"]))


def column(dice: np.random.Generator, kind: str, count: int, shape: int) -> np.ndarray:
    dtype = np.dtype(kind)
    bits = dice.integers(0, 256, count * dtype.itemsize, dtype=np.uint8).view(dtype)
    if dtype.kind != "f":
        steps = np.arange(count).astype(dtype)
        return [bits, steps, bits[:1].repeat(count), np.where(steps % 3, bits[:1].repeat(count), bits)][
            shape % 4
        ]
    noise = dice.normal(size=count).astype(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        return [
            bits,
            noise,
            noise * dtype.type(1e-30) + 5,
            np.where(noise > 0, noise, 0).astype(dtype),
            dice.choice(noise, count) if count else noise,
            np.cumsum(noise.astype(np.float16)).astype(dtype),
        ][shape]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plys(), st.booleans())
def test_every_byte_comes_back(ply: bytes, smallest: bool) -> None:
    result = encode_ply(ply, smallest=smallest)
    assert back(result.data) == ply
    if len(ply) < 5000:
        assert ply_from_lossless(read_by_reference(result.data)) == ply


HEAD = b"ply\nformat binary_little_endian 1.0\n"
ODD = {
    "a header over 1 MiB": HEAD
    + b"comment "
    + bytes(1 << 20)
    + b"\nelement vertex 1\nproperty float x\nend_header\n1234",
    "duplicate names": HEAD + b"element vertex 1\nproperty float x\nproperty float x\nend_header\n12345678",
    "unknown types": HEAD + b"element vertex 1\nproperty int64 x\nend_header\n12345678",
    "bare carriage returns": HEAD.replace(b"\n", b"\r")
    + b"element vertex 1\rproperty uchar x\rend_header\r7",
    "a header that is cut off": HEAD + b"element ver",
    "nothing but the first line": b"ply",
    "a blank after ply": HEAD.replace(b"ply", b"ply ", 1) + b"end_header\n",
    "another version": b"ply\nformat ascii 1.1\nend_header\n",
}


@pytest.mark.parametrize("ply", ODD.values(), ids=ODD)
def test_what_has_no_readable_header_is_kept_as_a_whole(ply: bytes) -> None:
    result = encode_ply(ply)
    assert result.report["note"]
    assert result.report["form"] == "packed"
    assert back(result.data) == ply == ply_from_lossless(read_by_reference(result.data))


def test_rows_of_too_many_columns_are_kept_as_a_whole() -> None:
    ply = HEAD + b"element vertex 1\n" + b"".join(b"property uchar p%d\n" % i for i in range(300))
    ply += b"end_header\n" + bytes(300)
    result = encode_ply(ply)
    assert "256" in result.report["note"]
    assert back(result.data) == ply


@pytest.mark.parametrize("ply", [b"", b"plyx\n", b"PLY\n", b"\nply\n", b"glTF"])
def test_what_is_no_ply_is_an_error(ply: bytes) -> None:
    with pytest.raises(InputError) as caught:
        encode_ply(ply)
    assert caught.value.code == "ply.magic"


@pytest.mark.parametrize("count", [1, 40, 30_000])
def test_rows_that_cost_more_than_the_whole(count: int) -> None:
    """Tiny files, for which a model costs too much, and noise, which has none."""
    noise = np.random.default_rng(4).integers(0, 256, count * 48, dtype=np.uint8).tobytes()
    head = HEAD + b"element vertex %d\n" % count + b"".join(b"property float p%d\n" % i for i in range(12))
    ply = head + b"end_header\n" + noise
    found, modelled = encode_ply(ply), encode_ply(ply, smallest=False)
    assert len(found.data) < len(modelled.data)
    assert len(found.data) < len(noise) * 1.001 + 400
    assert found.report["whole_is_smaller"]
    assert found.report["note"] is None
    assert back(found.data) == ply == ply_from_lossless(read_by_reference(found.data))


def test_repeats_are_found_and_cost_little() -> None:
    dice = np.random.default_rng(1)
    rows = dice.normal(size=(3000, 12)).astype("<f4")
    rows[1500:, :8] = rows[dice.integers(0, 1500, 1500), :8]
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex 3000\n"
    head += b"".join(b"property float p%d\n" % i for i in range(12)) + b"end_header\n"
    data = encode_ply(head + rows.tobytes()).data
    assert back(data) == head + rows.tobytes()
    assert len(data) < 3000 * 36  # of 48 bytes a row, 16 repeat


def test_predicted_columns_cost_little() -> None:
    dice = np.random.default_rng(2)
    first = dice.normal(size=4000)
    columns = [first + dice.normal(size=4000) * 1e-4 for _ in range(6)]
    rows = np.stack([first, *columns], 1).astype("<f4")
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex 4000\n"
    head += b"".join(b"property float p%d\n" % i for i in range(7)) + b"end_header\n"
    data = encode_ply(head + rows.tobytes()).data
    assert back(data) == head + rows.tobytes()
    assert len(data) < 4000 * 17  # of 28 bytes a row


def test_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["gscodec.encode.lossless"], "MAX_ROWS", 100)
    rows = np.random.default_rng(3).normal(size=(950, 5)).astype("<f4")
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex 950\n"
    head += b"".join(b"property float p%d\n" % i for i in range(5)) + b"end_header\n"
    data = encode_ply(head + rows.tobytes()).data
    found = read_lossless(data)
    assert len(found.blocks) == 10
    assert back(data) == head + rows.tobytes() == ply_from_lossless(read_by_reference(data))
