"""(5.5, 5.6) Duplicates and importance classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.streams import StreamBytes
from gscodec.entropy.tables import TableSet
from gscodec.geometry.positions import Positions
from gscodec.parameters import CodingParameters

Contexts = NDArray[np.uint8]


def read_repeats(
    stream: StreamBytes, tables: TableSet, contexts: Contexts, positions: Positions
) -> NDArray[np.uint8]:
    """(5.5) (N,) 1 for a splat that repeats all attributes of the one before."""
    status, repeat = kernels.read_repeats(stream.source(tables, contexts), positions.x, positions.tree)
    stream.check(status)
    return repeat


def record_repeats(positions: Positions, repeat: NDArray[np.uint8], lanes: int) -> kernels.Ops:
    """(5.5) `repeat` may be 1 only where position and tree equal those of the splat before."""
    return kernels.write_repeats(positions.x, positions.tree, repeat, lanes)


def read_classes(
    stream: StreamBytes,
    tables: TableSet,
    contexts: Contexts,
    coding: CodingParameters,
    tree: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """(5.6) (M,) class of each distinct splat."""
    status, classes = kernels.read_classes(
        stream.source(tables, contexts), tree, coding.classes, coding.position_cap
    )
    stream.check(status)
    return classes


def record_classes(
    coding: CodingParameters, tree: NDArray[np.uint8], classes: NDArray[np.uint8], lanes: int
) -> kernels.Ops:
    """(5.6) The classes of the distinct splats."""
    return kernels.write_classes(tree, classes, coding.classes, coding.position_cap, lanes)
