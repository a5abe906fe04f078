"""Splats in other coordinates: from one coordinate system to another, or turned, scaled and moved.

A function f over directions d, such as the colours of a splat, is f(M^T d) once the scene is turned by the
orthogonal M. Its harmonics follow by a matrix for each degree, which is found by solving for it at directions
that are spread over the sphere: there is no table of signs to get wrong.

Between coordinate systems M only swaps axes and changes signs. Then positions, scales and quaternions are
moved about without rounding, and going back gives the same bits. With S and R of a splat the covariance is

    M (R S^2 R^T) M^T = (M R M^T) (M S^2 M^T) (M R M^T)^T

where M S^2 M^T is diagonal again, and M R M^T is a rotation even if M is a reflection: that of the quaternion
(w, det(M) M v), because its axis is a pseudovector.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import coordinate_systems
from gscodec.io.splat_file import SplatFile
from gscodec.splats import SH_REST_COUNTS, Splats

Float64 = NDArray[np.float64]

LETTERS = {  # where x, y and z point: Right or Left, Up or Down, Back or Forward
    coordinate_systems.RIGHT_DOWN_FORWARD: "RDF",
    coordinate_systems.RIGHT_UP_BACK: "RUB",
    coordinate_systems.RIGHT_FORWARD_UP: "RFU",
    coordinate_systems.RIGHT_UP_FORWARD: "RUF",
    coordinate_systems.FORWARD_LEFT_UP: "FLU",
    coordinate_systems.FORWARD_RIGHT_UP: "FRU",
    coordinate_systems.LEFT_UP_FORWARD: "LUF",
}
USUAL = coordinate_systems.RIGHT_DOWN_FORWARD  # of the training code, and so of files that say nothing
NORMALS = ("nx", "ny", "nz")
BLOCK = 1 << 16

_DIRECTIONS = {
    "R": (1, 0, 0),
    "L": (-1, 0, 0),
    "U": (0, 1, 0),
    "D": (0, -1, 0),
    "B": (0, 0, 1),
    "F": (0, 0, -1),
}


def in_axes(file: SplatFile, target: int) -> SplatFile:
    """`file` in the coordinate system `target`; what states none is taken to be in `USUAL`.

    A target of UNSPECIFIED leaves everything as it is.
    """
    if target in (coordinate_systems.UNSPECIFIED, file.coordinate_system):
        return file
    source = file.coordinate_system or USUAL
    turn = between(LETTERS[source], LETTERS[target])
    return replace(file, splats=turned(file.splats, turn), coordinate_system=target)


def between(source: str, target: str) -> Float64:
    """(3, 3): from coordinates in `source` to those in `target`; both as `LETTERS`, such as "RUB"."""
    from_axes, to_axes = (np.array([_DIRECTIONS[each] for each in name], float) for name in (source, target))
    return np.asarray(to_axes @ from_axes.T)


def turned(splats: Splats, matrix: Float64) -> Splats:
    """Turned, and reflected if the orthogonal `matrix` (3, 3) has a determinant of -1.

    Exact where the matrix has only 0 and +-1, except for harmonics that mix. NaN and infinities stay in the
    splats that have them. Extras stay as they are, but for normals (nx, ny, nz).
    """
    matrix = np.asarray(matrix, np.float64)
    if np.array_equal(matrix, np.eye(3)):
        return splats
    return Splats(
        positions=_times(splats.positions, matrix),
        scales=_turned_scales(splats.scales, matrix),
        rotations=_turned_rotations(splats.rotations, matrix),
        opacities=splats.opacities,
        sh_dc=splats.sh_dc,
        sh_rest=_turned_harmonics(splats.sh_rest, matrix),
        extras=_turned_extras(splats, matrix),
    )


def placed(splats: Splats, matrix: Float64, scale: float, translation: Float64) -> Splats:
    """Turned by the orthogonal `matrix`, then scaled by `scale` > 0, then moved by `translation` (3,)."""
    splats = turned(splats, matrix)
    positions, scales = splats.positions, splats.scales
    with np.errstate(all="ignore"):
        if scale != 1.0 or np.any(translation):
            positions = (positions.astype(np.float64) * scale + translation).astype(np.float32)
        if scale != 1.0:
            scales = (scales + np.log(scale)).astype(np.float32)
    return replace(splats, positions=positions, scales=scales)


def harmonics(directions: Float64) -> Float64:
    """(N, 15) the real harmonics of degrees 1 to 3 at unit `directions` (N, 3), as in the training code."""
    x, y, z = directions.T
    xx, yy, zz = x * x, y * y, z * z
    first = np.sqrt(3 / np.pi) / 2
    second = np.sqrt(15 / np.pi) / 2
    third = np.sqrt(35 / (2 * np.pi)) / 4, np.sqrt(105 / np.pi) / 2, np.sqrt(21 / (2 * np.pi)) / 4
    return np.stack(
        [
            -first * y,
            first * z,
            -first * x,
            second * x * y,
            -second * y * z,
            np.sqrt(5 / np.pi) / 4 * (2 * zz - xx - yy),
            -second * x * z,
            second / 2 * (xx - yy),
            -third[0] * y * (3 * xx - yy),
            third[1] * x * y * z,
            -third[2] * y * (4 * zz - xx - yy),
            np.sqrt(7 / np.pi) / 4 * z * (2 * zz - 3 * xx - 3 * yy),
            -third[2] * x * (4 * zz - xx - yy),
            third[1] / 2 * z * (xx - yy),
            -third[0] * x * (xx - 3 * yy),
        ],
        axis=1,
    )


def harmonics_matrices(matrix: Float64) -> tuple[Float64, Float64, Float64]:
    """Of degrees 1, 2 and 3: (3, 3), (5, 5) and (7, 7), which times old coefficients are the turned ones."""
    return _harmonics_matrices(np.ascontiguousarray(matrix, np.float64).tobytes())


@lru_cache(maxsize=64)
def _harmonics_matrices(matrix: bytes) -> tuple[Float64, Float64, Float64]:
    turn = np.frombuffer(matrix).reshape(3, 3)
    # Points of a Fibonacci spiral: far more than coefficients, and in no plane or symmetry of the harmonics.
    number = np.arange(256)
    z = 1 - (2 * number + 1) / len(number)
    angle = number * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z * z)
    directions = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)
    after, before = harmonics(directions), harmonics(directions @ turn)
    found = []
    for degree in (1, 2, 3):
        part = slice(degree * degree - 1, (degree + 1) ** 2 - 1)
        solved = np.linalg.lstsq(after[:, part], before[:, part], rcond=None)[0]
        whole = np.round(solved)
        found.append(np.where(np.abs(solved - whole) < 1e-12, whole, solved))
    return found[0], found[1], found[2]


# ---- each attribute


def _is_swap(matrix: Float64) -> bool:
    """Whether each row and column has one entry of 1 or -1 and zeros."""
    return bool(np.array_equal(np.abs(matrix) @ np.abs(matrix).T, np.eye(len(matrix)))) and bool(
        np.isin(matrix, (-1, 0, 1)).all()
    )


def _times(vectors: NDArray[np.float32], matrix: Float64) -> NDArray[np.float32]:
    """(N, K) `vectors`, each multiplied by `matrix` (K, K) from the left."""
    if _is_swap(matrix):  # no product: infinity times zero is NaN
        order = np.abs(matrix).argmax(axis=1)
        signs = matrix[np.arange(len(matrix)), order].astype(np.float32)
        return np.asarray(vectors[:, order] * signs, np.float32)
    out = np.empty_like(vectors)
    with np.errstate(all="ignore"):
        for start in range(0, len(vectors), BLOCK):
            rows = slice(start, start + BLOCK)
            out[rows] = vectors[rows].astype(np.float64) @ matrix.T
    return out


def _turned_scales(scales: NDArray[np.float32], matrix: Float64) -> NDArray[np.float32]:
    return scales[:, np.abs(matrix).argmax(axis=1)] if _is_swap(matrix) else scales


def _turned_rotations(rotations: NDArray[np.float32], matrix: Float64) -> NDArray[np.float32]:
    is_reflection = np.linalg.det(matrix) < 0
    proper = -matrix if is_reflection else matrix  # the same covariance: M and -M are squared there
    if _is_swap(matrix):
        return np.concatenate([rotations[:, :1], _times(rotations[:, 1:], proper)], axis=1)
    w, x, y, z = _quaternion(proper)
    product = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return _times(rotations, product)


def _quaternion(rotation: Float64) -> tuple[float, float, float, float]:
    """w, x, y, z of a rotation matrix: the eigenvector that its quadratic form belongs to."""
    r = rotation
    form = np.array(
        [
            [r[0, 0] + r[1, 1] + r[2, 2], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [0, r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [0, 0, r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1]],
            [0, 0, 0, r[2, 2] - r[0, 0] - r[1, 1]],
        ]
    )
    w, x, y, z = np.linalg.eigh(form, UPLO="U")[1][:, -1]
    return float(w), float(x), float(y), float(z)


def _turned_harmonics(rest: NDArray[np.float32], matrix: Float64) -> NDArray[np.float32]:
    """(N, K, 3) coefficients of K = 0, 3, 8 or 15."""
    out = np.empty_like(rest)
    matrices = harmonics_matrices(matrix)
    for degree in range(1, SH_REST_COUNTS.index(rest.shape[1]) + 1):
        part = slice(degree * degree - 1, (degree + 1) ** 2 - 1)
        for channel in range(3):
            out[:, part, channel] = _times(rest[:, part, channel], matrices[degree - 1])
    return out


def _turned_extras(splats: Splats, matrix: Float64) -> dict[str, NDArray[np.generic]]:
    extras = dict(splats.extras)
    normals = [extras.get(name) for name in NORMALS]
    if all(each is not None and each.ndim == 1 and each.dtype == np.float32 for each in normals):
        turned_normals = _times(np.stack([extras[name] for name in NORMALS], axis=1), matrix)
        extras |= {name: np.ascontiguousarray(turned_normals[:, i]) for i, name in enumerate(NORMALS)}
    return extras
