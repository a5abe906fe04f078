"""(5.15) Damaged streams give typed errors: each code from a case made for it, no surprise from damage."""

from __future__ import annotations

import csv
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import streams
from rans import LaneWriter

from gscodec import errors
from gscodec.errors import GscError, LimitError, Malformed, StreamError, Unsupported
from gscodec.reference.chunk import check_symbols, read_chunk
from gscodec.reference.container import ExtraAttribute, SceneHeader
from gscodec.reference.decode import columns
from gscodec.reference.entropy import Lane, Stream, table_from_frequencies
from gscodec.reference.faults import CLAUSES, Place
from gscodec.reference.importance import read_classes
from gscodec.reference.parameters import read_parameters
from gscodec.reference.position import Tree, split
from gscodec.reference.rotation import read_axis_cell, read_twist_cell
from gscodec.reference.scale import read_difference

ROOT = Path(__file__).resolve().parents[2]
PARM, CHNK = Place("PARM", 1000), Place("CHNK", 5000)


@lru_cache(maxsize=64)
def drawn_file(seed: int) -> streams.RandomFile:
    return streams.file_from_seed(seed, 30)


def decode_payloads(file: streams.RandomFile, parameters: bytes, chunk: bytes) -> None:
    read = read_parameters(parameters, PARM, file.sh_degree, file.extras)
    read_chunk(chunk, CHNK, read, file.extras)


def caught_from(action: Callable[[], object]) -> GscError:
    with pytest.raises(GscError) as caught:
        action()
    return caught.value


def facts(error: GscError) -> tuple[type, str, str, int | None]:
    return type(error), error.code, error.section, error.offset


def damaged(rng: random.Random, payload: bytes) -> bytes:
    out = bytearray(payload)
    kind = rng.randrange(6)
    place = rng.randrange(len(out))
    if kind == 0:
        return bytes(out[:place])
    if kind == 1:
        return bytes(out) + rng.randbytes(rng.randint(1, 8))
    for _ in range(kind - 1):
        place = rng.randrange(min(len(out), 60) if rng.random() < 0.3 else len(out))
        out[place] = rng.choice([0, 255, rng.randrange(256), out[place] ^ 1 << rng.randrange(8)])
    return bytes(out)


@pytest.mark.parametrize("part", ["parameters", "chunk"])
def test_random_damage(part: str) -> None:
    rng = random.Random(part)
    codes = set()
    for i in range(250):
        file = drawn_file(i % 25)
        group = file.groups[0]
        parameters, chunk = group.parameter_payload, group.chunk_payloads[0]
        try:
            if part == "parameters":
                decode_payloads(file, damaged(rng, parameters), chunk)
            else:
                decode_payloads(file, parameters, damaged(rng, chunk))
        except StreamError as error:
            codes.add((error.code, error.clause, error.section))
    assert len(codes) >= 3
    assert all(CLAUSES[code] == clause for code, clause, _ in codes)
    assert {section for _, _, section in codes} <= {"PARM", "CHNK"}


