"""Which splats share a chunk: layers by importance, then a k-d split into cells that a grid can hold."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gscodec.chunk import MAX_SPLATS
from gscodec.errors import UsageError
from gscodec.geometry.positions import MAX_DEPTH, Grid

SPARE_CHUNKS = 64  # chunks that far-away splats may cost beyond those that the count asks for
EXACT = 1 << 52
MOST_LAYERS = 16
FIRST_SHARE = 0.06  # of the splats: the most important ones, which cost more than twice the bytes of others


def check_layers(layers: int) -> int:
    """`layers`, 1 to 16. Raises `UsageError`."""
    if isinstance(layers, bool) or not 1 <= layers <= MOST_LAYERS:
        raise UsageError("usage.layers", f"layers {layers!r}: expected 1 to {MOST_LAYERS}")
    return layers


def layers_of(importance: NDArray[np.float64], layers: int) -> NDArray[np.uint8]:
    """(N,) the layer of each splat, the most important ones in layer 0.

    The first of several layers has `FIRST_SHARE` of the splats; the sums grow evenly on a logarithmic scale.
    """
    n = len(importance)
    if layers == 1:
        return np.zeros(n, np.uint8)
    ends = np.round(n * FIRST_SHARE ** (1 - np.arange(layers) / (layers - 1))).clip(1).astype(np.intp)
    rank = np.empty(n, np.intp)
    rank[np.argsort(-importance, kind="stable")] = np.arange(n)
    return np.searchsorted(ends, rank, side="right").clip(0, layers - 1).astype(np.uint8)


def layered_cells(
    positions: NDArray[np.float32], importance: NDArray[np.float64], layers: int, step: float
) -> tuple[list[NDArray[np.intp]], list[int]]:
    """`split_cells` of each layer, the most important one first; and the layer of each cell."""
    layer_of, cells, numbers = layers_of(importance, layers), [], []
    for layer in range(layers):
        rows = np.flatnonzero(layer_of == layer)
        for cell in split_cells(positions[rows], step) if len(rows) else []:
            cells.append(rows[cell])
            numbers.append(layer)
    return cells, numbers


def split_cells(
    positions: NDArray[np.float32], step: float, most: int | None = None
) -> list[NDArray[np.intp]]:
    """Index arrays of the chunks, neighbours after each other, of at most `most` splats where that is given.

    A cell that is too wide for the grid is cut in its middle, so that outliers fall into chunks of their own
    instead of spoiling the precision of the rest.
    """
    wide = step * ((1 << MAX_DEPTH) - 2)
    spare = [SPARE_CHUNKS + len(positions) // 4096]
    whole = np.arange(len(positions))
    return list(_split(positions.astype(np.float64), whole, wide, spare, min(most or MAX_SPLATS, MAX_SPLATS)))


def _split(
    positions: NDArray[np.float64], index: NDArray[np.intp], wide: float, spare: list[int], most: int
) -> list[NDArray[np.intp]]:
    inside = positions[index]
    low, high = inside.min(0), inside.max(0)
    axis = int(np.argmax(high - low))
    values = inside[:, axis]
    if high[axis] - low[axis] > wide and spare[0] > 0:
        spare[0] -= 1
        left = values < low[axis] + (high[axis] - low[axis]) / 2
        if not left.any() or left.all():
            return [index]
    elif len(index) > most:
        parts = -(-len(index) // most)
        at = len(index) * (parts // 2) // parts
        left = np.zeros(len(index), bool)
        left[np.argpartition(values, at)[:at]] = True
    else:
        return [index]
    return [
        *_split(positions, index[left], wide, spare, most),
        *_split(positions, index[~left], wide, spare, most),
    ]


def grid_for(positions: NDArray[np.float32], mantissa: int, exponent: int, trees: int) -> Grid:
    """A chunk's grid: half cells of mantissa * 2^exponent, coarser where binary32 or depth 20 ask for it."""
    low, high = positions.min(0).astype(np.float64), positions.max(0).astype(np.float64)
    largest = float(np.abs([low, high]).max())
    while True:
        cell = 2.0 * mantissa * 2.0**exponent
        origin = np.floor(low / cell)
        span = int((np.floor(high / cell) - origin).max()) + 1
        depth = max(trees - 1, math.ceil(math.log2(span))) if span > 1 else trees - 1
        # a grid finer than binary32 at this distance is waste, and its integers would exceed 2^53
        if depth <= MAX_DEPTH and largest < cell * 2.0**26:
            return Grid(
                depth=depth, exponent=exponent, origin=(int(origin[0]), int(origin[1]), int(origin[2]))
            )
        exponent += 1


def cells_of(
    positions: NDArray[np.float32], tree: NDArray[np.uint8], grid: Grid, mantissa: int
) -> NDArray[np.int32]:
    """(N, 3) the cell of each splat in its own tree."""
    cell = 2.0 * mantissa * 2.0**grid.exponent
    finest = np.floor(positions.astype(np.float64) / cell) - np.array(grid.origin, np.float64)
    top = (1 << grid.depth) - 1
    clipped = np.clip(finest, 0, top).astype(np.int32)
    return np.asarray(clipped >> tree[:, None])
