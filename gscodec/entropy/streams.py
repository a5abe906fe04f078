"""(3.7) Streams: the lanes of one kind of values, and what a kernel says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.tables import STATUS, TableSet
from gscodec.errors import Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBytes:
    """The words of a stream as they stand in the file: lane counts, bytes, and their file offset."""

    name: str
    counts: NDArray[np.uint32]
    data: NDArray[np.uint8]
    offset: int
    section: str = "CHNK"

    def source(self, tables: TableSet, contexts: NDArray[np.uint8]) -> kernels.Source:
        """What a kernel reads from. Raises `Malformed` as the stream's first error."""
        return kernels.Source(tables.kernel, contexts, self.data, self.counts)

    def check(self, status: int) -> None:
        """Raises `Malformed` for a kernel's status other than 0."""
        if status:
            code, clause, message = STATUS[status]
            raise Malformed(
                code, f"{message} ({self.name})", clause=clause, section=self.section, offset=self.offset
            )
