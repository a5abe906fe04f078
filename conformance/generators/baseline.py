"""Baseline files: what an encoder writes every day. The real encoder on made-up scenes, and hello.gsc.

The encoder decides in floating point, so another machine may write other bytes: those committed are
normative.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import fixup
import numpy as np
from hello import hello

from gscodec._generated import coordinate_systems
from gscodec.container import ChunkBounds, ContainerReader, SceneHeader, StreamModeWriter, write_file_mode
from gscodec.container.index import IndexChunk, IndexEntry, write_index
from gscodec.container.metadata import Metadata
from gscodec.encode.further import Further
from gscodec.encode.lossless import encode_ply
from gscodec.encode.steps import make_plan
from gscodec.encode.whole import encode_splats
from gscodec.io import read_ply, write_ply
from gscodec.splats import Splats

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Valid:
    """A valid file, and what it proves."""

    name: str
    proves: str
    make: Callable[[], bytes]


# ------------------------------------------------------------ scenes


def made(count: int, sh_degree: int = 3, **extras: Any) -> Splats:
    """Some splats of the made scene, the same ones for every degree."""
    all_ = read_ply(ROOT / "examples/made_scene.ply").splats
    s = all_.take(np.linspace(0, len(all_) - 1, count).astype(int))
    rest = s.sh_rest[:, : (0, 3, 8, 15)[sh_degree]].copy()
    return replace(s, sh_rest=rest, extras=extras)


def moved(splats: Splats, rows: Sequence[int], positions: Sequence[Sequence[float]]) -> Splats:
    new = splats.positions.copy()
    new[list(rows)] = np.array(positions, np.float32)
    return replace(splats, positions=new)


def with_duplicates() -> Splats:
    s = made(60, 1, label=np.arange(60, dtype=np.uint8))
    twice = s.take(np.repeat(np.arange(60), np.where(np.arange(60) % 4 == 0, 3, 1)))
    near = twice.opacities.copy()
    near[2::9] += 2  # same place, another opacity: no duplicate
    return replace(twice, opacities=near, extras={"label": np.arange(len(twice), dtype=np.uint8)})


def all_extras(count: int) -> dict[str, Any]:
    """An attribute of every type that PLY has, with the values that are easy to lose."""
    i = np.arange(count)
    odd = np.array([0.0, -0.0, np.inf, -np.inf, 1e-45, -1e-310, 3.4e38, 1.0])
    single, double = odd[i % 8].astype(np.float32), odd[i % 8].astype(np.float64)
    single.view(np.uint32)[5::8] = 0x7FC00001  # NaN with a payload
    double.view(np.uint64)[6::8] = 0xFFF0000000000001
    return {
        "bytes": (i * 37 % 256).astype(np.uint8),
        "signed": (i * 37 % 256 - 128).astype(np.int8),
        "shorts": (i * 9973 % 65536).astype(np.uint16),
        "signed_shorts": np.stack([i * 9973 % 65536 - 32768] * 2, 1).astype(np.int16),
        "words": (i * 2654435761 % 2**32).astype(np.uint32),
        "signed_words": (i * 2654435761 % 2**32 - 2**31).astype(np.int32),
        "real": single,
        "doubles": np.stack([double, double[::-1], np.pi * i], 1),
    }


# ------------------------------------------------------------ encoding


def forced(stack: ExitStack, name: str, value: Any) -> None:
    """Replace a name in every module of the encoder that has it."""
    modules = [m for key, m in sys.modules.items() if key.startswith("gscodec.encode.") and hasattr(m, name)]
    if not modules:
        raise ValueError(f"the encoder has no {name} any more")
    for module in modules:
        stack.enter_context(patch.object(module, name, value))


def encoded(
    splats: Splats, *, chunk: int = 0, lanes_from: int = 0, plan: Any = None, **options: Any
) -> bytes:
    """A file of the real encoder, small chunks, lanes or another plan forced on it."""
    with ExitStack() as stack:
        if chunk:
            forced(stack, "MAX_SPLATS", chunk)
        if lanes_from:
            forced(stack, "LANES_FROM", lanes_from)
        if plan:
            forced(stack, "make_plan", lambda *a, **k: plan(make_plan(*a, **k)))
        return encode_splats(splats, **{"effort": 1, **options}).data


def preset(count: int, sh_degree: int, quality: str = "default") -> bytes:
    return encoded(made(count, sh_degree), quality=quality)


def classified(classes: int) -> bytes:
    return encoded(made(150, 1), steps={"classes": classes, "position_cap": 0})


def unpredicted(plan: Any) -> Any:
    return replace(plan, coding=replace(plan.coding, predicted=0))


def unwindowed(plan: Any) -> Any:
    sets = tuple(replace(s, window=w) for s, w in zip(plan.coding.sets, (0, 1, 5), strict=True))
    return replace(plan, coding=replace(plan.coding, sets=sets))


@dataclass(frozen=True)
class Parts:
    """What a file consists of, ready to be put together in another way."""

    scene: SceneHeader
    parameters: list[bytes]
    chunks: list[bytes]
    bounds: list[ChunkBounds]


def parts_of(files: Sequence[bytes]) -> Parts:
    """The parts of several files of one kind; each keeps its parameter set."""
    parts = Parts(scene_of(files[0]), [], [], [])
    for number, data in enumerate(files):
        index = next(data[p:e] for id, _, p, e in fixup.sections(data) if id == b"INDX")
        entries = struct.unpack_from("<I", index)[0]
        for id, _, start, end in fixup.sections(data):
            payload = bytes([number]) + data[start + 1 : end]
            if id == b"PARM":
                parts.parameters.append(payload)
            elif id == b"CHNK":
                at = 4 + 20 * entries + 4 + 72 * sum(c[0] == number for c in parts.chunks)
                box = struct.unpack_from("<12f", index, at + 24)
                parts.bounds.append(ChunkBounds(bounds=box[:6], extents=box[6:]))
                parts.chunks.append(payload)
    total = sum(struct.unpack_from("<I", chunk, 4)[0] for chunk in parts.chunks)
    return replace(parts, scene=replace(parts.scene, splat_count=total, chunk_count=len(parts.chunks)))


def scene_of(data: bytes) -> SceneHeader:
    reader = ContainerReader()
    reader.feed(data)
    reader.close()
    return next(event for event in reader.events() if isinstance(event, SceneHeader))


def as_stream(parts: Parts, *, late: bool = False, ignorable: bool = False, **scene: Any) -> bytes:
    """Stream mode, each set right before the first chunk that uses it if `late`, with unknown sections."""
    writer = StreamModeWriter(replace(parts.scene, **scene))
    out, waiting = writer.start(), list(parts.parameters)
    if not late:
        out += b"".join(writer.parameters(waiting.pop(0)) for _ in parts.parameters)
    for chunk in parts.chunks:
        while waiting and waiting[0][0] <= chunk[0]:
            out += writer.parameters(waiting.pop(0))
        if ignorable:
            out += writer.ignorable(b"META", b'{"note": "skip me"}')
        out += writer.chunk(chunk)
    if ignorable:
        out += writer.ignorable(b"XYZW", b"")
    return out + writer.end()


def with_late_index(stream: bytes, parts: Parts) -> bytes:
    """A stream whose index comes before the end mark."""
    end = stream.rindex(b"ENDM")
    entries = [
        IndexEntry(id=id, offset=start, size=stop + 4 - start)
        for id, start, _, stop in fixup.sections(stream)
        if id != b"ENDM"
    ]
    first, facts = 0, []
    for chunk, box in zip(parts.chunks, parts.bounds, strict=True):
        (count,) = struct.unpack_from("<I", chunk, 4)
        facts.append(
            IndexChunk(
                first_splat=first,
                splat_count=count,
                layer=chunk[1],
                decoded_bytes=count * parts.scene.decoded_bytes_per_splat,
                bounds=box.bounds,
                extents=box.extents,
            )
        )
        first += count
    return stream[:end] + fixup.section(b"INDX", write_index(entries, facts)) + stream[end:]


def as_file(
    parts: Parts, *, level: int = 1, ignorable: Sequence[tuple[bytes, bytes]] = (), **scene: Any
) -> bytes:
    return write_file_mode(
        replace(parts.scene, **scene),
        parts.parameters,
        parts.chunks,
        parts.bounds,
        level=level,
        ignorable=ignorable,
    )


def two_sets() -> Parts:
    return parts_of(
        [encoded(made(90, 1), chunk=40, quality="high"), encoded(made(70, 1), chunk=40, quality="tiny")]
    )


def far_outliers() -> bytes:
    s = moved(made(80, 0), [0, 20, 40, 60], [[1e6, 0, 0], [-3e6, 2e6, 5], [0, 0, 4e7], [1e9, -1e9, 1e9]])
    return encoded(s)


def huge() -> bytes:
    s = moved(
        made(40, 0),
        [0, 10, 20, 30, 35],
        [
            [3e38, -3e38, 3e38],
            [1e30, 0, 0],
            [0, -2e25, 1],
            [3.4028235e38, 3.4028235e38, -3.4028235e38],
            [1e-40, 0, 0],
        ],
    )
    return encoded(s)


def tiny_scene() -> bytes:
    s = made(60, 0)
    positions = (s.positions.astype(np.float64) * 1e-38).astype(np.float32)
    return encoded(replace(s, positions=positions, scales=s.scales - np.float32(87)))


def extreme_values() -> bytes:
    s = made(48, 1)
    scales, opacities, dc = s.scales.copy(), s.opacities.copy(), s.sh_dc.copy()
    rotations = s.rotations.copy()
    scales[::6, 1] = 40
    scales[1::6, 2] = -60
    opacities[::5], opacities[1::5] = 50, -50
    dc[::7] *= 1e4
    rotations[::8] = 0
    rotations[4::8] *= 1e-20
    return encoded(replace(s, scales=scales, opacities=opacities, sh_dc=dc, rotations=rotations))


def one_point() -> bytes:
    s = made(50, 1)
    return encoded(replace(s, positions=np.full_like(s.positions, 0.3)))


def baselines() -> Iterator[Valid]:
    """All of them."""
    yield Valid(
        "hello",
        "The smallest file that shows something, in stream mode; spec/07-hello.md explains each byte.",
        hello,
    )
    yield Valid(
        "empty",
        "No splats, no chunks, no parameter set: valid, and a PLY without rows.",
        lambda: encoded(made(0, 0)),
    )
    yield Valid(
        "empty_sh3",
        "No splats, but harmonics and extra attributes in the header of the PLY.",
        lambda: encoded(made(0, 3, label=np.zeros((0, 2), np.int16))),
    )
    yield Valid("one_splat", "A single splat: octree of depth 0, no predecessors.", lambda: encoded(made(1)))
    yield Valid("three_splats", "Three splats; under 1 KB.", lambda: encoded(made(3, 0)))
    for degree in range(4):
        yield Valid(
            f"sh{degree}",
            f"300 splats of SH degree {degree}: everything that the default preset uses.",
            partial(preset, 300, degree),
        )
    for quality in ("near-lossless", "high", "small", "tiny"):
        yield Valid(
            f"quality_{quality.replace('-', '_')}",
            f"400 splats at preset {quality}: other steps, and so other numbers of cells, depths and token sizes.",
            partial(preset, 400, 3, quality),
        )
    yield Valid(
        "chunks",
        "Seven chunks that share one parameter set; neighbours are never looked for across chunks.",
        lambda: encoded(made(400, 1), chunk=64),
    )
    yield Valid(
        "outliers",
        "Splats a million times farther than the rest: chunks with large origins, the steps of the others unspoilt.",
        far_outliers,
    )
    yield Valid(
        "huge_coordinates",
        "Coordinates up to the largest finite number: origins and exponents near their limits, and values that must saturate instead of becoming infinite.",
        huge,
    )
    yield Valid(
        "tiny_coordinates",
        "A scene of size 1e-38: positions that are denormal numbers and must be rounded once.",
        tiny_scene,
    )
    yield Valid(
        "extreme_values",
        "Scales of e^40 and e^-60, logits of +-50, colours of 1e4, quaternions of length 0 and 1e-20.",
        extreme_values,
    )
    yield Valid(
        "duplicates",
        "Splats that repeat the one before, and others in the same place that do not; extra attributes are coded for repeats, too.",
        lambda: encoded(with_duplicates()),
    )
    yield Valid("one_place", "50 different splats in one place: every split is all or nothing.", one_point)
    yield Valid(
        "extras",
        "An attribute of each type that PLY has, with infinities, denormals, NaN payloads and the ends of every range.",
        lambda: encoded(made(50, 0, **all_extras(50))),
    )
    yield Valid(
        "extras_normals",
        "nx, ny, nz as extra attributes: they take the place of the zeros in the PLY, with their own types.",
        lambda: encoded(
            made(
                30,
                1,
                nz=np.arange(30, dtype=np.float64),
                nx=np.arange(30, dtype=np.int16),
                ny=np.linspace(-1, 1, 30).astype(np.float32),
            )
        ),
    )
    yield Valid(
        "stored",
        "All that a file can hold besides: the order of the input, comments, JSON, a thumbnail, a scene offset, extra attributes in steps.",
        stored,
    )
    yield Valid(
        "dilation_off",
        "Log-scales without the dilation.",
        lambda: encoded(made(200, 0), steps={"dilation": 0.0}),
    )
    yield Valid(
        "dilation_large",
        "A dilation larger than most splats: the steep end of its table.",
        lambda: encoded(made(200, 0), steps={"dilation": 4.0}),
    )
    yield Valid("unpredicted", "No attribute is predicted.", lambda: encoded(made(150, 1), plan=unpredicted))
    yield Valid(
        "windows",
        "Predictor sets with windows of 0, 1 and 5.",
        lambda: encoded(made(150, 1), plan=unwindowed),
    )
    yield Valid("lanes_4", "Four lanes in every stream.", lambda: encoded(made(120, 1), lanes_from=1))
    for classes in (1, 2, 8):
        yield Valid(
            f"classes_{classes}",
            f"{classes} importance classes in one octree.",
            partial(classified, classes),
        )
    yield Valid(
        "octrees",
        "Eight classes in four octrees of different depth, merged by Morton order.",
        lambda: encoded(made(300, 1), steps={"classes": 8, "position_cap": 7, "exponents": (3, 2, 3, 1, 0)}),
    )
    yield Valid(
        "octrees_chunks",
        "Four octrees in each of several chunks; some of the octrees are empty.",
        lambda: encoded(made(200, 0), chunk=25, steps={"classes": 8, "position_cap": 7, "spread": 0.7}),
    )
    yield Valid(
        "parameter_sets",
        "Two parameter sets, of different steps, tables and bases.",
        lambda: as_file(two_sets()),
    )
    yield Valid("stream", "Stream mode with counts that are known.", lambda: as_stream(two_sets()))
    yield Valid(
        "stream_unknown_counts",
        "Stream mode that does not know what follows: unknown counts, each parameter set right before its first chunk.",
        lambda: as_stream(two_sets(), late=True, splat_count=None, chunk_count=None),
    )
    yield Valid(
        "stream_late_index",
        "A stream whose index comes last and has to agree with what was read.",
        late_index,
    )
    yield Valid(
        "ignorable",
        "Unknown sections that may be skipped, an empty one among them, in file mode.",
        lambda: as_file(two_sets(), ignorable=[(b"META", b"{}"), (b"QQQQ", bytes(300)), (b"THMB", b"")]),
    )
    yield Valid(
        "ignorable_stream",
        "Unknown sections between the chunks of a stream.",
        lambda: as_stream(two_sets(), ignorable=True),
    )
    yield Valid(
        "level_2", "Level 2, which changes nothing but the limits.", lambda: as_file(two_sets(), level=2)
    )
    yield Valid(
        "semantics",
        "A scene header that states everything: axes, units, colour space, a scene offset that is not added to positions.",
        semantics,
    )
    yield from lossless_baselines()


# ------------------------------------------------------------ lossless


def lossless(ply: bytes) -> Callable[[], bytes]:
    return lambda: encode_ply(ply, smallest=False).data  # not packed as a whole, small as they are


def ply_of(count: int, sh_degree: int = 3, *, big: bool = False, comments: bool = False) -> bytes:
    """A PLY file of the made scene; its order, axes and quaternions are those of the scene."""
    out = io.BytesIO()
    write_ply(out, made(count, sh_degree))
    head, _, rows = out.getvalue().partition(b"end_header\n")
    if comments:
        head = head.replace(b"element", b"comment kept  with its spaces\nobj_info too\nelement", 1)
    if big:
        head = head.replace(b"little", b"big")
        rows = np.frombuffer(rows, "<f4").astype(">f4").tobytes()
    return head + b"end_header\n" + rows


def ply_of_text(count: int, form: str) -> bytes:
    """An ASCII PLY file whose numbers are written in a C notation."""
    out = io.BytesIO()
    write_ply(out, made(count, 0))
    head, _, rows = out.getvalue().partition(b"end_header\n")
    table = np.frombuffer(rows, "<f4").reshape(count, -1).astype(float).tolist()
    lines = "".join(" ".join(form % value for value in row) + "\n" for row in table)
    return head.replace(b"binary_little_endian", b"ascii") + b"end_header\n" + lines.encode()


def ply_of_everything() -> bytes:
    """Every type of PLY in a row, another element before and a list after it, bytes after the end."""
    dice = np.random.default_rng(10)
    kinds = {"char": "i1", "uchar": "u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4",
             "float": "<f4", "double": "<f8"}  # fmt: skip
    rows = np.zeros(500, [*kinds.items(), ("same", "<f4"), ("step", "<i4")])
    for name, kind in kinds.items():
        rows[name] = (dice.normal(size=500) * 50).astype(kind)
    rows["same"], rows["step"] = 0.25, np.arange(500) * 1000
    rows["float"][::7], rows["float"][5::7] = rows["float"][3], np.nan
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "comment all of it",
        "element camera 2",
        "property float f",
    ]
    lines += ["element vertex 500", *(f"property {name} {name}" for name in kinds)]
    lines += ["property float same", "property int step", "element face 1", "property list uchar int index"]
    head = "\r\n".join([*lines, "end_header", ""]).encode()
    return head + bytes(8) + rows.tobytes() + b"\3" + bytes(12) + b"after the end"


def lossless_baselines() -> Iterator[Valid]:
    """(11) Files of the lossless profile."""
    for name, proves, ply in [
        ("scene", "Lossless: a binary scene of SH degree 3, all weights in use.", ply_of(800)),
        ("few", "Lossless: three splats, too few for weights.", ply_of(3, 0)),
        ("big_endian", "Lossless: a big-endian file with comments.", ply_of(40, 1, big=True, comments=True)),
        ("text", "Lossless: an ASCII file written with %.6g.", ply_of_text(60, "%.6g")),
        ("text_decimals", "Lossless: an ASCII file written with %.6f.", ply_of_text(30, "%.6f")),
        ("text_packed", "Lossless: an ASCII file in two notations, packed as text.",
         ply_of_text(9, "%.6g") + b"\n" + ply_of_text(9, "%+.4e")[-300:]),
        ("everything", "Lossless: every type, a row of its own before, a list after it, bytes after the end.",
         ply_of_everything()),
        ("empty", "Lossless: a file without rows.", ply_of(0, 0)),
    ]:  # fmt: skip
        yield Valid(f"lossless_{name}", proves, lossless(ply))


def stored() -> bytes:
    i = np.arange(80)
    splats = made(
        80,
        1,
        confidence=np.sin(i).astype(np.float32),
        id=i.astype(np.int32),
        time=np.stack([i / 7, -i / 9], 1),
    )
    further = Further(
        extra_errors={"*": 0.001},
        keep_order=True,
        metadata=[
            Metadata(kind="comment", text="Generated by a test\nsecond line"),
            Metadata(kind="json", text='{"author": "nobody", "licence": "CC0-1.0"}'),
        ],
        thumbnail=48,
        offset=(431_000.0, 5_412_000.0, 120.0),
    )
    return encoded(splats, further=further)


def late_index() -> bytes:
    parts = two_sets()
    return with_late_index(as_stream(parts), parts)


def semantics() -> bytes:
    return as_file(
        parts_of([encoded(made(20, 0))]),
        coordinate_system=coordinate_systems.RIGHT_UP_BACK,
        up_axis=3,
        handedness=1,
        colour_space=1,
        rendering_model=1,
        metres_per_unit=0.25,
        offset=(500_000.5, -4e6, 123.0),
    )
