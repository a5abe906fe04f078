"""From splats to a .gsc: classes, chunks, recorded values, tables, words."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import classes as class_streams
from gscodec.attributes import colour, extras, harmonics, opacity, predictor, rotation, scale
from gscodec.chunk import ChunkFields, ChunkIntegers, Recorded, write_chunk
from gscodec.container import ChunkBounds, ChunkHeader, ExtraAttribute, SceneHeader, write_file_mode
from gscodec.container.scene import FIRST_EXTRA_ID
from gscodec.decoder import empty_splats, write_values
from gscodec.encode.clustering import choose_tables
from gscodec.encode.importance import classes_of, importance_of
from gscodec.encode.partition import cells_of, grid_for, split_cells
from gscodec.encode.steps import PRESETS, Plan, Steps, make_plan
from gscodec.errors import EncodeError, UsageError
from gscodec.geometry import positions
from gscodec.parameters import (
    COLOUR,
    HARMONICS,
    OPACITY,
    ROTATION,
    SCALE,
    Parameters,
    context_counts,
    write_parameters,
)
from gscodec.splats import Splats

LANES_FROM = (
    8192  # a chunk under this has one lane per stream: the ends of four would cost more than they win
)
Progress = Callable[[str, float], None]
Index = NDArray[np.intp]


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
        found.append(
            ExtraAttribute(
                id=FIRST_EXTRA_ID + number, name=name, type=extras.TYPES[dtype], components=components
            )
        )
    return SceneHeader(sh_degree=splats.sh_degree, extras=tuple(found))


class _ChunkRecorder:
    """Walks the streams of one chunk in order, as a reader will, and keeps what has to be coded."""

    def __init__(self, splats: Splats, scene: SceneHeader, plan: Plan, classes: NDArray[np.uint8]) -> None:
        self.splats, self.scene, self.plan, self.classes = splats, scene, plan, classes
        self.sh = None
        if plan.coding.harmonics is not None:
            self.sh = plan.coding.harmonics

    def __call__(self, index: Index) -> tuple[Recorded, Index]:
        """The chunk of the splats `index`, and these in the order in which they are decoded."""
        splats, coding = self.splats, self.plan.coding
        lanes = 4 if len(index) >= LANES_FROM else 1
        grid = grid_for(
            splats.positions[index], coding.position_mantissa, self.plan.position_exponent, coding.trees
        )
        tree = coding.tree_of(self.classes[index])
        cells = cells_of(splats.positions[index], tree, grid, coding.position_mantissa)
        x = 2 * cells + 1 << tree[:, None].astype(np.int32)
        order = self._order(x, tree, index)
        index, tree, cells, x = index[order], tree[order], cells[order], np.ascontiguousarray(x[order])
        by_tree = np.argsort(tree, kind="stable")
        counts = np.bincount(tree, minlength=coding.trees).tolist()
        ops: dict[str, kernels.Ops] = {}
        ops["position"], place = positions.record(np.ascontiguousarray(cells[by_tree]), counts, grid, lanes)

        repeat = self._repeats(index, place)
        first = repeat == 0
        has_repeats = not first.all()
        if has_repeats:
            ops["repeat"] = class_streams.record_repeats(place, repeat, lanes)
        source = (np.cumsum(first) - 1).astype(np.uint32)
        distinct = index[first]
        x, tree = place.x[first], place.tree[first]
        klass = self.classes[distinct]
        ops["class"] = class_streams.record_classes(coding, tree, klass, lanes)

        distances = self.plan.distances(grid.exponent)
        similar = predictor.similar(coding, 0, (x, distances[0]))
        logs = splats.scales[distinct].astype(np.float64)
        axes = np.argsort(-logs, axis=1, kind="stable")
        wanted = scale.lattice(np.take_along_axis(logs, axes, 1), coding.scale)
        ops["scale"], scales = scale.record(
            predictor.side(coding, SCALE, klass, similar), coding.scale, wanted, lanes
        )
        similar = predictor.similar(coding, 1, (x, distances[1]), scales)
        frames = rotation.sorted_frames(splats.rotations[distinct], axes)
        ops["rotation"], quaternions = rotation.record(
            predictor.side(coding, ROTATION, klass, similar), coding.rotation, scales, frames, lanes
        )
        ops["opacity"], opacities = opacity.record(
            predictor.side(coding, OPACITY, klass, similar),
            opacity.lattice(splats.opacities[distinct], coding.opacity),
            lanes,
        )
        ops["colour"], colours = colour.record(
            predictor.side(coding, COLOUR, klass, similar),
            colour.lattice(splats.sh_dc[distinct], coding.colour),
            lanes,
        )
        rest = None
        if self.sh is not None:
            similar = predictor.similar(coding, 2, (x, distances[2]), scales, colours)
            side = predictor.side(coding, HARMONICS, klass, similar)
            ops["groups"], ops["coefficients"], rest = self._harmonics(side, distinct, None, lanes)
        words = []
        for number, extra in enumerate(self.scene.extras):
            words.append(extras.to_words(extra, splats.extras[extra.name][index]))
            ops[f"extra {number}"] = extras.record(extra, words[-1], lanes)
        fields = ChunkFields(
            count=len(index), repeats=has_repeats, grid=grid, distances=distances, tree_counts=tuple(counts)
        )
        integers = ChunkIntegers(
            positions=place, source=source, classes=klass, scale=scales, rotation=quaternions,
            opacity=opacities, colour=colours, harmonics=rest, extras=tuple(words),
        )  # fmt: skip
        return Recorded(fields=fields, ops=ops, integers=integers), index

    def _harmonics(
        self, side: kernels.Side, distinct: Index, costs: harmonics.Costs | None, lanes: int
    ) -> tuple[kernels.Ops, kernels.Ops, NDArray[np.int32]]:
        sh = self.sh
        if sh is None:
            raise RuntimeError("the scene has no harmonics")
        wanted = harmonics.lattice(self.splats.sh_rest[distinct], sh)
        return harmonics.record(side, sh, wanted, self.plan.steps.dead_zone, costs, lanes)

    def again(self, chunk: Recorded, index: Index, costs: harmonics.Costs) -> Recorded:
        """The chunk with its harmonics chosen once more, now that the cost of symbols is known."""
        coding, old = self.plan.coding, chunk.integers
        first = np.diff(old.source, prepend=np.uint32(0xFFFFFFFF)) != 0
        x = old.positions.x[first]
        similar = predictor.similar(coding, 2, (x, chunk.fields.distances[2]), old.scale, old.colour)
        side = predictor.side(coding, HARMONICS, old.classes, similar)
        lanes = 4 if len(index) >= LANES_FROM else 1
        groups, coefficients, rest = self._harmonics(side, index[first], costs, lanes)
        ops = {**chunk.ops, "groups": groups, "coefficients": coefficients}
        return Recorded(fields=chunk.fields, ops=ops, integers=replace(old, harmonics=rest))

    def _order(self, x: NDArray[np.int32], tree: NDArray[np.uint8], index: Index) -> Index:
        """Morton order; among splats of one cell, equal ones beside each other."""
        codes = positions.morton_codes(x)
        order = np.argsort(codes, kind="stable")
        ranked = codes[order]
        if not (ranked[1:] == ranked[:-1]).any():
            return order
        look = [self.splats.opacities[index], self.splats.sh_dc[index, 0], self.splats.scales[index, 0]]
        return np.lexsort([*look, codes])

    def _repeats(self, index: Index, place: positions.Positions) -> NDArray[np.uint8]:
        """(N,) 1 where a splat equals the one before in everything but extras."""
        repeat = np.zeros(len(index), np.uint8)
        if len(index) < 2:
            return repeat
        same = (place.x[1:] == place.x[:-1]).all(1) & (place.tree[1:] == place.tree[:-1])
        rows = np.flatnonzero(same) + 1
        s = self.splats
        for array in (s.scales, s.rotations, s.opacities, s.sh_dc, s.sh_rest):
            rows = rows[_whole_rows(array[index[rows]] == array[index[rows - 1]])]
        rows = rows[self.classes[index[rows]] == self.classes[index[rows - 1]]]
        repeat[rows] = 1
        return repeat


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


def _bounds(decoded: Splats) -> ChunkBounds:
    """(2.7) Of the decoded splats: centres, and centres with three standard deviations."""
    low, high = decoded.positions.min(0), decoded.positions.max(0)
    reach = 3 * np.exp(np.clip(decoded.scales.max(1).astype(np.float64), -80, 80))[:, None]
    limit = float(np.finfo(np.float32).max)
    outer_low = np.clip((decoded.positions - reach).min(0), -limit, limit)
    outer_high = np.clip((decoded.positions + reach).max(0), -limit, limit)
    down = np.nextafter(outer_low.astype(np.float32), np.float32(-np.inf))
    up = np.nextafter(outer_high.astype(np.float32), np.float32(np.inf))
    down, up = np.clip(down, -limit, limit), np.clip(up, -limit, limit)

    def six(
        a: NDArray[np.float32], b: NDArray[np.float32]
    ) -> tuple[float, float, float, float, float, float]:
        x0, y0, z0, x1, y1, z1 = (float(v) for v in (*a, *b))
        return x0, y0, z0, x1, y1, z1

    return ChunkBounds(bounds=six(low, high), extents=six(down, up))


def _whole_rows(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether all of a row are true."""
    return np.asarray(flags.all(axis=tuple(range(1, flags.ndim))))


