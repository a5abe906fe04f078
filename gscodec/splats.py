"""`Splats`: plain arrays with named, documented semantics. Knows nothing about the codec.

Values are the *stored* (pre-activation) ones of the common 3DGS training code: log-scales, opacity
logits, quaternions w first, SH coefficients without the +0.5 offset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import UsageError

Float32 = NDArray[np.float32]

SH_REST_COUNTS = (0, 3, 8, 15)  # coefficients above the DC term, for SH degree 0..3


@dataclass(frozen=True, slots=True, kw_only=True)
class Splats:
    """N Gaussian splats.

    positions  (N, 3) float32     centres, scene units
    scales     (N, 3) float32     natural logarithm of the standard deviation along each own axis
    rotations  (N, 4) float32     quaternion w, x, y, z; need not be normalised
    opacities  (N,)   float32     logit of the opacity
    sh_dc      (N, 3) float32     degree-0 SH coefficient of red, green, blue
    sh_rest    (N, K, 3) float32  higher SH coefficients, K = 0, 3, 8 or 15; [:, k, c]: number k of channel c
    extras     name -> (N,) or (N, M)  any further per-splat attributes, integer or float

    Raises `UsageError` when the shapes do not belong together.
    """

    positions: Float32
    scales: Float32
    rotations: Float32
    opacities: Float32
    sh_dc: Float32
    sh_rest: Float32
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.positions)
        k = self.sh_rest.shape[1] if self.sh_rest.ndim == 3 else -1
        wanted = {
            "positions": (n, 3),
            "scales": (n, 3),
            "rotations": (n, 4),
            "opacities": (n,),
            "sh_dc": (n, 3),
            "sh_rest": (n, k, 3),
        }
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise UsageError(
                    "splats.shape", f"{name} is {array.dtype}{array.shape}, expected float32{shape}"
                )
        if k not in SH_REST_COUNTS:
            raise UsageError("splats.sh", f"sh_rest has {k} coefficients; expected one of {SH_REST_COUNTS}")
        for name, array in self.extras.items():
            if array.ndim not in (1, 2) or len(array) != n:
                raise UsageError(
                    "splats.shape", f"extra {name!r} has shape {array.shape}, expected ({n}, ...)"
                )

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return SH_REST_COUNTS.index(self.sh_rest.shape[1])

    def take(self, index: NDArray[Any] | slice) -> Splats:
        """The splats at `index`, in that order: copies for integers or booleans, views for a slice."""
        return Splats(
            positions=self.positions[index],
            scales=self.scales[index],
            rotations=self.rotations[index],
            opacities=self.opacities[index],
            sh_dc=self.sh_dc[index],
            sh_rest=self.sh_rest[index],
            extras={name: array[index] for name, array in self.extras.items()},
        )


def joined(parts: Sequence[Splats]) -> Splats:
    """Splats one after the other, with the extras that all have; harmonics that a part lacks are 0."""
    count = sum(len(part) for part in parts)
    rest = max((part.sh_rest.shape[1] for part in parts), default=0)
    names = [name for name in parts[0].extras if all(name in part.extras for part in parts)] if parts else []
    whole = Splats(
        positions=np.empty((count, 3), np.float32),
        scales=np.empty((count, 3), np.float32),
        rotations=np.empty((count, 4), np.float32),
        opacities=np.empty(count, np.float32),
        sh_dc=np.empty((count, 3), np.float32),
        sh_rest=np.zeros((count, rest, 3), np.float32),
        extras={name: np.concatenate([part.extras[name] for part in parts]) for name in names},
    )
    start = 0
    for part in parts:
        rows = slice(start, start + len(part))
        for name in ("positions", "scales", "rotations", "opacities", "sh_dc"):
            getattr(whole, name)[rows] = getattr(part, name)
        whole.sh_rest[rows, : part.sh_rest.shape[1]] = part.sh_rest
        start = rows.stop
    return whole
