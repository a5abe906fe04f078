"""(5.3, 5.4, 6.2) The position stream: point counts of octree cells; the merged order; exact coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet

MAX_DEPTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """(5.1) The grid of a chunk: depth of the finest octree, exponent of half a cell, origin in cells."""

    depth: int
    exponent: int
    origin: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Decoded positions in the order of the chunk.

    x     (N, 3) int32  half finest cells from the origin
    tree  (N,) uint8    octree of each
    """

    x: NDArray[np.int32]
    tree: NDArray[np.uint8]


def read(
    stream: StreamBytes, tables: TableSet, contexts: NDArray[np.uint8], grid: Grid, counts: list[int]
) -> Positions:
    """(5.3) The position stream of `counts` splats per tree."""
    status, x, tree = kernels.read_positions(
        stream.source(tables, contexts), grid.depth, np.array(counts, np.uint32)
    )
    stream.check(status)
    return Positions(x=x, tree=tree)


def record(
    cells: NDArray[np.int32], counts: list[int], grid: Grid, lanes: int
) -> tuple[kernels.Ops, Positions]:
    """(5.3) What a writer codes: `cells` (N, 3) of the trees one after another, each in Morton order."""
    per_tree = np.array(counts, np.uint32)
    x, tree = kernels.merge_trees(cells, per_tree)
    return kernels.write_positions(cells, grid.depth, per_tree, lanes), Positions(x=x, tree=tree)


def morton_codes(cells: NDArray[np.int32]) -> NDArray[np.uint64]:
    """(N,) interleaved bits of (N, 3) cells under 2^21, x above y above z."""
    code = np.zeros(len(cells), np.uint64)
    for axis in range(3):
        v = cells[:, axis].astype(np.uint64)
        for shift, mask in (
            (32, 0x1F00000000FFFF),
            (16, 0x1F0000FF0000FF),
            (8, 0x100F00F00F00F00F),
            (4, 0x10C30C30C30C30C3),
            (2, 0x1249249249249249),
        ):
            v = (v | v << np.uint64(shift)) & np.uint64(mask)
        code |= v << np.uint64(2 - axis)
    return code


def values(x: NDArray[np.int32], grid: Grid, mantissa: int, out: NDArray[np.float32]) -> None:
    """(6.2) Coordinates, written to `out` (N, 3)."""
    kernels.position_values(x, np.array(grid.origin, np.int64), mantissa, grid.exponent, out)
