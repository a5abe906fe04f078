"""Motion as it stands in a file, segment by segment: Spacetime Gaussians and motion bases, no frames."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import temporal_kernels
from gscodec.chunk import read_chunk
from gscodec.container.reader import Chunk, Parameters
from gscodec.decoder import empty_splats, write_values
from gscodec.dynamic.reader import Bases, Motion, Move
from gscodec.dynamic.scene import Scene
from gscodec.errors import UsageError
from gscodec.io.bases_npz import BasesScene
from gscodec.io.spacetime import SpacetimeScene
from gscodec.motion import bases, polynomial, reading
from gscodec.motion.polynomial import ONE, PolynomialFields, PolynomialIntegers
from gscodec.parameters import Parameters as ParameterSet
from gscodec.parameters import read_parameters
from gscodec.splats import Splats, joined

F64 = NDArray[np.float64]
ALWAYS = 8.0  # s of a splat whose opacity does not change
MODELS = ("none", "polynomial", "bases", "keyframes", "functions")


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeChunk:
    """A chunk as it is without motion, and the integers of its motion.

    source  (N,) uint32 the distinct splat behind each; exponent: of positions
    span    ticks of the segment in which it is shown; fields: of a polynomial
    """

    splats: Splats
    source: NDArray[np.uint32]
    exponent: int
    span: tuple[int, int]
    model: int = reading.NONE
    fields: PolynomialFields | None = None
    integers: reading.Integers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePart:
    """The static layer (`duration` 0) or a segment. Times in ticks; `bases` by id."""

    start: int
    duration: int
    chunks: list[NativeChunk]
    bases: dict[int, bases.AnyBases]


def native_parts(scene: Scene) -> Iterator[NativePart]:
    """The static layer, then segment after segment, decoded.

    Raises `StreamError`, `UsageError` "native.model" where a segment moves the static layer (12.4).
    """
    file = scene.file
    if file is None:
        raise UsageError("native.model", "the scene does not change with time: it has no motion to write")
    front: dict[int, ParameterSet] = {}
    for number in (None, *range(file.count)):
        part = file.static if number is None else file.segment(number)
        sets, known, chunks = dict(front), dict[int, bases.AnyBases](), list[NativeChunk]()
        duration = part.header.duration if part.header is not None else 0
        for i, each in enumerate(part.parts):
            if isinstance(each, Parameters):
                sets[each.id] = read_parameters(
                    each.payload, each.offset, sh_degree=file.scene.sh_degree, extras=file.scene.extras
                )
            elif isinstance(each, Bases):
                found = bases.read_bases(each.payload, each.offset, known)
                known[found.fields.id] = found
            elif isinstance(each, Move):
                raise UsageError("native.model", "segments that move splats of the static layer")
            elif isinstance(each, Chunk):
                after = part.parts[i + 1] if i + 1 < len(part.parts) else None
                motion = after if isinstance(after, Motion) else None
                chunks.append(_chunk(scene, each, motion, sets, known, duration))
        if number is None:
            front = sets
        start = part.header.start if part.header is not None else 0
        yield NativePart(start=start, duration=duration, chunks=chunks, bases=known)
    if file.fault is not None:
        raise file.fault


def _chunk(
    scene: Scene,
    chunk: Chunk,
    motion: Motion | None,
    sets: dict[int, ParameterSet],
    known: dict[int, bases.AnyBases],
    duration: int,
) -> NativeChunk:
    header = scene.header
    if header is None:
        raise RuntimeError("a static scene")
    parameters = sets[chunk.header.parameters_id]
    fields, integers = read_chunk(chunk.payload, chunk.offset, parameters, header.extras)
    out = empty_splats(header, chunk.header.splat_count, scene.sh_degree)
    write_values(fields, integers, parameters.coding, header, out)
    still = NativeChunk(splats=out, source=integers.source, exponent=fields.grid.exponent, span=(0, duration))
    if motion is None or not duration:
        return still
    f = reading.motion_reader(motion.payload, motion.offset)
    model, flags, span = reading.read_head(f, duration)
    read = reading.read_motion(
        motion.payload, motion.offset, fields, integers, parameters.coding, duration, known
    )
    return NativeChunk(
        splats=out,
        source=integers.source,
        exponent=fields.grid.exponent,
        span=span,
        model=model,
        fields=polynomial.read_fields(f, flags) if model == reading.POLYNOMIAL else None,
        integers=read.integers,
    )


# ---- Spacetime Gaussians


def spacetime_scenes(scene: Scene) -> Iterator[SpacetimeScene]:
    """Each segment of a scene of polynomials, with the static layer.

    Raises `StreamError`, `UsageError` "native.model" where something moves in another way.
    """
    time = scene.time
    kernel = temporal_kernels.GAUSSIAN if time is None else time.kernel
    layer: list[SpacetimeScene] = []
    for part in native_parts(scene):
        found = [spacetime_of(chunk, part.duration, kernel) for chunk in part.chunks]
        if part.duration == 0:
            layer = found
            continue
        yield _together([*layer, *found], scene)


def spacetime_of(chunk: NativeChunk, duration: int, kernel: int) -> SpacetimeScene:
    """(12.6) The formulas of a chunk, in floats. Raises `UsageError` "native.model"."""
    count = len(chunk.splats)
    if chunk.model not in (reading.NONE, reading.POLYNOMIAL):
        raise UsageError(
            "native.model", f"motion of the model {MODELS[chunk.model]}: not Spacetime Gaussians"
        )
    if chunk.span != (0, duration):
        raise UsageError("native.model", "splats that are shown for a part of a segment: no formula says so")
    if chunk.fields is None or not isinstance(chunk.integers, PolynomialIntegers):
        return SpacetimeScene(
            splats=chunk.splats,
            centre=np.full(count, 0.5),
            scale=np.full(count, ALWAYS),
            motion=np.zeros((count, 3, 3)),
            omega=np.zeros((count, 4)),
        )
    p, rec, source = chunk.fields, chunk.integers, chunk.source
    octaves = p.octaves(rec.mask, rec.time)
    timed = (rec.mask & polynomial.TIMED > 0) & (rec.time is not None)
    centre = np.full(len(rec.mask), p.reference / ONE)
    log_width = np.full(len(rec.mask), ALWAYS)
    if rec.time is not None:
        of = rec.time.astype(np.int64)
        exact = p.centre_offset + (of[:, 0] * p.centre_step + 32 >> 6)
        y = np.clip(p.width_offset + (of[:, 1] * p.width_step + 2048 >> 12), -16 * ONE, 16 * ONE - 1)
        centre = np.where(timed, exact / ONE, centre)
        s = y / ONE * math.log(2) - (0.0 if kernel == temporal_kernels.SQUARE else math.log(2) / 2)
        log_width = np.where(timed, s, log_width)
    faster = np.ldexp(1.0, octaves)
    factor, shift = p.translation_unit
    unit = math.ldexp(factor, chunk.exponent - shift)
    motion = np.zeros((len(rec.mask), 3, 3))
    for k in range(p.degree):
        of = rec.translation[:, 3 * k : 3 * k + 3].astype(np.float64)
        motion[:, k] = of * unit * faster[:, None] ** (k + 1)
    omega = np.zeros((count, 4))
    if rec.rotation is not None:
        factor, shift = p.rotation_unit
        u = rec.rotation * (math.ldexp(factor, -shift) / ONE) * faster[:, None]
        omega = _product(u[source].astype(np.float64), chunk.splats.rotations.astype(np.float64))
    return SpacetimeScene(
        splats=chunk.splats,
        centre=centre[source],
        scale=log_width[source],
        motion=motion[source],
        omega=omega,
    )


def _together(parts: list[SpacetimeScene], scene: Scene) -> SpacetimeScene:
    header = scene.header
    if header is None:
        raise RuntimeError("a static scene")
    return SpacetimeScene(
        splats=joined([empty_splats(header, 0, scene.sh_degree), *(part.splats for part in parts)]),
        centre=np.concatenate([np.zeros(0), *(part.centre for part in parts)]),
        scale=np.concatenate([np.zeros(0), *(part.scale for part in parts)]),
        motion=np.concatenate([np.zeros((0, 3, 3)), *(part.motion for part in parts)]),
        omega=np.concatenate([np.zeros((0, 4)), *(part.omega for part in parts)]),
    )


def _product(p: F64, q: F64) -> F64:
    """(N, 4) Hamilton products, w first."""
    a, b = p[:, :1], q[:, :1]
    v, w = p[:, 1:], q[:, 1:]
    real = a * b - (v * w).sum(1, keepdims=True)
    return np.concatenate([real, a * w + b * v + np.cross(v, w)], 1)


# ---- motion bases


def bases_scene(scene: Scene) -> BasesScene:
    """(12.7) The only segment of a scene of motion bases, without the factor that all of them may share.

    Raises `StreamError`, `UsageError` "native.model" where something moves in another way.
    """
    parts = list(native_parts(scene))
    time = scene.time
    if len(parts) != 2 or parts[0].chunks or len(parts[1].bases) != 1 or time is None:
        raise UsageError("native.model", "no scene of one segment that follows motion bases")
    part = parts[1]
    (shared,) = part.bases.values()
    if not isinstance(shared, bases.Bases):
        raise UsageError("native.model", "splats that follow functions of time, not motion bases")
    if shared.fields.interval != time.frame_ticks:
        raise UsageError("native.model", "bases whose keys are no frames")
    weights = []
    for chunk in part.chunks:
        rec = chunk.integers
        is_whole = chunk.span == (0, part.duration) and chunk.model == reading.BASES
        if not is_whole or not isinstance(rec, bases.MixtureIntegers) or not rec.mask.all():
            raise UsageError("native.model", "splats that do not follow motion bases all the time")
        weights.append((rec.shares / rec.levels)[chunk.source])
    header = scene.header
    if header is None:
        raise RuntimeError("a static scene")
    none = empty_splats(header, 0, scene.sh_degree)
    return BasesScene(
        splats=joined([none, *(chunk.splats for chunk in part.chunks)]),
        weights=np.concatenate([np.zeros((0, shared.fields.count)), *weights]),
        rotations=shared.rotations.transpose(1, 0, 2) / float(ONE),
        translations=np.ldexp(
            shared.translations.transpose(1, 0, 2).astype(np.float64), shared.fields.exponent
        ),
        fps=float(1 / time.seconds(time.frame_ticks)),
    )
