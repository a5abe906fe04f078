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
import os
import zipfile
from collections.abc import Iterable

import numpy as np

from gscodec._generated import rendering_models
from gscodec.errors import InputError
from gscodec.io._quantise import commonly_lost, kept, morton_order
from gscodec.io._sog_decode import decode_sog
from gscodec.io._sog_encode import MOST, beyond, encode_sog, palette_size
from gscodec.io._sog_files import (
    LEVELS_META,
    META,
    MOST_JSON,
    Budget,
    Files,
    FolderFiles,
    ZipFiles,
    read_json,
    whole_file,
)
from gscodec.io._sog_levels import CHUNK, decode_level, encode_level
from gscodec.io._whole import Sink, Source, write_whole
from gscodec.io.output import write_error
from gscodec.io.splat_file import SplatFile

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
    if count := sum(int(beyond(v).sum()) for v in (splats.scales, splats.sh_dc, splats.sh_rest)):
        lost.append(f"{count:,} log scales and harmonics outside of -{MOST:,.0f} to {MOST:,.0f} are clipped")
    if file.comments:
        lost.append("the comments")
    lost.append("positions are rounded to 16 bits, opacities and rotations to 8")
    lost.append("scales and colours are replaced by the nearest of 256 values")
    if splats.sh_degree:
        size = palette_size(len(splats))
        lost.append(
            f"harmonics are replaced by one of at most {size:,} sets of values, and those by 256 values"
        )
    return tuple(lost)


def write_sog(sink: Sink, file: SplatFile, *, chunk: int = CHUNK) -> int:
    """Write SOG of version 2, its splats sorted along a Z-order curve; the bytes written.

    To a path that ends with "lod-meta.json": streamed, of one level of detail, in folders "0_0", "0_1", ...
    beside it, of at most `chunk` splats each. To another path that ends with ".json": that file, and images
    beside it. Of both each file appears whole or not at all, and the JSON file of the path last; the path's
    folder must be there, and what else is in it stays. To another path (whole or not at all) or a binary
    file: an archive. The same splats give the same bytes, as long as the library for the images is the same.

    Raises `UsageError` "sog.splats" for more splats than an image has pixels; `InputError` "io.write" for a
    path that cannot be written.
    """
    splats = kept(file.splats)
    antialiased = file.rendering_model == rendering_models.ANTIALIASED
    path = os.fspath(sink) if isinstance(sink, (str, os.PathLike)) else ""
    if path.lower().endswith(LEVELS_META):
        return _write_folder(path, encode_level(splats, antialiased=antialiased, chunk=chunk))
    files = encode_sog(splats.take(morton_order(splats.positions)), antialiased=antialiased)
    if path.lower().endswith(".json"):
        return _write_folder(path, files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data)  # of the same date always
    return write_whole(sink, [out.getvalue()])


def _write_folder(path: str, files: Iterable[tuple[str, bytes]]) -> int:
    """The file "meta.json" or "lod-meta.json" to `path`, the others beside it; the bytes of all."""
    total = 0
    for name, data in files:
        below, _, _ = name.rpartition("/")
        place = os.path.join(os.path.dirname(path), *name.split("/"))
        if below and not os.path.isdir(os.path.dirname(place)):
            try:
                os.mkdir(os.path.dirname(place))
            except OSError as error:
                raise write_error(error, os.path.dirname(place)) from error
        total += write_whole(path if name in (META, LEVELS_META) else place, [data])
    return total
