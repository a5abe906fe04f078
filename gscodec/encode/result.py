"""What an encoding gives: `Encoded` of a whole scene, `Part` of what becomes a part of a file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.passes import Written


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The result of an encoding.

    data    the file
    order   (N,) for each decoded splat, its number in the input
    report  bytes by stream and other facts, ready for JSON
    """

    data: bytes
    order: NDArray[np.int64]
    report: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What an encoding puts into a file, if there is anything; `order` and `report` as in `Encoded`."""

    written: Written | None
    order: NDArray[np.int64]
    report: dict[str, object]
