"""Both decoders make of every vector what the manifest says, and of random streams the same."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
import streams
from both import data_of, facts, fast, incremental, reference, title, vectors

import gscodec
from gscodec.errors import StreamError
from gscodec.io import write_ply

VALID = [vector for vector in vectors() if "error" not in vector]
FAULTY = [vector for vector in vectors() if "error" in vector]
SLOW = {"uncommon/crowd", "uncommon/perm_runs"}  # for the reference decoder; conformance/run.py does it
BEHIND_OUTPUT = {"faulty/output_before_parameters": "parm.range"}  # what there is besides its PLY


@pytest.mark.parametrize("vector", VALID, ids=title)
def test_valid_vector(vector: dict[str, Any]) -> None:
    data = data_of(vector)
    found = fast(data, threads=2)
    assert isinstance(found, bytes), found
    assert hashlib.sha256(found).hexdigest() == vector["ply_sha256"]
    if title(vector) not in SLOW:
        assert reference(data) == found


@pytest.mark.parametrize("vector", [vector for vector in VALID if "splats" in vector], ids=title)
def test_valid_vector_in_pieces(vector: dict[str, Any]) -> None:
    found = incremental(data_of(vector), 997)
    assert isinstance(found, list), found
    assert sum(map(len, found)) == vector["splats"]
    if found:
        out = io.BytesIO()
        write_ply(out, iter(found), count=vector["splats"])
        outcome = vector.get("file_order", vector)
        assert hashlib.sha256(out.getvalue()).hexdigest() == outcome["ply_sha256"]


@pytest.mark.parametrize("vector", FAULTY, ids=title)
def test_faulty_vector(vector: dict[str, Any]) -> None:
    error = vector["error"]
    expected = (error["class"], error["code"], error["clause"], error["offset"])
    data = data_of(vector)
    assert reference(data) == expected
    assert fast(data) == expected
    behind = BEHIND_OUTPUT.get(title(vector))
    if error["code"].startswith("output.") and behind is None:
        assert isinstance(gscodec.decode(data), gscodec.Splats)
        return
    with pytest.raises(StreamError) as caught:
        gscodec.decode(data)
    assert caught.value.code == behind or facts(caught.value) == expected


@pytest.mark.parametrize("is_built_in", [False, True], ids=["own tables", "built-in tables"])
@pytest.mark.parametrize("seed", range(1000, 1045))
def test_random_stream(seed: int, is_built_in: bool) -> None:
    data = streams.file_from_seed(seed, 24, is_built_in=is_built_in).data
    found = fast(data, threads=2)
    assert found == reference(data)
    pieces = incremental(data, 4096)
    assert isinstance(pieces, list), pieces
    whole = gscodec.decode(data)
    assert b"".join(p.positions.tobytes() for p in pieces) == whole.positions.tobytes()
    for name, values in whole.extras.items():
        assert b"".join(p.extras[name].tobytes() for p in pieces) == values.tobytes()
