"""NPZ files without objects: nothing in them is executed, and no more is allocated than they hold."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gscodec.io._whole import read_whole

MOST_BYTES = 1 << 34
MOST_ARRAYS = 65_536


class NpzError(Exception):
    """What is wrong with a file."""


def read_npz(source: str | os.PathLike[str] | BinaryIO) -> dict[str, NDArray[Any]]:
    """Name -> array, in the order of the file. Raises `NpzError`, `InputError` "io.read"."""
    data = read_whole(source)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS or sum(each.file_size for each in members) > MOST_BYTES:
                raise NpzError("an NPZ file of far too much")
            found = {}
            for member in members:
                with archive.open(member) as file:
                    found[member.filename.removesuffix(".npy")] = _array(file.read(member.file_size))
            return found
    except (
        zipfile.BadZipFile, zlib.error, struct.error, ValueError, RuntimeError, EOFError, OverflowError,
        OSError, SyntaxError, TypeError, KeyError,
    ) as error:  # fmt: skip
        raise NpzError(f"no NPZ file that can be read: {' '.join(str(error).split())}") from error


def _array(data: bytes) -> NDArray[Any]:
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"arrays of version {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    if dtype.hasobject or dtype.kind not in "biuf" or dtype.names is not None or dtype.subdtype is not None:
        raise NpzError(f"an array of {dtype}: only numbers are read, no objects")
    count = 1
    for size in shape:
        if size < 0:
            raise ValueError("a negative shape")
        count *= int(size)
    if count * dtype.itemsize != len(data) - file.tell():
        raise ValueError("an array is longer or shorter than its shape says")
    flat = np.frombuffer(data, dtype, count, file.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")
