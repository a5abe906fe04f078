"""From splats to a .gsc: what matters, classes, chunks, recorded values, corrected colours, words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec._generated import coordinate_systems, rendering_models
from gscodec.container import SceneHeader
from gscodec.decoder import decode, thread_count
from gscodec.encode.assemble import assemble
from gscodec.encode.balance import balanced, factors, losses
from gscodec.encode.chunks import ChunkRecorder, Index
from gscodec.encode.effort import DEFAULT, Effort, effort_of
from gscodec.encode.further import Further, order_section, with_steps
from gscodec.encode.importance import classes_of, importance_of, top_of
from gscodec.encode.inputs import cameras_of, finite_rows, is_usable, scene_header, to_splats
from gscodec.encode.partition import check_layers, layered_cells
from gscodec.encode.passes import Passes
from gscodec.encode.progress import Progress, silent, within
from gscodec.encode.refit import correction, shared
from gscodec.encode.result import Encoded, Part
from gscodec.encode.shared import Shared, weigh
from gscodec.encode.sight import GIVEN, MADE_UP, Sight, evenly, look, sized
from gscodec.encode.steps import Steps, choose_steps, make_plan
from gscodec.encode.targets import CAMERAS, Ruler, Scores, Target, search
from gscodec.encode.thumbnails import leading_sections
from gscodec.errors import EncodeError, UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.rigs import Kind, make_rig
from gscodec.splats import Splats

RIG_SIZE = (400, 300)
SMALLEST = 0.3  # scene units across, under which the renderer would hide a part of what is near
MEASURED = 40_000  # pixels of a picture that is measured, where the effort looks at none
SHOWN = -5.5  # logit of 1/255, below which no renderer draws a splat
LARGEST_CORRECTION = 8.0  # of a constant term, whose whole range is some 4: more comes from broken scenes


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """The splats that are coded: rows among all, what cameras see of them, importance, class."""

    rows: Index
    sight: Sight | None
    weight: NDArray[np.float64]
    classes: NDArray[np.uint8]
    unit: float | None = None  # importance of class 0 as the cameras see it, where a larger scene decides it


class Encoder:
    """One scene, looked at once and encoded as often as it takes.

    `shared` makes it a region of a larger scene that has the header `scene`; `number` is its parameter set.
    Raises `EncodeError`, `UsageError`; see `gscodec.encode` for what the arguments are.
    """

    def __init__(
        self,
        splats: object,
        *,
        effort: int | Effort = DEFAULT,
        cameras: object = None,
        rig: Kind = "auto",
        importance: NDArray[np.floating] | None = None,
        nonfinite: str = "drop",
        layers: int = 1,
        stream: bool = False,
        threads: int = 0,
        coordinate_system: int = coordinate_systems.UNSPECIFIED,
        rendering_model: int = rendering_models.CLASSIC,
        progress: Progress | None = None,
        further: Further | None = None,
        scene: SceneHeader | None = None,
        shared: Shared | None = None,
        number: int = 0,
    ) -> None:
        splats = to_splats(splats)
        self.shared, self.number = shared, number
        self.layers, self.stream = check_layers(layers), stream
        self._given = None if cameras is None else cameras_of(cameras)
        self._rig: Kind = rig
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
        self.further = further or Further()
        self.leading = leading_sections(self.further, splats, self._given, self.threads)
        self.extra_steps: dict[str, float | None] = {}
        if scene is None:
            bare = scene_header(splats, coordinate_system, rendering_model)
            bare, errors = replace(bare, offset=self.further.offset), self.further.extra_errors
            scene, self.extra_steps = with_steps(bare, splats, errors)
        self.scene = scene
        self.cameras: list[Camera] = []
        self.sight: Sight | None = None
        self._ruler: Ruler | None = None
        if self.effort.views and len(splats):
            self._look()

    def _look(self) -> None:
        self.tell("looking", 0.0)
        if self.shared is not None:
            span = self.shared.extent.span
        else:
            span = np.ptp(np.quantile(self.splats.positions, (0.05, 0.95), axis=0), axis=0).max()
        if 0 < span < SMALLEST:
            return  # renderers show nothing that is nearer than 0.01
        count = self.effort.views if self._given is not None else self.effort.views * 3 // 2
        self.cameras = self._seeing(count)
        if not self.cameras:
            return
        views = [sized(camera, self.effort.pixels) for camera in evenly(self.cameras, count)]
        self.sight = look(
            self.splats,
            views,
            GIVEN if self._given is not None else MADE_UP,
            threads=self.threads,
            directions=self.effort.directions,
            tell=within(self.tell, "looking"),
        )
        if not self.sight.largest.any() and (self.splats.opacities > SHOWN).any():
            if self.shared is not None:
                return  # they see other regions
            if self._given is not None:
                raise UsageError("usage.cameras", "the cameras see nothing: are they of this scene?")
            self.cameras, self.sight = [], None  # nearer to all of a tiny scene than renderers show anything

    def _seeing(self, views: int) -> list[Camera]:
        """The caller's cameras, or made-up ones: none in a scene too large for any."""
        if self._given is not None:
            return self._given
        if self.shared is not None:
            return list(self.shared.cameras)
        with np.errstate(all="ignore"):
            made = make_rig(self.splats, self._rig, views=views, size=RIG_SIZE)
        return [camera for camera in made if is_usable(camera)]

    @property
    def ruler(self) -> Ruler | None:
        """What compares pictures with those of the input; None where no camera sees anything."""
        if self._ruler is None:
            cameras = self.cameras or (self._seeing(CAMERAS) if len(self.splats) else [])
            pixels = self.effort.refit_pixels or self.effort.pixels or MEASURED
            views = [sized(camera, pixels) for camera in evenly(cameras, CAMERAS)]
            self._ruler = Ruler(self.splats, views, self.threads)
        return self._ruler if self._ruler.sees else None

    def measure(self, encoded: Encoded) -> Scores | None:
        """Pictures of the decoded file next to the input's; None where no camera sees anything."""
        ruler = self.ruler
        return None if ruler is None else ruler.measure(decode(encoded.data, threads=self.threads))

    def reach(self, target: Target, steps: Mapping[str, object] | None = None) -> Encoded:
        """The encoding at the quality number that is nearest to what is aimed at."""
        tell, count = self.tell, 0

        def attempt(number: float) -> tuple[float, tuple[Encoded, Scores | None]]:
            nonlocal count
            share = 1 - 0.7**count  # nobody knows how many there will be
            count += 1
            tell("searching", share)
            encoded = self.encode(choose_steps(number, steps), steps or ())
            scores = None if target.kind == "size" else self.measure(encoded)
            return target.coarseness(scores, len(encoded.data)), (encoded, scores)

        self.tell = lambda _stage, _share: tell("searching", 1 - 0.7 ** (count - 1))
        try:
            found = search(target, len(self.splats), attempt)
        finally:
            self.tell = tell
        encoded, scores = found.best.result
        return replace(
            encoded,
            report={
                **encoded.report,
                "quality": found.best.number,
                "target_reached": found.is_reached,
                "encodings": found.count,
                **score_facts(scores),
            },
        )

    def encode(self, steps: Steps, fixed: Collection[str] = ()) -> Encoded:
        """A complete file-mode .gsc; steps named in `fixed` are not balanced against the others."""
        part = self.part(steps, fixed)
        order, report, written = part.order, part.report, [] if part.written is None else [part.written]
        ordering = [order_section(order)] if self.further.keep_order and written else []
        data = assemble(self.scene, written, leading=self.leading, closing=ordering, stream=self.stream)
        if ordering:
            report["order_bytes"] = len(ordering[0][1])
            order = np.sort(order)  # as they come out
        return Encoded(data=data, order=order, report={**report, "bytes": len(data)})

    def calibrated(self, steps: Steps, fixed: Collection[str] = ()) -> Shared:
        """What the regions share, with what pictures of this one tell. Raises `UsageError` for no region."""
        if self.shared is None:
            raise UsageError("usage.splats", "a whole scene shares nothing with others")
        if self.sight is None:
            return self.shared
        if self._given is None and not self.sight.largest.any():
            return replace(self.shared, cameras=())  # made-up ones that see nothing tell nothing
        chosen = self._chosen(steps)
        if len(chosen.rows) == 0:
            return self.shared
        found = weigh(self.shared, self._copied(chosen), chosen.sight, steps, given=self._given is not None)
        self.shared = replace(
            self.shared,
            top=self.shared.top * top_of(found.weight) / max(top_of(found.guess), 1e-300),
            level=found.level,
        )
        if self.effort.balance_views:
            pool = ThreadPoolExecutor(self.threads)
            try:
                change = self._balance(pool, steps)
            finally:
                pool.shutdown(cancel_futures=True)
            change = {name: by for name, by in change.items() if name not in fixed}
            self.shared = replace(self.shared, change=change)
        return self.shared

    def part(self, steps: Steps, fixed: Collection[str] = ()) -> Part:
        """What goes into a file: see `encode`."""
        report: dict[str, object] = {
            "splats": len(self.splats),
            "dropped_nonfinite": self.dropped,
            "sh_degree": self.splats.sh_degree,
            "views": len(self.cameras),
            **({"extra_steps": self.extra_steps} if self.extra_steps else {}),
            "thumbnail": any(id == b"THMB" for id, _ in self.leading),
        }
        pool = ThreadPoolExecutor(self.threads)
        try:
            if self.effort.balance_views and self.sight is not None:
                change = self._balance(pool, steps) if self.shared is None else self.shared.change
                steps = balanced(steps, {name: by for name, by in change.items() if name not in fixed})
                report["steps"] = {name: round(getattr(steps, name), 6) for name in change}
            chosen = self._chosen(steps)
            report["pruned"] = len(self.splats) - len(chosen.rows)
            if len(chosen.rows) == 0:
                return Part(None, np.zeros(0, np.int64), report)
            rounds = self.effort.rounds if self.sight is not None else 0
            passes = self._recorded(pool, chosen, steps, keeps=rounds == 0)
            if passes.recorder.plan.widened:
                report["widened"] = list(passes.recorder.plan.widened)
            if passes.chooses:
                constants = self.splats.sh_dc[chosen.rows]
                passes.choose(constants, "weighing bits against error", keeps=rounds == 0)
            for number in range(rounds):
                constants = self._corrected(chosen, passes, number)
                passes.choose(constants, "correcting colours", keeps=number + 1 == rounds)
            order = self.rows[chosen.rows[np.concatenate(passes.order).astype(np.int64)]]
            written = passes.write()
        finally:
            pool.shutdown(cancel_futures=True)
        report |= {
            "bytes_by_stream": written.sizes,
            "chunks": len(passes.order),
            "classes": np.bincount(chosen.classes, minlength=steps.classes).tolist(),
            "tables": written.tables,
        }
        if self.layers > 1:
            counts = np.bincount(passes.layers, [len(cell) for cell in passes.order], self.layers)
            sizes = np.bincount(passes.layers, [len(chunk) for chunk in written.chunks], self.layers)
            report["layers"] = {"splats": counts.astype(int).tolist(), "bytes": sizes.astype(int).tolist()}
        return Part(written, order, report)

    def _chosen(self, steps: Steps) -> _Chosen:
        """The splats that are coded, and what is known of them."""
        rows = np.arange(len(self.splats))
        splats, sight = self.splats, self.sight
        if sight is not None and steps.prune > 0:
            rows = np.flatnonzero(sight.largest >= steps.prune * sight.trust.prune)
            if len(rows) < len(splats):
                splats, sight = splats.take(rows), sight.take(rows)
        if len(rows) == 0:
            return _Chosen(rows, sight, np.zeros(0), np.zeros(0, np.uint8))
        if self.shared is not None:
            found = weigh(self.shared, splats, sight, steps, given=self._given is not None)
            classes = classes_of(found.weight, steps.classes, steps.spread, self.shared.top)
            return _Chosen(rows, sight, found.weight, classes, found.unit)
        if self.weight is not None:
            weight = self.weight[rows]
        elif sight is not None and self._given is not None:
            weight = sight.importance()
        else:
            weight = importance_of(
                splats,
                opacity_power=steps.opacity_power,
                size_power=steps.size_power,
                distance_power=steps.distance_power,
            )
            if sight is not None:  # made-up cameras and this guess each know half of what viewers will see
                weight = np.sqrt(weight * sight.importance())
        return _Chosen(rows, sight, weight, classes_of(weight, steps.classes, steps.spread))

    def _copied(self, chosen: _Chosen) -> Splats:
        """The values of what is coded; for as short as can be, as they take the memory of a second scene."""
        return self.splats if len(chosen.rows) == len(self.splats) else self.splats.take(chosen.rows)

    def _recorded(self, pool: ThreadPoolExecutor, chosen: _Chosen, steps: Steps, *, keeps: bool) -> Passes:
        extent = None if self.shared is None else self.shared.extent
        splats = self._copied(chosen)
        plan = make_plan(splats, chosen.classes, chosen.weight, steps, extent=extent, id=self.number)
        del splats
        cells, layers = layered_cells(
            self.splats.positions[chosen.rows], chosen.weight, self.layers, 2 * plan.half_cell
        )
        recorder = ChunkRecorder(
            self.splats, chosen.rows, self.scene, plan, chosen.classes, chosen.sight, chosen.unit
        )
        passes = Passes(pool, recorder, cells, layers, self.effort.tables, self.tell)
        passes.record(keeps=keeps)
        return passes

    def _balance(self, pool: ThreadPoolExecutor, steps: Steps) -> dict[str, float]:
        """By what to multiply steps, so that a bit wins the same wherever it is spent."""
        chosen = self._chosen(steps)
        if len(chosen.rows) == 0:
            return {}
        passes = self._recorded(pool, chosen, steps, keeps=False)
        order, decoded = np.concatenate(passes.order), passes.decoded(0)
        del passes
        kernels.trim_memory()
        views = evenly(self.cameras, self.effort.balance_views)
        cameras = [sized(camera, self.effort.refit_pixels) for camera in views]
        with np.errstate(all="ignore"):
            lost = losses(
                self._copied(chosen),
                decoded,
                order,
                cameras,
                threads=self.threads,
                tell=within(self.tell, "balancing"),
            )
            return factors(lost)

    def _corrected(self, chosen: _Chosen, passes: Passes, number: int) -> NDArray[np.float32]:
        """(N, 3) constant terms that make up for what the chunks lose, as far as they can."""
        splats, sight = self.splats, chosen.sight
        order = np.concatenate(passes.order)
        decoded = passes.decoded()
        passes.forget()
        shown = decoded.sh_dc
        with np.errstate(all="ignore"):  # values of broken scenes have squares beyond any float
            if number == 0 and sight is not None and splats.sh_degree:
                lost = splats.sh_rest[chosen.rows[order]]
                lost -= decoded.sh_rest
                shown = shown + sight.constant_for(order, lost)
                del lost
            if self.effort.refit_views:
                cameras = [
                    sized(c, self.effort.refit_pixels) for c in evenly(self.cameras, self.effort.refit_views)
                ]
                tell = within(self.tell, "comparing pictures")
                shown = shown + correction(
                    self.splats,
                    replace(decoded, sh_dc=shown),
                    cameras,
                    steps=self.effort.refit_steps,
                    threads=self.threads,
                    tell=tell,
                )
            constants = splats.sh_dc[chosen.rows]
            sane = (np.abs(shown - decoded.sh_dc) <= LARGEST_CORRECTION).all(1)
            shown = np.where(sane[:, None], shown, constants[order])
            constants[order] = shared(shown, passes.sources())
        return constants


def score_facts(scores: Scores | None) -> dict[str, object]:
    if scores is None:
        return {}
    rounded = {"psnr": scores.psnr, "psnr_worst": scores.worst, "max_error": scores.error}
    return {name: round(value, 3) for name, value in rounded.items()}
