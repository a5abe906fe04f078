"""Splats with one parameter set, in chunks that no two groups share: the static layer, or a segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.container import SceneHeader
from gscodec.encode.balance import balanced
from gscodec.encode.chunks import ChunkRecorder
from gscodec.encode.effort import Effort
from gscodec.encode.importance import classes_of
from gscodec.encode.partition import split_cells
from gscodec.encode.passes import Float32, Passes, Written
from gscodec.encode.progress import Progress, silent, within
from gscodec.encode.refit import corrections, shared
from gscodec.encode.shared import Shared, weigh
from gscodec.encode.sight import Sight, evenly, sized
from gscodec.encode.steps import Plan, Steps, make_plan
from gscodec.evaluate.cameras import Camera
from gscodec.splats import Splats

LARGEST_CORRECTION = 8.0  # of a constant term, as in `encoder`
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What is the same for all bodies of a file.

    steps    before they are balanced; `shared` says by how much
    cameras  that look at the scene: none where nothing is rendered; `given` by the caller
    """

    scene: SceneHeader
    shared: Shared
    steps: Steps
    effort: Effort
    cameras: tuple[Camera, ...]
    given: bool
    threads: int
    tell: Progress = silent

    @property
    def fine(self) -> Steps:
        """Steps as they are coded."""
        return balanced(self.steps, self.shared.change) if self.shared.change else self.steps

    def views(self, count: int, pixels: int) -> list[Camera]:
        """So many of the cameras, with so many pixels."""
        return [sized(camera, pixels) for camera in evenly(self.cameras, count)]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Splats that are coded: `rows` of all, their values, classes, what is seen of them, parameters.

    weight  (n,) importance, 1 where class 0 is in its middle, and more
    """

    rows: Rows
    splats: Splats
    sight: Sight | None
    classes: NDArray[np.uint8]
    unit: float | None
    plan: Plan
    weight: NDArray[np.float64]


class Stage:
    """What colours are corrected for: pictures of some cameras at one moment.

    Stages with the same `number` show the same splats in the same order, and are solved together.
    """

    def __init__(self, number: int, cameras: Sequence[Camera]) -> None:
        self.number, self.cameras = number, cameras

    def wanted(self) -> Splats:
        """All splats as they should be."""
        raise NotImplementedError

    def shown(self, decoded: Splats, rows: Rows) -> tuple[Splats, Rows]:
        """All splats as they are, and where those of `rows` are among them; -1: not at this moment.

        decoded  the splats that are coded, `rows` of all
        """
        raise NotImplementedError


def prepare(setting: Setting, splats: Splats, sight: Sight | None, *, number: int) -> Prepared | None:
    """Choose what is coded and how finely; None where nothing is left. `number` is the parameter set."""
    steps = setting.fine
    rows = np.arange(len(splats))
    if sight is not None and steps.prune > 0:
        rows = np.flatnonzero(sight.largest >= steps.prune * sight.trust.prune)
        if len(rows) < len(splats):
            splats, sight = splats.take(rows), sight.take(rows)
    if len(rows) == 0:
        return None
    found = weigh(setting.shared, splats, sight, steps, given=setting.given)
    classes = classes_of(found.weight, steps.classes, steps.spread, setting.shared.top)
    plan = make_plan(splats, classes, found.weight, steps, extent=setting.shared.extent, id=number)
    unit = found.unit if sight is not None else None
    return Prepared(rows, splats, sight, classes, unit, plan, found.weight / max(setting.shared.top, 1e-300))


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A body: what goes into the file, and for each chunk its group and its splats.

    groups   of each chunk
    indices  (n,) of each chunk, in the order in which it is decoded: numbers among the prepared splats
    passes   integers and fields of the chunks; `decoded` the splats as a reader has them, chunk after chunk
    """

    written: Written
    groups: list[int]
    indices: list[Rows]
    passes: Passes
    decoded: Splats


def code(
    setting: Setting,
    prepared: Prepared,
    groups: NDArray[np.int32],
    stages: Sequence[Stage],
    pool: ThreadPoolExecutor,
    apart: NDArray[np.bool_] | None = None,
    bounds: Mapping[int, int] | None = None,
) -> Coded:
    """Record and write the splats; `groups` (n,) of the prepared ones share no chunks.

    apart   (n,) splats that no other may stand for, as they move
    bounds  how many splats a chunk has at most, by group
    """
    plan, splats = prepared.plan, prepared.splats
    cells: list[Rows] = []
    numbers: list[int] = []
    for group in np.unique(groups).tolist():
        of = np.flatnonzero(groups == group)
        most = None if bounds is None else bounds.get(int(group))
        for cell in split_cells(splats.positions[of], 2 * plan.half_cell, most):
            cells.append(of[cell])
            numbers.append(int(group))
    recorder = ChunkRecorder(
        splats,
        np.arange(len(splats)),
        setting.scene,
        plan,
        prepared.classes,
        prepared.sight,
        prepared.unit,
        apart,
    )
    passes = Passes(pool, recorder, cells, [0] * len(cells), setting.effort.tables, setting.tell)
    rounds = setting.effort.rounds if prepared.sight is not None else 0
    passes.record(keeps=rounds == 0)
    if passes.chooses:
        passes.choose(splats.sh_dc, "weighing bits against error", keeps=rounds == 0)
    for number in range(rounds):
        constants = _corrected(setting, prepared, passes, stages, number)
        passes.choose(constants, "correcting colours", keeps=number + 1 == rounds)
    decoded = passes.decoded()
    indices = [index.astype(np.intp) for index in passes.order]
    return Coded(passes.write(), numbers, indices, passes, decoded)


def _corrected(
    setting: Setting, prepared: Prepared, passes: Passes, stages: Sequence[Stage], number: int
) -> Float32:
    """(n, 3) constant terms that make up for what the chunks lose, as far as they can."""
    splats, sight = prepared.splats, prepared.sight
    order = np.concatenate(passes.order)
    decoded = passes.decoded()
    passes.forget()
    shown = decoded.sh_dc
    with np.errstate(all="ignore"):
        if number == 0 and sight is not None and splats.sh_degree:
            shown = shown + sight.constant_for(order, splats.sh_rest[order] - decoded.sh_rest)
        if setting.effort.refit_views and stages:
            better = replace(decoded, sh_dc=np.ascontiguousarray(shown, np.float32))
            shown = shown + _seen(setting, better, prepared.rows[order], stages)
        constants = splats.sh_dc.copy()
        sane = (np.abs(shown - decoded.sh_dc) <= LARGEST_CORRECTION).all(1)
        shown = np.where(sane[:, None], shown, constants[order])
        constants[order] = shared(shown.astype(np.float32), passes.sources())
    return constants


def _seen(setting: Setting, decoded: Splats, rows: Rows, stages: Sequence[Stage]) -> Float32:
    """(n, 3) what pictures of the stages say has to be added to colours."""
    change = np.zeros((len(decoded), 3), np.float32)
    tell = within(setting.tell, "comparing pictures")
    numbers = sorted({stage.number for stage in stages})
    for done, number in enumerate(numbers):
        alike, place = [], None
        for stage in stages:
            if stage.number == number:
                splats, place = stage.shown(decoded, rows)
                alike.append((stage.wanted(), splats, stage.cameras))
        if place is not None and len(alike[0][1]):
            steps, threads = setting.effort.refit_steps, setting.threads
            found = corrections(alike, steps=steps, threads=threads, tell=lambda share: None)
            on = place >= 0
            change[on] = found[place[on]]
        tell((done + 1) / len(numbers))
    return change
