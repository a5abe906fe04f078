"""(12.5) MOTN: motion of the chunk before it.

| field    | type | value |
|----------|------|-------|
| model    | u8   | 0 none, 1 polynomial, 2 bases, 3 keyframes, 4 functions |
| flags    | u8   | by model |
| reserved | u16  | 0 |
| from     | u32  | ticks from the start of the segment |
| until    | u32  | more than from, at most the segment's duration |
|          |      | fields of the model, then the coder part: `channels` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.errors import Unsupported
from gscodec.motion import bases, functions, keyframes, polynomial
from gscodec.motion.bases import MAX_KEYS, AnyBases, MixtureIntegers
from gscodec.motion.channels import CLAUSE, SECTION, Around, read_coder, read_lengths
from gscodec.motion.functions import FunctionsIntegers
from gscodec.motion.keyframes import KeyframesIntegers
from gscodec.motion.polynomial import PolynomialIntegers
from gscodec.motion.shown import NOTHING, Shown
from gscodec.parameters import CodingParameters

NONE, POLYNOMIAL, BASES, KEYFRAMES, FUNCTIONS = range(5)
FLAGS = {
    NONE: 0,
    POLYNOMIAL: polynomial.FLAGS,
    BASES: bases.FLAGS,
    KEYFRAMES: keyframes.FLAGS,
    FUNCTIONS: functions.FLAGS,
}
MAX_SYMBOLS = 1 << 24
MAX_DURATION = (1 << 32) - 1
Integers: TypeAlias = PolynomialIntegers | MixtureIntegers | KeyframesIntegers | FunctionsIntegers


class Model(Protocol):
    """What a model makes of its integers."""

    def at(self, tick: int) -> Shown:
        """What is shown at a tick of the segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """(12.5) The motion of a chunk: shown from `start` until before `end`, ticks of its segment."""

    start: int
    end: int
    model: Model | None
    integers: Integers | None

    def at(self, tick: int) -> Shown:
        """(12.9) What is shown at a tick of the segment, counted from its start."""
        if not self.start <= tick < self.end:
            return NOTHING
        return Shown() if self.model is None else self.model.at(tick)


def motion_reader(payload: memoryview, offset: int) -> FieldReader:
    """(12.5) What reads the fields of a MOTN payload that stands at `offset`."""
    return FieldReader(payload, section=SECTION, offset=offset, name="motion", clause=CLAUSE)


def read_head(f: FieldReader, duration: int) -> tuple[int, int, tuple[int, int]]:
    """(12.5) Model, flags, and the span in ticks of a segment of that `duration`. Raises `StreamError`."""
    place, model = f.place, f.integer("u8")
    if model not in FLAGS:
        raise _unsupported("motion.model", f"model {model}", place)
    place, flags = f.place, f.integer("u8")
    if flags & ~FLAGS[model]:
        raise _unsupported("motion.flags", f"flags {flags:#x}", place)
    place = f.place
    if f.integer("u16"):
        raise _unsupported("container.reserved", "reserved field", place, "1.5")
    start = f.integer("u32", 0, duration - 1)
    return model, flags, (start, f.integer("u32", start + 1, duration))


def write_head(f: FieldWriter, model: int, flags: int, span: tuple[int, int]) -> None:
    """(12.5) The mirror of `read_head`."""
    f.integers("u8", [model, flags])
    f.integer("u16", 0)
    f.integers("u32", list(span))


def stream_bytes(payload: memoryview, offset: int, coding: CodingParameters) -> dict[str, int]:
    """(12.5) Bytes of each stream of a MOTN; nothing is decoded. Raises `StreamError`."""
    f = motion_reader(payload, offset)
    model, flags, _ = read_head(f, MAX_DURATION)
    names: list[str] = []
    if model == POLYNOMIAL:
        names = list(polynomial.read_fields(f, flags).sizes(coding.classes))
    elif model == BASES:
        bases.skip_fields(f)
        names = list(bases.sizes(coding.classes))
    elif model == KEYFRAMES:
        names = keyframes.read_fields(f, flags, coding).streams
    elif model == FUNCTIONS:
        names = functions.skip_fields(f, flags, coding).streams
    return read_lengths(f, names) if names else {}


def _unsupported(code: str, message: str, place: int, clause: str = CLAUSE) -> Unsupported:
    return Unsupported(code, message, clause=clause, section=SECTION, offset=place)


def read_motion(
    payload: memoryview,
    offset: int,
    fields: ChunkFields,
    integers: ChunkIntegers,
    coding: CodingParameters,
    duration: int,
    known: Mapping[int, AnyBases] | None = None,
    *,
    last: int | None = None,
    max_symbols: int = MAX_SYMBOLS,
) -> Motion:
    """(12.5) The MOTN whose payload stands at `offset`, of the chunk before it.

    `duration` is that of the segment, in ticks; `known` are the bases before it in the segment, by id. With
    `last`, keys after those that hold at that tick of the segment are not read, nor are faults found in them.
    Raises `StreamError`.
    """
    f = motion_reader(payload, offset)
    model, flags, (start, end) = read_head(f, duration)

    def around(flag: int) -> Around:
        return Around.of(fields, integers, coding, predicted=bool(flags & flag))

    if model == POLYNOMIAL:
        p = polynomial.read_fields(f, flags)
        coded = read_coder(f, p.sizes(coding.classes))
        rec = polynomial.read_integers(p, coded, around(polynomial.PREDICTED))
        moving = polynomial.PolynomialMotion(fields, integers, coding, (p, rec), duration)
        return Motion(start=start, end=end, model=moving, integers=rec)
    if model == BASES:
        chosen, levels = bases.read_fields(f, known or {}, SECTION)
        coded = read_coder(f, bases.sizes(coding.classes))
        shares = bases.read_integers(chosen, levels, coded, around(bases.PREDICTED))
        carried = bases.MixtureMotion(fields, integers, coding, (chosen, shares))
        return Motion(start=start, end=end, model=carried, integers=shares)
    if model == KEYFRAMES:
        k = keyframes.read_fields(f, flags, coding)
        keyframes.check_symbols(k, coding, fields.count, max_symbols, SECTION, offset)
        coded = read_coder(f, k.sizes(coding, integers))
        stop = k.keys if last is None else min(k.keys, max(0, (last - start) // k.interval))
        recs = keyframes.read_integers(k, coded, around(keyframes.PREDICTED), coding, integers, stop)
        changing = keyframes.KeyframesMotion(fields, integers, coding, (k, recs), start)
        return Motion(start=start, end=end, model=changing, integers=recs)
    if model == FUNCTIONS:
        q, shared = functions.read_fields(f, flags, coding, known or {})
        functions.check_symbols(q, coding, (fields.count, shared.fields.keys), max_symbols, SECTION, offset)
        coded = read_coder(f, q.sizes(coding))
        until = functions.key_at(shared, shared.fields.interval * MAX_KEYS if last is None else last) + 1
        found = functions.read_integers(q, shared, coded, around(functions.PREDICTED), coding, until)
        following = functions.FunctionsMotion(fields, integers, coding, (q, shared, found))
        return Motion(start=start, end=end, model=following, integers=found)
    if f.position != len(payload):
        raise f.wrong_length()
    return Motion(start=start, end=end, model=None, integers=None)
