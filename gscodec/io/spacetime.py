"""Spacetime-Gaussian PLY files: splats whose centres, rotations and opacities are formulas in time.

One file is one segment. Besides what a PLY file of splats has, each splat has, as floats:

| property     | what |
|--------------|------|
| trbf_center  | moment of its greatest opacity, 0 at the start of the segment, 1 at its end |
| trbf_scale   | s, natural logarithm of how long it lasts |
| motion_0..   | b1 xyz, then b2 and b3: degree 1 to 3 |
| omega_0..3   | change of its quaternion in a segment |

With tau = t - trbf_center: position x + b1 tau + b2 tau^2 + b3 tau^3, rotation normalise(q + tau omega),
opacity sigmoid(o) exp(-(tau / (sqrt2 e^s))^2), or with the plain kernel sigmoid(o) exp(-(tau / e^s)^2).
Further properties, such as features of a decoder of colours, are extra attributes.
(Li et al., Spacetime Gaussian Feature Splatting, 2024.)
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import temporal_kernels
from gscodec.errors import InputError
from gscodec.io.ply import read_ply
from gscodec.io.ply_writing import write_ply
from gscodec.splats import Splats

F64 = NDArray[np.float64]
MARK = b" trbf_center"
HEAD = 1 << 14  # bytes in which the properties of a file are
OMEGA = tuple(f"omega_{k}" for k in range(4))
FAINTEST = 1e-12  # alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class SpacetimeScene:
    """The N splats of a segment; `splats` as they are at their centre, with further properties as extras.

    centre, scale   (N,) float64: moments 0 to 1, and s
    motion          (N, degree, 3) float64, scene units by power of tau, from 1 on
    omega           (N, 4) float64, w first
    """

    splats: Splats
    centre: F64
    scale: F64
    motion: F64
    omega: F64
    comments: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.splats)

    def take(self, rows: NDArray[np.intp]) -> SpacetimeScene:
        """Some of the splats."""
        return SpacetimeScene(
            splats=self.splats.take(rows),
            centre=self.centre[rows],
            scale=self.scale[rows],
            motion=self.motion[rows],
            omega=self.omega[rows],
            comments=self.comments,
        )

    def log_widths(self, kernel: int) -> F64:
        """(N,) ln w: opacities are times exp(-(tau / w)^2)."""
        return self.scale + (0.0 if kernel == temporal_kernels.SQUARE else math.log(2) / 2)

    def weights(self, moment: float, kernel: int) -> F64:
        """(N,) by what opacities are multiplied at a moment, 0 to 1 in the segment."""
        with np.errstate(all="ignore"):
            across = (moment - self.centre) * np.exp(-self.log_widths(kernel))
            return np.nan_to_num(np.exp(-np.square(across)))

    def at(self, moment: float, kernel: int = temporal_kernels.GAUSSIAN) -> Splats:
        """All splats at a moment, by the formulas in float64."""
        tau = moment - self.centre
        positions = self.splats.positions.astype(np.float64)
        for k in range(self.motion.shape[1]):
            positions += self.motion[:, k] * tau[:, None] ** (k + 1)
        q = self.splats.rotations.astype(np.float64) + self.omega * tau[:, None]
        q /= np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-300)
        alpha = self.weights(moment, kernel) / (1 + np.exp(-self.splats.opacities.astype(np.float64)))
        alpha = np.clip(alpha, FAINTEST, 1 - FAINTEST)
        return replace(
            self.splats,
            positions=positions.astype(np.float32),
            rotations=q.astype(np.float32),
            opacities=(np.log(alpha) - np.log1p(-alpha)).astype(np.float32),
        )


def is_spacetime(path: str | os.PathLike[str]) -> bool:
    """Whether a file that is there is one, by its properties."""
    if not os.path.isfile(path):
        return False  # a pipe's start would be gone
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    return head.startswith(b"ply") and MARK in head.partition(b"end_header")[0]


def read_spacetime(source: str | os.PathLike[str] | BinaryIO) -> SpacetimeScene:
    """Read a file. NaN and infinities are kept.

    Raises `InputError` "spacetime.missing" where properties of time are missing, and those of PLY files.
    """
    found = read_ply(source)
    return from_ply(found.splats, found.comments)


def from_ply(splats: Splats, comments: Sequence[str]) -> SpacetimeScene:
    """Of splats with the properties as extras. Raises `InputError` "spacetime.missing"."""
    extras = dict(splats.extras)
    motion = [name for k in range(9) if (name := f"motion_{k}") in extras]
    wanted = ["trbf_center", "trbf_scale", *OMEGA, *(f"motion_{k}" for k in range(max(len(motion), 3)))]
    missing = [name for name in wanted if name not in extras]
    if missing or len(motion) % 3:
        what = ", ".join(missing) or f"motion_{len(motion)}"
        raise InputError("spacetime.missing", f"no Spacetime-Gaussian PLY file: it lacks {what}")
    columns = {name: np.asarray(extras.pop(name), np.float64) for name in wanted}
    count = len(splats)
    return SpacetimeScene(
        splats=replace(splats, extras=extras),
        centre=columns["trbf_center"],
        scale=columns["trbf_scale"],
        motion=np.stack([columns[name] for name in motion], 1).reshape(count, len(motion) // 3, 3),
        omega=np.stack([columns[name] for name in OMEGA], 1),
        comments=tuple(comments),
    )


def write_spacetime(
    sink: str | os.PathLike[str] | BinaryIO, scene: SpacetimeScene, comments: Sequence[str] = ()
) -> int:
    """Write a file, always with motion_0 to motion_8; its size. Raises `UsageError`, `InputError`."""
    motion = np.zeros((len(scene), 3, 3))
    motion[:, : scene.motion.shape[1]] = scene.motion
    columns = {"trbf_center": scene.centre, "trbf_scale": scene.scale}
    columns |= {f"motion_{k}": motion[:, k // 3, k % 3] for k in range(9)}
    columns |= {f"omega_{k}": scene.omega[:, k] for k in range(4)}
    extras = {name: values.astype(np.float32) for name, values in columns.items()} | dict(scene.splats.extras)
    return write_ply(sink, replace(scene.splats, extras=extras), comments=comments)


def spacetime_bytes(scene: SpacetimeScene, comments: Sequence[str] = ()) -> bytes:
    """The same in memory."""
    out = io.BytesIO()
    write_spacetime(out, scene, comments)
    return out.getvalue()
