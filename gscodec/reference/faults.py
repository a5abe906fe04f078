"""(5.15) The errors of the entropy, parameter and chunk layers: a code, its clause, and a place."""

from __future__ import annotations

from dataclasses import dataclass

from gscodec.errors import LimitError, Malformed, Unsupported

CLAUSES = {
    "entropy.first_word": "3.2",
    "entropy.token": "3.6",
    "entropy.end": "3.7",
    "parm.table": "3.8",
    "parm.map": "3.9",
    "parm.built_in": "4.2",
    "parm.length": "4.1",
    "parm.range": "4.1",
    "chunk.length": "5.1",
    "chunk.range": "5.1",
    "chunk.order": "5.1",
    "chunk.flags": "5.1",
    "static.symbol": "5.2",
    "static.range": "5.2",
    "static.class": "5.6",
    "static.rotation": "5.9",
    "limit.stream_symbols": "5.13",
    "perm.length": "5.16",
    "perm.count": "5.16",
    "perm.range": "5.16",
    "perm.repeat": "5.16",
    "lossless.length": "11.2",
    "lossless.range": "11.2",
    "lossless.count": "11.2",
    "lossless.deflate": "11.4",
    "lossless.text": "11.5",
    "lossless.source": "11.7",
    "lossless.bits": "11.7",
    "lossless.symbol": "11.9",
    "lossless.value": "11.9",
    "motion.length": "12.5",
    "motion.range": "12.5",
    "motion.model": "12.5",
    "motion.flags": "12.5",
    "motion.symbol": "12.5",
    "motion.value": "12.5",
    "motion.bases": "12.7",
    "container.reserved": "1.5",
    "output.type": "6.9",
    "output.name": "6.9",
}


@dataclass(frozen=True)
class Place:
    """Where a fault is reported: the section, and an offset in the file."""

    section: str
    offset: int

    def after(self, count: int) -> Place:
        """The place `count` bytes later."""
        return Place(self.section, self.offset + count)

    def malformed(self, code: str, message: str) -> Malformed:
        """The bytes break a rule."""
        return Malformed(code, message, clause=CLAUSES[code], section=self.section, offset=self.offset)

    def unsupported(self, code: str, message: str) -> Unsupported:
        """The bytes use what this version does not define."""
        return Unsupported(code, message, clause=CLAUSES[code], section=self.section, offset=self.offset)

    def over_limit(self, code: str, message: str) -> LimitError:
        """The bytes ask for more than their level allows."""
        return LimitError(code, message, clause=CLAUSES[code], section=self.section, offset=self.offset)
