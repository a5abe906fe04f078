"""From splats to a .gsc: classes, chunks, recorded values, tables, words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.attributes import extras, harmonics
from gscodec.chunk import Recorded, write_chunk
from gscodec.container import ChunkBounds, ChunkHeader, ExtraAttribute, SceneHeader, write_file_mode
from gscodec.container.scene import FIRST_EXTRA_ID
from gscodec.decoder import empty_splats, thread_count, write_values
from gscodec.encode.chunks import ChunkRecorder, Index, chunk_bounds, whole_rows
from gscodec.encode.clustering import choose_tables
from gscodec.encode.importance import classes_of, importance_of
from gscodec.encode.partition import split_cells
from gscodec.encode.steps import PRESETS, Steps, check_step, make_plan
from gscodec.errors import EncodeError, UsageError
from gscodec.parameters import Parameters, context_counts, write_parameters
from gscodec.splats import Splats

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The result of an encoding.

    data    the file
    order   (N,) for each decoded splat, its number in the input
    report  bytes by stream and other facts, ready for JSON
    """

    data: bytes
    order: NDArray[np.int64]
    report: dict[str, object] = field(default_factory=dict)


def _scene_header(splats: Splats) -> SceneHeader:
    found = []
    for number, (name, array) in enumerate(splats.extras.items()):
        dtype = array.dtype.newbyteorder("<")
        if dtype not in extras.TYPES:
            raise EncodeError("encode.extra", f"extra attribute {name!r} has type {array.dtype}")
        components = 1 if array.ndim == 1 else array.shape[1]
        if not 1 <= components <= 255:
            raise EncodeError("encode.extra", f"extra attribute {name!r} has {components} components")
        found.append(
            ExtraAttribute(
                id=FIRST_EXTRA_ID + number, name=name, type=extras.TYPES[dtype], components=components
            )
        )
    return SceneHeader(sh_degree=splats.sh_degree, extras=tuple(found))


def finite_rows(splats: Splats) -> NDArray[np.bool_]:
    """(N,) whether every value that is rendered is finite."""
    finite = np.isfinite(splats.opacities)
    for array in (splats.positions, splats.scales, splats.rotations, splats.sh_dc, splats.sh_rest):
        finite &= whole_rows(np.isfinite(array))
    return np.asarray(finite)


def choose_steps(quality: str, steps: Mapping[str, object] | None) -> Steps:
    """The steps of a preset, with some of them overridden. Raises `UsageError`."""
    if quality not in PRESETS:
        raise UsageError("usage.quality", f"quality {quality!r}: expected one of {', '.join(PRESETS)}")
    known = {f.name for f in fields(Steps)}
    for name, value in (steps or {}).items():
        if name not in known:
            raise UsageError("usage.steps", f"no step {name!r}: expected some of {', '.join(sorted(known))}")
        if problem := check_step(name, value):
            raise UsageError("usage.steps", f"step {name!r} is {value!r}: {problem}")
    return replace(PRESETS[quality], **dict(steps or {}))  # type: ignore[arg-type]


def encode_splats(
    splats: Splats,
    *,
    quality: str = "default",
    steps: Mapping[str, object] | None = None,
    importance: NDArray[np.floating] | None = None,
    gram=None,
    nonfinite: str = "drop",
    threads: int = 0,
    progress: Progress | None = None,
) -> Encoded:
    """A complete file-mode .gsc of `splats`; `importance` (N,) as in `gscodec.encode`.

    Raises `EncodeError`, `UsageError`.
    """
    if not isinstance(splats, Splats):
        raise UsageError("usage.splats", f"expected Splats, not {type(splats).__name__}")
    workers = thread_count(threads)
    tell = progress or (lambda stage, share: None)
    chosen = choose_steps(quality, steps)
    if nonfinite not in ("drop", "error"):
        raise UsageError("usage.nonfinite", f"nonfinite {nonfinite!r}: expected drop or error")
    weight = None if importance is None else np.asarray(importance, np.float64)
    if weight is not None and not (
        weight.shape == (len(splats),) and np.isfinite(weight).all() and (weight >= 0).all()
    ):
        raise UsageError("usage.importance", "importance: expected one finite number >= 0 per splat")
    tell("checking", 0.0)
    kept: Index | None = None
    finite = finite_rows(splats)
    dropped = int(len(splats) - np.count_nonzero(finite))
    if dropped:
        if nonfinite == "error":
            raise EncodeError("encode.nonfinite", f"{dropped} splats have values that are not finite")
        kept = np.flatnonzero(finite)
        splats = splats.take(kept)
        weight = None if weight is None else weight[kept]
    scene = _scene_header(splats)
    report: dict[str, object] = {
        "splats": len(splats),
        "dropped_nonfinite": dropped,
        "sh_degree": splats.sh_degree,
    }
    if len(splats) == 0:
        data = write_file_mode(scene, [], [], [])
        return Encoded(data=data, order=np.zeros(0, np.int64), report={**report, "bytes": len(data)})

    if weight is None:
        weight = importance_of(
            splats,
            opacity_power=chosen.opacity_power,
            size_power=chosen.size_power,
            distance_power=chosen.distance_power,
        )
    classes = classes_of(weight, chosen.classes, chosen.spread)
    plan = make_plan(splats, classes, weight, chosen)
    cells = split_cells(splats.positions, 2 * plan.half_cell)
    from gscodec.encode.importance import TOP
    recorder = ChunkRecorder(splats, scene, plan, classes, gram, float(np.quantile(weight, TOP)) ** 2)
    pool = ThreadPoolExecutor(workers)
    try:
        recorded, order, counts = _record(pool, recorder, cells, tell)
        tell("choosing tables", 0.0)
        tables, maps = choose_tables(counts)
        parameters = Parameters(coding=plan.coding, tables=tables, maps=maps)
        written = _write(pool, recorded, parameters, scene, tell)
    finally:
        pool.shutdown(cancel_futures=True)
    header = write_parameters(parameters, scene.extras)
    boxes = np.array([bounds.bounds for _, bounds, _ in written])
    x0, y0, z0 = boxes[:, :3].min(0).tolist()
    x1, y1, z1 = boxes[:, 3:].max(0).tolist()
    scene = replace(scene, bounds=(x0, y0, z0, x1, y1, z1))
    data = write_file_mode(
        scene, [header], [payload for payload, _, _ in written], [bounds for _, bounds, _ in written]
    )
    sizes = Counter[str]()
    for _, _, by_stream in written:
        sizes.update(by_stream)
    permutation = np.concatenate(order).astype(np.int64)
    report |= {
        "bytes": len(data),
        "bytes_by_stream": {**sizes, "parameters": len(header)},
        "chunks": len(cells),
        "classes": np.bincount(classes, minlength=chosen.classes).tolist(),
        "tables": len(tables),
    }
    return Encoded(data=data, order=permutation if kept is None else kept[permutation], report=report)


