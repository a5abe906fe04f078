"""How many bytes each column of a lossless file takes: decoded, then counted again."""

from __future__ import annotations

import numpy as np

from gscodec import kernels
from gscodec.lossless.file import LosslessFile
from gscodec.lossless.rows import decode_block


def column_bytes(found: LosslessFile) -> list[int]:
    """Bytes of every column, symbols and low bits; bits that say which row is repeated are in none of them.

    Raises `Malformed`.
    """
    model = found.read_model()
    if model is None:
        return []
    words = model.words
    bits = np.zeros(len(words.coding))
    frequencies = model.tables.frequencies[model.map].astype(np.float64)
    total = np.left_shift(1, model.tables.resolutions[model.map].astype(np.int64))
    cost = np.where(frequencies > 0, -np.log2(np.maximum(frequencies, 1) / total[:, None]), 0.0)
    first = np.cumsum([2, *words.context_counts()])
    for block in found.blocks:
        cells = decode_block(block, model)
        recorded = kernels.write_rows(model.plan, cells, np.full(len(cells), -1, np.int32))
        spent = (recorded.histogram() * cost).sum(1)
        low = recorded.low_bits()
        for w in range(len(bits)):
            bits[w] += spent[first[w] : first[w + 1]].sum() + low[w]
    ends = np.cumsum([len(column.widths) for column in found.description.columns])
    return [int(np.ceil(part.sum() / 8)) for part in np.split(bits, ends[:-1])]
