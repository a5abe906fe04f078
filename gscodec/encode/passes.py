"""The passes over all chunks: record everything, choose harmonics by their cost, decode, correct, write.

What is recorded takes more memory than the scene, and correcting colours takes as much again: streams go once
they are counted, where something else comes before they are written, and are recorded a second time then.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import harmonics
from gscodec.chunk import Recorded, write_chunk
from gscodec.container import ChunkBounds, ChunkHeader
from gscodec.decoder import empty_splats, write_values
from gscodec.encode.chunks import ChunkRecorder, Index, chunk_bounds
from gscodec.encode.clustering import choose_tables
from gscodec.encode.progress import Progress
from gscodec.encode.tables import choose
from gscodec.parameters import Parameters, clusters, context_counts, write_parameters
from gscodec.splats import Splats

HARMONICS = ("groups", "coefficients")
COST_TABLES = 32  # at most, when bits of symbols are weighed: more would be known too inexactly
Float32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Written:
    """Payloads for a container: a parameter set, its chunks and their bounds; bytes by stream; tables."""

    parameters: bytes
    chunks: list[bytes]
    bounds: list[ChunkBounds]
    sizes: dict[str, int]
    tables: int


class Passes:
    """The chunks of a scene on their way into a file."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        recorder: ChunkRecorder,
        cells: list[Index],
        layers: list[int],
        tables: int,
        tell: Progress,
    ) -> None:
        self.pool, self.recorder, self.cells, self.tell = pool, recorder, cells, tell
        self.layers = layers  # of each cell
        self.most_tables = tables
        self.coding = recorder.plan.coding
        self.chunks: list[Recorded] = []
        self.order: list[Index] = []
        self._chooses = self.coding.harmonics is not None and recorder.plan.steps.rate_weight > 0
        sizes = context_counts(self.coding, recorder.scene.extras)
        self._counts = {name: np.zeros((size, 256), np.uint32) for name, size in sizes.items()}
        self._lock = Lock()  # of the counts, which chunks add to in any order

    def record(self, *, keeps: bool = True) -> None:
        """Choose every value by rounding. Unless it `keeps` them, streams go once they are counted."""

        def one(cell: Index) -> tuple[Recorded, Index]:
            chunk, index = self.recorder(cell)
            self._count(chunk, tuple(chunk.ops))
            chunk = _without_harmonics(chunk) if self._chooses else chunk
            return chunk if keeps else replace(chunk, ops={}), index

        for number, (chunk, index) in enumerate(self.pool.map(one, self.cells)):
            self.chunks.append(chunk)
            self.order.append(index)
            self.tell("quantising", (number + 1) / len(self.cells))
            kernels.trim_memory()
        self.cells = []

    def choose(self, constants: Float32, stage: str, *, keeps: bool = True) -> None:
        """Colours, with `constants` (N, 3) as terms of degree 0, and harmonics anew, by what symbols cost."""
        costs = self._costs() if self._chooses else None
        self.chunks = [_without_harmonics(chunk) for chunk in self.chunks]
        names = ("colour", *(HARMONICS if self.coding.harmonics else ()))
        for name in names:
            self._counts[name][:] = 0

        def one(old: Recorded, index: Index) -> Recorded:
            chunk = self.recorder.again(old, index, constants, costs)
            self._count(chunk, names)
            return chunk if keeps else replace(chunk, ops=old.ops)

        for number, chunk in enumerate(self.pool.map(one, self.chunks, self.order)):
            self.chunks[number] = chunk
            self.tell(stage, (number + 1) / len(self.chunks))
        kernels.trim_memory()

    def forget(self) -> None:
        """Drop the harmonics, which `choose` will choose again: after this they cannot be decoded."""
        self.chunks = [_without_harmonics(chunk) for chunk in self.chunks]
        kernels.trim_memory()

    @property
    def chooses(self) -> bool:
        """Whether harmonics wait for `choose`."""
        return self._chooses

    def sources(self) -> list[NDArray[np.uint32]]:
        """For each chunk the distinct splat behind every splat."""
        return [chunk.integers.source for chunk in self.chunks]

    def decoded(self, sh_degree: int | None = None) -> Splats:
        """The splats as a reader will have them, without extra attributes; all harmonics, or fewer."""
        scene = replace(self.recorder.scene, extras=())
        counts = [chunk.fields.count for chunk in self.chunks]
        ends = np.cumsum(counts)
        degree = scene.sh_degree if sh_degree is None else sh_degree
        out = empty_splats(scene, int(ends[-1]), degree)

        def fill(number: int) -> None:
            chunk = self.chunks[number]
            rows = out.take(slice(int(ends[number]) - counts[number], int(ends[number])))
            write_values(chunk.fields, replace(chunk.integers, extras=()), self.coding, scene, rows)

        list(self.pool.map(fill, range(len(counts))))
        return out

    def write(self) -> Written:
        """What goes into the file."""
        self.tell("choosing tables", 0.0)
        scene = self.recorder.scene
        found = choose(self._counts, clusters(self.coding, scene.extras), most=self.most_tables)
        parameters = Parameters(coding=self.coding, tables=found.tables, maps=found.maps, choice=found.choice)
        plain = replace(scene, extras=())

        def finish(chunk: Recorded, index: Index, layer: int) -> tuple[bytes, ChunkBounds, dict[str, int]]:
            chunk = self.recorder.complete(chunk, index)
            streams = list(chunk.encoded(parameters))
            count = chunk.fields.count
            header = ChunkHeader(parameters_id=self.coding.id, layer=layer, splat_count=count)
            out = empty_splats(plain, count, 0)
            shown = replace(chunk.integers, harmonics=None, extras=())
            write_values(chunk.fields, shown, self.coding, plain, out)
            sizes = {name: 4 * len(words) for name, (words, _) in zip(chunk.ops, streams, strict=True)}
            return write_chunk(header, chunk.fields, streams), chunk_bounds(out), sizes

        payloads, bounds, sizes = [], [], Counter[str]()
        finished = self.pool.map(finish, self.chunks, self.order, self.layers)
        for number, (payload, bound, by_stream) in enumerate(finished):
            payloads.append(payload)
            bounds.append(bound)
            sizes.update(by_stream)
            self.tell("coding", (number + 1) / len(self.chunks))
        header = write_parameters(parameters, scene.extras)
        return Written(
            parameters=header,
            chunks=payloads,
            bounds=bounds,
            sizes={**sizes, "parameters": len(header)},
            tables=len(found.tables),
        )

    def _count(self, chunk: Recorded, names: tuple[str, ...]) -> None:
        for name in names:
            found = chunk.ops[name].histogram(len(self._counts[name]))
            with self._lock:
                self._counts[name] += found

    def _costs(self) -> harmonics.Costs:
        """Bits of symbols under the tables that the choice before would get."""
        tables, maps = choose_tables({name: self._counts[name] for name in HARMONICS}, most=COST_TABLES)
        shares = tables.frequencies / (1 << tables.resolutions.astype(np.int64))[:, None]
        bits = -np.log2(np.maximum(shares, 2.0**-14)).astype(np.float32)
        groups = len(self.coding.harmonics.bounds) if self.coding.harmonics else 0
        tokens = np.ascontiguousarray(bits[maps["coefficients"]][:, : harmonics.COST_TOKENS])
        return harmonics.Costs(
            groups=np.ascontiguousarray(bits[maps["groups"]][:, : groups + 1]),
            tokens=tokens,
            per_bit=self.recorder.plan.steps.rate_weight,
        )


def _without_harmonics(chunk: Recorded) -> Recorded:
    """The chunk without what will be chosen again: the largest part of its memory."""
    ops = {name: ops for name, ops in chunk.ops.items() if name not in HARMONICS}
    return replace(chunk, ops=ops, integers=replace(chunk.integers, harmonics=None))
