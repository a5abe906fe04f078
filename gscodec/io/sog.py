"""PlayCanvas SOG, bundled, unbundled and streamed: `read_sog`, `write_sog`.

SOG is JSON and lossless images (`_sog_decode`): all in a ZIP archive (.sog), or beside each other in a folder
with "meta.json"; or, streamed, in folders below one with "lod-meta.json" (`_sog_levels`). Versions 1 and 2
are read, version 2 is written.

The published description says x right, y up, z back. But the format's own writer copies the axes of PLY files
as they are, players turn both kinds of file alike, and of the scenes that are found some have y down: the
coordinate system is unspecified, as in PLY.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import rendering_models
from gscodec.errors import InputError, UsageError
from gscodec.io._palette import codebook, palette
from gscodec.io._quantise import FLAT, alpha_bytes, commonly_lost, kept, morton_order, smallest_three
from gscodec.io._sog_decode import MOST_SPLATS, PALETTE, PER_ROW, decode_sog
from gscodec.io._sog_files import (
    LARGEST_SIDE,
    MOST_JSON,
    Budget,
    Files,
    FolderFiles,
    ZipFiles,
    encode_image,
    read_json,
    whole_file,
)
from gscodec.io._sog_levels import decode_level
from gscodec.io._whole import Sink, Source, write_whole
from gscodec.io.splat_file import SplatFile
from gscodec.splats import SH_REST_COUNTS, Float32, Splats

MOST = 1e6  # log scales and harmonics beyond that are clipped, as they would be the only ones that count
META, LEVELS_META = "meta.json", "lod-meta.json"

# ---- reading ----------------------------------------------------------------------------------------------


def read_sog(source: Source, *, max_bytes: int | None = None, level: int | None = None) -> SplatFile:
    """Read a .sog archive from a path or a binary file; or a folder, its meta.json or lod-meta.json.

    `level` chooses the level of detail of a streamed scene, 0 being the finest (the default). `max_bytes`
    bounds all files together. Opacities of 0 and 1 become the logits of a millionth and of all but that.

    Raises `InputError`: "io.read", "io.limit", "sog.zip", "sog.missing", "sog.path", "sog.meta",
    "sog.version", "sog.image", "sog.limit", "sog.count", "sog.level", "sog.memory".
    """
    try:
        return _read(source, Budget(max_bytes), level)
    except MemoryError as error:
        raise InputError("sog.memory", "not enough memory for the splats of the file") from error


def _read(source: Source, budget: Budget, level: int | None) -> SplatFile:
    files: Files
    if isinstance(source, (str, os.PathLike)) and (path := _json_path(os.fspath(source))):
        meta = read_json(whole_file(path, budget), os.path.basename(path))
        files = FolderFiles(os.path.dirname(path))
    else:
        files = ZipFiles(whole_file(source, budget))
        meta = read_json(files.read(META, MOST_JSON), META)
    if "filenames" in meta or "tree" in meta:
        return decode_level(meta, files, budget, level)
    if level:
        raise InputError("sog.level", f"there is no level {level}: the scene is not streamed")
    return decode_sog(meta, files, "", budget)


def _json_path(path: str) -> str | None:
    """The JSON file that a path means, if it means one."""
    if os.path.isdir(path):
        for name in (LEVELS_META, META):
            if os.path.isfile(os.path.join(path, name)):
                return os.path.join(path, name)
        raise InputError("sog.missing", f"there is no {META} and no {LEVELS_META} in {path}")
    return path if path.lower().endswith(".json") else None


# ---- writing ----------------------------------------------------------------------------------------------


def lost_in_sog(file: SplatFile) -> tuple[str, ...]:
    """What a SOG file cannot hold of `file`, a sentence each."""
    lost = commonly_lost(file, order=True, antialiased=True)
    splats = file.splats
    if count := int((splats.scales == -np.inf).any(axis=1).sum()):
        lost.append(f"thicknesses of 0 of {count:,} splats become a millionth")
    if count := sum(int(_beyond(v).sum()) for v in (splats.scales, splats.sh_dc, splats.sh_rest)):
        lost.append(f"{count:,} log scales and harmonics outside of -{MOST:,.0f} to {MOST:,.0f} are clipped")
    if file.comments:
        lost.append("the comments")
    lost.append("positions are rounded to 16 bits, opacities and rotations to 8")
    lost.append("scales and colours are replaced by the nearest of 256 values")
    if splats.sh_degree:
        size = _palette_size(len(splats))
        lost.append(
            f"harmonics are replaced by one of at most {size:,} sets of values, and those by 256 values"
        )
    return tuple(lost)


def write_sog(sink: Sink, file: SplatFile) -> int:
    """Write SOG of version 2, its splats sorted along a Z-order curve; the bytes written.

    To a path that ends with ".json": that file, and images beside it, of which each appears whole or not at
    all, and the JSON file last; the folder must be there. To another path (whole or not at all) or a binary
    file: an archive. The same splats give the same bytes, as long as the library for the images is the same.

    Raises `UsageError` "sog.splats" for more splats than an image has pixels; `InputError` "io.write" for a
    path that cannot be written.
    """
    splats = kept(file.splats)
    if len(splats) > MOST_SPLATS // 2:
        raise UsageError("sog.splats", f"{len(splats):,} splats are more than a SOG file can hold")
    splats = splats.take(morton_order(splats.positions))
    antialiased = file.rendering_model == rendering_models.ANTIALIASED
    if isinstance(sink, (str, os.PathLike)) and os.fspath(sink).lower().endswith(".json"):
        folder = os.path.dirname(os.fspath(sink))
        total = 0
        for name, data in _files(splats, antialiased):
            total += write_whole(sink if name == META else os.path.join(folder, name), [data])
        return total
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in _files(splats, antialiased):
            archive.writestr(zipfile.ZipInfo(name), data)  # of the same date always
    return write_whole(sink, [out.getvalue()])


def _files(splats: Splats, antialiased: bool) -> Iterator[tuple[str, bytes]]:
    """Names and contents, the JSON file last."""
    count = len(splats)
    meta: dict[str, Any] = {"version": 2, "asset": {"generator": "gscodec"}, "count": count}
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
    meta["scales"] = {"codebook": _json_numbers(book), "files": ["scales.webp"]}
    yield "scales.webp", _image(index)
    book, index = codebook(_clipped(splats.sh_dc))
    meta["sh0"] = {"codebook": _json_numbers(book), "files": ["sh0.webp"]}
    yield "sh0.webp", _image(np.concatenate([index, alpha_bytes(splats.opacities)[:, None]], axis=1))
    if k := SH_REST_COUNTS[splats.sh_degree]:
        entries, labels = palette(_clipped(splats.sh_rest).reshape(count, 3 * k), _palette_size(count))
        book, index = codebook(entries.reshape(-1, k, 3))
        table = np.zeros((-(-max(len(entries), 1) // PER_ROW) * PER_ROW, k, 3), np.uint8)
        table[: len(entries)] = index
        names = ["shN_centroids.webp", "shN_labels.webp"]
        meta["shN"] = {
            "count": len(entries),
            "bands": splats.sh_degree,
            "codebook": _json_numbers(book),
            "files": names,
        }
        yield names[0], encode_image(table.reshape(-1, PER_ROW * k, 3))
        yield names[1], _image(np.stack([labels & 255, labels >> 8, labels * 0], axis=1))
    yield META, json.dumps(meta, separators=(",", ":"), allow_nan=False).encode()


def _beyond(values: Float32) -> NDArray[np.bool_]:
    return np.isfinite(values) & (np.abs(values) > MOST)


def _clipped(values: Float32) -> Float32:
    return np.clip(values, np.float32(-MOST), np.float32(MOST))


def _palette_size(count: int) -> int:
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


def _json_numbers(values: Float32) -> list[float]:
    """As short as they can be and still be the same float32."""
    return [float(np.format_float_scientific(value)) for value in values]
