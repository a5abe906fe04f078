"""(5.12, 6.7) Higher spherical harmonics: the groups that a splat has, then KLT coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet
from gscodec.parameters import HarmonicsParameters

Rows = NDArray[np.int32]


def read(
    groups: StreamBytes,
    coefficients: StreamBytes,
    tables: TableSet,
    contexts: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    side: kernels.Side,
    p: HarmonicsParameters,
) -> Rows:
    """(5.12) (M, 3K) in 1/64 of the base step, in coding order."""
    bounds = np.array(p.bounds, np.uint8)
    status, counts = kernels.read_groups(groups.source(tables, contexts[0]), side, p.bounds[-1], bounds)
    groups.check(status)
    status, rec = kernels.read_coefficients(
        coefficients.source(tables, contexts[1]), side, p.bounds[-1], bounds, counts
    )
    coefficients.check(status)
    return rec


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Bits of symbols, by context and group number or token, and what a bit is worth in squared steps."""

    groups: NDArray[np.float32]
    tokens: NDArray[np.float32]
    per_bit: float


COST_TOKENS = 64
# Gram matrices of basis functions, (any, (K + 1)(K + 2) / 2) upper triangles; of each of M splats its row in
# them, what the row is multiplied with, and what is then added to the diagonal
Metric: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]


def record(
    side: kernels.Side,
    p: HarmonicsParameters,
    wanted: NDArray[np.float32],
    dead_zone: float,
    costs: Costs | None,
    metric: Metric | None,
    lanes: int,
) -> tuple[kernels.Ops, kernels.Ops, Rows]:
    """(5.12) `wanted` (M, 3K) in 1/64 of the base step.

    With costs each splat gets the residuals of least error plus bits; without, they are rounded, and one
    of a single step is dropped if under `dead_zone` steps. Errors count as `metric` says; without it, alike.
    """
    known = None if costs is None else (costs.groups, costs.tokens, costs.per_bit)
    basis = None if p.basis is None else (p.basis / 8192).astype(np.float32)
    return kernels.write_harmonics(
        side,
        p.bounds[-1],
        np.array(p.bounds, np.uint8),
        wanted,
        dead_zone,
        known,
        metric,
        basis,
        p.order,
        lanes,
    )


def lattice(rest: NDArray[np.float32], p: HarmonicsParameters) -> NDArray[np.float32]:
    """Coefficients (M, K, 3) in the units of the stream: the inverse of `values`, unrounded."""
    colour = np.linalg.inv(p.colour.astype(np.float64) * 2.0 ** (p.exponent - 6))
    most = 1e36 / max(1.0, float(np.abs(colour).sum(1).max()))  # what is beyond saturates; sums stay finite
    y = (np.clip(rest, -most, most) @ colour.T.astype(np.float32)).astype(np.float32)
    if p.basis is not None:
        basis = np.linalg.inv(p.basis.astype(np.float64) / 8192).astype(np.float32)
        y = np.matmul(basis.T, y)
    flat = y.reshape(len(rest), -1)
    return np.ascontiguousarray(flat if p.order is None else flat[:, p.order])


def values(rec: Rows, source: NDArray[np.uint32], p: HarmonicsParameters, out: NDArray[np.float32]) -> None:
    """(6.7) Coefficients of the splats `source` (N,), written to `out` (N, K, 3)."""
    kernels.harmonics_values(rec, source, p.basis, p.order, p.colour.ravel(), p.exponent, out)
