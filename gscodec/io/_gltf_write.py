"""What KHR_gaussian_splatting calls things, and a glTF document of splats: its arrays and its JSON."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

NAME = "KHR_gaussian_splatting"
BYTE, UNSIGNED_BYTE, SHORT, UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = 5120, 5121, 5122, 5123, 5125, 5126
POINTS = 0
ARRAY_BUFFER = 34962
SH_0 = 0.28209479177387814  # the constant harmonic


def coefficient_names(degree: int) -> list[str]:
    """The attributes of the harmonics of a degree, in order."""
    return [f"{NAME}:SH_DEGREE_{degree}_COEF_{number}" for number in range(2 * degree + 1)]


def is_writable(splats: Splats) -> NDArray[np.bool_]:
    """(N,) whether each value has a finite one in the format."""
    kept = ~np.isnan(splats.opacities) & (splats.scales < 88.7).all(axis=1)
    for array in (splats.positions, splats.rotations, splats.scales, splats.sh_dc, splats.sh_rest):
        kept &= np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    return np.asarray(kept)


def attribute_arrays(splats: Splats) -> dict[str, NDArray[Any]]:
    """The attributes, in file order; rows are multiples of four bytes."""
    rotations = splats.rotations[:, [1, 2, 3, 0]].astype(np.float64)
    length = np.linalg.norm(rotations, axis=1, keepdims=True)
    rotations = np.where(length > 0, rotations / np.where(length > 0, length, 1), [0, 0, 0, 1])
    with np.errstate(over="ignore"):
        opacities = 1 / (1 + np.exp(-splats.opacities.astype(np.float64)))
    arrays = {
        "POSITION": splats.positions,
        "COLOR_0": _fallback(splats.sh_dc, opacities),
        f"{NAME}:ROTATION": rotations,
        f"{NAME}:SCALE": np.exp(splats.scales.astype(np.float64)),
        f"{NAME}:OPACITY": opacities,
        f"{NAME}:SH_DEGREE_0_COEF_0": splats.sh_dc,
    }
    names = [name for degree in range(1, splats.sh_degree + 1) for name in coefficient_names(degree)]
    arrays |= {name: splats.sh_rest[:, number] for number, name in enumerate(names)}
    return {
        name: np.ascontiguousarray(array, np.uint8 if name == "COLOR_0" else "<f4")
        for name, array in arrays.items()
    }


def _fallback(dc: NDArray[np.float32], opacities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) linear light and opacity, 0 to 255."""
    shown = np.clip(dc * SH_0 + 0.5, 0, 1)
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.rint(np.concatenate([linear, opacities[:, None]], axis=1) * 255))


def document_of(splats: Splats, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The JSON. An accessor cannot be empty, so that no splats are no mesh."""
    data: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "gscodec"},
        "extensionsUsed": [NAME],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}] if arrays else [{}],
    }
    if not arrays:
        return data
    extension = {
        "kernel": "ellipse",
        "colorSpace": "srgb_rec709_display",
        "projection": "perspective",
        "sortingMethod": "cameraDistance",
    }
    starts = np.cumsum([0, *(array.nbytes for array in arrays.values())]).tolist()
    kinds = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
    accessors: list[dict[str, Any]] = []
    for number, array in enumerate(arrays.values()):
        width = 1 if array.ndim == 1 else array.shape[1]
        code = UNSIGNED_BYTE if array.dtype == np.uint8 else FLOAT
        accessors.append(
            {"bufferView": number, "componentType": code, "count": len(array), "type": kinds[width]}
        )
    accessors[0] |= {
        "min": splats.positions.min(axis=0).tolist(),
        "max": splats.positions.max(axis=0).tolist(),
    }
    accessors[1]["normalized"] = True
    return data | {
        "buffers": [{"byteLength": starts[-1]}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": end - start, "target": ARRAY_BUFFER}
            for start, end in pairwise(starts)
        ],
        "accessors": accessors,
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": {name: number for number, name in enumerate(arrays)},
                        "mode": POINTS,
                        "extensions": {NAME: extension},
                    }
                ]
            }
        ],
    }
