"""(2) Every rule, broken: both readers raise the same class, code, clause and offset."""

from __future__ import annotations

import csv
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from container_samples import (
    ROOT,
    assert_same_content,
    empty,
    file_mode,
    fixup,
    read_fast,
    read_reference,
    scene,
    stream_mode,
)
from test_container_roundtrip import stream_with_index

FILE, STREAM, EMPTY, INDEXED = file_mode(), stream_mode(), empty(), stream_with_index()
META, LATN = fixup.section(b"META", b"", 0), fixup.section(b"LATN", b"")
NAN = struct.pack("<f", float("nan"))


def place(data: bytes, id: bytes, number: int = 0) -> int:
    """Where the payload of a section is."""
    return [payload for name, _, payload, _ in fixup.sections(data) if name == id][number]


def put(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def at(
    id: bytes, position: int, value: bytes | int, number: int = 0, base: bytes = FILE
) -> tuple[bytes, int]:
    """A file with a changed field, and where that field is."""
    offset = place(base, id, number) + position
    return put(base, offset, bytes([value]) if isinstance(value, int) else value), offset


def insert(base: bytes, before: bytes, section: bytes) -> tuple[bytes, int]:
    offset = place(base, before) - 16
    return base[:offset] + section + base[offset:], offset


def resize(base: bytes, id: bytes, change: Callable[[bytes], bytes]) -> tuple[bytes, int]:
    """A file whose section has another payload, and where its length is."""
    for name, start, payload, end in fixup.sections(base):
        if name == id:
            section = fixup.section(id, change(base[payload:end]))
            return base[:start] + section + base[end + 4 :], start + 8
    raise AssertionError


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


EXTRA = 74  # first extra of SCEN: id 64, type u16, name "label"; second at 85
LISTED = 4 + 20 * 7 + 4  # first chunk of INDX

CASES: dict[str, tuple[tuple[bytes, int], str, str]] = {
    "signature": ((put(FILE, 0, b"\x09"), 0), "Malformed", "container.signature"),
    "text": ((b"ply\nformat", 0), "Malformed", "container.signature"),
    "major": ((put(FILE, 8, b"\1"), 8), "Unsupported", "container.version"),
    "minor": ((put(FILE, 9, b"\1"), 9), "Unsupported", "container.version"),
    "profile": ((put(FILE, 10, b"\1"), 10), "Unsupported", "container.profile"),
    "level 0": ((put(FILE, 11, b"\0"), 11), "Unsupported", "container.level"),
    "level 3": ((put(FILE, 11, b"\3"), 11), "Unsupported", "container.level"),
    "header flags": ((put(FILE, 12, b"\2"), 12), "Unsupported", "container.flags"),
    "section id": (at(b"META", -16, b"Meta"), "Malformed", "container.section_id"),
    "section flags known": (at(b"CHNK", -12, 3), "Unsupported", "container.flags"),
    "section flags unknown": (at(b"META", -12, 2), "Unsupported", "container.flags"),
    "known ignorable": (at(b"CHNK", -12, 0), "Malformed", "container.section_required"),
    "unknown needed": (insert(STREAM, b"PARM", LATN), "Unsupported", "container.section_unknown"),
    "long section": (at(b"CHNK", -8, u64(2**30 + 1)), "LimitError", "limit.section_bytes"),
    "two SCEN": (insert(STREAM, b"PARM", fixup.section(b"SCEN", b"")), "Malformed", "container.order"),
    "no SCEN": (insert(STREAM, b"SCEN", fixup.section(b"PARM", b"\0")), "Malformed", "container.order"),
    "ignorable first": (insert(STREAM, b"SCEN", META), "Malformed", "container.order"),
    "index early": (insert(STREAM, b"SCEN", fixup.section(b"INDX", b"")), "Malformed", "container.order"),
    "after late index": (insert(INDEXED, b"ENDM", META), "Malformed", "container.order"),
    "scene short": (resize(STREAM, b"SCEN", lambda p: p[:73]), "Malformed", "container.length"),
    "scene long": (resize(STREAM, b"SCEN", lambda p: p + b"\0"), "Malformed", "container.length"),
    "extra cut": (resize(STREAM, b"SCEN", lambda p: p[:-1]), "Malformed", "container.length"),
    "extra header cut": (resize(STREAM, b"SCEN", lambda p: p[:87]), "Malformed", "container.length"),
    "parameters empty": (resize(STREAM, b"PARM", lambda p: b""), "Malformed", "container.length"),
    "chunk short": (resize(STREAM, b"CHNK", lambda p: p[:7]), "Malformed", "container.length"),
    "end short": (resize(STREAM, b"ENDM", lambda p: p[:7]), "Malformed", "container.length"),
    "end with hash": (resize(STREAM, b"ENDM", lambda p: p + bytes(32)), "Malformed", "container.length"),
    "end without hash": (resize(FILE, b"ENDM", lambda p: p[:8]), "Malformed", "container.length"),
    "index short": (resize(FILE, b"INDX", lambda p: p[:7]), "Malformed", "container.length"),
    "index entries cut": (resize(FILE, b"INDX", lambda p: p[:40]), "Malformed", "container.length"),
    "index chunks cut": (resize(FILE, b"INDX", lambda p: p[:-1]), "Malformed", "container.length"),
    "splats unknown": (at(b"SCEN", 0, u64(2**64 - 1)), "Malformed", "container.count"),
    "splats over level": (at(b"SCEN", 0, u64(2**24 + 1)), "LimitError", "limit.splats"),
    "splats too many": (at(b"SCEN", 0, u64(2**64 - 2)), "LimitError", "limit.splats"),
    "chunks unknown": (at(b"SCEN", 8, u32(2**32 - 1)), "Malformed", "container.count"),
    "chunks too many": (at(b"SCEN", 8, u32(65537)), "LimitError", "limit.sections"),
    "SH degree": (at(b"SCEN", 12, 4), "Unsupported", "container.value"),
    "coordinate system": (at(b"SCEN", 13, 8), "Unsupported", "container.value"),
    "up axis": (at(b"SCEN", 14, 7), "Unsupported", "container.value"),
    "handedness": (at(b"SCEN", 15, 3), "Unsupported", "container.value"),
    "colour space": (at(b"SCEN", 16, 3), "Unsupported", "container.value"),
    "rendering model": (at(b"SCEN", 17, 3), "Unsupported", "container.value"),
    "SH convention": (at(b"SCEN", 18, 1), "Unsupported", "container.value"),
    "up axis contradicts": (at(b"SCEN", 14, 3), "Malformed", "container.axes"),
    "handedness contradicts": (at(b"SCEN", 15, 2), "Malformed", "container.axes"),
    "scene reserved": (at(b"SCEN", 19, 1), "Unsupported", "container.reserved"),
    "units": (at(b"SCEN", 20, NAN), "Malformed", "container.float"),
    "units negative": (at(b"SCEN", 20, struct.pack("<f", -1)), "Malformed", "container.float"),
    "scene offset": (at(b"SCEN", 40, struct.pack("<d", float("inf"))), "Malformed", "container.float"),
    "bounds nan": (at(b"SCEN", 68, NAN), "Malformed", "container.float"),
    "bounds order": (at(b"SCEN", 52, struct.pack("<f", 9)), "Malformed", "container.bounds"),
    "bounds of nothing": (at(b"SCEN", 64, struct.pack("<f", 9), base=EMPTY), "Malformed", "container.bounds"),
    "extras": (at(b"SCEN", 72, struct.pack("<H", 257)), "LimitError", "limit.extra_attributes"),
    "extra id": (at(b"SCEN", EXTRA, 63), "Unsupported", "container.value"),
    "extra id twice": (at(b"SCEN", EXTRA + 11, 64), "Malformed", "container.extra"),
    "extra type": (at(b"SCEN", EXTRA + 2, 10), "Unsupported", "container.value"),
    "extra components": (at(b"SCEN", EXTRA + 3, 0), "Malformed", "container.extra"),
    "extra coding": (at(b"SCEN", EXTRA + 4, 2), "Unsupported", "container.value"),
    "extra name missing": (at(b"SCEN", EXTRA + 5, 0), "Malformed", "container.extra"),
    "extra name UTF-8": (at(b"SCEN", EXTRA + 6, 0xFF), "Malformed", "container.extra"),
    "extra name space": (at(b"SCEN", EXTRA + 6, 0x20), "Malformed", "container.extra"),
    "decoded bytes": (
        at(b"SCEN", 0, u64(2**24), base=stream_mode(sh_degree=3, splat_count=305)),
        "LimitError",
        "limit.decoded_bytes",
    ),
    "parameters twice": (at(b"PARM", 0, 0, 1), "Malformed", "container.parameters"),
    "parameters missing": (at(b"CHNK", 0, 9), "Malformed", "container.parameters"),
    "chunk reserved": (at(b"CHNK", 2, 1), "Unsupported", "container.reserved"),
    "chunk empty": (at(b"CHNK", 4, u32(0)), "Malformed", "container.count"),
    "chunk too large": (at(b"CHNK", 4, u32(65537)), "LimitError", "limit.chunk_splats"),
    "chunk over count": (at(b"CHNK", 4, u32(307)), "Malformed", "container.count"),
    "end count": (at(b"ENDM", 0, 7), "Malformed", "container.count"),
    "hash": (at(b"ENDM", 8, b"wrong"), "Integrity", "container.hash"),
    "crc": (at(b"PARM", 7, b"wrong"), "Integrity", "container.crc"),
    "header crc": ((put(FILE, 16, b"\0\0\0\0"), 16), "Integrity", "container.crc"),
    "trailing": ((FILE + b"x", len(FILE)), "Malformed", "container.trailing"),
    "index huge": (at(b"INDX", 0, u32(65537)), "LimitError", "limit.sections"),
    "entry id": (at(b"INDX", 4, b"scen"), "Malformed", "container.index"),
    "entry wrong id": (at(b"INDX", 4, b"META"), "Malformed", "container.index"),
    "entry offset": (at(b"INDX", 8, 1), "Malformed", "container.index"),
    "entry size": (at(b"INDX", 16 + 20 * 6, 21), "Malformed", "container.index"),
    "entry size small": (at(b"INDX", 16, u64(19)), "Malformed", "container.index"),
    "entry size large": (at(b"INDX", 16, u64(2**30 + 21)), "Malformed", "container.index"),
    "entry no chunk": (at(b"INDX", 4 + 20 * 5, b"META"), "Malformed", "container.index"),
    "first splat": (at(b"INDX", LISTED, u64(1)), "Malformed", "container.index"),
    "index layer": (at(b"INDX", LISTED + 12, 9), "Malformed", "container.index"),
    "index reserved": (at(b"INDX", LISTED + 13, 9), "Unsupported", "container.reserved"),
    "index decoded": (at(b"INDX", LISTED + 16, u64(0)), "Malformed", "container.index"),
    "index bounds": (at(b"INDX", LISTED + 24, NAN), "Malformed", "container.float"),
    "index extents": (at(b"INDX", LISTED + 52, struct.pack("<f", 99)), "Malformed", "container.bounds"),
    "late index layer": (at(b"INDX", 4 + 20 * 6 + 4 + 12, 1, base=INDEXED), "Malformed", "container.index"),
    "late index id": (at(b"INDX", 4 + 20, b"META", base=INDEXED), "Malformed", "container.index"),
}  # fmt: skip

UNFIXED = {"hash", "crc", "header crc"}


@pytest.mark.parametrize("name", CASES)
def test_broken_rule(name: str) -> None:
    (data, offset), cls, code = CASES[name]
    if name == "entry no chunk":
        offset = place(FILE, b"INDX") + LISTED - 4
    if name == "crc":
        offset = place(FILE, b"PARM") + 7
    if name == "hash":  # the CRC of the end mark is right
        data = fix_crc_of_end(data)
    elif name not in UNFIXED:
        data = fixup.fix_checksums(data)
    events, error = read_fast([data])
    assert error is not None
    assert (error[0], error[1], error[3]) == (cls, code, offset)
    assert read_reference(data)[1] == error
    assert read_fast([data[i : i + 1] for i in range(len(data))]) == (events, error)


def fix_crc_of_end(data: bytes) -> bytes:
    start = data.rindex(b"ENDM")
    return data[:start] + fixup.section(b"ENDM", data[start + 16 : -4])


def test_sections_are_limited() -> None:
    start = place(STREAM, b"PARM") - 16
    filler = META
    data = STREAM[:start] + filler * 65536
    expected = ("LimitError", "limit.sections", "2.5", start + 20 * 65535)
    assert read_fast([data])[1] == expected


def test_fewer_sections_than_listed() -> None:
    start = place(FILE, b"META") - 16
    data = FILE[:start] + FILE[place(FILE, b"ENDM") - 16 :]
    expected = ("Malformed", "container.index", "2.7", place(FILE, b"INDX"))
    for verify in (True, False):
        data = fixup.fix_checksums(data)
        assert read_fast([data], verify)[1] == read_reference(data, verify)[1] == expected
    more = insert(FILE, b"ENDM", META)[0]
    more = fixup.fix_checksums(more)
    assert read_fast([more])[1] == read_reference(more)[1] == expected


def test_every_code_is_reached() -> None:
    with (ROOT / "spec/tables/errors.csv").open(encoding="utf-8", newline="") as file:
        codes = {row["code"] for row in csv.DictReader(file)}
    ours = {code for code in codes if code.startswith(("container.", "limit."))}
    reached = {code for _, _, code in CASES.values()} | {"container.truncated", "limit.sections"}
    assert reached <= ours
    assert {code for code in ours if code.startswith("container.")} <= reached


VALUES = [0, 1, 2, 3, 7, 64, 127, 128, 255]
WORDS = [b"\0" * 4, b"\xff" * 4, b"\0\0\0\x80", NAN, b"\0\0\x80\x7f", u32(65536), b"CHNK", b"PARM", b"ENDM"]


def mutate(data: bytes, dice: random.Random) -> bytes:
    """One to three changes, most of them structural."""
    out = data
    for _ in range(dice.choice((1, 1, 2, 3))):
        places = list(fixup.sections(out))
        kind = dice.randrange(8)
        if kind < 3 or not places:
            offset = dice.randrange(len(out))
            out = put(out, offset, bytes([dice.choice(VALUES)]))
        elif kind == 3:
            offset = dice.randrange(max(1, len(out) - 4))
            out = put(out, offset, dice.choice(WORDS))
        elif kind == 4:  # a section twice, or gone, or elsewhere
            _, start, _, end = dice.choice(places)
            section = out[start : end + 4]
            without = out[:start] + out[end + 4 :]
            to = dice.choice([place[1] for place in places])
            out = dice.choice((without, out[:to] + section + out[to:], without[:to] + section + without[to:]))
        elif kind == 5:  # a payload longer or shorter, its length in step
            id, start, payload, end = dice.choice(places)
            body, cut = out[payload:end], dice.randrange(end - payload + 1)
            body = dice.choice((body[:cut], body[:cut] + b"\0" * dice.randrange(9) + body[cut:]))
            out = out[:start] + fixup.section(id, body, out[start + 4]) + out[end + 4 :]
        elif kind == 6:
            _, start, _, _ = dice.choice(places)
            out = put(out, start + dice.choice((4, 5, 8, 9, 11, 15)), bytes([dice.choice(VALUES)]))
        else:
            out = out[: dice.randrange(len(out))] if dice.random() < 0.3 else out + b"\0"
        if not out:
            return b"\x89"
    return out


@pytest.mark.parametrize("base", [FILE, STREAM, EMPTY, INDEXED])
def test_readers_agree_on_mutations(base: bytes) -> None:
    dice = random.Random(len(base))
    seen: set[Any] = set()
    for _ in range(2500):
        data = fixup.fix_checksums(mutate(base, dice)) if dice.random() < 0.8 else mutate(base, dice)
        verify = dice.random() < 0.5
        events, error = read_fast([data], verify)
        container, expected = read_reference(data, verify)
        assert error == expected, data.hex()
        seen.add(error and error[1])
        if container is not None:
            assert_same_content(events, container)
    assert len(seen) > 8, seen


def test_scene_sample_is_the_one_the_offsets_assume() -> None:
    payload = place(FILE, b"SCEN")
    assert scene().extras[0].id == FILE[payload + EXTRA] == 64
    assert FILE[payload + EXTRA + 6 : payload + EXTRA + 11] == b"label"
