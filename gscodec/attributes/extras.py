"""(5.13, 6.8) Extra attributes: any scalar or vector of a splat, kept bit for bit or in steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec._generated import extra_types
from gscodec.container import ExtraAttribute
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet
from gscodec.parameters import words_of

DTYPES: dict[int, np.dtype[Any]] = {
    extra_types.U8: np.dtype("u1"),
    extra_types.I8: np.dtype("i1"),
    extra_types.U16: np.dtype("<u2"),
    extra_types.I16: np.dtype("<i2"),
    extra_types.U32: np.dtype("<u4"),
    extra_types.I32: np.dtype("<i4"),
    extra_types.F32: np.dtype("<f4"),
    extra_types.F64: np.dtype("<f8"),
    extra_types.U64: np.dtype("<u8"),
    extra_types.I64: np.dtype("<i8"),
}
TYPES = {dtype: number for number, dtype in DTYPES.items()}


def _word_bits(extra: ExtraAttribute) -> int:
    return min(32, 8 * DTYPES[extra.type].itemsize)


def read(
    stream: StreamBytes, tables: TableSet, contexts: NDArray[np.uint8], extra: ExtraAttribute, n: int
) -> NDArray[np.uint32]:
    """(5.13) (N, words)."""
    status, words = kernels.read_channel(
        stream.source(tables, contexts), n, words_of(extra), _word_bits(extra)
    )
    stream.check(status)
    return words


def record(extra: ExtraAttribute, words: NDArray[np.uint32], lanes: int) -> kernels.Ops:
    """(5.13) `words` (N, words) as `to_words` gives them."""
    return kernels.write_channel(words, _word_bits(extra), lanes)


def to_words(extra: ExtraAttribute, array: NDArray[Any]) -> NDArray[np.uint32]:
    """(6.8) Values (N,) or (N, M) as words: the inverse of `values`. Multiples of a step must fit 32 bits."""
    dtype = DTYPES[extra.type]
    size = dtype.itemsize
    if extra.is_stepped:
        step = np.ldexp(float(extra.mantissa), extra.exponent)
        steps = np.rint(np.asarray(array, np.float64).reshape(len(array), extra.components) / step)
        return np.asarray(steps, np.int32).view(np.uint32)
    bits = np.ascontiguousarray(array, dtype).reshape(len(array), extra.components).view(f"<u{size}")
    if dtype.kind == "f":
        top = bits.dtype.type(1 << (8 * size - 1))
        bits = np.where(bits & top, ~bits, bits | top)
    if size == 8:
        halves = np.stack([bits >> np.uint64(32), bits & np.uint64(0xFFFFFFFF)], 2)
        return np.asarray(halves.reshape(len(array), -1), np.uint32)
    return np.asarray(bits, np.uint32)


def values(extra: ExtraAttribute, words: NDArray[np.uint32]) -> NDArray[Any]:
    """(6.8) (N,) or (N, components) in the attribute's own type."""
    dtype = DTYPES[extra.type]
    size = dtype.itemsize
    if extra.is_stepped:  # 47 bits at most, and a power of two: the only rounding is that to binary32
        exact = np.ldexp(words.view(np.int32) * float(extra.mantissa), extra.exponent)
        stepped: NDArray[Any] = exact.astype(dtype)
        return stepped[:, 0] if extra.components == 1 else stepped
    bits = words.astype(f"<u{min(size, 4)}")
    if size == 8:
        wide = words.astype("<u8").reshape(len(words), -1, 2)
        bits = wide[:, :, 0] << np.uint64(32) | wide[:, :, 1]
    if dtype.kind == "f":
        top = bits.dtype.type(1 << (8 * size - 1))
        bits = np.where(bits & top, bits & ~top, ~bits)
    out: NDArray[Any] = np.ascontiguousarray(bits).view(dtype)
    return out[:, 0] if extra.components == 1 else out
