"""(5.9, 6.4) Rotation: direction of the main axis, then a twist, in cells that follow the splat's shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet
from gscodec.parameters import RotationParameters

Rows = NDArray[np.int32]


def read(
    stream: StreamBytes,
    tables: TableSet,
    contexts: NDArray[np.uint8],
    side: kernels.Side,
    p: RotationParameters,
    scale: Rows,
) -> Rows:
    """(5.9) (M, 4) quaternions in Q24, w first; `scale` (M, 3) as decoded."""
    status, q = kernels.read_rotation(
        stream.source(tables, contexts),
        side,
        p.axis_factor,
        p.twist_factor,
        p.axis_cells,
        p.twist_cells,
        scale,
    )
    stream.check(status)
    return q


def record(
    side: kernels.Side, p: RotationParameters, scale: Rows, frames: NDArray[np.float64], lanes: int
) -> tuple[kernels.Ops, Rows]:
    """(5.9) `frames` (M, 9): unit axes of the largest, middle and smallest scale: `sorted_frames`."""
    return kernels.write_rotation(
        side, p.axis_factor, p.twist_factor, p.axis_cells, p.twist_cells, scale, frames, lanes
    )


def sorted_frames(rotations: NDArray[np.float32], order: NDArray[np.intp]) -> NDArray[np.float64]:
    """(M, 9) axes of the splats, by `order` (M, 3), from quaternions (M, 4), w first, not normalised."""
    q = rotations.astype(np.float64)
    norm = np.linalg.norm(q, axis=1, keepdims=True)
    w, x, y, z = np.where(norm > 0, q / np.where(norm > 0, norm, 1), (1.0, 0.0, 0.0, 0.0)).T
    axes = np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], 1),
            np.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], 1),
            np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], 1),
        ],
        1,
    )
    return np.take_along_axis(axes, order[:, :, None], 1).reshape(-1, 9)


def values(q: Rows, source: NDArray[np.uint32], out: NDArray[np.float32]) -> None:
    """(6.4) Quaternions of the splats `source` (N,), written to `out` (N, 4)."""
    kernels.rotation_values(q, source, out)
