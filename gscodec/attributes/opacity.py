"""(5.10, 6.5) Opacity: log2(alpha + 1/16), so that steps are finest where they are seen most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet
from gscodec.parameters import OpacityParameters

Rows = NDArray[np.int32]


def read(stream: StreamBytes, tables: TableSet, contexts: NDArray[np.uint8], side: kernels.Side) -> Rows:
    """(5.10) (M, 1) in 1/64 of the base step."""
    status, rec = kernels.read_opacity(stream.source(tables, contexts), side)
    stream.check(status)
    return rec


def record(side: kernels.Side, wanted: NDArray[np.float64], lanes: int) -> tuple[kernels.Ops, Rows]:
    """(5.10) `wanted` (M,) in 1/64 of the base step, as `lattice` gives it."""
    return kernels.write_opacity(side, wanted, lanes)


def lattice(logits: NDArray[np.float32], p: OpacityParameters) -> NDArray[np.float64]:
    """Logits (M,) in the units of the stream: the inverse of `values`, unrounded."""
    return (octaves(logits) - p.offset / 2**20) * (2.0**32 / p.step)


def octaves(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """(M,) log2(opacity + 1/16) of logits, the scale on which steps are even."""
    alpha = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -40, 40)))
    return np.asarray(np.log2(alpha + 1 / 16))


def values(rec: Rows, source: NDArray[np.uint32], p: OpacityParameters, out: NDArray[np.float32]) -> None:
    """(6.5) Logits of the splats `source` (N,), written to `out` (N,)."""
    kernels.opacity_values(rec, source, p.step, p.offset, out)
