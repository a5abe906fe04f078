"""(1.7) What a stream may ask for: the bounds of its level, tightened by the caller.

A reader checks every count against these before it takes memory or time for it. `spec/tables/levels.csv`
is the source of the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from gscodec._generated import levels
from gscodec.errors import UsageError

LEVELS = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The greatest value of each count; the names are those of the table of levels."""

    splats: int
    chunk_splats: int
    octree_depth: int
    tables: int
    table_symbols: int
    stream_symbols: int
    decoded_bytes: int
    section_bytes: int
    sections: int
    extra_attributes: int
    meta_bytes: int
    meta_sections: int
    tens_bytes: int

    @classmethod
    def of_level(cls, level: int) -> Limits:
        """The limits of level 1 or 2."""
        if level not in LEVELS:
            raise UsageError("usage.container", f"level {level}: expected one of {LEVELS}")
        return cls(**{row.limit: row.level_1 if level == 1 else row.level_2 for row in levels.ROWS})

    @classmethod
    def of_caller(cls, *, max_splats: int | None = None, max_bytes: int | None = None) -> Limits:
        """The limits of the highest level, or less where the caller says so.

        `max_splats` bounds the splats of the file, `max_bytes` the decoded bytes of all attributes.
        """
        highest = cls.of_level(LEVELS[-1])
        values = {field.name: getattr(highest, field.name) for field in fields(cls)}
        if max_splats is not None:
            values["splats"] = min(values["splats"], max_splats)
        if max_bytes is not None:
            values["decoded_bytes"] = min(values["decoded_bytes"], max_bytes)
        return cls(**values)

    def at_most(self, other: Limits) -> Limits:
        """The smaller of both for every count."""
        return Limits(
            **{
                field.name: min(getattr(self, field.name), getattr(other, field.name))
                for field in fields(self)
            }
        )
