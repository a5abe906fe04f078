"""One SOG data set, version 2, as files: `encode_sog`. What they hold is in `_sog_decode`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import UsageError
from gscodec.io._palette import codebook, palette
from gscodec.io._quantise import FLAT, alpha_bytes, smallest_three
from gscodec.io._sog_decode import MOST_SPLATS, PALETTE, PER_ROW
from gscodec.io._sog_files import LARGEST_SIDE, META, encode_image
from gscodec.splats import SH_REST_COUNTS, Float32, Splats

MOST: Final = (
    1e6  # log scales and harmonics beyond that are clipped, as they would be the only ones that count
)
GENERATOR: Final = {"generator": "gscodec"}


def encode_sog(splats: Splats, *, antialiased: bool) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files, the JSON file last; of splats that are `kept`, in their order.

    Raises `UsageError` "sog.splats" for more splats than an image has pixels.
    """
    count = len(splats)
    if count > MOST_SPLATS // 2:
        raise UsageError("sog.splats", f"{count:,} splats are more than a SOG file can hold")
    meta: dict[str, Any] = {"version": 2, "asset": GENERATOR, "count": count}
    if antialiased:
        meta["antialias"] = True
    numbers, ends = _positions(splats.positions)
    meta["means"] = {**ends, "files": ["means_l.webp", "means_u.webp"]}
    yield "means_l.webp", _image(numbers & 255)
    yield "means_u.webp", _image(numbers >> 8)
    which, rest = smallest_three(splats.rotations, 255)
    meta["quats"] = {"files": ["quats.webp"]}
    yield "quats.webp", _image(np.concatenate([rest, which[:, None] + 252], axis=1))
    book, index = codebook(_clipped(np.where(splats.scales == -np.inf, np.float32(FLAT), splats.scales)))
    meta["scales"] = {"codebook": json_numbers(book), "files": ["scales.webp"]}
    yield "scales.webp", _image(index)
    book, index = codebook(_clipped(splats.sh_dc))
    meta["sh0"] = {"codebook": json_numbers(book), "files": ["sh0.webp"]}
    yield "sh0.webp", _image(np.concatenate([index, alpha_bytes(splats.opacities)[:, None]], axis=1))
    if k := SH_REST_COUNTS[splats.sh_degree]:
        entries, labels = palette(_clipped(splats.sh_rest).reshape(count, 3 * k), palette_size(count))
        book, index = codebook(entries.reshape(-1, k, 3))
        table = np.zeros((-(-max(len(entries), 1) // PER_ROW) * PER_ROW, k, 3), np.uint8)
        table[: len(entries)] = index
        names = ["shN_centroids.webp", "shN_labels.webp"]
        meta["shN"] = {
            "count": len(entries),
            "bands": splats.sh_degree,
            "codebook": json_numbers(book),
            "files": names,
        }
        yield names[0], encode_image(table.reshape(-1, PER_ROW * k, 3))
        yield names[1], _image(np.stack([labels & 255, labels >> 8, labels * 0], axis=1))
    yield META, json.dumps(meta, separators=(",", ":"), allow_nan=False).encode()


def beyond(values: Float32) -> NDArray[np.bool_]:
    """Of the shape of `values`: which finite ones are clipped."""
    return np.isfinite(values) & (np.abs(values) > MOST)


def _clipped(values: Float32) -> Float32:
    return np.clip(values, np.float32(-MOST), np.float32(MOST))


def palette_size(count: int) -> int:
    """As the format's own writer has it: between 32 and 64 splats an entry, but 65,536 entries at most."""
    return min(PALETTE, count if count < 2048 else 1024 << ((count // 1024).bit_length() - 1))


def _positions(positions: Float32) -> tuple[NDArray[np.int64], dict[str, list[float]]]:
    """Numbers of 16 bits, (N, 3), and the ends that they lie between."""
    if not len(positions):
        return np.zeros((0, 3), np.int64), {"mins": [0.0] * 3, "maxs": [0.0] * 3}
    values = positions.astype(np.float64)
    n = np.copysign(np.log1p(np.abs(values)), values)
    low, high = n.min(axis=0), n.max(axis=0)
    fractions = (n - low) / np.where(high > low, high - low, 1)
    return np.rint(fractions * 65535).astype(np.int64), {"mins": low.tolist(), "maxs": high.tolist()}


def _image(values: NDArray[Any]) -> bytes:
    """Values of splats, (N, 3 or 4), as an image whose sides are multiples of 4."""
    count, channels = values.shape
    width = min(_sides(math.sqrt(count)), LARGEST_SIDE // 4 * 4)
    height = _sides(count / width)
    pixels = np.zeros((height * width, channels), np.uint8)
    pixels[:count] = values
    return encode_image(pixels.reshape(height, width, channels))


def _sides(pixels: float) -> int:
    return max(4, math.ceil(pixels / 4) * 4)


def json_numbers(values: Float32) -> list[float]:
    """(N,) as short as they can be and still be the same float32."""
    return [float(np.format_float_scientific(value)) for value in values]
