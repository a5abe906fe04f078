"""The domain in which spherical harmonics are coded: a 3x3 colour matrix times one K x K matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gscodec.attributes.harmonics import lattice
from gscodec.built_in import STANDARD_BOUNDS as BOUNDS
from gscodec.parameters import (
    COLUMN_MAX,
    MATRIX_MAX,
    SHORT_UNIT,
    STORED_SHORT,
    HarmonicsParameters,
    basis_kind,
)

PLAIN_COLOUR = ((1, 1, -1), (1, 0, 1), (1, -1, -1))  # luma and two differences, as columns
SAMPLE = 65_536
LARGEST = 1e30  # of a coefficient, beyond which only broken scenes go


def _fixed_colour(step: float, colour: NDArray[np.float64]) -> tuple[NDArray[np.int32], int]:
    """Integers and exponent of `colour` * step, at 21 bits."""
    largest = float(np.abs(colour).max()) * step
    exponent = int(np.ceil(np.log2(largest / MATRIX_MAX)))
    return np.rint(colour * step / 2.0**exponent).astype(np.int32), exponent


def choose_basis(rest: NDArray[np.float32], weight: NDArray[np.float64], step: float) -> HarmonicsParameters:
    """The basis for coefficients (N, K, 3) coded with `step` in class 0; `weight` (N,) is importance.

    The plain one, the built-in one or an own one: whichever costs least with what it takes itself.
    """
    n, k, _ = rest.shape
    plain = _plain(k, step)
    if not rest.any():
        return plain
    pick = np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.intp)
    x = rest[pick].astype(np.float64) * np.sqrt(weight[pick] / weight[pick].mean())[:, None, None]
    costs = []
    own = _own(x, step)
    for basis in (plain, _built_in(k, step), own, _short(own)):
        data = _bits(x, basis) * n
        costs.append((data + 8 * _bytes(basis), basis))
    return min(costs, key=lambda pair: pair[0])[1]


def _plain(k: int, step: float) -> HarmonicsParameters:
    colour, exponent = _fixed_colour(step, np.array(PLAIN_COLOUR) / np.sqrt([3, 2, 3]))
    return HarmonicsParameters(bounds=BOUNDS[k], exponent=exponent, colour=colour)


def _built_in(k: int, step: float) -> HarmonicsParameters:
    exponent = int(np.ceil(np.log2(step / MATRIX_MAX)))
    return HarmonicsParameters.built_in(BOUNDS[k], exponent, round(step / 2.0**exponent))


def _own(x: NDArray[np.float64], step: float) -> HarmonicsParameters:
    """The principal directions of `x` (N, K, 3)."""
    k = x.shape[1]
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


def _short(own: HarmonicsParameters) -> HarmonicsParameters:
    """The same with entries of a byte, if they can be."""
    if own.basis is None:
        return own
    short = np.clip(np.rint(own.basis / SHORT_UNIT), -127, 127).astype(np.int64) * SHORT_UNIT
    if np.abs(short).sum(0).max() > COLUMN_MAX:
        return own
    return replace(own, basis=short.astype(np.int16))


def _bits(x: NDArray[np.float64], basis: HarmonicsParameters) -> float:
    """Bits of a splat's coefficients, about: those of Laplace distributions with these mean magnitudes."""
    with np.errstate(over="ignore"):  # of wild values: their lattice saturates
        values = np.clip(x, -LARGEST, LARGEST).astype(np.float32)
        steps = np.abs(lattice(values, basis)).mean(0, dtype=np.float64) / 64
    return float(np.log2(1 + 2 * np.e * np.minimum(steps, 1e9)).sum())


def _bytes(basis: HarmonicsParameters) -> int:
    """(4.6) Of the colour matrix, and of matrix and order where they are stored."""
    if basis.built_in_step:
        return 4
    if basis.basis is None:
        return 36
    k = basis.bounds[-1]
    return 36 + 3 * k + k * k * (1 if basis_kind(basis.basis) == STORED_SHORT else 2)
