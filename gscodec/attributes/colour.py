"""(5.11, 6.6) Colour: the degree-0 coefficients as Y, Co, Cg."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet
from gscodec.parameters import ColourParameters

Rows = NDArray[np.int32]


def read(stream: StreamBytes, tables: TableSet, contexts: NDArray[np.uint8], side: kernels.Side) -> Rows:
    """(5.11) (M, 3) in 1/64 of each channel's base step."""
    status, rec = kernels.read_colour(stream.source(tables, contexts), side)
    stream.check(status)
    return rec


def record(side: kernels.Side, wanted: NDArray[np.float64], lanes: int) -> tuple[kernels.Ops, Rows]:
    """(5.11) `wanted` (M, 3) in 1/64 of each channel's base step, as `lattice` gives it."""
    return kernels.write_colour(side, wanted, lanes)


def lattice(dc: NDArray[np.float32], p: ColourParameters) -> NDArray[np.float64]:
    """R, G, B coefficients (M, 3) in the units of the stream: the inverse of `values`, unrounded."""
    return np.asarray(channels(dc) / (np.array(p.mantissas) * 2.0 ** (p.exponent - 6)) - np.array(p.offsets))


def channels(dc: NDArray[np.floating]) -> NDArray[np.float64]:
    """(M, 3) Y, Co, Cg of R, G, B coefficients (M, 3)."""
    r, g, b = dc.astype(np.float64).T
    return np.stack([(r + 2 * g + b) / 4, r - b, g - (r + b) / 2], 1)


def values(rec: Rows, source: NDArray[np.uint32], p: ColourParameters, out: NDArray[np.float32]) -> None:
    """(6.6) Degree-0 coefficients of the splats `source` (N,), written to `out` (N, 3)."""
    kernels.colour_values(
        rec, source, np.array(p.offsets, np.int64), np.array(p.mantissas, np.int64), p.exponent, out
    )
