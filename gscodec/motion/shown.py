"""(12.9) What of a chunk is shown at a moment, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The values of S shown splats that differ from those of the chunk; None where they do not.

    rows        (S,) uint32, ascending: which splats of the chunk they are; None: all of them
    positions   (S, 3) scene units; rotations (S, 4), w first; opacities (S,) logits
    scales      (S, 3) logarithms; sh_dc (S, 3); sh_rest (S, K, 3): all as in `Splats`
    """

    rows: NDArray[np.uint32] | None = None
    positions: Float32 | None = None
    rotations: Float32 | None = None
    opacities: Float32 | None = None
    scales: Float32 | None = None
    sh_dc: Float32 | None = None
    sh_rest: Float32 | None = None

    def applied(self, chunk: Splats) -> Splats:
        """The shown splats of a chunk, given all of its splats as they are without motion.

        What does not change is shared, where all splats are shown; it must not be written to. Fewer SH
        coefficients in `chunk` drop the higher ones.
        """

        def of(values: Float32 | None, still: NDArray[Any]) -> NDArray[Any]:
            if values is not None:
                return values
            return still if self.rows is None else still[self.rows]

        rest = None if self.sh_rest is None else self.sh_rest[:, : chunk.sh_rest.shape[1]]
        return Splats(
            positions=of(self.positions, chunk.positions),
            scales=of(self.scales, chunk.scales),
            rotations=of(self.rotations, chunk.rotations),
            opacities=of(self.opacities, chunk.opacities),
            sh_dc=of(self.sh_dc, chunk.sh_dc),
            sh_rest=of(rest, chunk.sh_rest),
            extras={name: of(None, array) for name, array in chunk.extras.items()},
        )


NOTHING = Shown(rows=np.zeros(0, np.uint32))
