"""(3.7) Streams: the lanes of one kind of values, and what a kernel says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.tables import TableSet
from gscodec.errors import Malformed

# kernels' status -> code, clause, message (rans.hpp: Status)
_STATUS = {
    1: ("entropy.first_word", "3.2", "the first word of a lane is zero"),
    2: ("entropy.end", "3.7", "words or state are left over"),
    3: ("entropy.token", "3.6", "a token stands for more than 32 bits"),
    4: ("static.symbol", "5.2", "a symbol that does not belong here"),
    5: ("static.class", "5.6", "a class that does not exist or has another octree"),
    6: ("static.range", "5.2", "a value out of range"),
    7: ("static.rotation", "5.9", "a rotation cell that does not exist"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBytes:
    """The words of a stream as they stand in the file: lane counts, bytes, and their file offset."""

    name: str
    counts: NDArray[np.uint32]
    data: NDArray[np.uint8]
    offset: int

    def source(self, tables: TableSet, contexts: NDArray[np.uint8]) -> kernels.Source:
        """What a kernel reads from. Raises `Malformed` as the stream's first error."""
        return kernels.Source(tables.kernel, contexts, self.data, self.counts)

    def check(self, status: int) -> None:
        """Raises `Malformed` for a kernel's status other than 0."""
        if status:
            code, clause, message = _STATUS[status]
            raise Malformed(
                code, f"{message} ({self.name})", clause=clause, section="CHNK", offset=self.offset
            )
