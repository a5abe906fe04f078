"""`encode_frames`: a sequence of frames in, a .gsc of the dynamic profile out, in one call."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from gscodec.container import Metadata
from gscodec.container.tensors import Tensors
from gscodec.dynamic.writer import FileWriter, StreamWriter
from gscodec.encode.dynamic.aiming import Attempt, FramesRuler, attempts_folder, reach
from gscodec.encode.dynamic.encoder import SequenceEncoder
from gscodec.encode.dynamic.gof import DEFAULT as DEFAULT_GOF
from gscodec.encode.dynamic.sequence import FrameSequence, open_sequence
from gscodec.encode.dynamic.wishes import Wishes, rate_of
from gscodec.encode.effort import DEFAULT, Effort
from gscodec.encode.encoder import score_facts
from gscodec.encode.file import writer_to
from gscodec.encode.further import Further, metadata_sections
from gscodec.encode.inputs import cameras_of, moved_cameras
from gscodec.encode.large import spill_folder
from gscodec.encode.progress import Progress, silent, within
from gscodec.encode.targets import Target as Aim
from gscodec.encode.targets import target_of
from gscodec.encode.thumbnails import leading_sections
from gscodec.errors import UsageError
from gscodec.evaluate.rigs import Kind
from gscodec.io.offset import Offset
from gscodec.io.output import atomic_output

BLOCK = 1 << 20
Target = str | os.PathLike[str] | BinaryIO
Write = Callable[[SequenceEncoder, Target, Callable[[], object]], None]


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
    target_size: float | str | None = None,
    max_error: float | None = None,
    measure: bool = False,
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
    folder: str | None = None,
) -> dict[str, Any]:
    """Write the .gsc of `frames` to `target`; the report. Arguments as in `gscodec.encode_sequence`.

    emitted  called when a part of a stream is written: the header part, a segment, the end; not with a target
             or `measure`, when all is written at the end
    folder   where attempts go for a target, up to ten files at a time; None: TMPDIR or beside the output

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
    units = {"frame": float(len(sequence)), "second": float(sequence.span / rate)}
    aim = target_of(target_psnr, target_size, max_error, units)
    if aim is not None and quality is not None:
        raise UsageError("usage.target", "a quality and a target exclude each other: give one")
    leading = metadata_sections(metadata)
    if thumbnail is not None:
        further = Further(metadata=metadata, thumbnail=thumbnail)
        leading = leading_sections(further, _middle(sequence), given, threads)
    wishes = Wishes(
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
    )
    write = _write_stream if stream else _write_file
    if aim is None and not measure:
        encoder = SequenceEncoder(sequence, wishes)
        write(encoder, target, emitted or (lambda: None))
        found = encoder.report
    else:
        found = _tried(sequence, wishes, aim, target, write, measure=measure, folder=folder)
    return {
        **found,
        "left_out_extras": sorted(sequence.extras),
        "offset": sequence.offset,
        "moved": sequence.moved,
        "thumbnail": any(id == b"THMB" for id, _ in leading),
    }


def _tried(
    sequence: FrameSequence,
    wishes: Wishes,
    aim: Aim | None,
    target: Target,
    write: Write,
    *,
    measure: bool,
    folder: str | None,
) -> dict[str, Any]:
    """Temporary files, until one will do and was looked at; the report."""
    tell, cameras = wishes.progress or silent, None if wishes.cameras is None else cameras_of(wishes.cameras)
    path = target if isinstance(target, str | os.PathLike) else None
    looks = measure or (aim is not None and aim.kind != "size")

    def attempt(quality: float | str | None, to: Path) -> dict[str, Any]:
        progress = wishes.progress if aim is None else None
        encoder = SequenceEncoder(sequence, replace(wishes, quality=quality, progress=progress))
        write(encoder, to, lambda: None)
        return encoder.report

    output = atomic_output(path) if path is not None else nullcontext(target)
    with output as file, attempts_folder(folder or spill_folder(path)) as inside:
        ruler = FramesRuler(sequence, cameras, wishes.rig, wishes.threads) if looks else None
        made = Path(inside) / "scene.gsc"
        if aim is None or (aim.kind != "size" and not (ruler and ruler.sees)):
            best = Attempt(made, attempt(wishes.quality, made), None)
        else:
            splats = max(len(_middle(sequence)), 1)
            best = reach(
                aim, splats, len(sequence), attempt, ruler, Path(inside), threads=wishes.threads,
                tell=within(tell, "searching"),
            )  # fmt: skip
        scores = best.scores
        if scores is None and ruler is not None:
            scores = ruler.measure(best.path, wishes.threads)
        put = writer_to(file)  # type: ignore[arg-type]
        with best.path.open("rb") as source:
            while block := source.read(BLOCK):
                put(block)
    missed = {} if aim is None else {"target_reached": False}
    return {**missed, **best.report, **score_facts(scores)}


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

    put = writer_to(file)

    def send(data: bytes) -> None:
        put(data)
        with suppress(AttributeError):
            file.flush()
        emitted()

    send(writer.start())
    for segment in encoder.segments():
        send(writer.segment(segment))
    send(writer.end())
