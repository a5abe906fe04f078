"""(12.5) The coder part of MOTN: own tables, then masks, lifespans and channels.

Arrays are of the M distinct splats of the chunk, in coded order; keys are 1 to F.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import predictor
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.entropy.scalar import ScalarWriter
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet, read_tables, write_map, write_table
from gscodec.parameters import MULTIPLIERS, REC_MAX, CodingParameters

Masks = NDArray[np.uint8]  # (F, M)
Lives = NDArray[np.uint16]  # (M, 2): the keys of birth and death
Rows = NDArray[np.int32]

MASK_CONTEXTS, LIFESPAN_CONTEXTS = 192, 2
MAX_TABLES = 64
SECTION, CLAUSE = "MOTN", "12.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What a stream of channels is.

    bit            of the masks, that says whether a splat has values
    groups         (W,) of each component: those of a group share contexts
    views          side contexts of a splat
    multipliers    (8,) rec units of a step, by class
    start          (M, W) rec at key 0; None: zeros
    extrapolates   whether a change is expected to go on
    """

    bit: int
    groups: tuple[int, ...]
    multipliers: NDArray[np.int32]
    views: int = 1
    start: Rows | None = None
    extrapolates: bool = False
    limit: int = REC_MAX

    def contexts(self, classes: int) -> int:
        """(12.5) How many contexts the stream has."""
        return (max(self.groups) + 1) * self.views * classes * 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What streams of motion know of the chunk: classes (M,), K, and similar predecessors if predicted."""

    classes: NDArray[np.uint8]
    count: int
    similar: predictor.Similar | None

    @classmethod
    def of(
        cls, fields: ChunkFields, integers: ChunkIntegers, coding: CodingParameters, *, predicted: bool
    ) -> Around:
        """(12.5) Predictor set S0 over the distinct splats, if `predicted`."""
        similar = None
        if predicted:
            x = distinct(integers.positions.x, integers)
            similar = predictor.similar(coding, 0, (x, fields.distances[0]))
        return cls(classes=integers.classes, count=coding.classes, similar=similar)

    def side(self, channel: Channel) -> kernels.Side:
        """What the kernels know of each splat."""
        return kernels.Side(self.classes, self.count, channel.multipliers, self.similar)


def distinct(rows: Rows, integers: ChunkIntegers) -> Rows:
    """The rows (N, ...) of the distinct splats (M, ...)."""
    if len(integers.source) == len(integers.classes):
        return rows
    first = np.diff(integers.source, prepend=np.uint32(0xFFFFFFFF)) != 0
    return np.ascontiguousarray(rows[first])


def multipliers(exponent: int, cap: int) -> NDArray[np.int32]:
    """(4.3) (8,) the step of each class, in 1/64 of the base step."""
    return np.array([MULTIPLIERS[exponent][min(c, cap)] for c in range(8)], np.int32)


# ---- the coder part


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """(12.5) Tables, and each stream with its context map."""

    tables: TableSet
    maps: Mapping[str, NDArray[np.uint8]]
    streams: Mapping[str, StreamBytes]

    def source(self, name: str) -> kernels.Source:
        """What a kernel reads from. Raises `Malformed`."""
        return self.streams[name].source(self.tables, self.maps[name])

    def masks(self, around: Around, lives: Lives | None, keys: int, allowed: int, stop: int) -> Masks:
        """(12.5) (stop, M) masks; `allowed` are the bits that have a stream. Raises `Malformed`."""
        count = len(around.classes)
        status, found = kernels.read_masks(
            self.source("masks"), around.similar, lives, count, keys, stop, allowed
        )
        self.streams["masks"].check(status)
        return found

    def channels(
        self,
        name: str,
        around: Around,
        channel: Channel,
        masks: Masks,
        keys: int,
        view: NDArray[np.uint8] | None = None,
    ) -> Rows:
        """(12.5) (stop, M, W) recs, for masks of as many of the `keys`. Raises `Malformed`."""
        status, rec = kernels.read_channels(
            self.source(name),
            around.side(channel),
            masks,
            keys,
            channel.bit,
            np.array(channel.groups, np.uint8),
            channel.views,
            view,
            channel.start,
            channel.extrapolates,
            channel.limit,
        )
        self.streams[name].check(status)
        return rec

    def lifespans(self, around: Around, keys: int) -> Lives:
        """(12.5) (M, 2) keys of birth and of death. Raises `Malformed`."""
        status, lives = kernels.read_lifespans(self.source("lifespans"), len(around.classes), keys)
        self.streams["lifespans"].check(status)
        return lives


def read_coder(fields: FieldReader, sizes: Mapping[str, int], section: str = SECTION) -> Coded:
    """(12.5) The coder part, to the end of the payload; `sizes` are the contexts of each stream.

    Nothing of the streams is decoded yet. Raises `Malformed`.
    """
    count, table_place, table_words, lengths = _read_lanes(fields, sizes)
    streams = {}
    for name, counts in lengths.items():
        place = fields.place
        data = _bytes(fields, sum(counts))
        streams[name] = StreamBytes(
            name=name, counts=np.array(counts, np.uint32), data=data, offset=place, section=section
        )
    tables, maps = read_tables(table_words, count, sizes, offset=table_place, section=section)
    return Coded(tables=tables, maps=maps, streams=streams)


def read_lengths(fields: FieldReader, names: Iterable[str]) -> dict[str, int]:
    """(12.5) Bytes of the streams with these names, as the coder part says. Raises `Malformed`."""
    return {name: 4 * sum(counts) for name, counts in _read_lanes(fields, names)[3].items()}


def _read_lanes(
    fields: FieldReader, names: Iterable[str]
) -> tuple[int, int, NDArray[np.uint8], dict[str, list[int]]]:
    """How many tables, where they are, what they are, and the words of the lanes of each stream."""
    count, words = fields.integer("u8", 1, MAX_TABLES), fields.integer("u32")
    if len(fields.payload) - fields.position < 4 * words:
        raise fields.wrong_length()
    table_place, table_words = fields.place, _bytes(fields, words)
    lengths: dict[str, list[int]] = {}
    for name in names:
        place = fields.place
        if (lanes := fields.integer("u8", 1, 4)) == 3:
            raise fields.malformed("motion.range", "3 lanes", place)
        lengths[name] = fields.integers("u32", lanes)
    if len(fields.payload) - fields.position != 4 * sum(map(sum, lengths.values())):
        raise fields.wrong_length()
    return count, table_place, table_words, lengths


def _bytes(fields: FieldReader, words: int) -> NDArray[np.uint8]:
    data = np.frombuffer(fields.payload, np.uint8, 4 * words, fields.position)
    fields.position += 4 * words
    return data


def write_coder(
    tables: TableSet, maps: Mapping[str, NDArray[np.uint8]], streams: Mapping[str, kernels.Ops]
) -> bytes:
    """(12.5) The coder part of recorded streams, in their order."""
    lane = ScalarWriter()
    for row, resolution in zip(tables.frequencies.tolist(), tables.resolutions.tolist(), strict=True):
        write_table(lane, row, resolution)
    for name in streams:
        write_map(lane, maps[name].tolist(), len(tables))
    words = lane.words()
    fields = FieldWriter()
    fields.integer("u8", len(tables))
    fields.integer("u32", len(words))
    fields.data += struct.pack(f"<{len(words)}I", *words)
    encoded = [ops.encode(tables.kernel, maps[name]) for name, ops in streams.items()]
    for _, counts in encoded:
        fields.integer("u8", len(counts))
        fields.integers("u32", counts.tolist())
    return b"".join([bytes(fields.data), *(each.astype("<u4", copy=False).tobytes() for each, _ in encoded)])


# ---- recording


def record_masks(around: Around, lives: Lives | None, masks: Masks, allowed: int, lanes: int) -> kernels.Ops:
    """(12.5) The steps of masks (F, M)."""
    return kernels.write_masks(around.similar, lives, np.ascontiguousarray(masks), allowed, lanes)


def record_channels(
    around: Around,
    channel: Channel,
    masks: Masks,
    wanted: NDArray[np.float64],
    lanes: int,
    *,
    left: float = -1.0,
    view: Sequence[int] | NDArray[np.uint8] | None = None,
    coarse: Rows | None = None,
) -> tuple[kernels.Ops, Masks, Rows]:
    """(12.5) Steps, masks and recs (F, M, W) as a reader will have them.

    `wanted` (F, M, W) are in rec units. A splat whose values all come within `left` steps of it without
    being coded loses its bit; a negative `left` keeps all bits. Residuals are multiples of `coarse` (M, W).
    """
    return kernels.write_channels(
        around.side(channel),
        np.ascontiguousarray(masks),
        channel.bit,
        np.array(channel.groups, np.uint8),
        channel.views,
        None if view is None else np.ascontiguousarray(view, np.uint8),
        channel.start,
        channel.extrapolates,
        channel.limit,
        np.ascontiguousarray(wanted, np.float64),
        left,
        lanes,
        None if coarse is None else np.ascontiguousarray(coarse, np.int32),
    )


def record_lifespans(lives: Lives, keys: int, lanes: int) -> kernels.Ops:
    """(12.5) The steps of lifespans (M, 2)."""
    return kernels.write_lifespans(np.ascontiguousarray(lives, np.uint16), keys, lanes)
