"""(2.6) The extra attributes in SCEN: any scalar or vector of a splat beyond the fixed ones.

| offset | type  | field       | value |
|--------|-------|-------------|-------|
| 0      | u16   | id          | 64 or more, unique |
| 2      | u8    | type        | table |
| 3      | u8    | components  | 1 or more |
| 4      | u8    | coding      | table |
| 5      | u8    | name_length | 1 or more |
| 6      | u8[]  | name        | UTF-8, unique |
|        | u16   | mantissa    | of the step, 1 or more; only with coding 1 |
|        | i16   | exponent    | of the step; only with coding 1 |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from gscodec._generated import extra_codings, extra_types, forbidden_in_names
from gscodec.container.section import wrong_length
from gscodec.errors import Malformed, Unsupported

EXTRA_BYTES = 6
FIRST_EXTRA_ID = 64
STEP_BYTES = 4
STEP_EXPONENTS = {extra_types.F32: (-200, 80), extra_types.F64: (-1074, 976)}
_TYPE_BYTES = {row.value: row.bytes for row in extra_types.ROWS}
_FORBIDDEN = frozenset(
    chr(c)
    for first, last in zip(forbidden_in_names.FIRST, forbidden_in_names.LAST, strict=True)
    for c in range(first, last + 1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraAttribute:
    """One attribute beyond the fixed ones; with coding 1, its values are multiples of mantissa 2^exponent."""

    id: int
    name: str
    type: int
    components: int = 1
    coding: int = extra_codings.LOSSLESS
    mantissa: int = 0
    exponent: int = 0

    @property
    def is_stepped(self) -> bool:
        """Whether values are multiples of a step."""
        return self.coding == extra_codings.STEPPED

    @property
    def bytes_per_splat(self) -> int:
        """Bytes of one splat's decoded value."""
        return _TYPE_BYTES[self.type] * self.components


def is_extra_name(name: str) -> bool:
    """(2.6) No control characters, no white space, nothing invisible."""
    return _FORBIDDEN.isdisjoint(name)


def write_extra(extra: ExtraAttribute) -> bytes:
    """(2.6) One attribute in SCEN."""
    name = extra.name.encode()
    fields = struct.pack("<H4B", extra.id, extra.type, extra.components, extra.coding, len(name))
    step = struct.pack("<Hh", extra.mantissa, extra.exponent) if extra.is_stepped else b""
    return fields + name + step


def read_extras(payload: memoryview, position: int, count: int, at: int) -> tuple[ExtraAttribute, ...]:
    """(2.6) `count` attributes from `position` of the payload, which stands at `at`; nothing follows them."""
    extras: list[ExtraAttribute] = []
    for _ in range(count):
        end = position + EXTRA_BYTES
        if end > len(payload):
            raise wrong_length("SCEN", at)
        end += payload[end - 1] + (STEP_BYTES if payload[end - 2] == extra_codings.STEPPED else 0)
        if end > len(payload):
            raise wrong_length("SCEN", at)
        extras.append(_read_extra(payload[position:end], at + position, extras))
        position = end
    if position != len(payload):
        raise wrong_length("SCEN", at)
    return tuple(extras)


def _read_extra(data: memoryview, at: int, earlier: list[ExtraAttribute]) -> ExtraAttribute:
    id, type, components, coding, name_length = struct.unpack_from("<H4B", data)
    if id < FIRST_EXTRA_ID:
        raise _undefined_extra(f"id {id}", at)
    if any(extra.id == id for extra in earlier):
        raise _bad_extra(f"id {id} is given twice", at)
    if type not in extra_types.NAMES:
        raise _undefined_extra(f"type {type}", at + 2)
    if components == 0:
        raise _bad_extra("no components", at + 3)
    if coding not in extra_codings.NAMES:
        raise _undefined_extra(f"coding {coding}", at + 4)
    if name_length == 0:
        raise _bad_extra("an empty name", at + 5)
    if coding == extra_codings.STEPPED and type not in STEP_EXPONENTS:
        raise _bad_extra("an integer has no steps", at + 4)
    name_end = EXTRA_BYTES + name_length
    try:
        name = str(data[EXTRA_BYTES:name_end], "utf-8")
    except UnicodeDecodeError:
        raise _bad_extra("the name is not UTF-8", at + 6) from None
    if not is_extra_name(name):
        raise _bad_extra(f"the name {name!r} has white space or control characters", at + 6)
    if any(extra.name == name for extra in earlier):
        raise _bad_extra(f"name {name!r} is given twice", at + 6)
    extra = ExtraAttribute(id=id, name=name, type=type, components=components, coding=coding)
    return _with_step(extra, data[name_end:], at + name_end) if extra.is_stepped else extra


def _with_step(extra: ExtraAttribute, data: memoryview, at: int) -> ExtraAttribute:
    mantissa, exponent = struct.unpack_from("<Hh", data)
    low, high = STEP_EXPONENTS[extra.type]
    if mantissa == 0:
        raise _bad_extra("a step of 0", at)
    if not low <= exponent <= high:
        raise _bad_extra(f"a step with the exponent {exponent}", at + 2)
    return replace(extra, mantissa=mantissa, exponent=exponent)


def _undefined_extra(what: str, offset: int) -> Unsupported:
    return Unsupported(
        "container.value",
        f"extra attribute: {what} has no meaning in this version",
        clause="2.6",
        section="SCEN",
        offset=offset,
    )


def _bad_extra(what: str, offset: int) -> Malformed:
    return Malformed(
        "container.extra", f"extra attribute: {what}", clause="2.6", section="SCEN", offset=offset
    )
