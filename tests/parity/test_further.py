"""META, THMB, PERM and steps: both readers find the same, in vectors and in damaged files."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Callable
from typing import Any

import fixup
import further
import pytest
from both import data_of, facts, fast, reference, title, vector_data, vectors

import gscodec
from gscodec._generated import meta_kinds, thumbnail_kinds
from gscodec.errors import StreamError
from gscodec.reference.container import read_container
from gscodec.reference.metadata import metadata_of, thumbnail_of

Found = Any


def found_by(read: Callable[[], Found]) -> Found:
    """What is found, or the error without its section, which only one of the readers states."""
    try:
        return read()
    except StreamError as error:
        return facts(error)


def fast_about(data: bytes) -> tuple[Found, Found]:
    def texts() -> Found:
        return [(each.kind, each.text) for each in gscodec.metadata(data)]

    def picture() -> Found:
        one = gscodec.thumbnail(data)
        return one and (one.kind, one.width, one.height, one.data)

    return found_by(texts), found_by(picture)


def reference_about(data: bytes) -> tuple[Found, Found]:
    def texts() -> Found:
        return [(meta_kinds.NAMES[kind], text) for kind, text in metadata_of(read_container(data))]

    def picture() -> Found:
        one = thumbnail_of(read_container(data))
        return one and (thumbnail_kinds.NAMES[one.kind], one.width, one.height, one.image)

    return found_by(texts), found_by(picture)


WITH_MORE = [v for v in vectors() if {"metadata", "thumbnail", "file_order"} & v.keys()]


@pytest.mark.parametrize("vector", WITH_MORE, ids=title)
def test_vector(vector: dict[str, Any]) -> None:
    data = data_of(vector)
    texts, picture = fast_about(data)
    assert (texts, picture) == reference_about(data)
    for found, wanted in ((texts, vector.get("metadata")), (picture, vector.get("thumbnail"))):
        if isinstance(wanted, dict) and "error" in wanted:
            error = wanted["error"]
            assert found == (error["class"], error["code"], error["clause"], error["offset"])
    if isinstance(vector.get("metadata"), list):
        values = {name: value for value, name in meta_kinds.NAMES.items()}
        sums = [[values[kind], hashlib.sha256(text.encode()).hexdigest()] for kind, text in texts]
        assert sums == vector["metadata"]
    if "file_order" in vector:
        for decode in (fast, reference):
            as_it_stands = decode(data, file_order=True)
            assert isinstance(as_it_stands, bytes)
            assert hashlib.sha256(as_it_stands).hexdigest() == vector["file_order"]["ply_sha256"]


BASES = {
    "stored": vector_data("baseline", "stored"),
    "meta": vector_data("uncommon", "meta"),
    "others": vector_data("uncommon", "perm_then_others"),
    "lanes": vector_data("uncommon", "perm_lanes"),
    "steps": vector_data("uncommon", "extra_steps"),
    "packed": further.insert(b"PARM", further.meta(1, zlib.compress(b'{"a": 1}' * 40), 1, 320)),
}


def damaged(data: bytes, dice: random.Random) -> bytes:
    """A few bytes changed in the sections in question, checksums right."""
    ids = (b"META", b"THMB", b"PERM", b"SCEN")
    spans = [(start, end) for id, start, _, end in fixup.sections(data) if id in ids]
    out = bytearray(data)
    start, end = dice.choice(spans)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = dice.randrange(start + 4, min(end, start + dice.choice((40, 90, 100_000))))
        out[at] = dice.choice((0, 1, 2, 255, out[at] ^ 1 << dice.randrange(8)))
    return fixup.fix_checksums(bytes(out))


@pytest.mark.parametrize("name", BASES)
def test_damage(name: str) -> None:
    dice = random.Random(name)
    codes = set()
    for _ in range(60):
        data = damaged(BASES[name], dice)
        about = fast_about(data)
        assert about == reference_about(data), data.hex()
        decoded = fast(data)
        assert decoded == reference(data), data.hex()
        codes |= {found[1] for found in (*about, decoded) if isinstance(found, tuple) and len(found) == 4}
    assert len(codes) > 3


@pytest.mark.parametrize("seed", range(12))
def test_random_permutations(seed: int) -> None:
    dice = random.Random(seed)
    data = vector_data("baseline", "stored")
    start, end = next((s, e + 4) for id, s, _, e in fixup.sections(data) if id == b"PERM")
    count = 80
    ranks = dice.sample(range(count), count)
    if seed % 3 == 2:
        ranks[dice.randrange(count)] = dice.randrange(count)
    steps = [step + dice.choice((0, 0, count, -count)) for step in further.steps_of(ranks)]
    new = further.order(steps, lanes=dice.choice((1, 2, 4)))
    changed = with_section(data, start, end, new)
    found = fast(changed)
    assert found == reference(changed)
    assert isinstance(found, bytes) == (len(set(ranks)) == count)


def with_section(data: bytes, start: int, end: int, new: bytes) -> bytes:
    """Another section in place of one, as a stream, which has no index."""
    first = next(s for id, s, _, _ in fixup.sections(data) if id == b"SCEN")
    last = next(s for id, s, _, _ in fixup.sections(data) if id == b"ENDM")
    header = bytearray(data[:20])
    header[12] = 1
    count = data[last + 16 : last + 24]
    return fixup.fix_checksums(
        bytes(header) + data[first:start] + new + data[end:last] + fixup.section(b"ENDM", count)
    )
