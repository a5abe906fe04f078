"""`encode_spacetime`, `encode_bases`: scenes with motion of their own in, a .gsc out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from gscodec._generated import temporal_kernels
from gscodec.container import Metadata
from gscodec.container.tensors import Tensors
from gscodec.dynamic.writer import FileWriter, StreamWriter
from gscodec.encode.dynamic.mixtures import MixtureSegment
from gscodec.encode.dynamic.native import NativeEncoder, NativeSegment
from gscodec.encode.dynamic.spacetime import THRESHOLD, SpacetimeSegment
from gscodec.encode.dynamic.wishes import Wishes, rate_of
from gscodec.encode.further import Further, metadata_sections
from gscodec.encode.inputs import cameras_of
from gscodec.encode.large import spill_folder
from gscodec.encode.thumbnails import leading_sections
from gscodec.errors import EncodeError, UsageError
from gscodec.io.bases_npz import BasesScene, read_bases_npz
from gscodec.io.output import atomic_output
from gscodec.io.spacetime import SpacetimeScene, read_spacetime

Target = str | os.PathLike[str] | BinaryIO
KERNELS = {"spacetime": temporal_kernels.GAUSSIAN, "plain": temporal_kernels.SQUARE}
MOST_FRAMES = 1 << 20


def frames_of(*, frames: int | None, duration: object, fps: object) -> tuple[int, Fraction]:
    """Frames of a segment, and frames a second that make them last `duration` seconds, if that is given.

    Raises `UsageError` "usage.native".
    """
    rate = rate_of(fps)
    if (frames is None) == (duration is None):
        raise UsageError("usage.native", "expected the frames of a segment, or how many seconds it lasts")
    if frames is None:
        try:
            seconds = Fraction(str(duration))
        except (ValueError, ZeroDivisionError):
            seconds = Fraction(0)
        if seconds <= 0:
            raise UsageError("usage.native", f"a duration of {duration}: expected seconds")
        frames = max(1, round(seconds * rate))
        rate = (frames / seconds).limit_denominator(10_000)
    if not 1 <= frames <= MOST_FRAMES:
        raise UsageError("usage.native", f"{frames} frames: expected 1 to {MOST_FRAMES}")
    return frames, rate


def encode_spacetime(
    files: Sequence[str | os.PathLike[str] | SpacetimeScene],
    target: Target,
    *,
    frames: int | None = None,
    duration: object = None,
    fps: object = 30,
    kernel: str = "spacetime",
    threshold: float = THRESHOLD,
    nonfinite: str = "drop",
    extra_errors: Mapping[str, float] | None = None,
    drop_extra: Sequence[str] = (),
    stream: bool = False,
    metadata: Sequence[Metadata | Tensors] = (),
    thumbnail: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Write the .gsc of Spacetime-Gaussian files, a segment each, to `target`; the report.

    frames, duration  of each segment: one of them
    kernel            of opacities: "spacetime", or "plain" without the factor sqrt2
    threshold         weight, 0 to 1, under which a splat is not shown
    options           quality, steps, effort, cameras, rig, threads, progress of `gscodec.encode`

    Raises `EncodeError`, `InputError` "spacetime.missing", "native.layout" and those of PLY, `UsageError`.
    """
    count, rate = frames_of(frames=frames, duration=duration, fps=fps)
    if kernel not in KERNELS:
        raise UsageError("usage.native", f"kernel {kernel!r}: expected one of {', '.join(KERNELS)}")
    if not 0 <= threshold < 1:
        raise UsageError("usage.native", f"threshold {threshold}: expected 0 to less than 1")
    if not files:
        raise UsageError("usage.native", "no files")
    seen: dict[int, SpacetimeSegment] = {}

    def segment(number: int) -> SpacetimeSegment:
        if number not in seen:
            given = files[number]
            scene = given if isinstance(given, SpacetimeScene) else read_spacetime(given)
            if drop_extra:
                kept = {n: a for n, a in scene.splats.extras.items() if n not in drop_extra}
                scene = replace(scene, splats=replace(scene.splats, extras=kept))
            seen.clear()
            seen[number] = SpacetimeSegment(
                scene, count, kernel=KERNELS[kernel], threshold=threshold, nonfinite=nonfinite
            )
        return seen[number]

    left_out = {"dropped_nonfinite": 0, "never_shown": 0}

    def told(number: int, made: NativeSegment) -> None:
        if isinstance(made, SpacetimeSegment):
            left_out["dropped_nonfinite"] += made.dropped
            left_out["never_shown"] += made.hidden

    leading = _leading(segment(0), metadata, thumbnail, options)
    wishes = Wishes(fps=rate, leading=leading, **options)
    parts = [lambda number=number: segment(number) for number in range(len(files))]
    encoder = NativeEncoder(
        parts, wishes, frames=count, kernel=KERNELS[kernel], extra_errors=extra_errors, told=told
    )
    write(encoder, target, stream=stream)
    return {**encoder.report, **left_out, "model": "polynomial"}


