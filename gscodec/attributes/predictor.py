"""(5.7) The predictor: weights of predecessors that look alike."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.parameters import CodingParameters

# weights of the predecessors, bucket, and nearest predecessor of each splat
Similar: TypeAlias = kernels.Similar


def similar(
    coding: CodingParameters,
    number: int,
    position: tuple[NDArray[np.int32], tuple[int, int]],
    *others: NDArray[np.int32],
) -> Similar | None:
    """(5.7) Weights of predictor set `number`, or None when it is off.

    `position` is (M, 3) half cells with the chunk's factor and shift; `others` are
    (M, 3) reconstructed values.
    """
    chosen = coding.sets[number]
    if chosen.window == 0:
        return None
    array, (factor, shift) = position
    terms = [(array, factor, shift)]
    terms += [(other, *pair) for other, pair in zip(others, chosen.distances, strict=True)]
    return kernels.similar(
        terms,
        chosen.window,
        chosen.power,
        np.array(chosen.shrink, np.uint32),
        np.array(chosen.thresholds, np.uint32),
    )


def side(
    coding: CodingParameters, attribute: int, classes: NDArray[np.uint8], found: Similar | None
) -> kernels.Side:
    """What the kernels of an attribute know of each splat."""
    used = found if coding.is_predicted(attribute) else None
    return kernels.Side(classes, coding.classes, coding.multipliers(attribute), used)
