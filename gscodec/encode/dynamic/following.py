"""(12.11) MOTN of splats that follow functions of time, and the MBAS of the functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gscodec.chunk import Recorded
from gscodec.encode.dynamic.bases_recording import record_functions_bases
from gscodec.encode.dynamic.body import Prepared, Rows
from gscodec.encode.dynamic.function_recording import Functions, FunctionsSettings, record_functions
from gscodec.encode.dynamic.grain import COARSEST, MOST_VALUES, Clock, Grain, keys_at
from gscodec.encode.dynamic.model import Motion
from gscodec.encode.dynamic.residuals import Residuals
from gscodec.encode.dynamic.turns import Float, conjugate, hamilton
from gscodec.motion.bases import TimeFunctions
from gscodec.parameters import CodingParameters
from gscodec.splats import Splats

BASES = 0  # id of the functions of a segment
FUNCTION_STEP, FINEST_STEP = 2.0**-12, 2.0**-20  # of the values of functions
HIGHEST = 3.9  # that functions get
ROUNDING = 0.4  # of a step, from which residuals are rounded up


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """The functions of a segment: payload of MBAS, and what a reader has of it.

    gains   (B,) by which functions were multiplied
    places  by attribute the first of its functions, and how many they are
    at      (Q,) the frame that holds at each key
    """

    payload: bytes
    decoded: TimeFunctions
    gains: Float
    places: Mapping[str, tuple[int, int]]
    at: Rows


def basis_of(motion: Motion, clock: Clock, grain: Grain, id: int = BASES) -> Basis:
    """What chunks of a segment refer to: one function that is 0 where they only have residuals."""
    at, interval = keys_at(clock)
    columns, places = [np.zeros((len(at), 0))], dict[str, tuple[int, int]]()
    for name, (_, factor) in motion.functions.items():
        places[name] = sum(each.shape[1] for each in columns), factor.functions.shape[1]
        columns.append(factor.functions[at])
    values = np.concatenate(columns, 1)
    if not values.shape[1]:
        values = np.zeros((len(at), 1))
    gains = np.full(values.shape[1], COARSEST)
    for name, (first, count) in places.items():
        gains[first : first + count] = grain.gains[name]
    gains = np.minimum(gains, HIGHEST / np.maximum(np.abs(values).max(0), 1e-300))
    step = FUNCTION_STEP
    if "position" in motion.functions:  # those that go far need functions that are exact
        first, count = places["position"]
        coefficients = motion.functions["position"][1].coefficients / gains[first : first + count, None]
        furthest = float(np.abs(coefficients).max(initial=0))
        step = min(step, max(grain.position / (2 * max(furthest, 1e-300)), FINEST_STEP))
    recorded = record_functions_bases(id, values * gains, interval, step)
    return Basis(recorded.payload(), recorded.decoded, gains, places, at)


@dataclass(frozen=True, slots=True, eq=False)
class Follow:
    """Splats of a chunk that follow functions: `numbers` (M,) among the prepared ones.

    decoded  the splats as readers have them
    """

    motion: Motion
    prepared: Prepared
    numbers: Rows
    decoded: Splats
    basis: Basis
    residuals: Residuals

    def functions(self) -> Functions:
        """(12.11) What is wanted."""
        motion, basis = self.motion, self.basis
        rows = self.prepared.rows[self.numbers]
        axes = np.argsort(
            -self.prepared.splats.scales[self.numbers].astype(np.float64), axis=1, kind="stable"
        )
        coefficients, uses = {}, {}
        for name, (first, _) in basis.places.items():
            of, factor = motion.functions[name]
            place = np.full(len(motion), -1, np.intp)
            place[of] = np.arange(len(of))
            known = place[rows] >= 0
            c = np.zeros((len(rows), *factor.coefficients.shape[1:]))
            c[known] = factor.coefficients[place[rows[known]]]
            follows = np.asarray(c.any((1, 2)), bool)
            if not follows.any():
                continue
            c /= basis.gains[first : first + c.shape[1], None]
            c = c[:, : int(np.flatnonzero(c.any((0, 2)))[-1]) + 1]
            c = c[:, : max(MOST_VALUES // (len(rows) * c.shape[2]), 1)]
            if name == "scale":
                c = np.take_along_axis(c, np.broadcast_to(axes[:, None], c.shape), 2)
            coefficients[name] = first, _shaped(name, c)
            uses[name] = follows
        fineness, targets = {}, {}
        for name, all_symbols in self.residuals.fineness.items():
            symbols = all_symbols[self.numbers]
            width = {"opacity": 1, "harmonics": 3 * motion.base.sh_rest.shape[1]}.get(name, 3)
            if symbols.any() and len(rows) * len(basis.at) * width <= MOST_VALUES:
                fineness[name], targets[name] = symbols, self._target(name, rows, axes)
        alive = None if motion.alive is None else motion.alive[basis.at][:, rows]
        return Functions(
            functions=basis.decoded,
            alive=None if alive is None or alive.all() else alive,
            coefficients=coefficients,
            uses=uses,
            targets=targets,
            fineness=fineness,
        )

    def _target(self, name: str, rows: Rows, axes: Rows) -> Float:
        """(Q, M, ...) what was given, from what readers have of the chunk."""
        if self.motion.track is None:
            raise RuntimeError("residuals of what was not given")
        track, at = self.motion.track, self.basis.at
        if name == "position":
            return track.positions[at][:, rows].astype(np.float64) - self.decoded.positions
        if name == "rotation":
            start = conjugate(self.motion.base.rotations[rows].astype(np.float64))
            return hamilton(track.rotations[at][:, rows].astype(np.float64), start)
        if name == "scale":
            given = track.scales[at][:, rows].astype(np.float64)
            return np.take_along_axis(given, np.broadcast_to(axes, given.shape), 2)
        of = {"opacity": track.opacities, "colour": track.colours, "harmonics": track.harmonics}[name]
        return of[at][:, rows].astype(np.float64)


def rests(wanted: Functions) -> bool:
    """Whether nothing is coded: the splats are where the chunk has them."""
    return not wanted.coefficients and not wanted.fineness and wanted.alive is None


def payload_of(
    wanted: Functions, chunk: Recorded, coding: CodingParameters, grain: Grain, span: tuple[int, int]
) -> bytes:
    """The smaller of those with and without prediction."""
    payloads = []
    for predicted in (True, False):
        settings = FunctionsSettings(
            position=grain.position,
            rotation=grain.turn,
            exponents=(1, 1),
            caps=(4, 4),
            predicted=predicted,
            rounding=ROUNDING,
        )
        recorded = record_functions(chunk.fields, chunk.integers, coding, wanted, settings, span)
        payloads.append(recorded.payload())
    return min(payloads, key=len)


def _shaped(name: str, c: Float) -> Float:
    """(M, count, ...) coefficients as they are recorded."""
    if name == "opacity":
        return c[..., 0]
    return c.reshape(*c.shape[:2], -1, 3) if name == "harmonics" else c
