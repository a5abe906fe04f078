"""(12.7) Scenes of shared motion bases: one segment whose splats follow mixtures of rigid motions."""

from __future__ import annotations

import numpy as np

from gscodec.chunk import Recorded
from gscodec.encode.dynamic.bases_recording import (
    Trajectories,
    TrajectoriesSettings,
    record_bases,
    record_mixture,
)
from gscodec.encode.dynamic.body import Rows
from gscodec.encode.dynamic.native import TICKS, Grain
from gscodec.encode.inputs import finite_rows
from gscodec.io.bases_npz import BasesScene, orthonormal
from gscodec.motion.bases import Bases
from gscodec.parameters import CodingParameters
from gscodec.splats import Splats

ID = 0
LEVELS = (31, 4095)  # fewest and most
FINER = 8.0  # than positions: all splats share these few numbers
LOOKED = 16  # frames and
SAMPLE = 2000  # splats that tell how far bases are apart
TYPICAL = 0.9  # of splats have their shares told apart finely enough


class MixtureSegment:
    """All splats of a file; those with values that are not finite are left out (`dropped`)."""

    def __init__(self, scene: BasesScene) -> None:
        rows = np.flatnonzero(finite_rows(scene.splats))
        self.scene, self.frames = scene, scene.frames
        self.dropped = len(scene.splats) - len(rows)
        self.rows = rows
        self.splats = scene.splats.take(rows)
        self._bases: Bases | None = None
        self._levels = LEVELS[1]

    def at(self, moment: float, splats: Splats, rows: Rows) -> Splats:
        """See `NativeSegment`."""
        return self.scene.at(moment * self.frames, splats, self.rows[rows])

    def seen_at(self, moment: float, apart: float) -> Splats:
        """See `NativeSegment`."""
        return self.at(moment, self.splats, np.arange(len(self.rows)))

    def shared(self, grain: Grain) -> list[bytes]:
        """See `NativeSegment`: the payload of MBAS."""
        positions = self.splats.positions.astype(np.float64)
        radius = float(np.quantile(np.linalg.norm(positions, axis=1), 0.9)) if len(positions) else 1.0
        step = 2 * grain.half_cell
        sizes = np.linalg.norm(self.scene.rotations.reshape(-1, 2, 3), axis=2)
        common = float(max(sizes.max(initial=0), 1e-12))  # all may be scaled alike
        settings = TrajectoriesSettings(
            rotation=float(np.clip(step / FINER / max(radius, 1e-12), 2.0**-20, 2.0**-10)),
            translation=step / FINER,
        )
        recorded = record_bases(
            ID,
            Trajectories(
                interval=TICKS,
                rotations=self.scene.rotations.transpose(1, 0, 2) / common,
                translations=self.scene.translations.transpose(1, 0, 2),
            ),
            settings,
        )
        self._bases = recorded.decoded
        self._levels = int(np.clip(np.ceil(self._apart() / step), *LEVELS))
        return [recorded.payload()]

    def _apart(self) -> float:
        """How far most splats are from where each of the bases alone would bring them, scene units."""
        rows = np.unique(np.linspace(0, len(self.rows) - 1, SAMPLE).astype(int))
        at = self.splats.positions[rows].astype(np.float64)
        largest = np.zeros(len(rows))
        for frame in np.unique(np.linspace(0, self.frames - 1, LOOKED).astype(int)).tolist():
            rotations, translations = self.scene.motions_at(frame)
            where = np.einsum("bij,nj->nbi", orthonormal(rotations), at) + translations
            blended = np.einsum("nb,nbi->ni", self.scene.weights[self.rows[rows]], where)
            largest = np.maximum(largest, np.linalg.norm(where - blended[:, None], axis=2).max(1))
        return float(np.quantile(largest, TYPICAL))

    def payload(self, chunk: Recorded, coding: CodingParameters, rows: Rows, span: tuple[int, int]) -> bytes:
        """See `NativeSegment`."""
        if self._bases is None:
            raise RuntimeError("no bases")
        weights = self.scene.weights[self.rows[rows]]
        motion = self._bases, np.ones(len(rows), np.uint8), weights
        payloads = [
            record_mixture(
                chunk.fields, chunk.integers, coding, motion, self._levels, span, predicted=predicted
            ).payload()
            for predicted in (True, False)
        ]
        return min(payloads, key=len)
