"""(5.16) The order of the input: the rank of every splat of the file."""

from __future__ import annotations

from gscodec.reference.container import Section
from gscodec.reference.entropy import Lane, Stream, read_table
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields

BLOCK = 65_536  # splats of a stream
STEPS = range(-(1 << 31), 1 << 31)


def read_permutation(section: Section, count: int) -> list[int]:
    """(5.16) The payload of PERM: for each of `count` splats its rank in the input."""
    place = Place("PERM", section.start + 16)
    fields = Fields(section.payload, place, "perm")
    if len(section.payload) < 12:
        raise fields.wrong_length()
    stated = fields.integer("u32") | fields.integer("u32") << 32
    if stated != count:
        raise place.malformed("perm.count", f"{stated} ranks for {count} splats")
    table_words = fields.integer("u32")
    if len(section.payload) - fields.position < 4 * table_words:
        raise fields.wrong_length()
    table_place = fields.place()
    words = fields.words(table_words)
    starts = range(0, count, BLOCK)
    lengths = [read_lane_lengths(fields) for _ in starts]
    if len(section.payload) - fields.position != 4 * sum(map(sum, lengths)):
        raise fields.wrong_length()
    lane = Lane(words, table_place)
    table = read_table(lane)
    if not lane.is_at_end():
        raise table_place.malformed("entropy.end", "words or state are left over")
    ranks: list[int] = []
    for start, lane_lengths in zip(starts, lengths, strict=True):
        here = fields.place()
        lanes = [Lane(fields.words(length), here) for length in lane_lengths]
        stream, rank = Stream(lanes, [table], [0], here), -1
        for i in range(min(BLOCK, count - start)):
            rank = (rank + stream.signed(i, 0, STEPS)) % count
            ranks.append(rank)
        stream.end()
    if len(set(ranks)) < count:
        raise place.malformed("perm.repeat", "a rank occurs twice")
    return ranks


def read_lane_lengths(fields: Fields) -> list[int]:
    """(5.16) The words of each lane of a stream."""
    place = fields.place()
    lanes = fields.integer("u8", 1, 4)
    if lanes == 3:
        raise place.malformed("perm.range", "3 lanes")
    return fields.integers("u32", lanes)
