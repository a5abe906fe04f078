"""safetensors files, by JSON and numpy: `checked`, `arrays_of`, `safetensors_of`, `read_weights`.

A file is the length of the header (u64), a JSON object, and the data. The object has for each tensor "dtype",
"shape" and "data_offsets", its first byte and the one after its last, which together cover the data without
gaps; "__metadata__" has texts. (https://github.com/huggingface/safetensors)
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._npz import NpzError, read_npz
from gscodec.io._whole import read_whole

MOST_HEADER = 100_000_000  # bytes, as in the format's own reader
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?",
}  # fmt: skip
RAW_SIZES = {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}  # types that numpy lacks
NAMES = {np.dtype(each): name for name, each in TYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What the header says of a tensor; `start` and `end` are bytes of the file."""

    name: str
    type: str
    shape: tuple[int, ...]
    start: int
    end: int


def checked(data: bytes) -> list[Tensor]:
    """The tensors of a file, in the order of its header. Raises `InputError` "safetensors.format"."""
    if len(data) < 8:
        raise _wrong("it is too short")
    (length,) = struct.unpack_from("<Q", data)
    if length > min(MOST_HEADER, len(data) - 8):
        raise _wrong("its header is longer than the file")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _wrong(f"its header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise _wrong("its header is no object")
    found = []
    for name, about in header.items():
        if name != "__metadata__":
            found.append(_tensor(name, about, 8 + length))
    position = 8 + length
    for each in sorted(found, key=lambda tensor: (tensor.start, tensor.end)):
        if each.start != position:
            raise _wrong(f"the data of {each.name!r} leave a gap or overlap others")
        position = each.end
    if position != len(data):
        raise _wrong("its data are not of the stated size")
    return found


def _tensor(name: str, about: Any, first: int) -> Tensor:
    about = about if isinstance(about, dict) else {}
    kind, shape, offsets = (about.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(kind, str) or (kind not in TYPES and kind not in RAW_SIZES):
        raise _wrong(f"{name!r} has the type {kind!r}")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 1 << 60 for n in numbers):
            raise _wrong(f"{name!r} has a wrong shape or wrong offsets")
    if not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2 or len(shape) > 32:
        raise _wrong(f"{name!r} has a wrong shape or wrong offsets")
    size = RAW_SIZES[kind] if kind in RAW_SIZES else np.dtype(TYPES[kind]).itemsize
    for each in shape:
        size *= each
    if offsets[1] - offsets[0] != size:
        raise _wrong(f"{name!r} has a shape of other size than its data")
    return Tensor(name=name, type=kind, shape=tuple(shape), start=first + offsets[0], end=first + offsets[1])


def arrays_of(data: bytes) -> dict[str, NDArray[Any]]:
    """Name -> array; BF16 as float32, without loss, types of 8 bits as uint8. Raises `InputError`."""
    found: dict[str, NDArray[Any]] = {}
    for each in checked(data):
        raw = data[each.start : each.end]
        if each.type == "BF16":
            wide = np.frombuffer(raw, "<u2").astype("<u4") << 16
            array: NDArray[Any] = wide.view("<f4")
        elif each.type in RAW_SIZES:
            array = np.frombuffer(raw, np.uint8)
        else:
            array = np.frombuffer(raw, TYPES[each.type])
        found[each.name] = array.reshape(each.shape)
    return found


def safetensors_of(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A file of arrays. Raises `InputError` for a type that the format has not."""
    header: dict[str, Any] = {}
    pieces: list[bytes] = []
    position = 0
    for name, array in arrays.items():
        dtype = array.dtype.newbyteorder("<")
        if dtype not in NAMES:
            raise _wrong(f"{name!r} has the type {array.dtype}, which safetensors has not")
        raw = np.ascontiguousarray(array, dtype).tobytes()
        offsets = [position, position + len(raw)]
        header[name] = {"dtype": NAMES[dtype], "shape": list(array.shape), "data_offsets": offsets}
        pieces.append(raw)
        position += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *pieces])


def read_weights(source: str | os.PathLike[str] | BinaryIO) -> bytes:
    """The bytes of a safetensors file as they are; an NPZ file is converted.

    Raises `InputError` "safetensors.format", "io.read".
    """
    data = read_whole(source)
    if data.startswith(b"PK"):
        import io

        try:
            return safetensors_of(read_npz(io.BytesIO(data)))
        except NpzError as error:
            raise _wrong(str(error)) from error
    checked(data)
    return data


def _wrong(why: str) -> InputError:
    return InputError("safetensors.format", f"no safetensors file: {why}")
