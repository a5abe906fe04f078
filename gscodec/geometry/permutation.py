"""(5.16) PERM: the place of every splat in the input, for those who need the order of the input back.

| type        | field | value |
|-------------|-------|-------|
| u64         | count | N, the splats of the file |
| u32         | words | of the table |
| u32[]       |       | the lane of one table |
|             |       | for each stream (one for each 65,536 splats): u8 lanes, u32 words of each lane |
| u32[]       |       | words of all lanes, in that order |
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.entropy.scalar import ScalarWriter
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet, normalise, read_tables, write_table

BLOCK = 65_536  # splats of a stream
LANES_FROM = 8192  # splats
_CONTEXTS = np.zeros(1, np.uint8)


def read_permutation(payload: memoryview, offset: int, count: int) -> NDArray[np.int64]:
    """(5.16) For each of `count` splats in the order of the file its rank in the input.

    `offset` is where the payload stands. Raises `Malformed`.
    """
    fields = FieldReader(payload, section="PERM", offset=offset, name="perm", clause="5.16")
    if len(payload) < 12:
        raise fields.wrong_length()
    stated = int.from_bytes(payload[:8], "little")
    if stated != count:
        raise fields.malformed("perm.count", f"{stated} ranks for {count} splats", offset)
    fields.position = 8
    words = fields.integer("u32")
    if len(payload) - fields.position < 4 * words:
        raise fields.wrong_length()
    lane = np.frombuffer(payload, np.uint8, 4 * words, fields.position)
    place = fields.place
    fields.position += 4 * words
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    lengths = [_lane_lengths(fields) for _ in sizes]
    if len(payload) - fields.position != 4 * sum(map(sum, lengths)):
        raise fields.wrong_length()
    tables, _ = read_tables(lane, 1, {}, offset=place, section="PERM")
    ranks = np.empty(count, np.int64)
    for number, (size, counts) in enumerate(zip(sizes, lengths, strict=True)):
        data = np.frombuffer(payload, np.uint8, 4 * sum(counts), fields.position)
        stream = StreamBytes(
            name="order", counts=np.array(counts, np.uint32), data=data, offset=fields.place, section="PERM"
        )
        fields.position += len(data)
        status, sums = kernels.read_channel(stream.source(tables, _CONTEXTS), size, 1, 32)
        stream.check(status)
        steps = np.diff(sums[:, 0], prepend=np.uint32(0)).view(np.int32)
        ranks[number * BLOCK :][:size] = (np.cumsum(steps, dtype=np.int64) - 1) % count
    seen = np.zeros(count, np.bool_)
    seen[ranks] = True
    if not seen.all():
        raise fields.malformed("perm.repeat", "a rank occurs twice", offset)
    return ranks


def write_permutation(ranks: NDArray[Any]) -> bytes:
    """(5.16) The payload of PERM for `ranks` (N,): each of 0 to N - 1 once."""
    count = len(ranks)
    streams = []
    histogram = np.zeros(256, np.int64)
    for start in range(0, count, BLOCK):
        block = np.asarray(ranks[start : start + BLOCK], np.int64)
        steps = np.diff(block, prepend=-1)
        steps = (steps + count // 2) % count - count // 2  # the shorter way round
        sums = np.cumsum(steps).astype(np.uint32)
        ops = kernels.write_channel(sums[:, None], 32, 4 if len(block) >= LANES_FROM else 1)
        histogram += ops.histogram(1)[0]
        streams.append(ops)
    if not count:
        histogram[0] = 1
    row = normalise(histogram, 12)
    tables = TableSet(frequencies=row[None], resolutions=np.array([12], np.uint8))
    lane = ScalarWriter()
    write_table(lane, row.tolist(), 12)
    words = lane.words()
    f = FieldWriter()
    f.integer("u32", len(words))
    f.integers("u32", words)
    coded = [ops.encode(tables.kernel, _CONTEXTS) for ops in streams]
    for _, counts in coded:
        f.integer("u8", len(counts))
        f.integers("u32", counts.tolist())
    data = b"".join(words.astype("<u4", copy=False).tobytes() for words, _ in coded)
    return count.to_bytes(8, "little") + bytes(f.data) + data


def _lane_lengths(fields: FieldReader) -> list[int]:
    """Words of each lane of a stream."""
    place = fields.place
    if (lanes := fields.integer("u8", 1, 4)) == 3:
        raise fields.malformed("perm.range", "3 lanes", place)
    return fields.integers("u32", lanes)
