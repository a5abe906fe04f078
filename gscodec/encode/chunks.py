"""One chunk on its way into a file: cells, order, and every attribute as a reader will get it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import classes as class_streams
from gscodec.attributes import colour, extras, harmonics, opacity, predictor, rotation, scale
from gscodec.chunk import ChunkFields, ChunkIntegers, Pair, Recorded, stream_names
from gscodec.container import ChunkBounds, SceneHeader
from gscodec.encode.importance import top_of
from gscodec.encode.partition import cells_of, grid_for
from gscodec.encode.sight import Sight
from gscodec.encode.steps import Plan
from gscodec.geometry import positions
from gscodec.parameters import COLOUR, HARMONICS, OPACITY, ROTATION, SCALE
from gscodec.splats import Splats

LANES_FROM = 8192  # splats: in a smaller chunk the ends of four lanes would cost more than they win
Index = NDArray[np.intp]


def whole_rows(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether all of a row are true."""
    return np.asarray(flags.all(axis=tuple(range(1, flags.ndim))))


def lanes_for(index: NDArray[np.integer]) -> int:
    """Lanes of each stream of the chunk of these splats."""
    return 4 if len(index) >= LANES_FROM else 1


class ChunkRecorder:
    """Walks the streams of one chunk in order, as a reader will, and keeps what has to be coded.

    Splats are numbered among the rows `rows` of `splats`, of which there are no copies.
    """

    def __init__(
        self,
        splats: Splats,
        rows: Index,
        scene: SceneHeader,
        plan: Plan,
        classes: NDArray[np.uint8],
        sight: Sight | None = None,
        unit: float | None = None,
        apart: NDArray[np.bool_] | None = None,
    ) -> None:
        """`apart` (n,) says which splats repeat no other, though they look alike: they move."""
        self.apart = apart
        self.splats, self.rows, self.scene, self.plan = splats, rows, scene, plan
        self.classes, self.sight = classes, sight
        # importance of class 0 as the cameras see it, whatever the classes come from
        if unit is None:
            unit = 1.0 if sight is None else top_of(sight.importance())
        self.unit = max(unit, 1e-18)

    def __call__(self, index: Index) -> tuple[Recorded, Index]:
        """The chunk of the splats `index`, and these in the order in which they are decoded."""
        chunk, index, similar = self._without_colours(index)
        first = np.diff(chunk.integers.source, prepend=np.uint32(0xFFFFFFFF)) != 0
        constants = self.splats.sh_dc[self.rows[index[first]]]
        return self._with_colours(chunk, index[first], constants, similar, None), index

    def complete(self, chunk: Recorded, index: Index) -> Recorded:
        """The chunk with the streams that were dropped; `index` is in the order in which it is decoded."""
        names = stream_names(self.plan.coding, self.scene.extras, repeats=chunk.fields.repeats)
        if chunk.ops.keys() >= set(names):
            return chunk
        ops = self._without_colours(index)[0].ops | chunk.ops
        return replace(chunk, ops={name: ops[name] for name in names})

    def _without_colours(self, index: Index) -> tuple[Recorded, Index, predictor.Similar | None]:
        """The same without colours and harmonics, and what predicts colours.

        An index that is in order stays so: a second walk gives the same streams.
        """
        splats, coding = self.splats, self.plan.coding
        lanes = lanes_for(index)
        centres = splats.positions[self.rows[index]]
        grid = grid_for(centres, coding.position_mantissa, self.plan.exponent, coding.trees)
        tree = coding.tree_of(self.classes[index])
        cells = cells_of(centres, tree, grid, coding.position_mantissa)
        x = 2 * cells + 1 << tree[:, None].astype(np.int32)
        order = self._order(x, tree, index)
        index, tree, cells = index[order], tree[order], cells[order]
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
        distinct = self.rows[index[first]]
        x, tree = place.x[first], place.tree[first]
        klass = self.classes[index[first]]
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
        words = []
        for number, extra in enumerate(self.scene.extras):
            words.append(extras.to_words(extra, splats.extras[extra.name][self.rows[index]]))
            ops[f"extra {number}"] = extras.record(extra, words[-1], lanes)
        fields = ChunkFields(
            count=len(index), repeats=has_repeats, grid=grid, distances=distances, tree_counts=tuple(counts)
        )
        integers = ChunkIntegers(
            positions=place, source=source, classes=klass, scale=scales, rotation=quaternions,
            opacity=opacities, colour=np.zeros((0, 3), np.int32), harmonics=None, extras=tuple(words),
        )  # fmt: skip
        return Recorded(fields=fields, ops=ops, integers=integers), index, similar

    def _colours(
        self,
        constants: NDArray[np.float32],
        distinct: Index,
        klass: NDArray[np.uint8],
        place: tuple[NDArray[np.int32], tuple[Pair, Pair, Pair]],
        scales: NDArray[np.int32],
        similar: predictor.Similar | None,
        costs: harmonics.Costs | None,
        lanes: int,
    ) -> tuple[dict[str, kernels.Ops], NDArray[np.int32], NDArray[np.int32] | None]:
        """Colours and harmonics of the splats `distinct`: streams, and both as a reader will have them.

        `constants` (M, 3) are the terms of degree 0 of these.
        """
        coding, (x, distances) = self.plan.coding, place
        ops: dict[str, kernels.Ops] = {}
        ops["colour"], colours = colour.record(
            predictor.side(coding, COLOUR, klass, similar),
            colour.lattice(constants, coding.colour),
            lanes,
        )
        if (sh := coding.harmonics) is None:
            return ops, colours, None
        near = predictor.similar(coding, 2, (x, distances[2]), scales, colours)
        side = predictor.side(coding, HARMONICS, klass, near)
        wanted = harmonics.lattice(self.splats.sh_rest[self.rows[distinct]], sh)
        metric = None
        if self.sight is not None and costs is not None:
            step = np.array(coding.multipliers(HARMONICS), np.float64)[klass] / 64
            metric = self.sight.metric(distinct, (self.unit / step) ** 2)
        dead_zone = self.plan.steps.dead_zone
        record = harmonics.record(side, sh, wanted, dead_zone, costs, metric, lanes)
        ops["groups"], ops["coefficients"], rest = record
        return ops, colours, rest

    def again(
        self, chunk: Recorded, index: Index, constants: NDArray[np.float32], costs: harmonics.Costs | None
    ) -> Recorded:
        """The chunk with other terms of degree 0, and harmonics chosen by what symbols cost.

        `constants` (N, 3) are of all splats, `index` of the chunk's.
        """
        old = chunk.integers
        first = np.diff(old.source, prepend=np.uint32(0xFFFFFFFF)) != 0
        place = old.positions.x[first], chunk.fields.distances[1]
        similar = predictor.similar(self.plan.coding, 1, place, old.scale)
        return self._with_colours(chunk, index[first], constants[index[first]], similar, costs)

    def _with_colours(
        self,
        chunk: Recorded,
        distinct: Index,
        constants: NDArray[np.float32],
        similar: predictor.Similar | None,
        costs: harmonics.Costs | None,
    ) -> Recorded:
        old = chunk.integers
        first = np.diff(old.source, prepend=np.uint32(0xFFFFFFFF)) != 0
        place, lanes = (old.positions.x[first], chunk.fields.distances), lanes_for(old.source)
        new, colours, rest = self._colours(
            constants, distinct, old.classes, place, old.scale, similar, costs, lanes
        )
        ops = {**chunk.ops, **new}
        names = stream_names(self.plan.coding, self.scene.extras, repeats=chunk.fields.repeats)
        return Recorded(
            fields=chunk.fields,
            ops={name: ops[name] for name in names if name in ops},
            integers=replace(old, colour=colours, harmonics=rest),
        )

    def _order(self, x: NDArray[np.int32], tree: NDArray[np.uint8], index: Index) -> Index:
        """Morton order; among splats of one cell, equal ones beside each other."""
        codes = positions.morton_codes(x)
        order = np.argsort(codes, kind="stable")
        ranked = codes[order]
        if not (ranked[1:] == ranked[:-1]).any():
            return order
        s, rows = self.splats, self.rows[index]
        look = [s.opacities[rows], s.sh_dc[rows, 0], s.scales[rows, 0]]
        return np.lexsort([*look, codes])

    def _repeats(self, index: Index, place: positions.Positions) -> NDArray[np.uint8]:
        """(N,) 1 where a splat equals the one before in everything but extras."""
        repeat = np.zeros(len(index), np.uint8)
        if len(index) < 2:
            return repeat
        same = (place.x[1:] == place.x[:-1]).all(1) & (place.tree[1:] == place.tree[:-1])
        rows = np.flatnonzero(same) + 1
        s, of = self.splats, self.rows[index]
        for array in (s.scales, s.rotations, s.opacities, s.sh_dc, s.sh_rest):
            rows = rows[whole_rows(array[of[rows]] == array[of[rows - 1]])]
        rows = rows[self.classes[index[rows]] == self.classes[index[rows - 1]]]
        if self.apart is not None:
            rows = rows[~self.apart[index[rows]]]
        repeat[rows] = 1
        return repeat


def chunk_bounds(decoded: Splats) -> ChunkBounds:
    """(2.7) Of the decoded splats: centres, and centres with three standard deviations."""
    low, high = decoded.positions.min(0), decoded.positions.max(0)
    reach = 3 * np.exp(np.clip(decoded.scales.max(1).astype(np.float64), -80, 80))[:, None]
    limit = float(np.finfo(np.float32).max)
    outer_low = np.clip((decoded.positions - reach).min(0), -limit, limit)
    outer_high = np.clip((decoded.positions + reach).max(0), -limit, limit)
    with np.errstate(over="ignore"):  # one step above the largest finite value is infinite, and clipped below
        down = np.nextafter(outer_low.astype(np.float32), np.float32(-np.inf))
        up = np.nextafter(outer_high.astype(np.float32), np.float32(np.inf))
    down, up = np.clip(down, -limit, limit), np.clip(up, -limit, limit)

    def six(
        a: NDArray[np.float32], b: NDArray[np.float32]
    ) -> tuple[float, float, float, float, float, float]:
        x0, y0, z0, x1, y1, z1 = (float(v) for v in (*a, *b))
        return x0, y0, z0, x1, y1, z1

    return ChunkBounds(bounds=six(low, high), extents=six(down, up))
