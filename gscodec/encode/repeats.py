"""Which earlier row of a block a row repeats values of: rows that training copied keep some for long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def find_repeats(cells: NDArray[np.uint32], columns: NDArray[np.intp]) -> NDArray[np.int32]:
    """(rows,) the earlier row that shares most values in `columns` of `cells` (rows, W), -1 for none.

    Zeros and values of the row just before are cheap without, and do not count.
    """
    rows = len(cells)
    best, score = np.full(rows, -1, np.int32), np.zeros(rows, np.int64)
    values = np.ascontiguousarray(cells[:, columns])
    numbers = np.arange(rows, dtype=np.uint64)
    for j in range(values.shape[1]):
        keys = np.sort(values[:, j].astype(np.uint64) << np.uint64(32) | numbers)  # far faster than argsort
        value, row = keys >> np.uint64(32), (keys & np.uint64(0xFFFFFFFF)).astype(np.intp)
        is_same = (value[1:] == value[:-1]) & (value[1:] != 0)
        row, earlier = row[1:][is_same], row[:-1][is_same]
        keep = values[row, j] != values[row - 1, j]
        row, earlier = row[keep], earlier[keep]
        mine = values[row]
        shared = ((mine == values[earlier]) & (mine != 0)).sum(1)
        better = shared > score[row]
        best[row[better]] = earlier[better]
        score[row[better]] = shared[better]
    return best
