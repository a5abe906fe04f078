"""NPZ files of shared motion bases: splats that follow mixtures of a few rigid motions.

| array        | shape         | what |
|--------------|---------------|------|
| means        | (N, 3)        | centres without motion, scene units |
| quats        | (N, 4)        | w first |
| scales       | (N, 3)        | natural logarithms |
| opacities    | (N,) or (N, 1) | logits |
| sh0, shN     | (N, 3) or (N, 1, 3), (N, K, 3) | harmonics; shN may be missing |
| colors       | (N, 3)        | or colours 0 to 1 in place of sh0 |
| motion_coefs | (N, B)        | logits: the weights are their softmax |
| rots         | (B, T, 6)     | by frame: first column of a matrix, then the second one |
| transls      | (B, T, 3)     | by frame, scene units |
| fps          | one number    | frames a second; may be missing |

At frame f the splat at x is at R x + t: rots and transls of f, linear between frames, are summed with the
weights; R is the sum made orthonormal (Gram-Schmidt). (Wang et al., Shape of Motion, 2024; GSCodec Studio.)
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._npz import NpzError, read_npz
from gscodec.splats import SH_REST_COUNTS, Splats

F64 = NDArray[np.float64]
DC = 0.28209479177387814  # of the harmonic of degree 0
NEEDED = ("means", "quats", "scales", "opacities", "motion_coefs", "rots", "transls")
FPS = 30.0
LEAST = 1e-9  # weight, as a logarithm of 0 would not be finite


@dataclass(frozen=True, slots=True, kw_only=True)
class BasesScene:
    """N splats and the B motions over T frames that they follow.

    weights    (N, B) float64, 0 or more, rows sum to 1
    rotations  (B, T, 6) float64     translations  (B, T, 3) float64
    """

    splats: Splats
    weights: F64
    rotations: F64
    translations: F64
    fps: float

    @property
    def frames(self) -> int:
        """T"""
        return int(self.rotations.shape[1])

    def motions_at(self, frame: float) -> tuple[F64, F64]:
        """(B, 6) and (B, 3) at a moment in frames; after the last frame they stay."""
        first = min(max(int(frame), 0), self.frames - 1)
        after = min(first + 1, self.frames - 1)
        part = min(max(frame - first, 0.0), 1.0)

        def between(values: F64) -> F64:
            return values[:, first] * (1 - part) + values[:, after] * part

        return between(self.rotations), between(self.translations)

    def at(self, frame: float, splats: Splats | None = None, rows: NDArray[np.intp] | None = None) -> Splats:
        """The splats at a moment in frames; or others, which stand for `rows`."""
        here = self.splats if splats is None else splats
        weights = self.weights if rows is None else self.weights[rows]
        rotations, translations = self.motions_at(frame)
        matrices = orthonormal(weights @ rotations)
        positions = np.einsum("nij,nj->ni", matrices, here.positions.astype(np.float64))
        return replace(
            here,
            positions=(positions + weights @ translations).astype(np.float32),
            rotations=products(quaternions(matrices), here.rotations.astype(np.float64)).astype(np.float32),
        )


def orthonormal(six: F64) -> F64:
    """(N, 3, 3) rotation matrices from two columns each, (N, 6); the identity where they say nothing."""
    a, b = six[:, :3], six[:, 3:]
    x = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-300)
    z = np.cross(x, b)
    size = np.linalg.norm(z, axis=1, keepdims=True)
    z = z / np.maximum(size, 1e-300)
    found = np.stack([x, np.cross(z, x), z], 2)
    found[(size[:, 0] < 1e-12) | (np.linalg.norm(a, axis=1) < 1e-12)] = np.eye(3)
    return found


def quaternions(m: F64) -> F64:
    """(N, 4) w first, of rotation matrices (N, 3, 3)."""
    d0, d1, d2 = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    t = np.stack([1 + d0 + d1 + d2, 1 + d0 - d1 - d2, 1 - d0 + d1 - d2, 1 - d0 - d1 + d2], 1)
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]
    rows = [(t[:, 0], a, b, c), (a, t[:, 1], d, e), (b, d, t[:, 2], f), (c, e, f, t[:, 3])]
    every = np.stack([np.stack(row, 1) for row in rows], 1)
    q = every[np.arange(len(m)), t.argmax(1)]
    return np.asarray(q / np.linalg.norm(q, axis=1, keepdims=True))


def products(p: F64, q: F64) -> F64:
    """(N, 4) Hamilton products, w first."""
    a, b, v, w = p[:, :1], q[:, :1], p[:, 1:], q[:, 1:]
    real = a * b - (v * w).sum(1, keepdims=True)
    return np.concatenate([real, a * w + b * v + np.cross(v, w)], 1)


def is_bases(path: str | os.PathLike[str]) -> bool:
    """Whether a file is called so and starts as an NPZ file does."""
    name = os.fspath(path)
    return name.lower().endswith(".npz") and Path(name).is_file() and zipfile.is_zipfile(name)


def read_bases_npz(source: str | os.PathLike[str] | BinaryIO) -> BasesScene:
    """Read a file. Raises `InputError` "bases.format", "bases.missing", "bases.shape", "io.read"."""
    try:
        return from_arrays(read_npz(source))
    except NpzError as error:
        raise InputError("bases.format", str(error)) from error


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> BasesScene:
    """Of the arrays of a file. Raises `InputError` "bases.missing", "bases.shape"."""
    missing = [name for name in NEEDED if name not in arrays]
    if "sh0" not in arrays and "colors" not in arrays:
        missing.append("sh0 or colors")
    if missing:
        raise InputError("bases.missing", f"no file of motion bases: it lacks {', '.join(missing)}")
    means = arrays["means"]
    count = len(means) if means.ndim else 0
    coefs = arrays["motion_coefs"]
    bases = coefs.shape[1] if coefs.ndim == 2 else 0
    rots = arrays["rots"]
    frames = rots.shape[1] if rots.ndim == 3 else 0
    if not (1 <= bases <= 64 and 1 <= frames <= 4096):
        raise InputError("bases.shape", f"{bases} bases at {frames} frames: expected up to 64 at up to 4096")

    def of(name: str, *shape: int) -> F64:
        array = np.asarray(arrays[name], np.float64)
        if array.shape[:1] != shape[:1] or array.size != int(np.prod(shape)):
            raise InputError("bases.shape", f"{name} has the shape {array.shape}, not {shape}")
        if not np.isfinite(array).all():
            raise InputError("bases.shape", f"{name} has values that are not finite")
        return array.reshape(shape)

    if "sh0" in arrays:
        constant = of("sh0", count, 3)
    else:
        constant = (of("colors", count, 3) - 0.5) / DC
    rest = 0
    if "shN" in arrays and arrays["shN"].ndim == 3:
        rest = arrays["shN"].shape[1]
    if rest not in SH_REST_COUNTS:
        raise InputError("bases.shape", f"shN has {rest} coefficients: expected one of {SH_REST_COUNTS}")
    logits = of("motion_coefs", count, bases)
    weights = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    fps = float(of("fps", *arrays["fps"].shape).reshape(-1)[:1].sum()) if "fps" in arrays else FPS
    if not 1e-3 <= fps <= 1e6:
        raise InputError("bases.shape", f"fps {fps}: expected 0.001 to 1000000 frames a second")
    with np.errstate(over="ignore"):
        splats = Splats(
            positions=of("means", count, 3).astype(np.float32),
            scales=of("scales", count, 3).astype(np.float32),
            rotations=of("quats", count, 4).astype(np.float32),
            opacities=of("opacities", count).astype(np.float32),
            sh_dc=constant.astype(np.float32),
            sh_rest=of("shN", count, rest, 3).astype(np.float32)
            if rest
            else np.zeros((count, 0, 3), np.float32),
        )
    return BasesScene(
        splats=splats,
        weights=weights / np.maximum(weights.sum(1, keepdims=True), 1e-300),
        rotations=of("rots", bases, frames, 6),
        translations=of("transls", bases, frames, 3),
        fps=fps,
    )


def bases_bytes(scene: BasesScene) -> bytes:
    """A file."""
    arrays: dict[str, Any] = {
        "means": scene.splats.positions,
        "quats": scene.splats.rotations,
        "scales": scene.splats.scales,
        "opacities": scene.splats.opacities,
        "sh0": scene.splats.sh_dc[:, None],
        "shN": scene.splats.sh_rest,
        "motion_coefs": np.log(np.maximum(scene.weights, LEAST)).astype(np.float32),
        "rots": scene.rotations.astype(np.float32),
        "transls": scene.translations.astype(np.float32),
        "fps": np.float64(scene.fps),
    }
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()
