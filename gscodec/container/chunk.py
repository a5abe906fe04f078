"""(2.8, 2.9) What the container reads of PARM and CHNK; the rest of their payloads is opaque to it.

PARM:

| offset | type | field | value |
|--------|------|-------|-------|
| 0      | u8   | id    | unique in the file |

CHNK:

| offset | type | field         | value |
|--------|------|---------------|-------|
| 0      | u8   | parameters_id | of a PARM that came before |
| 1      | u8   | layer         | |
| 2      | u16  | reserved      | 0 |
| 4      | u32  | splat_count   | 1 or more |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gscodec.container.section import wrong_length
from gscodec.errors import Malformed, Unsupported

CHUNK_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkHeader:
    """The first fields of a chunk."""

    parameters_id: int
    layer: int = 0
    splat_count: int


def read_parameters_id(payload: memoryview, at: int) -> int:
    """(2.8) The id of a parameter set."""
    if len(payload) < 1:
        raise wrong_length("PARM", at)
    return payload[0]


def read_chunk_header(
    payload: memoryview, at: int, known_parameters: frozenset[int] | set[int]
) -> ChunkHeader:
    """(2.9) The first fields of the payload of CHNK at `at`."""
    if len(payload) < CHUNK_HEADER_BYTES:
        raise wrong_length("CHNK", at)
    parameters_id, layer, reserved, splat_count = struct.unpack_from("<BBHI", payload)
    if parameters_id not in known_parameters:
        raise Malformed(
            "container.parameters",
            f"parameter set {parameters_id} has not been given",
            clause="2.8",
            section="CHNK",
            offset=at,
        )
    if reserved:
        raise Unsupported(
            "container.reserved", "a reserved field is not 0", clause="2.9", section="CHNK", offset=at + 2
        )
    if splat_count == 0:
        raise Malformed("container.count", "an empty chunk", clause="2.9", section="CHNK", offset=at + 4)
    return ChunkHeader(parameters_id=parameters_id, layer=layer, splat_count=splat_count)


def write_chunk_header(header: ChunkHeader) -> bytes:
    """(2.9) The first fields of the payload of CHNK."""
    return struct.pack("<BBHI", header.parameters_id, header.layer, 0, header.splat_count)
