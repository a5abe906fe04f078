"""Streamed SOG, version 1, many data sets for parts of space and levels of detail: `decode_level`.

"lod-meta.json" has a tree. Each leaf says for some of the levels (0 is the finest) in which data set of
"filenames" its splats are, from which on, and how many: {"file": 0, "offset": 0, "count": 512}. Splats that
belong to all levels, such as the sky, are in "environment".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gscodec.errors import InputError
from gscodec.io._sog_decode import decode_sog
from gscodec.io._sog_files import MOST_JSON, Budget, Files, inside, read_json
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats, joined

Ranges = dict[int, list[tuple[int, int]]]


def decode_level(meta: dict[str, Any], files: Files, budget: Budget, level: int | None) -> SplatFile:
    """The splats of one level, by default the finest, and those of the environment after them.

    Raises `InputError` "sog.*" and "io.limit".
    """
    if meta.get("version", 1) != 1:
        raise InputError("sog.version", f"version {str(meta['version'])[:20]} of streamed SOG; known is 1")
    names = meta.get("filenames")
    if not isinstance(names, list):
        raise InputError("sog.meta", "'filenames' of a streamed SOG is not a list")
    # A name given twice would be read twice: that a few files are many splats is for no one to declare.
    known = [inside(name) for name in names]
    if len(set(known)) < len(known):
        raise InputError("sog.meta", "a file is given twice")
    levels = _levels(meta.get("tree"), len(known))
    if level is None:
        level = min(levels, default=0)
    if level not in levels and (levels or level):
        raise InputError("sog.level", f"there is no level {level}; there are {_listed(levels)}")
    read: list[SplatFile] = []
    for number, ranges in sorted(levels.get(level, {}).items()):
        found = _data_set(files, known[number], budget)
        read.append(replace(found, splats=_cut(found.splats, ranges, known[number])))
    notes = [f"level {level} of {_listed(levels)}"]
    if (name := meta.get("environment")) is not None:
        read.append(_data_set(files, inside(name), budget))
        notes.append(f"the last {len(read[-1].splats):,} splats are the environment of all levels")
    for found in read:
        notes += [note for note in found.notes if note not in notes]
    models = {found.rendering_model for found in read}
    whole = SplatFile(splats=joined([found.splats for found in read]), notes=tuple(notes))
    return replace(whole, rendering_model=models.pop()) if len(models) == 1 else whole


def _listed(levels: dict[int, Ranges]) -> str:
    return ", ".join(str(level) for level in sorted(levels)) or "none"


def _data_set(files: Files, name: str, budget: Budget) -> SplatFile:
    budget.read(name, files.stored(name))
    meta = read_json(files.read(name, MOST_JSON), name)
    return decode_sog(meta, files, name.rpartition("/")[0], budget)


def _levels(tree: Any, files: int) -> dict[int, Ranges]:
    """For each level the files with splats of it, and where they are: (first, count)."""
    levels: dict[int, Ranges] = {}
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            raise InputError("sog.meta", "a node of the tree of a streamed SOG is no object")
        children, lods = node.get("children") or [], node.get("lods") or {}
        if not isinstance(children, list) or not isinstance(lods, dict):
            raise InputError(
                "sog.meta", "a node of the tree of a streamed SOG has no list or object of parts"
            )
        waiting += reversed(children)
        for key, entry in lods.items():
            numbers = (
                [entry.get(name) for name in ("file", "offset", "count")] if isinstance(entry, dict) else []
            )
            whole = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n >= 0]
            if not (key.isascii() and key.isdigit() and len(key) < 10) or len(whole) < 3 or whole[0] >= files:
                raise InputError("sog.meta", f"level {key[:20]!r} of a node names no part of a file")
            levels.setdefault(int(key), {}).setdefault(whole[0], []).append((whole[1], whole[2]))
    return levels


def _cut(splats: Splats, ranges: list[tuple[int, int]], name: str) -> Splats:
    """The splats of the ranges, which do not overlap, in the order of the file."""
    taken = np.zeros(len(splats), np.bool_)
    end = 0
    for first, count in sorted(ranges):
        if first < end or first + count > len(splats):
            raise InputError(
                "sog.meta", f"{name!r} has {len(splats):,} splats; its parts are not within them"
            )
        end = first + count
        taken[first:end] = True
    return splats if taken.all() else splats.take(taken)