def finite_rows(splats: Splats) -> NDArray[np.bool_]:
    """(N,) whether every value that is rendered is finite."""
    finite = np.isfinite(splats.opacities)
    for array in (splats.positions, splats.scales, splats.rotations, splats.sh_dc, splats.sh_rest):
        finite &= _whole_rows(np.isfinite(array))
    return np.asarray(finite)


def choose_steps(quality: str, steps: Mapping[str, object] | None) -> Steps:
    """The steps of a preset, with some of them overridden."""
    if quality not in PRESETS:
        raise UsageError("usage.quality", f"quality {quality!r}: expected one of {', '.join(PRESETS)}")
    known = {f.name for f in fields(Steps)}
    for name in steps or {}:
        if name not in known:
            raise UsageError("usage.steps", f"no step {name!r}: expected some of {', '.join(sorted(known))}")
    return replace(PRESETS[quality], **dict(steps or {}))  # type: ignore[arg-type]


def encode_splats(
    splats: Splats,
    *,
    quality: str = "default",
    steps: Mapping[str, object] | None = None,
    nonfinite: str = "drop",
    threads: int = 0,
    progress: Progress | None = None,
) -> Encoded:
    """A complete file-mode .gsc of `splats`. Raises `EncodeError`, `UsageError`."""
    tell = progress or (lambda stage, share: None)
    chosen = choose_steps(quality, steps)
    if nonfinite not in ("drop", "error"):
        raise UsageError("usage.nonfinite", f"nonfinite {nonfinite!r}: expected drop or error")
    tell("checking", 0.0)
    kept: Index | None = None
    finite = finite_rows(splats)
    dropped = int(len(splats) - np.count_nonzero(finite))
    if dropped:
        if nonfinite == "error":
            raise EncodeError("encode.nonfinite", f"{dropped} splats have values that are not finite")
        kept = np.flatnonzero(finite)
        splats = splats.take(kept)
    scene = _scene_header(splats)
    report: dict[str, object] = {
        "splats": len(splats),
        "dropped_nonfinite": dropped,
        "sh_degree": splats.sh_degree,
    }
    if len(splats) == 0:
        data = write_file_mode(scene, [], [], [])
        return Encoded(data=data, order=np.zeros(0, np.int64), report={**report, "bytes": len(data)})

    importance = importance_of(
        splats,
        opacity_power=chosen.opacity_power,
        size_power=chosen.size_power,
        distance_power=chosen.distance_power,
    )
    classes = classes_of(importance, chosen.classes, chosen.spread)
    plan = make_plan(splats, classes, importance, chosen)
    cells = split_cells(splats.positions, 2 * plan.half_cell)
    recorder = _ChunkRecorder(splats, scene, plan, classes)
    sizes = context_counts(plan.coding, scene.extras)
    counts = {name: np.zeros((size, 256), np.uint32) for name, size in sizes.items()}
    recorded: list[Recorded] = []
    order: list[Index] = []
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        for number, (chunk, index) in enumerate(pool.map(recorder, cells)):
            recorded.append(chunk)
            order.append(index)
            for name, ops in chunk.ops.items():
                counts[name] += ops.histogram(sizes[name])
            tell("quantising", (number + 1) / len(cells))
        if plan.coding.harmonics is not None and chosen.rate_weight > 0:
            costs = _harmonics_costs(counts, len(plan.coding.harmonics.bounds), chosen.rate_weight)
            for name in ("groups", "coefficients"):
                counts[name][:] = 0
            again = pool.map(lambda pair: recorder.again(*pair, costs), zip(recorded, order, strict=True))
            for number, chunk in enumerate(again):
                recorded[number] = chunk
                for name in ("groups", "coefficients"):
                    counts[name] += chunk.ops[name].histogram(sizes[name])
                tell("rate-distortion", (number + 1) / len(cells))
        tell("choosing tables", 0.0)
        tables, maps = choose_tables(counts)
        parameters = Parameters(coding=plan.coding, tables=tables, maps=maps)
        header = write_parameters(parameters, scene.extras)
        sizes_by_stream = dict.fromkeys(sizes, 0)

        def finish(chunk: Recorded) -> tuple[bytes, ChunkBounds, list[int]]:
            streams = list(chunk.encoded(parameters))
            start = ChunkHeader(parameters_id=plan.coding.id, splat_count=chunk.fields.count)
            out = empty_splats(replace(scene, extras=()), chunk.fields.count, 0)
            write_values(
                chunk.fields,
                replace(chunk.integers, harmonics=None, extras=()),
                parameters,
                replace(scene, extras=()),
                out,
            )
            return write_chunk(start, chunk.fields, streams), _bounds(out), [4 * len(w) for w, _ in streams]

        payloads, bounds = [], []
        for number, (chunk, (payload, bound, lengths)) in enumerate(
            zip(recorded, pool.map(finish, recorded), strict=True)
        ):
            payloads.append(payload)
            bounds.append(bound)
            for name, length in zip(chunk.ops, lengths, strict=True):
                sizes_by_stream[name] += length
            tell("coding", (number + 1) / len(cells))
    boxes = np.array([b.bounds for b in bounds])
    whole = [float(v) for v in (*boxes[:, :3].min(0), *boxes[:, 3:].max(0))]
    scene = replace(scene, bounds=(whole[0], whole[1], whole[2], whole[3], whole[4], whole[5]))
    data = write_file_mode(scene, [header], payloads, bounds)
    permutation = np.concatenate(order).astype(np.int64)
    report |= {
        "bytes": len(data),
        "bytes_by_stream": {**sizes_by_stream, "parameters": len(header)},
        "chunks": len(cells),
        "classes": np.bincount(classes, minlength=chosen.classes).tolist(),
        "tables": len(tables),
    }
    return Encoded(data=data, order=permutation if kept is None else kept[permutation], report=report)
