"""(5.8, 6.3) Scale: three log-scales, largest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet
from gscodec.parameters import ScaleParameters

Rows = NDArray[np.int32]


def read(
    stream: StreamBytes, tables: TableSet, contexts: NDArray[np.uint8], side: kernels.Side, p: ScaleParameters
) -> Rows:
    """(5.8) (M, 3) in 1/64 of the base step, not ascending."""
    status, rec = kernels.read_scale(stream.source(tables, contexts), side, p.floor)
    stream.check(status)
    return rec


def record(
    side: kernels.Side, p: ScaleParameters, wanted: NDArray[np.float64], lanes: int
) -> tuple[kernels.Ops, Rows]:
    """(5.8) `wanted` (M, 3) in 1/64 of the base step, not ascending, as `lattice` gives it."""
    return kernels.write_scale(side, p.floor, wanted, lanes)


def lattice(log_scales: NDArray[np.float64], p: ScaleParameters) -> NDArray[np.float64]:
    """Sorted natural log-scales (M, 3) in the units of the stream: the inverse of `values`, unrounded."""
    u = log_scales
    if p.dilated:
        u = 0.5 * np.logaddexp(2 * log_scales, 2 * p.ln_tau / 2**20)
    return (u - p.offset / 2**20) * (2.0**32 / p.step)


def values(rec: Rows, source: NDArray[np.uint32], p: ScaleParameters, out: NDArray[np.float32]) -> None:
    """(6.3) Log-scales of the splats `source` (N,), written to `out` (N, 3)."""
    kernels.scale_values(rec, source, p.step, p.offset, p.dilated, p.ln_tau, out)