def test_every_code_is_in_the_table_with_its_clause() -> None:
    with (ROOT / "spec/tables/errors.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["code"]: row for row in csv.DictReader(file)}
    kinds = {
        "parm.built_in": "Unsupported",
        "chunk.order": "Unsupported",
        "chunk.flags": "Unsupported",
        "motion.model": "Unsupported",
        "motion.flags": "Unsupported",
        "container.reserved": "Unsupported",
        "limit.stream_symbols": "LimitError",
    }
    for code, clause in CLAUSES.items():
        kind = "Unsupported" if code.startswith("output.") else kinds.get(code, "Malformed")
        assert (rows[code]["clause"], rows[code]["error_class"]) == (clause, kind)
        assert int(rows[code]["exit_code"]) == getattr(errors, kind).exit_code


# ------------------------------------------------------------ parameters

FIELDS = {  # offset in PARM, for SH degree 0: a value out of its range
    "classes": (1, "B", 9),
    "no classes": (1, "B", 0),
    "position cap": (2, "B", 8),
    "mantissa": (3, "H", 0),
    "exponent id": (5, "B", 4),
    "cap": (6, "B", 8),
    "scale step": (15, "I", (1 << 28) + 1),
    "dilation": (27, "B", 2),
    "axis factor": (32, "I", 0),
    "axis cells": (40, "H", 2049),
    "opacity step": (44, "I", 0),
    "colour mantissa": (53, "H", 0),
    "colour offset": (59, "i", -262_144),
    "predicted": (71, "B", 64),
    "window": (72, "B", 17),
    "power": (73, "B", 0),
    "shrink": (74, "H", 257),
    "threshold": (86, "B", 255),
    "shift": (72 + 19 + 19 + 1, "B", 32),
    "tables": (72 + 19 + 21 + 23, "B", 65),
}


@lru_cache
def plain_file() -> streams.RandomFile:
    """One with SH degree 0 and no extra attributes."""
    return next(f for seed in range(99) if (f := drawn_file(seed)).sh_degree == 0 and not f.extras)


@pytest.mark.parametrize("name", FIELDS)
def test_parameters_out_of_range(name: str) -> None:
    offset, kind, value = FIELDS[name]
    payload = bytearray(plain_file().groups[0].parameter_payload)
    struct.pack_into(f"<{kind}", payload, offset, value)
    expected = offset + (1 if name == "threshold" else 0)  # the next one is under it
    error = caught_from(lambda: read_parameters(bytes(payload), PARM, 0, []))
    assert facts(error) == (Malformed, "parm.range", "PARM", 1000 + expected)


def test_parameters_of_wrong_length() -> None:
    payload = plain_file().groups[0].parameter_payload
    for wrong in (payload[:-1], payload + b"\0", payload[:40], b""):
        error = caught_from(lambda wrong=wrong: read_parameters(wrong, PARM, 0, []))  # type: ignore[misc]
        assert facts(error) == (Malformed, "parm.length", "PARM", 1000)


def has_basis_and_groups(file: streams.RandomFile) -> bool:
    harmonics = file.groups[0].parameters.harmonics
    return harmonics is not None and harmonics.basis is not None and len(harmonics.bounds) > 1


def harmonics_payload(change: Callable[[bytearray, int], None]) -> tuple[bytes, int]:
    """A parameter set with a basis, changed; and where its harmonics begin."""
    file = next(f for seed in range(99) if has_basis_and_groups(f := drawn_file(seed)))
    payload = bytearray(file.groups[0].parameter_payload)
    start = 72 + 19 + 21 + 23
    change(payload, payload[start])
    error = caught_from(lambda: read_parameters(bytes(payload), PARM, file.sh_degree, file.extras))
    assert error.code == "parm.range"
    assert error.offset is not None
    return bytes(payload), error.offset - 1000 - start


def test_harmonics_out_of_range() -> None:
    start = 72 + 19 + 21 + 23

    def same_bound(payload: bytearray, groups: int) -> None:
        payload[start + 2] = payload[start + 1]

    def last_bound(payload: bytearray, groups: int) -> None:
        payload[start + groups] -= 1

    def matrix(payload: bytearray, groups: int) -> None:
        struct.pack_into("<i", payload, start + groups + 3, 1 << 21)

    def basis(payload: bytearray, groups: int) -> None:
        struct.pack_into("<h", payload, start + groups + 39, -32768)

    assert harmonics_payload(same_bound)[1] == 2
    payload, offset = harmonics_payload(last_bound)
    assert offset == payload[start]
    payload, offset = harmonics_payload(matrix)
    assert offset == payload[start] + 3
    payload, offset = harmonics_payload(basis)
    assert offset == payload[start] + 39


# ------------------------------------------------------------ chunk headers


def chunk_error(change: Callable[[bytearray], None]) -> tuple[type, str, str, int | None]:
    file = plain_file()
    payload = bytearray(file.groups[0].chunk_payloads[0])
    change(payload)
    return facts(caught_from(lambda: decode_payloads(file, file.groups[0].parameter_payload, bytes(payload))))


@pytest.mark.parametrize(
    ("offset", "kind", "value", "error", "code"),
    [
        (4, "I", 0, Malformed, "chunk.range"),
        (4, "I", 65_537, Malformed, "chunk.range"),
        (8, "B", 1, Unsupported, "chunk.order"),
        (9, "B", 2, Unsupported, "chunk.flags"),
        (10, "B", 21, Malformed, "chunk.range"),
        (11, "h", -201, Malformed, "chunk.range"),
        (13, "q", (1 << 35) + 1, Malformed, "chunk.range"),
        (38, "B", 32, Malformed, "chunk.range"),
        (43, "I", 1 << 31, Malformed, "chunk.range"),
    ],
)
def test_chunk_header(offset: int, kind: str, value: int, error: type, code: str) -> None:
    found = chunk_error(lambda payload: struct.pack_into(f"<{kind}", payload, offset, value))
    assert found == (error, code, "CHNK", 5000 + offset)


def test_three_lanes() -> None:
    start = 43 + 4 * len(plain_file().groups[0].chunks[0].header.tree_counts)
    found = chunk_error(lambda payload: struct.pack_into("<B", payload, start, 3))
    assert found == (Malformed, "chunk.range", "CHNK", 5000 + start)


def test_chunk_of_wrong_length() -> None:
    for cut in (-1, 20):
        found = chunk_error(lambda payload, cut=cut: payload.__delitem__(slice(cut, None)))  # type: ignore[misc]
        assert found == (Malformed, "chunk.length", "CHNK", 5000)


def test_too_many_values() -> None:
    wide = ExtraAttribute(64, 7, 255, 0, "wide")
    check_symbols(32_896, [wide], CHNK.after(4))
    error = caught_from(lambda: check_symbols(32_897, [wide], CHNK.after(4)))
    assert facts(error) == (LimitError, "limit.stream_symbols", "CHNK", 5004)


def test_output_that_ply_cannot_hold() -> None:
    scene = SceneHeader(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, (), (), [])
    for extra, code in [
        (ExtraAttribute(64, 9, 1, 0, "wide"), "output.type"),
        (ExtraAttribute(64, 6, 1, 0, "opacity"), "output.name"),
        (ExtraAttribute(64, 6, 1, 0, "größe"), "output.name"),
        (ExtraAttribute(64, 6, 4, 0, "rot"), "output.name"),
    ]:
        error = caught_from(lambda extra=extra: columns(replace(scene, extras=[extra])))  # type: ignore[misc]
        assert facts(error)[:2] == (Unsupported, code)


# ------------------------------------------------------------ streams


def stream_of(symbol: int, *uniform: tuple[int, int]) -> Stream:
    """A stream whose first symbol is the one given, in any context."""
    table = table_from_frequencies(10, [*[0] * symbol, 1023, 1])
    writer = LaneWriter()
    writer.symbol(symbol, table)
    for value, n in uniform:
        writer.uniform(value, n)
    return Stream([Lane(writer.words(), CHNK)], [table], [0] * 1000, CHNK)


def test_symbols_out_of_range() -> None:
    for symbol, n in [(4, 3), (18, 8), (1, 8)]:  # the first part of 1 .. 7 is empty
        if symbol == 1:
            assert split(Tree(stream_of(1), 0, []), 17, 0, 0) == 1
            continue
        error = caught_from(lambda s=symbol, n=n: split(Tree(stream_of(s), 0, []), n, 0, 0))  # type: ignore[misc]
        assert facts(error) == (Malformed, "static.symbol", "CHNK", 5000)
    error = caught_from(lambda: split(Tree(stream_of(2), 0, []), 8, 0, 0))
    assert error.code == "static.symbol"


def test_class_of_another_tree() -> None:
    parameters = replace(plain_file().groups[0].parameters, classes=8, position_cap=7)
    assert caught_from(lambda: read_classes(stream_of(3), [0], parameters)).code == "static.class"
    assert caught_from(lambda: read_classes(stream_of(8), [3], parameters)).code == "static.class"


def test_rotation_out_of_range() -> None:
    assert read_axis_cell(stream_of(2), 0, 0, 1, 3) == (2, 1)
    assert read_axis_cell(stream_of(255, (4, 9)), 0, 0, 1, 9) == (4, 2)
    assert caught_from(lambda: read_axis_cell(stream_of(4), 0, 0, 1, 3)).code == "static.rotation"
    assert read_twist_cell(stream_of(4), 0, 0, 1, 3) == 0
    assert caught_from(lambda: read_twist_cell(stream_of(6), 0, 0, 1, 3)).code == "static.rotation"


def test_rec_out_of_range() -> None:
    assert read_difference(stream_of(3), 0, 0, -262_140, 1) == 3
    assert caught_from(lambda: read_difference(stream_of(4), 0, 0, -262_140, 1)).code == "static.range"
