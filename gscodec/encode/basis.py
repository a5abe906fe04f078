"""The domain in which spherical harmonics are coded: a 3x3 colour matrix times one K x K matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec.parameters import COLUMN_MAX, MATRIX_MAX, HarmonicsParameters

BOUNDS = {3: (1, 3), 8: (1, 3, 8), 15: (1, 3, 6, 10, 15)}
PLAIN_COLOUR = ((1, 1, -1), (1, 0, 1), (1, -1, -1))  # luma and two differences, as columns
SAMPLE = 65_536
SMALL_SCENE = 12_000  # under this an own basis costs more than it wins


def _fixed_colour(step: float, colour: NDArray[np.float64]) -> tuple[NDArray[np.int32], int]:
    """Integers and exponent of `colour` * step, at 21 bits."""
    largest = float(np.abs(colour).max()) * step
    exponent = int(np.ceil(np.log2(largest / MATRIX_MAX)))
    return np.rint(colour * step / 2.0**exponent).astype(np.int32), exponent


def choose_basis(rest: NDArray[np.float32], weight: NDArray[np.float64], step: float) -> HarmonicsParameters:
    """The basis for coefficients (N, K, 3) coded with `step` in class 0; `weight` (N,) is importance."""
    n, k, _ = rest.shape
    if n < SMALL_SCENE or not rest.any():
        colour, exponent = _fixed_colour(step, np.array(PLAIN_COLOUR) / np.sqrt([3, 2, 3]))
        return HarmonicsParameters(bounds=BOUNDS[k], exponent=exponent, colour=colour)
    pick = np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.intp)
    x = rest[pick].astype(np.float64) * np.sqrt(weight[pick] / weight[pick].mean())[:, None, None]
    flat = x.reshape(-1, 3)
    _, v3 = np.linalg.eigh(flat.T @ flat)
    v3 = v3[:, ::-1]
    rows = x.transpose(0, 2, 1).reshape(-1, k)
    _, vk = np.linalg.eigh(rows.T @ rows)
    vk = vk[:, ::-1]
    # value[kout] = sum_k S[k][kout] y[k]: rows of S are the basis vectors
    basis = np.rint(vk.T * 8192).astype(np.int64)
    excess = np.abs(basis).sum(0).max() / COLUMN_MAX
    if excess > 1:
        basis = np.trunc(basis / excess).astype(np.int64)
    spread = (np.matmul(vk.T, x) @ v3).reshape(len(x), -1).var(0)
    order = np.argsort(-spread, kind="stable")
    colour, exponent = _fixed_colour(step, v3)
    return HarmonicsParameters(
        bounds=BOUNDS[k],
        exponent=exponent,
        colour=colour,
        basis=basis.astype(np.int16),
        order=order.astype(np.uint8),
    )
