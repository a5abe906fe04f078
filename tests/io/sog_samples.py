"""SOG files made without the writer."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from PIL import Image


def image(pixels: Any, form: str = "WEBP") -> bytes:
    """(height, width, 3 or 4)"""
    out = io.BytesIO()
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    Image.fromarray(np.asarray(pixels, np.uint8)).save(out, form, **options)
    return out.getvalue()


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return out.getvalue()


def pixels(*rows: tuple[int, ...]) -> np.ndarray:
    """4 x 4 pixels that begin with the rows."""
    made = np.zeros((16, len(rows[0])), np.uint8)
    made[: len(rows)] = rows
    return made.reshape(4, 4, -1)


def version_2(*, harmonics: bool = True, form: str = "WEBP", **changes: Any) -> dict[str, bytes]:
    """Two splats, bands = 1; `changes` are of the JSON object."""
    palette = np.zeros((1, 192, 3), np.uint8)
    palette[0, 3:6] = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]  # entry 1
    book = [i / 10 for i in range(256)]
    meta: dict[str, Any] = {
        "version": 2,
        "count": 2,
        "means": {"mins": [-1, 0, 0], "maxs": [1, 2, 0], "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"codebook": [-v for v in book], "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": book, "files": ["sh0.webp"]},
    }
    files = {
        "means_l.webp": image(pixels((0, 255, 7), (255, 0, 0)), form),
        "means_u.webp": image(pixels((0, 255, 7), (255, 0, 0)), form),
        "quats.webp": image(pixels((255, 0, 128, 252), (0, 255, 255, 255)), form),
        "scales.webp": image(pixels((0, 1, 2), (253, 254, 255)), form),
        "sh0.webp": image(pixels((10, 20, 30, 0), (40, 50, 60, 51)), form),
    }
    if harmonics:
        meta["shN"] = {
            "count": 2,
            "bands": 1,
            "codebook": book,
            "files": ["shN_centroids.webp", "shN_labels.webp"],
        }
        files |= {
            "shN_centroids.webp": image(palette, form),
            "shN_labels.webp": image(pixels((1, 0, 0), (0, 0, 0)), form),
        }
    meta |= changes
    return {"meta.json": json.dumps(meta).encode(), **files}


def version_1() -> dict[str, bytes]:
    """The same images, with ends of linear scales."""
    files = version_2()
    names = {
        key: entry["files"]
        for key, entry in json.loads(files["meta.json"]).items()
        if isinstance(entry, dict)
    }
    meta = {
        "means": {"shape": [2, 3], "mins": [-1, 0, 0], "maxs": [1, 2, 0], "files": names["means"]},
        "scales": {"shape": [2, 3], "mins": [-10, -10, -10], "maxs": [0, 0, 0], "files": names["scales"]},
        "quats": {"shape": [2, 4], "encoding": "quaternion_packed", "files": names["quats"]},
        "sh0": {"shape": [2, 1, 4], "mins": [-1, -1, -1, -5], "maxs": [1, 1, 1, 5], "files": names["sh0"]},
        "shN": {"shape": [2, 9], "mins": -2, "maxs": 2, "quantization": 8, "files": names["shN"]},
    }
    return {**files, "meta.json": json.dumps(meta).encode()}


def streamed() -> dict[str, bytes]:
    """Two data sets of level 0, one of level 1, an environment; two splats each."""
    files = {}
    for folder, x in {"0_0": 1, "0_1": 2, "1_0": 3, "env": 4}.items():
        means = {"mins": [x, 0, 0], "maxs": [x, 0, 0], "files": ["means_l.webp", "means_u.webp"]}
        made = version_2(means=means, harmonics=folder == "0_1")
        files |= {f"{folder}/{name}": data for name, data in made.items()}
    leaves = [
        {"lods": {"0": {"file": 0, "offset": 0, "count": 2}, "1": {"file": 2, "offset": 1, "count": 1}}},
        {"lods": {"0": {"file": 1, "offset": 0, "count": 1}, "1": {"file": 2, "offset": 0, "count": 1}}},
    ]
    meta = {
        "version": 1,
        "lodLevels": 2,
        "counts": [3, 2],
        "environment": "env/meta.json",
        "filenames": ["0_0/meta.json", "0_1/meta.json", "1_0/meta.json"],
        "tree": {"bound": {}, "children": leaves},
    }
    return {**files, "lod-meta.json": json.dumps(meta).encode()}
