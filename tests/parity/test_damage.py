"""Damaged files: both decoders report the same error, or decode the same; never another exception."""

from __future__ import annotations

import hashlib
import random
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import fixup
import pytest
import streams
from both import ROOT, fast, reference, vector_data

import gscodec
from gscodec.errors import LimitError, StreamError

WORDS = [b"\0" * 4, b"\xff" * 4, b"\0\0\0\x80", b"\1\0\0\0", b"\xff\xff\0\0"]
BASES = {
    "hello": vector_data("baseline", "hello"),
    "three": vector_data("baseline", "three_splats"),
    "octrees": vector_data("baseline", "octrees_chunks"),
    "extras": vector_data("baseline", "extras_normals"),
    "cells": vector_data("uncommon", "rotation_cells"),
    **{f"seed {seed}": streams.file_from_seed(seed, 12).data for seed in (6, 14, 19, 23, 31)},
    **{f"set {seed}": streams.file_from_seed(seed, 12, is_built_in=True).data for seed in (2, 4, 7, 12)},
}


def damaged(data: bytes, dice: random.Random) -> bytes:
    """A few bytes changed in one section, most of them in the payloads of PARM and CHNK."""
    out = bytearray(data)
    spans = [(start, end) for id, _, start, end in fixup.sections(data) if id in (b"PARM", b"CHNK")]
    start, end = dice.choice(spans)
    if dice.random() < 0.1:
        start, end = 0, len(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        if dice.random() < 0.4:
            end = min(end, start + 80)  # the fields
        at = dice.randrange(start, end)
        kind = dice.randrange(4)
        if kind == 0:
            out[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            out[at] = dice.choice((0, 1, 255, dice.randrange(256)))
        elif kind == 2:
            word = dice.choice(WORDS)
            out[at : at + 4] = word[: max(0, len(out) - at)]
        else:
            other = dice.randrange(start, end)
            out[at], out[other] = out[other], out[at]
    return bytes(out)


def resized(data: bytes, dice: random.Random) -> bytes:
    """A payload shorter or longer, its length in step."""
    places = [place for place in fixup.sections(data) if place[0] in (b"PARM", b"CHNK")]
    id, start, payload, end = dice.choice(places)
    cut = dice.randrange(end - payload + 1)
    body = data[payload:end]
    filler = dice.randbytes(dice.randrange(9)) if dice.random() < 0.5 else b""
    body = body[:cut] + filler + (body[cut:] if filler else b"")
    return data[:start] + fixup.section(id, body) + data[end + 4 :]


@pytest.mark.parametrize("name", BASES)
def test_decoders_agree(name: str) -> None:
    dice = random.Random(name)
    seen: dict[str, int] = {}
    for _ in range(40):
        change = resized if dice.random() < 0.15 else damaged
        data = fixup.fix_checksums(change(BASES[name], dice))
        start = time.monotonic()
        found = fast(data)
        assert time.monotonic() - start < 10
        assert found == reference(data), data.hex()
        key = "valid" if isinstance(found, bytes) else found[1]
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) >= 3, seen


def test_every_truncation_is_truncated() -> None:
    data = vector_data("baseline", "octrees_chunks")
    lengths = sorted({*range(300), *range(300, len(data), 97), len(data) - 1})
    for length in lengths:
        expected = ("Truncated", "container.truncated", "2.2", length)
        assert fast(data[:length]) == expected
        assert reference(data[:length]) == expected


def test_every_flipped_byte_is_an_error() -> None:
    data = vector_data("baseline", "three_splats")
    assert isinstance(fast(data), bytes)
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        found = fast(flipped)
        assert isinstance(found, tuple), at
        assert found == reference(flipped), at


# ------------------------------------------------------------ memory


def peak_of(data: bytes, **options: int) -> tuple[int, StreamError | None]:
    """The most memory that decoding takes, and its error."""
    tracemalloc.start()
    try:
        gscodec.decode(data, threads=1, **options)
    except StreamError as error:
        return tracemalloc.get_traced_memory()[1], error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, None


@pytest.mark.parametrize(
    "name",
    [
        "limit_splats_enormous",
        "limit_decoded_bytes",
        "limit_stream_symbols",
        "limit_section_bytes",
        "limit_sections_of_index",
        "limit_chunk_splats",
        "chunk_word_count",
        "range_opacity",
    ],
)
def test_claims_take_no_memory(name: str) -> None:
    data = vector_data("faulty", name)
    peak, error = peak_of(data)
    assert error is not None
    # that of limit_stream_symbols is within its level until the chunk is looked at
    assert peak < (100 << 20 if name == "limit_stream_symbols" else 1 << 20), peak


def test_counts_that_are_allowed_take_no_memory_before_chunks_are_there() -> None:
    data = vector_data("baseline", "hello")
    claimed = fixup.fix_checksums(data[:36] + struct.pack("<Q", 2**24) + data[44:])
    peak, error = peak_of(claimed)
    assert error is not None
    assert error.code == "container.count"
    assert peak < 1 << 20


def test_caller_limits() -> None:
    data = vector_data("uncommon", "crowd")
    for limit in ({"max_splats": 65_535}, {"max_bytes": 65_536 * 56 - 1}):
        peak, error = peak_of(data, **limit)
        assert isinstance(error, LimitError)
        assert peak < 1 << 20
    peak, error = peak_of(data, max_splats=65_536, max_bytes=65_536 * 56)
    assert error is None
    assert peak < 40 << 20


RESIDENT = """
import pathlib, resource, sys
sys.path.insert(0, sys.argv[2])
import gscodec
gscodec.decode(pathlib.Path(sys.argv[1], "baseline/sh3.gsc").read_bytes(), threads=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(pathlib.Path(sys.argv[1], "faulty").iterdir()):
    try:
        gscodec.decode(path.read_bytes(), threads=1)
    except gscodec.GscError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has its own unit on each system")
def test_faulty_files_take_no_memory_from_the_system() -> None:
    """The native code, too: what tracemalloc does not see."""
    package = Path(gscodec.__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-P", "-c", RESIDENT, str(ROOT / "conformance/vectors"), str(package)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert int(done.stdout) < 20 << 10, done.stdout  # KiB


def test_hash_of_a_file_is_that_of_its_bytes() -> None:
    """The checksums of a file do not hide behind `fix_checksums`: it changes nothing of a valid file."""
    for data in BASES.values():
        assert hashlib.sha256(fixup.fix_checksums(data)).digest() == hashlib.sha256(data).digest()
