"""`encode_frames`: a sequence of frames in, a .gsc of the dynamic profile out, in one call."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

from gscodec.container import Metadata
from gscodec.container.tensors import Tensors
from gscodec.dynamic.writer import FileWriter, StreamWriter
from gscodec.encode.dynamic.encoder import SequenceEncoder
from gscodec.encode.dynamic.gof import DEFAULT as DEFAULT_GOF
from gscodec.encode.dynamic.sequence import FrameSequence, open_sequence
from gscodec.encode.dynamic.wishes import Wishes, rate_of
from gscodec.encode.effort import DEFAULT, Effort
from gscodec.encode.encoder import Encoder
from gscodec.encode.further import Further, metadata_sections
from gscodec.encode.inputs import cameras_of, moved_cameras
from gscodec.encode.large import spill_folder
from gscodec.encode.progress import Progress
from gscodec.encode.targets import target_of
from gscodec.encode.thumbnails import leading_sections
from gscodec.errors import UsageError
from gscodec.evaluate.rigs import Kind
from gscodec.io.offset import Offset
from gscodec.io.output import atomic_output

Target = str | os.PathLike[str] | BinaryIO


def encode_frames(
    frames: object,
    target: Target,
    *,
    fps: object = 30,
    gof: int = DEFAULT_GOF,
    fixed_gof: bool = False,
    tracked: bool | None = None,
    static_layer: bool = True,
    allow_gaps: bool = False,
    sh_degree: int | None = None,
    quality: str | float | None = None,
    steps: Mapping[str, object] | None = None,
    target_psnr: float | None = None,
    max_error: float | None = None,
    effort: int | Effort = DEFAULT,
    cameras: object = None,
    rig: Kind = "auto",
    nonfinite: str = "drop",
    offset: Offset | None = None,
    stream: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
    metadata: Sequence[Metadata | Tensors] = (),
    thumbnail: int | None = None,
    emitted: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """Write the .gsc of `frames` to `target`; the report. Arguments as in `gscodec.encode_sequence`.

    emitted  called when a part of a stream is written: the header part, a segment, the end

    Raises `EncodeError`, `InputError`, `UsageError`.
    """
    rate = rate_of(fps)
    sequence = open_sequence(
        frames, allow_gaps=allow_gaps, sh_degree=sh_degree, nonfinite=nonfinite, offset=offset
    )
    given = None if cameras is None else cameras_of(cameras)
    if given is not None:
        sequence.read(0)  # which says how far all is moved
        given = moved_cameras(given, sequence.moved)
    aim = target_of(target_psnr, None, max_error, 0)
    if aim is not None and quality is not None:
        raise UsageError("usage.target", "a quality and a target exclude each other: give one")
    found: dict[str, object] = {}
    if aim is not None:  # what a frame in the middle needs is what all get
        like = _middle(sequence)
        searcher = Encoder(like, effort=effort, cameras=given, rig=rig, threads=threads, progress=progress)
        if searcher.ruler is not None:
            report = searcher.reach(aim, steps).report
            found = {name: report[name] for name in ("quality", "target_reached")}
            quality = float(str(report["quality"]))
        else:
            found = {"target_reached": False}
    leading = metadata_sections(metadata)
    if thumbnail is not None:
        further = Further(metadata=metadata, thumbnail=thumbnail)
        leading = leading_sections(further, _middle(sequence), given, threads)
    encoder = SequenceEncoder(
        sequence,
        Wishes(
            fps=rate,
            gof=gof,
            splits=not fixed_gof,
            tracked=tracked,
            static_layer=static_layer,
            quality=quality,
            steps=steps,
            effort=effort,
            cameras=given,
            rig=rig,
            threads=threads,
            progress=progress,
            leading=tuple(leading),
        ),
    )
    (_write_stream if stream else _write_file)(encoder, target, emitted or (lambda: None))
    found |= {"left_out_extras": sorted(sequence.extras), "offset": sequence.offset}
    found["moved"] = sequence.moved
    return {**encoder.report, **found, "thumbnail": any(id == b"THMB" for id, _ in leading)}


def encode_frames_to_bytes(frames: object, **options: Any) -> tuple[bytes, dict[str, Any]]:
    """The same in memory: the file and the report."""
    out = io.BytesIO()
    report = encode_frames(frames, out, **options)
    return out.getvalue(), report


def _middle(sequence: FrameSequence) -> Any:
    """A frame that has splats: the one in the middle, or else the first."""
    middle = len(sequence) // 2
    for index in [middle, *range(len(sequence))]:
        if len(splats := sequence.read(index).splats):
            return splats
    return sequence.read(0).splats


def _write_file(encoder: SequenceEncoder, target: Target, _emitted: Callable[[], object]) -> None:
    path = target if isinstance(target, str | os.PathLike) else None
    with FileWriter(
        target, encoder.scene, encoder.time, static=encoder.static, folder=spill_folder(path)
    ) as writer:
        for segment in encoder.segments():
            writer.segment(segment)


def _write_stream(encoder: SequenceEncoder, target: Target, emitted: Callable[[], object]) -> None:
    if isinstance(target, str | os.PathLike):
        with atomic_output(target) as file:
            _send(encoder, file, emitted)
    else:
        _send(encoder, target, emitted)


def _send(encoder: SequenceEncoder, file: BinaryIO, emitted: Callable[[], object]) -> None:
    """Part after part, each flushed when it is complete."""
    count = len(encoder.windows) if not encoder.wishes.splits else None
    writer = StreamWriter(encoder.scene, replace(encoder.time, segment_count=count), static=encoder.static)

    def send(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[file.write(left) or 0 :]
        with suppress(AttributeError):
            file.flush()
        emitted()

    send(writer.start())
    for segment in encoder.segments():
        send(writer.segment(segment))
    send(writer.end())
