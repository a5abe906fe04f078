"""(12.6) Spacetime Gaussians: segments of splats whose motion is polynomial already."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gscodec.chunk import Recorded
from gscodec.encode.dynamic.body import Rows
from gscodec.encode.dynamic.model import alpha_of, logit_of
from gscodec.encode.dynamic.native import Grain, hidden_unless
from gscodec.encode.dynamic.recording import Polynomial, PolynomialSettings, record_polynomial
from gscodec.encode.dynamic.turns import conjugate, hamilton
from gscodec.encode.inputs import finite_rows
from gscodec.errors import EncodeError
from gscodec.io.spacetime import SpacetimeScene
from gscodec.parameters import REC_MAX, CodingParameters
from gscodec.splats import Splats

THRESHOLD = 0.05  # of weights, under which the training code's renderers leave splats out
FINER = 2.0  # steps of positions that a step of translation is, in the time that a splat lasts
WIDTH_STEP = 0.03
CENTRE_STEP = 0.25  # frames
LASTING = 0.05  # of widths: a step of centres is finer for most splats
FINEST_CENTRE = 2.0**-18
FAR_BEYOND = 16.0  # times what nearly all move
SPARE = 0.98  # of the range of codes
FARTHEST = 8.0  # durations from the segment to a centre that is coded
TRANSLATED, ROTATED, TIMED = 1, 2, 4  # (12.6) bits of masks


class SpacetimeSegment:
    """The splats of a file that are ever shown.

    dropped, hidden  how many had values that are not finite, and were never shown

    Raises `EncodeError` "encode.nonfinite" unless those are to be dropped.
    """

    def __init__(
        self,
        scene: SpacetimeScene,
        frames: int,
        *,
        kernel: int,
        threshold: float = THRESHOLD,
        nonfinite: str = "drop",
    ) -> None:
        self.frames, self.kernel, self.threshold = frames, kernel, threshold
        finite = finite_rows(scene.splats) & np.isfinite(scene.centre) & np.isfinite(scene.scale)
        finite &= np.isfinite(scene.motion).all((1, 2)) & np.isfinite(scene.omega).all(1)
        self.dropped = int(np.count_nonzero(~finite))
        if self.dropped and nonfinite == "error":
            raise EncodeError("encode.nonfinite", f"{self.dropped} splats have values that are not finite")
        scene = scene.take(np.flatnonzero(finite))
        nearest = np.clip(scene.centre, 0.0, 1.0)
        with np.errstate(all="ignore"):
            across = np.abs(nearest - scene.centre) * np.exp(-scene.log_widths(kernel))
            shown = np.exp(-np.square(across)) >= max(threshold, 1e-4)
        shown &= np.abs(scene.centre - 0.5) <= FARTHEST
        self.hidden = int(np.count_nonzero(~shown))
        self.scene = scene.take(np.flatnonzero(shown))
        self.splats = self.scene.splats
        self._widths = np.exp(np.clip(self.scene.log_widths(kernel), -11.0, 11.0))
        self._turns = turns_of(self.scene)
        self._grain: Grain | None = None
        self._coarsest = self._reach() / (SPARE * REC_MAX / 64)

    def _reach(self) -> float:
        """What translations have to hold, scene units; not of a few that are far beyond all others."""
        if not len(self.splats) or not self.scene.motion.shape[1]:
            return 0.0
        octaves = np.clip(-np.floor(np.log2(self._widths)), 0, 8)
        powers = np.arange(1, self.scene.motion.shape[1] + 1)
        largest = (np.abs(self.scene.motion).max(2) * np.exp2(-octaves[:, None] * powers)).max(1)
        return min(float(largest.max()), FAR_BEYOND * float(np.quantile(largest, 0.99)))

    def at(self, moment: float, splats: Splats, rows: Rows) -> Splats:
        """See `NativeSegment`."""
        return self._moved(moment, splats, rows, self._widths[rows])

    def seen_at(self, moment: float, apart: float) -> Splats:
        """See `NativeSegment`."""
        rows = np.arange(len(self.splats))
        return self._moved(moment, self.splats, rows, np.maximum(self._widths, apart / 2))

    def _moved(self, moment: float, splats: Splats, rows: Rows, widths: NDArray[np.float64]) -> Splats:
        tau = moment - self.scene.centre[rows]
        weight = np.exp(-np.square(tau / widths))
        positions = splats.positions.astype(np.float64)
        for k in range(self.scene.motion.shape[1]):
            positions += self.scene.motion[rows, k] * tau[:, None] ** (k + 1)
        p = self._turns[rows] * tau[:, None] + np.array([1.0, 0, 0, 0])
        rotations = hamilton(
            p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), 1e-30),
            splats.rotations.astype(np.float64),
        )
        moved = replace(
            splats,
            positions=np.clip(positions, -1e30, 1e30).astype(np.float32),
            rotations=rotations.astype(np.float32),
            opacities=logit_of(alpha_of(splats.opacities) * weight).astype(np.float32),
        )
        return hidden_unless(moved, weight >= self.threshold)

    def shared(self, grain: Grain) -> list[bytes]:
        """See `NativeSegment`: nothing."""
        self._grain = grain
        return []

    def payload(self, chunk: Recorded, coding: CodingParameters, rows: Rows, span: tuple[int, int]) -> bytes:
        """See `NativeSegment`."""
        if self._grain is None:
            raise RuntimeError("no grain")
        motion = self._polynomial(rows)
        half_cell = self._grain.half_cell
        payloads = []
        for predicted in (True, False):
            settings = PolynomialSettings(
                translation=max(FINER * 2 * half_cell, self._coarsest),
                rotation=2 * self._grain.rotation,
                centre=self._centre_step(half_cell),
                width=WIDTH_STEP,
                threshold=self.threshold,
                predicted=predicted,
                exponents=(1, 1),
                caps=(4, 4),
            )
            recorded = record_polynomial(chunk.fields, chunk.integers, coding, motion, settings, span)
            payloads.append(recorded.payload())
        return min(payloads, key=len)

    def _centre_step(self, half_cell: float) -> float:
        """Durations: what moves or fades fast needs its centre exactly."""
        if not len(self.splats):
            return CENTRE_STEP
        speed = float(np.quantile(np.linalg.norm(self.scene.motion[:, 0], axis=1), 0.9))
        lasting = LASTING * float(np.quantile(self._widths, 0.1))
        wanted = min(CENTRE_STEP / self.frames, lasting, 2 * half_cell / max(speed, 1e-30))
        return max(wanted, FINEST_CENTRE)

    def _polynomial(self, rows: Rows) -> Polynomial:
        motion = self.scene.motion[rows]
        orders = np.flatnonzero(motion.any((0, 2)))
        degree = int(orders[-1]) + 1 if len(orders) else 0
        turns = self._turns[rows]
        mask = TRANSLATED * motion.any((1, 2)) | ROTATED * turns.any(1) | TIMED
        return Polynomial(
            degree=degree,
            mask=np.asarray(mask, np.uint8),
            translation=motion[:, :degree],
            rotation=turns,
            centre=self.scene.centre[rows],
            log_width=self.scene.log_widths(self.kernel)[rows],
        )


def turns_of(scene: SpacetimeScene) -> NDArray[np.float64]:
    """(N, 4) u of (1 + tau u) q, which is in the direction of q + tau omega."""
    q = scene.splats.rotations.astype(np.float64)
    square = np.square(q).sum(1, keepdims=True)
    turns = hamilton(scene.omega, conjugate(q)) / np.maximum(square, 1e-30)
    turns[square[:, 0] < math.ldexp(1, -60)] = 0
    return np.asarray(turns)
