"""Damaged lossless files: both decoders report the same error, or give the same bytes."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import fixup
import lossless
import numpy as np
import pytest
from both import fast, reference, vector_data

from gscodec._generated import extra_types
from gscodec.encode.lossless import _encode_rows, encode_ply
from gscodec.errors import LimitError
from gscodec.limits import Limits
from gscodec.lossless import Column, Description, read_lossless, write_lossless
from gscodec.lossless.description import DECIMALS, TEXT
from gscodec.lossless.rows import words_from_values

SMALL = {name: vector_data("baseline", f"lossless_{name}") for name in ("few", "text", "empty")}
BASES = {**SMALL, **{f"seed {seed}": lossless.file_from_seed(seed) for seed in (11, 12, 13, 14, 15, 16)}}


@pytest.mark.parametrize("seed", range(100, 140))
def test_random_files(seed: int) -> None:
    data = lossless.file_from_seed(seed)
    found = reference(data)
    assert isinstance(found, bytes), found
    assert fast(data) == found


@pytest.mark.parametrize("name", ["seed 11", "seed 13", "few"])
def test_every_flipped_byte_without_checksums(name: str) -> None:
    data = BASES[name]
    codes = set()
    for at in range(len(data)):
        for bit in (0x01, 0x80) if len(data) < 900 else (1 << at % 8,):
            flipped = bytearray(data)
            flipped[at] ^= bit
            found = fast(bytes(flipped), verify=False)
            assert found == reference(bytes(flipped), verify=False), (at, bit)
            codes.add("valid" if isinstance(found, bytes) else found[1])
    assert len(codes) > 5, codes


@pytest.mark.parametrize("name", ["seed 12", "few"])
def test_every_flipped_byte_is_an_error(name: str) -> None:
    data = BASES[name]
    for at in range(0, len(data), 1 + len(data) // 300):
        flipped = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        found = fast(flipped)
        assert isinstance(found, tuple), at
        assert found == reference(flipped), at


def test_every_truncation_is_an_error() -> None:
    data = SMALL["few"]
    for length in range(0, len(data), 7):
        expected = ("Truncated", "container.truncated", "2.2", length)
        assert fast(data[:length]) == reference(data[:length]) == expected


@pytest.mark.parametrize("name", BASES)
def test_decoders_agree(name: str) -> None:
    dice = random.Random(name)
    data = BASES[name]
    spans = [(start, end) for id, _, start, end in fixup.sections(data) if id != b"ENDM"]
    for _ in range(60):
        out = bytearray(data)
        start, end = dice.choice(spans)
        for _ in range(dice.choice((1, 1, 2, 4))):
            at = dice.randrange(start, min(end, start + dice.choice((60, 10**6))))
            out[at] = dice.choice((0, 1, 255, out[at] ^ 1 << dice.randrange(8), dice.randrange(256)))
        changed = fixup.fix_checksums(bytes(out))
        assert fast(changed) == reference(changed), changed.hex()


def test_one_section_too_many() -> None:
    """(2.5) LPLY and 2^16 others; a vector would have more than a megabyte."""
    start = next(start for id, start, _, _ in fixup.sections(SMALL["empty"]) if id == b"ENDM")
    other = fixup.section(b"ZZZZ", b"", 0)
    allowed = SMALL["empty"][:start] + other * ((1 << 16) - 1)
    end = SMALL["empty"][start:]
    empty = reference(SMALL["empty"])
    assert fast(fixup.fix_checksums(allowed + end)) == reference(fixup.fix_checksums(allowed + end)) == empty
    expected = ("LimitError", "limit.sections", "2.5", len(allowed))
    assert fast(allowed + other + end) == reference(allowed + other + end) == expected


def test_what_the_caller_allows() -> None:
    data = SMALL["few"]
    for limits in (Limits.of_caller(max_splats=2), Limits.of_caller(max_bytes=100)):
        with pytest.raises(LimitError):
            read_lossless(data, limits=limits)


def test_much_more_text_than_stated() -> None:
    """A value can be 330 letters long: the size of the file bounds how many are put together."""
    rows, columns = 1 << 14, 16
    about = Description(
        file_bytes=1000,
        row_count=rows,
        head_bytes=0,
        tail_bytes=0,
        crc=0,
        form=TEXT,
        notation=DECIMALS,
        digits=18,
        columns=(Column(type=extra_types.F64),) * columns,
        packed=zlib.compress(b""),
    )
    values = [np.full(rows, 1e308).view(np.uint64)] * columns
    model, blocks = _encode_rows(words_from_values(values), about, lambda _stage, _share: None)
    data = write_lossless(about, model, blocks)
    tracemalloc.start()
    try:
        assert fast(data) == ("Malformed", "lossless.text", "11.5", 36)
        assert tracemalloc.get_traced_memory()[1] < 4 * rows * columns + (20 << 20)
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("error")
def test_the_greatest_numbers_as_text() -> None:
    text = "".join(f"{value}\n" for value in (3.4028235e38, -3.4028235e38, 1e-45, float("inf"), float("nan")))
    data = b"ply\nformat ascii 1.0\nelement vertex 5\nproperty float x\nend_header\n" + text.encode()
    result = encode_ply(data, smallest=False)
    assert result.report["form"] == "text"
    assert fast(result.data) == reference(result.data) == data