def _record(
    pool: ThreadPoolExecutor, recorder: ChunkRecorder, cells: list[Index], tell: Progress
) -> tuple[list[Recorded], list[Index], dict[str, NDArray[np.uint32]]]:
    """The chunks with all values chosen, the splats of each in order, and how often each symbol occurs."""
    coding = recorder.plan.coding
    sizes = context_counts(coding, recorder.scene.extras)
    counts = {name: np.zeros((size, 256), np.uint32) for name, size in sizes.items()}
    weight = recorder.plan.steps.rate_weight
    chooses_again = coding.harmonics is not None and weight > 0
    recorded: list[Recorded] = []
    order: list[Index] = []
    for number, (chunk, index) in enumerate(pool.map(recorder, cells)):
        for name, ops in chunk.ops.items():
            counts[name] += ops.histogram(sizes[name])
        recorded.append(_without_harmonics(chunk) if chooses_again else chunk)
        order.append(index)
        tell("quantising", (number + 1) / len(cells))
    if coding.harmonics is None or not chooses_again:
        return recorded, order, counts
    costs = _harmonics_costs(counts, len(coding.harmonics.bounds), weight)
    for name in ("groups", "coefficients"):
        counts[name][:] = 0
    again = pool.map(recorder.again, recorded, order, [costs] * len(recorded))
    for number, chunk in enumerate(again):
        recorded[number] = chunk
        for name in ("groups", "coefficients"):
            counts[name] += chunk.ops[name].histogram(sizes[name])
        tell("weighing bits against error", (number + 1) / len(cells))
    return recorded, order, counts


def _without_harmonics(chunk: Recorded) -> Recorded:
    """The chunk without what will be chosen again: the largest part of its memory."""
    ops = {name: ops for name, ops in chunk.ops.items() if name not in ("groups", "coefficients")}
    return replace(chunk, ops=ops, integers=replace(chunk.integers, harmonics=None))


def _write(
    pool: ThreadPoolExecutor,
    recorded: list[Recorded],
    parameters: Parameters,
    scene: SceneHeader,
    tell: Progress,
) -> list[tuple[bytes, ChunkBounds, dict[str, int]]]:
    """For each chunk its payload, its bounds as decoded, and bytes by stream."""
    plain = replace(scene, extras=())

    def finish(chunk: Recorded) -> tuple[bytes, ChunkBounds, dict[str, int]]:
        streams = list(chunk.encoded(parameters))
        header = ChunkHeader(parameters_id=parameters.coding.id, splat_count=chunk.fields.count)
        out = empty_splats(plain, chunk.fields.count, 0)
        write_values(chunk.fields, replace(chunk.integers, harmonics=None, extras=()), parameters, plain, out)
        sizes = {name: 4 * len(words) for name, (words, _) in zip(chunk.ops, streams, strict=True)}
        return write_chunk(header, chunk.fields, streams), chunk_bounds(out), sizes

    written = []
    for number, result in enumerate(pool.map(finish, recorded)):
        written.append(result)
        tell("coding", (number + 1) / len(recorded))
    return written


def _harmonics_costs(
    counts: Mapping[str, NDArray[np.uint32]], groups: int, per_bit: float
) -> harmonics.Costs:
    """Bits of symbols under the tables that the first choice of residuals would get."""
    tables, maps = choose_tables({name: counts[name] for name in ("groups", "coefficients")}, most=32)
    shares = tables.frequencies / (1 << tables.resolutions.astype(np.int64))[:, None]
    bits = -np.log2(np.maximum(shares, 2.0**-14)).astype(np.float32)
    tokens = np.ascontiguousarray(bits[maps["coefficients"]][:, : harmonics.COST_TOKENS])
    return harmonics.Costs(
        groups=np.ascontiguousarray(bits[maps["groups"]][:, : groups + 1]), tokens=tokens, per_bit=per_bit
    )
