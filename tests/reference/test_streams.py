"""(5) Every generated stream decodes to exactly what was drawn, and the generator covers the tools."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import pytest
import streams

from gscodec._generated import extra_types
from gscodec.reference.__main__ import main
from gscodec.reference.container import read_container
from gscodec.reference.decode import DecodedChunk, columns, decode, decode_chunks, ply

SEEDS = range(36)
SIXTY_FOUR_BIT = (extra_types.U64, extra_types.I64)


@lru_cache(maxsize=64)
def drawn_file(seed: int, most: int = 60) -> streams.RandomFile:
    return streams.file_from_seed(seed, most)


def check_decodes_as_drawn(file: streams.RandomFile) -> None:
    decoded = list(decode_chunks(read_container(file.data)))
    expected = [(group.parameters, drawn) for group in file.groups for drawn in group.chunks]
    assert len(decoded) == len(expected)
    for chunk, (parameters, drawn) in zip(decoded, expected, strict=True):
        assert chunk.header == drawn.header
        assert chunk.splats == drawn.splats
        check_invariants(chunk)
        for part in ("classes", "multipliers", "scale", "rotation", "opacity", "colour", "sets", "harmonics"):
            assert getattr(chunk.parameters, part) == getattr(parameters, part)


def check_invariants(chunk: DecodedChunk) -> None:
    s = chunk.splats
    assert all(a >= b >= c for a, b, c in s.scales)
    assert s.distinct[-1] + 1 == len(s.classes) == len(s.rotations)
    for w, x, y, z in s.rotations:
        assert w >= 0
        assert abs(w * w + x * x + y * y + z * z - (1 << 48)) < 1 << 27
    for j in range(1, chunk.header.count):
        before, after = s.positions[j - 1], s.positions[j]
        assert key(before) <= key(after)


def key(point: tuple[int, int, int]) -> str:
    """Morton order by strings of bits, another way than the decoder's."""
    return "".join(map("".join, zip(*(f"{coordinate:021b}" for coordinate in point), strict=True)))


@pytest.mark.parametrize("seed", SEEDS)
def test_decodes_as_drawn(seed: int) -> None:
    check_decodes_as_drawn(drawn_file(seed))


def test_large_counts() -> None:
    file = drawn_file(43, 1500)
    assert max(drawn.header.count for group in file.groups for drawn in group.chunks) == 1500
    check_decodes_as_drawn(file)


def test_same_seed_same_bytes() -> None:
    assert streams.file_from_seed(5).data == streams.file_from_seed(5).data


def test_generator_covers_the_tools() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        file = drawn_file(seed)
        seen[f"degree {file.sh_degree}"] += 1
        seen.update(f"type {extra.type}" for extra in file.extras)
        for group in file.groups:
            p = group.parameters
            seen[f"basis {p.harmonics is not None and p.harmonics.basis is not None}"] += 1
            seen[f"dilation {p.scale.dilation}"] += 1
            seen[f"trees {p.trees()}"] += 1
            seen.update(f"window {settings.window}" for settings in p.sets)
            for drawn in group.chunks:
                s = drawn.splats
                seen["duplicates"] += s.distinct[-1] + 1 < drawn.header.count
                seen["ties kept apart"] += any(
                    s.positions[i] == s.positions[i + 1] and s.distinct[i] != s.distinct[i + 1]
                    for i in range(len(s.positions) - 1)
                )
                for name, events in drawn.streams:
                    for kind, _, detail, value in events:
                        seen["escape"] += name == "rotation" and (kind, value) == ("symbol", 255)
                        seen["long raw"] += kind == "hybrid" and value >= 1 << 27
                        seen["joint bits"] += kind == "bits" and detail == 24
                        seen["split interval"] += kind == "uniform" and name == "position"
    wanted = ["duplicates", "ties kept apart", "escape", "long raw", "joint bits", "split interval"]
    wanted += [f"degree {d}" for d in range(4)] + [f"trees {n}" for n in (1, 2, 3, 4)]
    wanted += [f"type {t}" for t in range(10)] + ["basis True", "basis False", "dilation 0", "dilation 1"]
    wanted += [f"window {w}" for w in (0, 1, 2, 5, 8, 16)]
    assert [name for name in wanted if not seen[name]] == []


@pytest.mark.parametrize("seed", [3, 9, 27])
def test_command_line(seed: int, tmp_path: Path) -> None:
    file = drawn_file(seed)
    source, output, trace = tmp_path / "in.gsc", tmp_path / "out.ply", tmp_path / "trace.jsonl"
    source.write_bytes(file.data)
    assert main([str(source), str(output), "--trace", str(trace)]) == 0
    scene, splats = decode(file.data)
    assert output.read_bytes() == ply(scene, splats)
    header, body = output.read_bytes().split(b"end_header\n", 1)
    sizes = {"double": 8, "float": 4, "int": 4, "uint": 4, "short": 2, "ushort": 2, "char": 1, "uchar": 1}
    assert len(body) == len(splats) * sum(sizes[kind] for _, kind in columns(scene))
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex ")
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    first = file.groups[0].chunks[0]
    assert lines[0]["tree_counts"] == first.header.tree_counts
    assert lines[1]["values"] == json.loads(json.dumps(asdict(first.splats)["positions"]))


def test_command_line_reports_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "in.gsc", tmp_path / "out.ply"
    source.write_bytes(drawn_file(3).data[:-1])
    assert main([str(source), str(output)]) == 4
    assert "container.truncated" in capsys.readouterr().err
    assert not output.exists()
