"""Orders, texts and error bounds: whatever goes in comes out, and stays within what was stated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import gscodec
from gscodec._generated import extra_types
from gscodec.attributes import extras
from gscodec.container import ExtraAttribute, Metadata, Thumbnail, write_metadata, write_thumbnail
from gscodec.container.metadata import MetadataReader
from gscodec.container.thumbnail import read_thumbnail
from gscodec.encode.further import bound_of, metadata_sections, stepped_extra
from gscodec.errors import EncodeError, StreamError, UsageError
from gscodec.geometry import permutation
from gscodec.geometry.permutation import read_permutation, write_permutation
from gscodec.io.offset import auto_offset, is_offset, offset_comment, relative, stated_offset
from gscodec.limits import Limits
from gscodec.reference.container import Section
from gscodec.reference.extras import patterns
from gscodec.reference.permutation import read_permutation as reference_permutation

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.sampled_from(("random", "near", "same", "turned")))
def test_permutations(count: int, seed: int, kind: str) -> None:
    dice = np.random.default_rng(seed)
    ranks = {
        "random": dice.permutation(count),
        "near": np.argsort(np.arange(count) + dice.normal(0, 2, count)),
        "same": np.arange(count),
        "turned": np.roll(np.arange(count)[::-1], 5),
    }[kind]
    payload = write_permutation(ranks)
    assert (read_permutation(memoryview(payload), 0, count) == ranks).all()
    assert reference_permutation(Section(b"PERM", 0, -16, payload, 0), count) == ranks.tolist()


@pytest.mark.parametrize("count", [permutation.BLOCK - 1, permutation.BLOCK, permutation.BLOCK + 1, 200_000])
def test_long_permutations(count: int) -> None:
    ranks = np.random.default_rng(count).permutation(count)
    payload = write_permutation(ranks)
    assert (read_permutation(memoryview(payload), 0, count) == ranks).all()
    assert len(payload) < count * (math.log2(count) + 0.2) / 8
    assert len(write_permutation(np.arange(count))) < 120


@given(st.binary(max_size=120), st.integers(0, 20))
def test_any_bytes_are_a_permutation_or_an_error(payload: bytes, count: int) -> None:
    for data in (payload, count.to_bytes(8, "little") + payload):
        found = error_of(lambda data=data: read_permutation(memoryview(data), 1000, count))
        if isinstance(found, StreamError):
            assert (found.offset or 0) >= 1000
        else:
            assert sorted(found.tolist()) == list(range(count))


def error_of(read: Callable[[], Any]) -> Any:
    """What is read, or why it cannot be read; any other exception gets through."""
    try:
        return read()
    except StreamError as error:
        return error


@given(st.lists(st.tuples(st.sampled_from(("comment", "json", "xmp")), TEXTS), max_size=5))
def test_texts(given_texts: list[tuple[str, str]]) -> None:
    reader = MetadataReader(Limits.of_level(1))
    for kind, text in given_texts:
        reader.add(memoryview(write_metadata(Metadata(kind=kind, text=text))), 0)
    assert [(each.kind, each.text) for each in reader.found] == given_texts


@given(st.binary(max_size=80))
def test_any_bytes_are_metadata_or_an_error(payload: bytes) -> None:
    for data in (payload, b"\0\1\0\0" + payload, b"\1\0\0\0" + payload):
        reader = MetadataReader(Limits.of_level(1))
        found = error_of(lambda data=data, reader=reader: reader.add(memoryview(data), 0))
        assert found is None or found.code.startswith(("meta.", "limit.meta"))
        found = error_of(lambda data=data: read_thumbnail(memoryview(data), 0))
        assert isinstance(found, Thumbnail) or found.code.startswith("thmb.")


def test_what_cannot_be_stored_is_refused() -> None:
    with pytest.raises(UsageError, match="kind"):
        write_metadata(Metadata(kind="yaml", text=""))
    with pytest.raises(UsageError, match="surrogate"):
        write_metadata(Metadata(kind="json", text="\ud800"))
    with pytest.raises(EncodeError, match="at most"):
        write_metadata(Metadata(kind="json", text=" " * ((1 << 24) + 1)))
    with pytest.raises(EncodeError, match="64"):
        metadata_sections([Metadata(kind="json", text="")] * 65)
    with pytest.raises(EncodeError, match="bytes of metadata"):
        metadata_sections([Metadata(kind="json", text=" " * (1 << 23))] * 3)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, width, data in (("gif", 1, png), ("webp", 1, png), ("png", 0, png), ("png", 65_536, png)):
        with pytest.raises(UsageError):
            write_thumbnail(Thumbnail(kind=kind, width=width, height=1, data=data))


REALS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=300)
@given(
    arrays.arrays(np.float32, st.tuples(st.integers(0, 12), st.integers(1, 3)), elements=REALS),
    st.floats(1e-320, 1e300, allow_subnormal=True),
    st.booleans(),
)
def test_steps_keep_the_error(array: np.ndarray, error: float, is_double: bool) -> None:
    kind = extra_types.F64 if is_double else extra_types.F32
    given_array = array.astype(extras.DTYPES[kind]) * (1e-3 if is_double else 1)
    extra = ExtraAttribute(id=64, name="a", type=kind, components=array.shape[1])
    stepped = stepped_extra(extra, given_array, error)
    if stepped is None:
        return
    words = extras.to_words(stepped, given_array)
    found = extras.values(stepped, words)
    assert found.dtype == given_array.dtype
    difference = np.abs(found.reshape(array.shape).astype(np.float64) - given_array.astype(np.float64))
    assert (difference <= error).all()
    rows = [patterns(row, stepped) for row in words.tolist()]
    bits = np.ascontiguousarray(found).reshape(array.shape).view(f"<u{found.dtype.itemsize}")
    assert rows == bits.tolist()


def test_steps_are_as_coarse_as_they_may_be() -> None:
    values = np.linspace(-3, 5, 1000)
    for error in (0.5, 1e-3, 0.25):
        extra = ExtraAttribute(id=64, name="a", type=extra_types.F64)
        stepped = stepped_extra(extra, values, error)
        assert stepped is not None
        assert 1.99 * error < math.ldexp(stepped.mantissa, stepped.exponent) <= 2 * error
    assert stepped_extra(extra, np.array([1e12]), 1e-6) is None
    assert stepped_extra(extra, np.array([1.0, np.inf]), 1.0) is None


def test_names_and_patterns_of_error_bounds() -> None:
    errors = {"*": 3.0, "a_*": 2.0, "a_1": 1.0}
    assert [bound_of(name, errors) for name in ("a_1", "a_2", "b")] == [1.0, 3.0, 3.0]
    assert bound_of("b", {"a*": 1.0}) == 0


@given(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3))
def test_comments_of_offsets(offset: tuple[float, float, float]) -> None:
    comment = offset_comment(offset)
    assert is_offset(comment)
    assert stated_offset(["offset 1 2 3", comment, "no offset 1 2"]) == offset


def test_offsets_that_are_found() -> None:
    dice = np.random.default_rng(0)
    near = dice.normal(0, 40, (500, 3))
    assert auto_offset(near) == (0, 0, 0)
    assert auto_offset(near + np.array([300, 0, 0])) == (0, 0, 0)
    far = near + np.array([431_234.5, 5e6, 100])
    x, y, z = auto_offset(far)
    assert (x % 100, y % 100, z % 100) == (0, 0, 0)
    assert np.abs(relative(far, (x, y, z))).max() < 400
    assert auto_offset(np.zeros((0, 3))) == (0, 0, 0)
    assert auto_offset(np.full((4, 3), np.nan)) == (0, 0, 0)
    assert auto_offset(np.full((4, 3), 1e6)) == (1e6, 1e6, 1e6)


def test_offset_of_arrays() -> None:
    dice = np.random.default_rng(1)
    means = dice.normal(0, 1, (40, 3)) + np.array([4e5, 5e6, 0])
    given_arrays = {
        "means": means,
        "scales": np.full((40, 3), -3.0),
        "quats": np.tile([1.0, 0, 0, 0], (40, 1)),
        "opacities": np.ones(40),
        "sh0": dice.normal(0, 1, (40, 1, 3)),
    }
    data, order = gscodec.encode(given_arrays, effort=1, offset="auto", return_order=True)
    offset = gscodec.scene_offset(data)
    assert np.abs(gscodec.decode(data).positions + np.array(offset) - means[order]).max() < 0.01
    data, order = gscodec.encode(
        given_arrays, effort=1, offset=(4e5, 5e6, 1), keep_order=True, return_order=True
    )
    assert (order == np.arange(40)).all()
    assert np.abs(gscodec.decode(data).positions + np.array((4e5, 5e6, 1)) - means).max() < 0.01
    with pytest.raises(UsageError, match="offset"):
        gscodec.encode(given_arrays, offset="far")  # type: ignore[arg-type]
