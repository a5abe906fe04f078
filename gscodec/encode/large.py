"""Scenes of any size in bounded memory: two walks over the splats, then region after region.

The first walk counts, leaves out what is not finite and draws a sample, which tells where to cut and what
the regions share. The second one puts every splat into the heap of its region, on disk. Each region is then
read back and encoded as a scene of its own, with a parameter set of its own; its chunks go into the stream at
once, or on disk until the index and the order of layers are known. What one region holds is encoded as ever.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from gscodec import kernels
from gscodec.container import ChunkBounds, SceneHeader, StreamModeWriter, file_mode_pieces
from gscodec.container.rewrite import around
from gscodec.decoder import thread_count
from gscodec.encode.effort import DEFAULT, effort_of
from gscodec.encode.encoder import RIG_SIZE, Encoder
from gscodec.encode.further import (
    Further,
    largest_values,
    metadata_sections,
    with_safe_steps,
    without_extras,
)
from gscodec.encode.inputs import cameras_of, finite_rows, is_usable, moved_cameras, scene_header
from gscodec.encode.partition import check_layers
from gscodec.encode.progress import Progress, silent
from gscodec.encode.regions import (
    BLOCK_BYTES,
    Census,
    Cut,
    bytes_per_splat,
    census,
    check_count,
    cuts,
    pieces,
    region_count,
    region_size,
    regions_of,
    without_normals,
)
from gscodec.encode.result import Part
from gscodec.encode.shared import Shared, shared_of
from gscodec.encode.spill import PayloadSpill, SplatSpill
from gscodec.encode.steps import Steps, choose_steps, quality_of
from gscodec.errors import UsageError
from gscodec.evaluate.rigs import make_rig
from gscodec.io.blocks import SplatBlocks
from gscodec.limits import Limits
from gscodec.splats import SH_REST_COUNTS, Splats

Emit: TypeAlias = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is encoded in one: splats `first` to `first + count` of a heap."""

    heap: int
    first: int
    count: int


