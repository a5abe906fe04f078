"""From splats to a .gsc: what matters, classes, chunks, recorded values, corrected colours, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.attributes import extras
from gscodec.container import ExtraAttribute, SceneHeader, write_file_mode
from gscodec.container.scene import FIRST_EXTRA_ID
from gscodec.decoder import thread_count
from gscodec.encode.chunks import ChunkRecorder, Index, whole_rows
from gscodec.encode.effort import DEFAULT, Effort, effort_of
from gscodec.encode.importance import classes_of, importance_of
from gscodec.encode.partition import split_cells
from gscodec.encode.passes import Passes
from gscodec.encode.progress import Progress, silent, within
from gscodec.encode.refit import Float32, correction, pictures
from gscodec.encode.sight import Sight, evenly, look, sized
from gscodec.encode.steps import COARSEST_QUALITY, FINEST, PRESETS, Steps, check_step, make_plan, steps_at
from gscodec.errors import EncodeError, UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.rigs import make_rig
from gscodec.splats import Splats

RIG_SIZE = (400, 300)


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


def choose_steps(quality: str | float, steps: Mapping[str, object] | None) -> Steps:
    """The steps of a quality, with some of them overridden. Raises `UsageError`."""
    number = PRESETS.get(quality) if isinstance(quality, str) else quality
    if number is None or isinstance(number, bool) or not FINEST <= number <= COARSEST_QUALITY:
        names = ", ".join(PRESETS)
        raise UsageError(
            "usage.quality", f"quality {quality!r}: expected {names}, or {FINEST:g} to {COARSEST_QUALITY:g}"
        )
    known = {f.name for f in fields(Steps)}
    for name, value in (steps or {}).items():
        if name not in known:
            raise UsageError("usage.steps", f"no step {name!r}: expected some of {', '.join(sorted(known))}")
        if problem := check_step(name, value):
            raise UsageError("usage.steps", f"step {name!r} is {value!r}: {problem}")
    return replace(steps_at(number), **dict(steps or {}))  # type: ignore[arg-type]


class Encoder:
    """One scene, looked at once and encoded as often as it takes.

    Raises `EncodeError`, `UsageError`; see `gscodec.encode` for what the arguments are.
    """

    def __init__(
        self,
        splats: Splats,
        *,
        effort: int | Effort = DEFAULT,
        cameras: Sequence[Camera] | None = None,
        importance: NDArray[np.floating] | None = None,
        nonfinite: str = "drop",
        threads: int = 0,
        progress: Progress | None = None,
    ) -> None:
        if not isinstance(splats, Splats):
            raise UsageError("usage.splats", f"expected Splats, not {type(splats).__name__}")
        self.threads = thread_count(threads)
        self.tell = progress or silent
        self.effort: Effort = effort_of(effort)
        if nonfinite not in ("drop", "error"):
            raise UsageError("usage.nonfinite", f"nonfinite {nonfinite!r}: expected drop or error")
        weight = None if importance is None else np.asarray(importance, np.float64)
        if weight is not None and not (
            weight.shape == (len(splats),) and np.isfinite(weight).all() and (weight >= 0).all()
        ):
            raise UsageError("usage.importance", "importance: expected one finite number >= 0 per splat")
        self.tell("checking", 0.0)
        self.rows: Index = np.arange(len(splats))  # of the input, behind self.splats
        finite = finite_rows(splats)
        self.dropped = int(len(splats) - np.count_nonzero(finite))
        if self.dropped:
            if nonfinite == "error":
                raise EncodeError(
                    "encode.nonfinite", f"{self.dropped} splats have values that are not finite"
                )
            self.rows = np.flatnonzero(finite)
            splats = splats.take(self.rows)
            weight = None if weight is None else weight[self.rows]
        self.splats = splats
        self.weight = weight
        self.scene = _scene_header(splats)
        self.cameras: list[Camera] = []
        self.sight: Sight | None = None
        self._wanted: dict[int, list[Float32]] = {}
        if self.effort.views and len(splats):
            self._look(cameras)

    def _look(self, cameras: Sequence[Camera] | None) -> None:
        self.tell("looking", 0.0)
        if cameras is not None and not len(cameras):
            raise UsageError("usage.cameras", "an empty list of cameras; None makes some up")
        if cameras is None:
            cameras = make_rig(self.splats, "auto", views=self.effort.views, size=RIG_SIZE)
        self.cameras = list(cameras)
        views = [sized(camera, self.effort.pixels) for camera in evenly(self.cameras, self.effort.views)]
        self.sight = look(
            self.splats,
            views,
            threads=self.threads,
            directions=self.effort.directions,
            tell=within(self.tell, "looking"),
        )

    def encode(self, steps: Steps) -> Encoded:
        """A complete file-mode .gsc."""
        report: dict[str, object] = {
            "splats": len(self.splats),
            "dropped_nonfinite": self.dropped,
            "sh_degree": self.splats.sh_degree,
            "views": len(self.cameras),
        }
        kept = np.arange(len(self.splats))
        if self.sight is not None and steps.prune > 0:
            kept = np.flatnonzero(self.sight.largest >= steps.prune)
        report["pruned"] = len(self.splats) - len(kept)
        if len(kept) == 0:
            data = write_file_mode(self.scene, [], [], [])
            return Encoded(data=data, order=np.zeros(0, np.int64), report={**report, "bytes": len(data)})
        whole = len(kept) == len(self.splats)
        splats = self.splats if whole else self.splats.take(kept)
        sight = self.sight if whole or self.sight is None else self.sight.take(kept)
        weight = self._importance(splats, sight, kept, steps)
        classes = classes_of(weight, steps.classes, steps.spread)
        plan = make_plan(splats, classes, weight, steps)
        cells = split_cells(splats.positions, 2 * plan.half_cell)
        recorder = ChunkRecorder(splats, self.scene, plan, classes, sight)
        pool = ThreadPoolExecutor(self.threads)
        try:
            passes = Passes(pool, recorder, cells, self.effort.tables, self.tell)
            passes.record()
            if passes.chooses:
                passes.choose(splats, "weighing bits against error")
            for number in range(self.effort.rounds if sight is not None else 0):
                corrected = self._corrected(splats, sight, passes, number)
                passes.choose(corrected, "correcting colours")
            written = passes.write()
        finally:
            pool.shutdown(cancel_futures=True)
        permutation = np.concatenate(passes.order).astype(np.int64)
        report |= {
            "bytes": len(written.data),
            "bytes_by_stream": written.sizes,
            "chunks": len(cells),
            "classes": np.bincount(classes, minlength=steps.classes).tolist(),
            "tables": written.tables,
        }
        return Encoded(data=written.data, order=self.rows[kept[permutation]], report=report)

    def _importance(
        self, splats: Splats, sight: Sight | None, kept: Index, steps: Steps
    ) -> NDArray[np.float64]:
        if self.weight is not None:
            return self.weight[kept]
        if sight is not None:
            return sight.importance()
        return importance_of(
            splats,
            opacity_power=steps.opacity_power,
            size_power=steps.size_power,
            distance_power=steps.distance_power,
        )

    def _corrected(self, splats: Splats, sight: Sight | None, passes: Passes, number: int) -> Splats:
        """`splats` with constant terms that make up for what the chunks lose, as far as they can."""
        order = np.concatenate(passes.order)
        decoded = passes.decoded()
        shown = decoded.sh_dc
        if number == 0 and sight is not None and splats.sh_degree:
            lost = splats.sh_rest[order] - decoded.sh_rest
            shown = shown + sight.constant_for(order, lost)
        if self.effort.refit_views:
            cameras = [
                sized(c, self.effort.refit_pixels) for c in evenly(self.cameras, self.effort.refit_views)
            ]
            tell = within(self.tell, "comparing pictures")
            shown = shown + correction(
                replace(decoded, sh_dc=shown),
                cameras,
                self._pictures(cameras),
                steps=self.effort.refit_steps,
                threads=self.threads,
                tell=tell,
            )
        constants = splats.sh_dc.copy()
        constants[order] = _shared(shown, passes.sources())
        return replace(splats, sh_dc=constants)

    def _pictures(self, cameras: Sequence[Camera]) -> list[Float32]:
        """What the input looks like, kept for the next encoding."""
        if len(cameras) not in self._wanted:
            self._wanted[len(cameras)] = pictures(self.splats, cameras, self.threads)
        return self._wanted[len(cameras)]


def _shared(values: Float32, sources: Sequence[NDArray[np.uint32]]) -> Float32:
    """(N, 3) the mean over splats that repeat each other, which can have one value only."""
    bases = np.cumsum([0, *(int(source[-1]) + 1 for source in sources)])
    if bases[-1] == len(values):
        return values
    source = np.concatenate([s + base for s, base in zip(sources, bases, strict=False)])
    counts = np.bincount(source)
    means = np.stack([np.bincount(source, values[:, k]) / counts for k in range(3)], 1)
    return np.asarray(means[source], np.float32)


def encode_splats(
    splats: Splats,
    *,
    quality: str | float = "default",
    steps: Mapping[str, object] | None = None,
    effort: int | Effort = DEFAULT,
    cameras: Sequence[Camera] | None = None,
    importance: NDArray[np.floating] | None = None,
    nonfinite: str = "drop",
    threads: int = 0,
    progress: Progress | None = None,
) -> Encoded:
    """A complete file-mode .gsc of `splats`; arguments as in `gscodec.encode`.

    Raises `EncodeError`, `UsageError`.
    """
    chosen = choose_steps(quality, steps)
    encoder = Encoder(
        splats,
        effort=effort,
        cameras=cameras,
        importance=importance,
        nonfinite=nonfinite,
        threads=threads,
        progress=progress,
    )
    return encoder.encode(chosen)
