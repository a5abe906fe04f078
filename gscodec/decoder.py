"""Decoding without input or output: feed bytes, get events, put exact values into arrays.

Rule 1: nothing here opens a file; the caller brings bytes and takes `Splats`.
Rule 2: every chunk decodes on its own; chunks may be decoded side by side, which never changes the result.
Rule 3: output memory is taken once the container has checked the counts against the limits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gscodec.attributes import colour, extras, harmonics, opacity, rotation, scale
from gscodec.chunk import ChunkFields, ChunkIntegers, read_chunk
from gscodec.container import Chunk, ContainerReader, End, ExtraAttribute, SceneHeader, Skipped
from gscodec.container import Parameters as ParametersEvent
from gscodec.errors import StreamError, UsageError
from gscodec.geometry import positions
from gscodec.geometry.permutation import read_permutation
from gscodec.limits import Limits
from gscodec.parameters import COEFFICIENTS, CodingParameters, Parameters, read_parameters
from gscodec.splats import Splats

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedChunk:
    """The splats of one chunk, and where they stand in the scene."""

    number: int
    first_splat: int
    splats: Splats


def _pool(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # a tenth of the time that importing this module takes

    return ThreadPoolExecutor(thread_count(threads))


def empty_splats(scene: SceneHeader, count: int, sh_degree: int) -> Splats:
    """Uninitialised arrays for `count` splats of the scene."""
    return Splats(
        positions=np.empty((count, 3), np.float32),
        scales=np.empty((count, 3), np.float32),
        rotations=np.empty((count, 4), np.float32),
        opacities=np.empty(count, np.float32),
        sh_dc=np.empty((count, 3), np.float32),
        sh_rest=np.empty((count, COEFFICIENTS[sh_degree], 3), np.float32),
        extras={extra.name: _empty_extra(extra, count) for extra in scene.extras},
    )


def _empty_extra(extra: ExtraAttribute, count: int) -> NDArray[Any]:
    shape = (count,) if extra.components == 1 else (count, extra.components)
    return np.empty(shape, extras.DTYPES[extra.type])


def put(part: Splats, index: NDArray[Any] | slice, out: Splats) -> None:
    """Write the splats of `part` to the rows `index` of `out`."""
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        getattr(out, name)[index] = getattr(part, name)
    for name, array in part.extras.items():
        out.extras[name][index] = array


def write_values(
    fields: ChunkFields, integers: ChunkIntegers, coding: CodingParameters, scene: SceneHeader, out: Splats
) -> None:
    """(6) The exact values of a chunk, written to the arrays of `out`, which has as many splats.

    Fewer SH coefficients in `out` than in the scene drop the higher ones.
    """
    source = integers.source
    positions.values(integers.positions.x, fields.grid, coding.position_mantissa, out.positions)
    scale.values(integers.scale, source, coding.scale, out.scales)
    rotation.values(integers.rotation, source, out.rotations)
    opacity.values(integers.opacity, source, coding.opacity, out.opacities)
    colour.values(integers.colour, source, coding.colour, out.sh_dc)
    kept = out.sh_rest.shape[1]
    if coding.harmonics is not None and integers.harmonics is not None and kept:
        if kept == coding.harmonics.bounds[-1]:
            harmonics.values(integers.harmonics, source, coding.harmonics, out.sh_rest)
        else:
            rest = np.empty((len(source), coding.harmonics.bounds[-1], 3), np.float32)
            harmonics.values(integers.harmonics, source, coding.harmonics, rest)
            out.sh_rest[:] = rest[:, :kept]
    for extra, words in zip(scene.extras, integers.extras, strict=True):
        out.extras[extra.name][:] = extras.values(extra, words)


def thread_count(threads: int) -> int:
    """`threads`, or one per processor for 0. Raises `UsageError`."""
    if threads < 0:
        raise UsageError("usage.threads", f"threads {threads}: expected 0 or more")
    return threads or os.cpu_count() or 1


class Decoder:
    """An incremental decoder of one file or stream.

    `limits` are the caller's own; `sh_degree` drops higher coefficients; `threads` decode chunks side by side
    (0: one per processor). Feed bytes, iterate `chunks()`, `close()` when no more bytes follow, iterate once
    more: a truncated stream yields every complete chunk before it raises `Truncated`. Chunks come in the
    order of the file; `ranks` then says how to restore that of the input.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        sh_degree: int | None = None,
        threads: int = 0,
        verify: bool = True,
    ) -> None:
        self._reader = ContainerReader(limits, verify=verify)
        self._sh_degree = sh_degree
        self._threads = thread_count(threads)
        self._parameters: dict[int, Parameters] = {}
        self._order: Skipped | None = None
        self.scene: SceneHeader | None = None
        self.end: End | None = None

    def feed(self, data: bytes | memoryview) -> None:
        """Add bytes; nothing is decoded until `chunks()` is iterated."""
        self._reader.feed(data)

    def close(self) -> None:
        """No more bytes follow."""
        self._reader.close()

    @property
    def degree(self) -> int:
        """SH degree of the output, once the scene header is known."""
        own = self.scene.sh_degree if self.scene else 0
        return own if self._sh_degree is None else min(own, self._sh_degree)

    def chunks(self) -> Iterator[DecodedChunk]:
        """The chunks that the bytes so far allow, in order. Raises `StreamError` at the first fault."""
        with _pool(self._threads) as pool:
            waiting: list[Future[DecodedChunk]] = []
            try:
                for event in self._reader.events():
                    if isinstance(event, SceneHeader):
                        self.scene = event
                    elif isinstance(event, ParametersEvent):
                        scene = self._scene_of()
                        self._parameters[event.id] = read_parameters(
                            event.payload, event.offset, sh_degree=scene.sh_degree, extras=scene.extras
                        )
                    elif isinstance(event, Chunk):
                        waiting.append(pool.submit(self._decode, event))
                        if len(waiting) > self._threads:
                            yield waiting.pop(0).result()
                    elif isinstance(event, Skipped) and event.id == b"PERM":
                        self._order = event
                    elif isinstance(event, End):
                        self.end = event
            except StreamError:
                while waiting:  # what came before is whole, or its own error comes first
                    yield waiting.pop(0).result()
                raise
            while waiting:
                yield waiting.pop(0).result()

    def ranks(self) -> NDArray[np.int64] | None:
        """(5.16) (N,) the place in the input of each splat of the file, once all chunks have been taken.

        None for a file that does not say. Raises `StreamError`.
        """
        if self._order is None or self.end is None:
            return None
        return read_permutation(self._order.payload, self._order.offset, self.end.splat_count)

    def _scene_of(self) -> SceneHeader:
        if self.scene is None:
            raise RuntimeError("the container gave no scene header")
        return self.scene

    def _decode(self, chunk: Chunk) -> DecodedChunk:
        scene = self._scene_of()
        parameters = self._parameters[chunk.header.parameters_id]
        fields, integers = read_chunk(chunk.payload, chunk.offset, parameters, scene.extras)
        out = empty_splats(scene, chunk.header.splat_count, self.degree)
        write_values(fields, integers, parameters.coding, scene, out)
        return DecodedChunk(number=chunk.number, first_splat=chunk.first_splat, splats=out)