class LargeEncoder:
    """An encoding by regions of at most what `memory` bytes hold; arguments as in `gscodec.encode`.

    folder      for temporary files: about the size of the splats as float32, twice for a pipe
    drop_extra  names or patterns of extra attributes that are left out
    further     metadata and errors of extras; the scene offset is that of the source

    Cameras follow the splats to where the source moves them.
    """

    def __init__(
        self,
        source: SplatBlocks,
        *,
        memory: int,
        folder: str | None = None,
        quality: str | float | None = None,
        steps: Mapping[str, object] | None = None,
        effort: int = DEFAULT,
        cameras: object = None,
        nonfinite: str = "drop",
        layers: int = 1,
        stream: bool = False,
        progress: Progress | None = None,
        further: Further | None = None,
        drop_extra: Sequence[str] = (),
        **options: Any,
    ) -> None:
        if nonfinite not in ("drop", "error"):
            raise UsageError("usage.nonfinite", f"nonfinite {nonfinite!r}: expected drop or error")
        thread_count(options.get("threads", 0))  # what is wrong is told before the work, not after it
        self.source, self.memory, self.folder = source, memory, folder
        self.quality = quality_of("default" if quality is None else quality)
        self.steps: Steps = choose_steps(self.quality, steps)
        self.fixed = tuple(steps or ())
        self.drops, self.layers, self.stream = nonfinite == "drop", check_layers(layers), stream
        self.tell = progress or silent
        options["cameras"] = None if cameras is None else cameras_of(cameras)
        options["effort"] = self.effort = effort_of(effort)
        self.options = options
        self.further, self.drop_extra = further or Further(), drop_extra
        self.leading = metadata_sections(self.further.metadata)
        self.scene: SceneHeader | None = None
        self._largest: dict[str, float] = {}
        self._sees = False

    def encode(self, emit: Emit) -> dict[str, object]:
        """Hand the file to `emit`, piece by piece; the report. No temporary file outlives this."""
        with ExitStack() as stack:
            found, heaps, spill, most = self._sorted(stack)
            work = [_Piece(*each) for each in pieces(spill.counts, most)]
            each = bytes_per_splat(self.effort, found.like.sh_degree, _extra_bytes(found.like))
            check_count(len(work), self.memory, each, found.count)
            scene = scene_header(found.like, self.source.coordinate_system, self.source.rendering_model)
            scene = replace(scene, offset=self.source.offset)
            self.scene, steps = with_safe_steps(scene, self._largest, self.further.extra_errors)
            self.options["cameras"] = moved_cameras(self.options["cameras"], self.source.moved)
            parts = self._parts(spill, work, found, heaps)
            if self.stream and self.layers == 1:
                report = self._streamed(emit, parts, found)
            else:
                report = self._copied(emit, parts, found, stack.enter_context(PayloadSpill(self.folder)))
        kernels.trim_memory()
        return {
            "splats": found.count,
            "dropped_nonfinite": found.dropped,
            "sh_degree": found.like.sh_degree,
            "regions": len(work),
            **({"extra_steps": steps} if steps else {}),
            "thumbnail": False,
            **report,
            "quality": self.quality,
        }

    # ---- the two walks

    def _sorted(self, stack: ExitStack) -> tuple[Census, Cut | int, SplatSpill, int]:
        """What there is, the boxes of the regions, their heaps, and how many splats one region may have."""
        first: SplatSpill | None = None

        def walked() -> Iterator[Splats]:
            nonlocal first
            seen = 0
            for block in self._blocks():
                if not self.source.can_repeat:
                    first = first or stack.enter_context(SplatSpill(block, 1, self.folder))
                    first.add(block)
                yield block
                seen += len(block)
                self.tell("reading", seen / max(self.source.count, 1))

        found = census(walked(), drops=self.drops)
        like = found.like
        most = region_size(self.memory, self.effort, like.sh_degree, _extra_bytes(like))
        parts = region_count(found.count, most)
        each = bytes_per_splat(self.effort, like.sh_degree, _extra_bytes(like))
        check_count(parts, self.memory, each, found.count)
        tree = cuts(found.sample.positions, parts)
        spill = stack.enter_context(SplatSpill(like, parts, self.folder))
        seen = 0
        blocks = self._blocks() if first is None else first.blocks(self._rows())
        for block in blocks:
            seen += len(block)
            kept = _as(block, like)
            if not (finite := finite_rows(kept)).all():
                kept = kept.take(np.flatnonzero(finite))
            for name, value in largest_values(kept).items() if self.further.extra_errors else ():
                self._largest[name] = max(self._largest.get(name, 0.0), value)
            spill.add(kept, regions_of(kept.positions, tree))
            self.tell("sorting", seen / max(self.source.count, 1))
        if first is not None:
            first.close()
        kernels.trim_memory()
        return found, tree, spill, most

    def _blocks(self) -> Iterator[Splats]:
        for block in self.source.blocks(self._rows()):
            yield without_extras(block, self.drop_extra)

    def _rows(self) -> int:
        """Splats of a block: no more than a small part of the memory."""
        return int(min(BLOCK_BYTES, self.memory // 16)) // (4 * (14 + 3 * SH_REST_COUNTS[-1]))

    # ---- the regions

    def _parts(self, spill: SplatSpill, work: list[_Piece], found: Census, tree: Cut | int) -> Iterator[Part]:
        """Each region, encoded."""
        if not work:
            return
        shared, done = None, 0
        if len(work) > 1:
            shared = shared_of(found.sample, self.steps)
            if self.effort.views and self.options["cameras"] is None:
                views = self.effort.views * 3 // 2
                with np.errstate(all="ignore"):
                    made = make_rig(found.sample, self.options.get("rig", "auto"), views=views, size=RIG_SIZE)
                shared = replace(shared, cameras=tuple(filter(is_usable, made)))
        if self.effort.views and shared is not None:
            shared = self._calibrated(spill, work, tree, shared)
        for number, piece in enumerate(work):
            tell = self._within(done, piece.count, found.count)
            with np.errstate(all="ignore"):
                encoder = self._encoder(spill, piece, shared, number, tell)
                self._sees = self._sees or encoder.sight is None or bool(encoder.sight.largest.any())
                part = encoder.part(self.steps, self.fixed)
            del encoder
            kernels.trim_memory()
            yield part
            done += piece.count
        if not self._sees and shared is not None and self.options["cameras"] is not None:
            raise UsageError("usage.cameras", "the cameras see nothing: are they of this scene?")

    def _calibrated(self, spill: SplatSpill, work: list[_Piece], tree: Cut | int, shared: Shared) -> Shared:
        """With what the pictures of the region in the middle tell."""
        middle = int(regions_of(shared.viewer.middle[None].astype(np.float32), tree)[0])
        piece = next((each for each in work if each.heap == middle), work[0])
        calibrated = self._encoder(spill, piece, shared, 0, silent).calibrated(self.steps, self.fixed)
        kernels.trim_memory()
        return calibrated

    def _encoder(
        self, spill: SplatSpill, piece: _Piece, shared: Shared | None, number: int, tell: Progress
    ) -> Encoder:
        return Encoder(
            spill.read(piece.heap, piece.first, piece.count),
            layers=self.layers,
            progress=tell,
            shared=shared,
            number=number,
            scene=self.scene,
            **self.options,
        )

    def _within(self, done: int, count: int, total: int) -> Progress:
        """Tells the share of all regions; that of the stages within one is not worth a list."""
        best = done / total

        def tell(stage: str, share: float) -> None:
            nonlocal best
            if stage == "coding":
                best = max(best, (done + share * count) / total)
            self.tell("encoding", best)

        return tell

    # ---- the file

    def _streamed(self, emit: Emit, parts: Iterator[Part], found: Census) -> dict[str, object]:
        """Everything as it comes."""
        scene = replace(_given(self.scene), splat_count=None, chunk_count=None)
        writer = StreamModeWriter(scene, level=_level(scene, found.count))
        emit(writer.start())
        for section in self.leading:
            emit(writer.ignorable(*section))
        total = _Total()
        for part in parts:
            total.add(part)
            if part.written is not None:
                emit(writer.parameters(part.written.parameters))
                for chunk in zip(part.written.chunks, part.written.bounds, strict=True):
                    emit(writer.chunk(*chunk))
        emit(writer.end())
        return total.report(self.layers)

    def _copied(
        self, emit: Emit, parts: Iterator[Part], found: Census, spill: PayloadSpill
    ) -> dict[str, object]:
        """Chunks go to disk first; layer after layer in the end."""
        sets: list[bytes] = []
        bounds: list[ChunkBounds] = []
        layers: list[int] = []
        total = _Total()
        for part in parts:
            total.add(part)
            if part.written is not None:
                sets.append(part.written.parameters)
                bounds += part.written.bounds
                for chunk in part.written.chunks:
                    spill.add(chunk)
                    layers.append(chunk[1])  # (2.9) the second byte of a chunk
        order = sorted(range(len(layers)), key=layers.__getitem__)
        spill.reorder(order)
        bounds = [bounds[number] for number in order]
        scene = _given(self.scene)
        level = _level(scene, found.count)
        self.tell("writing", 0.0)
        if self.stream:
            writer = StreamModeWriter(replace(scene, splat_count=None, chunk_count=None), level=level)
            emit(writer.start())
            for section in self.leading:
                emit(writer.ignorable(*section))
            for each in sets:
                emit(writer.parameters(each))
            for payload, bound in zip(spill, bounds, strict=True):
                emit(writer.chunk(payload, bound))
            emit(writer.end())
        else:
            scene = replace(scene, bounds=around([bound.bounds for bound in bounds]))
            for piece in file_mode_pieces(scene, sets, spill, bounds, level=level, leading=self.leading):
                emit(piece)
        self.tell("writing", 1.0)
        return total.report(self.layers)


class _Total:
    """The reports of all regions as one."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()
        self._lists: dict[str, list[int]] = {}
        self._layers: dict[str, list[int]] = {}
        self._widened: list[str] = []

    def add(self, part: Part) -> None:
        report: dict[str, Any] = part.report
        for name in ("pruned", "chunks", "tables"):
            self._sums[name] += report.get(name, 0)
        self._sums["kept"] += len(part.order)
        self._sums["views"] = max(self._sums["views"], report.get("views", 0))
        self._sizes.update(report.get("bytes_by_stream", {}))
        _add_lists(self._lists, {"classes": report.get("classes", [])})
        _add_lists(self._layers, report.get("layers", {}))
        self._widened += [name for name in report.get("widened", ()) if name not in self._widened]

    def report(self, layers: int) -> dict[str, object]:
        found: dict[str, object] = {**self._sums, "bytes_by_stream": dict(self._sizes), **self._lists}
        if self._widened:
            found["widened"] = self._widened
        return {**found, "layers": self._layers} if layers > 1 else found


def _add_lists(to: dict[str, list[int]], more: Mapping[str, list[int]]) -> None:
    for name, values in more.items():
        old = to.get(name, [])
        size = max(len(old), len(values))
        to[name] = [sum(each[i] for each in (old, values) if i < len(each)) for i in range(size)]


def _given(scene: SceneHeader | None) -> SceneHeader:
    if scene is None:
        raise RuntimeError("no walk found out what the scene is like")
    return scene


def _level(scene: SceneHeader, splats: int) -> int:
    """The level that so many splats need."""
    limits = Limits.of_level(1)
    is_small = splats <= limits.splats and splats * scene.decoded_bytes_per_splat <= limits.decoded_bytes
    return 1 if is_small else 2


def _extra_bytes(splats: Splats) -> int:
    return sum(
        array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=int)) for array in splats.extras.values()
    )


def _as(block: Splats, like: Splats) -> Splats:
    """Without the normals that no splat has."""
    return block if block.extras.keys() == like.extras.keys() else without_normals(block)


def spill_folder(target: str | os.PathLike[str] | None) -> str | None:
    """Where temporary files go: TMPDIR if it is set, else beside the output."""
    if folder := os.environ.get("TMPDIR"):
        return folder
    if target is None or not os.path.isdir(folder := os.path.dirname(os.path.realpath(target))):
        return None
    return None if os.path.exists(target) and not os.path.isfile(target) else folder