def encode_bases(
    file: str | os.PathLike[str] | BasesScene,
    target: Target,
    *,
    fps: object = None,
    nonfinite: str = "drop",
    extra_errors: Mapping[str, float] | None = None,
    stream: bool = False,
    metadata: Sequence[Metadata | Tensors] = (),
    thumbnail: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Write the .gsc of a scene of motion bases, one segment, to `target`; the report.

    fps  in place of what the file says; the rest as for `encode_spacetime`

    Raises `EncodeError`, `InputError` "bases.*", `UsageError`.
    """
    scene = file if isinstance(file, BasesScene) else read_bases_npz(file)
    segment = MixtureSegment(scene)
    if segment.dropped and nonfinite == "error":
        raise EncodeError("encode.nonfinite", f"{segment.dropped} splats have values that are not finite")
    leading = _leading(segment, metadata, thumbnail, options)
    wishes = Wishes(fps=rate_of(scene.fps if fps is None else fps), leading=leading, **options)
    encoder = NativeEncoder(
        [lambda: segment],
        wishes,
        frames=scene.frames,
        kernel=temporal_kernels.NONE,
        extra_errors=extra_errors,
    )
    write(encoder, target, stream=stream)
    return {**encoder.report, "dropped_nonfinite": segment.dropped, "model": "bases"}


def _leading(
    segment: NativeSegment,
    metadata: Sequence[Metadata | Tensors],
    thumbnail: int | None,
    options: dict[str, Any],
) -> tuple[tuple[bytes, bytes], ...]:
    """Sections in front: texts, and a picture of the middle of the segment."""
    further = Further(metadata=metadata, thumbnail=thumbnail)
    if thumbnail is None:
        return tuple(metadata_sections(metadata))
    splats = segment.at(0.5, segment.splats, np.arange(len(segment.splats)))
    cameras = options.get("cameras")
    given = None if cameras is None else cameras_of(cameras)
    return tuple(leading_sections(further, splats, given, options.get("threads", 0)))


def write(encoder: NativeEncoder, target: Target, *, stream: bool) -> None:
    """Write all segments, one in memory at a time."""
    path = target if isinstance(target, str | os.PathLike) else None
    if not stream:
        with FileWriter(
            target, encoder.scene, encoder.time, static=encoder.static, folder=spill_folder(path)
        ) as writer:
            for segment in encoder.segments():
                writer.segment(segment)
            writer.bounds = encoder.bounds
    elif path is not None:
        with atomic_output(path) as file:
            _send(encoder, file.write)
    elif not isinstance(target, str | os.PathLike):
        _send(encoder, target.write)


def _send(encoder: NativeEncoder, put: Callable[[bytes], int]) -> None:
    time = replace(encoder.time, segment_count=len(encoder.segments_of))
    writer = StreamWriter(encoder.scene, time, static=encoder.static)

    def send(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[put(bytes(left)) or 0 :]

    send(writer.start())
    for segment in encoder.segments():
        send(writer.segment(segment))
    send(writer.end())