def decode(
    data: bytes | memoryview,
    *,
    sh_degree: int | None = None,
    threads: int = 0,
    max_splats: int | None = None,
    max_bytes: int | None = None,
    file_order: bool = False,
) -> Splats:
    """The splats of a complete .gsc, in the order of the input where the file keeps it (5.16).

    `sh_degree` drops higher coefficients; `threads` 0 means one per processor and never changes the result;
    `max_splats` and `max_bytes` bound what is decoded; `file_order` leaves the splats as they stand in the
    file. Raises `StreamError` with code, clause and offset.
    """
    limits = Limits.of_caller(max_splats=max_splats, max_bytes=max_bytes)
    reader = ContainerReader(limits)
    reader.feed(data)
    reader.close()
    scene: SceneHeader | None = None
    order: Skipped | None = None
    events: list[ParametersEvent | Chunk] = []
    for event in reader.events():  # the whole container is checked before memory is taken
        if isinstance(event, SceneHeader):
            scene = event
        elif isinstance(event, ParametersEvent | Chunk):
            events.append(event)
        elif isinstance(event, Skipped) and event.id == b"PERM" and not file_order:
            order = event
    if scene is None:
        raise RuntimeError("the container gave no scene header")
    degree = scene.sh_degree if sh_degree is None else min(scene.sh_degree, sh_degree)
    chunks: list[Chunk] = []
    sets: dict[int, Parameters] = {}
    fault: StreamError | None = None
    for event in events:
        if isinstance(event, Chunk):
            chunks.append(event)
            continue
        try:
            sets[event.id] = read_parameters(
                event.payload, event.offset, sh_degree=scene.sh_degree, extras=scene.extras
            )
        except StreamError as error:
            fault = error  # a fault in the chunks before it comes first (5.15)
            break
    out = empty_splats(scene, sum(chunk.header.splat_count for chunk in chunks), degree)
    ranks = None
    if order is not None and fault is None:
        try:
            ranks = read_permutation(order.payload, order.offset, len(out))
        except StreamError as error:
            fault = error

    def work(chunk: Chunk) -> None:
        parameters = sets[chunk.header.parameters_id]
        fields, integers = read_chunk(chunk.payload, chunk.offset, parameters, scene.extras)
        rows = slice(chunk.first_splat, chunk.first_splat + chunk.header.splat_count)
        if ranks is None:
            write_values(fields, integers, parameters.coding, scene, out.take(rows))
            return
        part = empty_splats(scene, chunk.header.splat_count, degree)
        write_values(fields, integers, parameters.coding, scene, part)
        put(part, ranks[rows], out)

    with _pool(threads) as pool:
        for _ in pool.map(work, chunks):
            pass
    if fault is not None:
        raise fault
    return out
