"""Streamed SOG, version 1, data sets for parts of space and levels of detail: `decode_level`, `encode_level`.

"lod-meta.json" has a tree. Each leaf says for some of the levels (0 is the finest) in which data set of
"filenames" its splats are, from which on, and how many: {"file": 0, "offset": 0, "count": 512}. Splats that
belong to all levels, such as the sky, are in "environment". Each node has a "bound", the box of its splats.

One level is written, the splats themselves: coarser ones would be other splats, which an encoder makes up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._quantise import LARGEST, linear_scales, morton_codes, unit
from gscodec.io._sog_decode import decode_sog
from gscodec.io._sog_encode import GENERATOR, encode_sog, json_numbers
from gscodec.io._sog_files import LEVELS_META, META, MOST_JSON, Budget, Files, inside, read_json
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Float32, Splats, joined

Ranges = dict[int, list[tuple[int, int]]]

# Of what is written; the first two are the usual values of the format's own tool.
CHUNK: Final = 1 << 19  # splats of a data set, at most
EXTENT: Final = 16.0  # leaves that are longer are cut
FEW: Final = 1 << 10  # leaves of so few splats are not

# ---- reading ----------------------------------------------------------------------------------------------


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
    notes = [f"level {level} of {_listed(levels)}"] if len(levels) > 1 else []
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


# ---- writing ----------------------------------------------------------------------------------------------


def encode_level(splats: Splats, *, antialiased: bool, chunk: int = CHUNK) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files, "lod-meta.json" last; the splats, which must be `kept`, in Z-order."""
    codes = morton_codes(splats.positions)
    order = np.argsort(codes, kind="stable")
    splats = splats.take(order)
    tree = _Tree(codes[order], splats.positions, *_boxes(splats), chunk)
    count = len(splats)
    root = tree.node(0, count)
    names = []
    for number, (first, end) in enumerate(pairwise([*tree.starts, count])):
        names.append(f"0_{number}/{META}")
        for name, data in encode_sog(splats.take(slice(first, end)), antialiased=antialiased):
            yield f"0_{number}/{name}", data
    meta = {
        "version": 1,
        "asset": GENERATOR,
        "count": count,
        "counts": [count],
        "lodLevels": 1,
        "filenames": names,
        "tree": root,
    }
    yield LEVELS_META, json.dumps(meta, separators=(",", ":"), allow_nan=False).encode()


@dataclass(slots=True)
class _Tree:
    """Splats in Z-order, cut where the curve crosses the middle of a box: halves of halves of their box.

    codes       (N,) where they are on the curve, ascending
    positions   (N, 3)
    low, high   (N, 3), the corners of their boxes
    chunk       splats of a leaf, and of a data set, at most
    starts      the first splat of each data set
    """

    codes: NDArray[np.uint64]
    positions: Float32
    low: Float32
    high: Float32
    chunk: int
    starts: list[int] = field(default_factory=list)

    def node(self, first: int, end: int) -> dict[str, Any]:
        """The JSON object of these splats, which are at most 63 cuts by boxes and some halvings deep."""
        bound = {"min": [0.0] * 3, "max": [0.0] * 3}
        if first < end:
            ends = self.low[first:end].min(axis=0), self.high[first:end].max(axis=0)
            bound = {"min": json_numbers(ends[0]), "max": json_numbers(ends[1])}
        if self._is_leaf(first, end):
            return {"bound": bound, "lods": self._leaf(first, end)}
        middle = self._cut(first, end)
        return {"bound": bound, "children": [self.node(first, middle), self.node(middle, end)]}

    def _is_leaf(self, first: int, end: int) -> bool:
        if end - first > self.chunk:
            return False
        if end - first <= FEW:
            return True
        part = self.positions[first:end].astype(np.float64)
        return bool((part.max(axis=0) - part.min(axis=0)).max() <= EXTENT)

    def _leaf(self, first: int, end: int) -> dict[str, Any]:
        if first == end:
            return {}
        if not self.starts or end - self.starts[-1] > self.chunk:
            self.starts.append(first)
        start = self.starts[-1]
        return {"0": {"file": len(self.starts) - 1, "offset": first - start, "count": end - first}}

    def _cut(self, first: int, end: int) -> int:
        """Where the highest bit that is not the same for all becomes 1; of equal codes the middle."""
        lowest, highest = int(self.codes[first]), int(self.codes[end - 1])
        if lowest == highest:
            return (first + end) // 2
        bit = (lowest ^ highest).bit_length() - 1
        return first + int(np.searchsorted(self.codes[first:end], np.uint64(highest >> bit << bit)))


def _boxes(splats: Splats) -> tuple[Float32, Float32]:
    """(N, 3) twice: the corners of boxes around a standard deviation along each own axis of a splat."""
    w, x, y, z = unit(splats.rotations).T
    rows = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    reach = np.einsum("ijn,nj->ni", np.abs(rows), linear_scales(splats.scales).astype(np.float64))
    centres = splats.positions.astype(np.float64)
    low, high = (np.clip(ends, -LARGEST, LARGEST) for ends in (centres - reach, centres + reach))
    return low.astype(np.float32), high.astype(np.float32)
