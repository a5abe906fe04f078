"""(12.10) TENS: tensors, such as the weights of a feature decoder. Decoders of splats skip it.

| offset | type | field       | value |
|--------|------|-------------|-------|
| 0      | u8   | kind        | table |
| 1      | u8   | compression | that of META (2.12) |
| 2      | u16  | reserved    | 0 |
| 4      | u64  | size        | bytes of the file |
| 12     |      | data        | a safetensors file, compressed as stated |
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gscodec._generated import meta_compressions, tens_kinds
from gscodec.container.reader import Skipped
from gscodec.errors import EncodeError, LimitError, Malformed, Unsupported, UsageError
from gscodec.limits import Limits

FIXED_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """A safetensors file and what it is for; nobody has looked into `data`."""

    kind: str
    data: bytes


def find_tensors(sections: Iterable[Skipped], limits: Limits) -> Tensors | None:
    """(12.10) What is in the TENS among the sections that a decoder skips. Raises `StreamError` "tens.*"."""
    found: Tensors | None = None
    for section in sections:
        if section.id == b"TENS":
            if found is not None:
                raise Malformed("tens.repeated", "a second TENS", **_place(section.offset - 16))
            found = read_tensors(section.payload, section.offset, limits)
    return found


def read_tensors(payload: memoryview, at: int, limits: Limits) -> Tensors:
    """(12.10) The payload of TENS, which stands at `at`; takes no memory for more than its size."""
    if len(payload) < FIXED_BYTES:
        raise Malformed("tens.length", f"a payload of {len(payload)} bytes", **_place(at))
    kind, compression, reserved, size = struct.unpack_from("<BBHQ", payload)
    if kind not in tens_kinds.NAMES:
        raise Unsupported("tens.kind", f"kind {kind}", **_place(at))
    if compression not in meta_compressions.NAMES:
        raise Unsupported("tens.compression", f"compression {compression}", **_place(at + 1))
    if reserved:
        raise Unsupported("tens.reserved", "a reserved field is not 0", **_place(at + 2))
    if size > limits.tens_bytes:
        raise LimitError("limit.tens_bytes", f"{size} bytes; at most {limits.tens_bytes}", **_place(at + 4))
    data = payload[FIXED_BYTES:]
    if compression == meta_compressions.DEFLATE:
        raw = _inflated(data, size, at + FIXED_BYTES)
    elif len(data) != size:
        raise Malformed("tens.length", f"{len(data)} bytes, not {size}", **_place(at + 4))
    else:
        raw = bytes(data)
    return Tensors(kind=tens_kinds.NAMES[kind], data=raw)


def _inflated(data: memoryview, size: int, at: int) -> bytes:
    machine = zlib.decompressobj()
    try:
        raw = machine.decompress(data, size + 1)
    except zlib.error as error:
        raise Malformed("tens.deflate", f"{error}", **_place(at)) from None
    if len(raw) != size or not machine.eof or machine.unused_data:
        raise Malformed("tens.deflate", f"no zlib stream of {size} bytes", **_place(at))
    return raw


def write_tensors(tensors: Tensors, *, level: int = 1) -> bytes:
    """(12.10) The payload of TENS, compressed if that is smaller. Raises `UsageError`, `EncodeError`."""
    values = {name: value for value, name in tens_kinds.NAMES.items()}
    if tensors.kind not in values:
        raise UsageError("usage.container", f"kind {tensors.kind!r}: expected one of {', '.join(values)}")
    if len(tensors.data) > (most := Limits.of_level(level).tens_bytes):
        raise EncodeError("encode.level", f"{len(tensors.data)} bytes of tensors; at most {most} are allowed")
    packed = zlib.compress(tensors.data, 9)
    is_smaller = len(packed) < len(tensors.data)
    compression = meta_compressions.DEFLATE if is_smaller else meta_compressions.NONE
    start = struct.pack("<BBHQ", values[tensors.kind], compression, 0, len(tensors.data))
    return start + (packed if is_smaller else tensors.data)


def _place(offset: int) -> dict[str, Any]:
    """Where an error is."""
    return {"clause": "12.10", "section": "TENS", "offset": offset}
