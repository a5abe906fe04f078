"""Regions of a large scene: how many splats each may have, and boxes that share them out.

What memory holds decides: an encoding takes `FIXED` bytes, and for each splat of the region at work as many
as `bytes_per_splat` says, measured on scenes of all kinds and rounded up. Only arguments and input decide,
never the machine: the same command gives the same file everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.container.rewrite import MOST_SETS
from gscodec.encode.effort import Effort
from gscodec.encode.inputs import finite_rows
from gscodec.encode.targets import parse_size
from gscodec.errors import EncodeError, UsageError
from gscodec.splats import SH_REST_COUNTS, Splats, joined

WHOLE = 1 << 21  # splats up to which a scene is encoded in one, where nothing is said of memory
MEMORY = 1 << 32  # bytes that are meant where nothing is said of them
FIXED = 192 << 20  # bytes: interpreter, libraries, a block of splats on its way, tables
BLOCK_BYTES = 1 << 24  # of splats on their way
SAMPLE = 1 << 18  # splats that tell where to cut
FILL = 0.85  # of what a region may have: a sample tells shares only nearly
LEAST = 1000  # splats of a region
SEED = 16


def memory_of(value: int | str | None) -> int:
    """Bytes, of a number or of words such as "2GiB"; `MEMORY` for None.

    Raises `UsageError` "usage.memory".
    """
    if value is None:
        return MEMORY
    try:
        size, unit = parse_size(value)
    except UsageError as error:
        raise UsageError("usage.memory", f"max_memory {value!r}: expected bytes, such as 2GiB") from error
    if unit:
        raise UsageError("usage.memory", f"max_memory {value!r}: expected bytes in all, such as 2GiB")
    return int(size)


def bytes_per_splat(effort: Effort, sh_degree: int, extra_bytes: int = 0) -> int:
    """Of memory, at the most that the encoder has at a time."""
    rest = 3 * SH_REST_COUNTS[sh_degree]
    if not effort.views:
        return 360 + 20 * rest + 4 * extra_bytes
    terms = SH_REST_COUNTS[sh_degree] + 1
    gram = 4 * terms * (terms + 1) // 2 if rest and effort.directions else 0
    return 800 + 24 * rest + gram + 4 * extra_bytes


def region_size(memory: int, effort: Effort, sh_degree: int, extra_bytes: int = 0) -> int:
    """Splats that a region may have. Raises `UsageError` "usage.memory" where these are next to none."""
    each = bytes_per_splat(effort, sh_degree, extra_bytes)
    if (splats := (memory - FIXED) // each) < LEAST:
        least = -(-(FIXED + LEAST * each) >> 20)
        raise UsageError("usage.memory", f"max_memory of {memory:,} bytes: at least {least} MiB are needed")
    return int(splats)


@dataclass(frozen=True, kw_only=True)
class Census:
    """What a walk over all splats found.

    count     finite splats    dropped  others
    sample    some of the finite ones, without harmonics and extras, in their order
    like      no splat at all, but with the SH degree and the extras of all
    """

    count: int
    dropped: int
    sample: Splats
    like: Splats


def census(blocks: Iterable[Splats], *, drops: bool = True) -> Census:
    """A walk over all `blocks` (at least one). How the splats are cut into blocks makes no difference.

    Raises `EncodeError` "encode.nonfinite", unless it `drops` such splats.
    """
    rng = np.random.default_rng(SEED)
    kept: list[Splats] = []
    keys = np.zeros(0)
    count = dropped = 0
    normals = False
    like: Splats | None = None
    for block in blocks:
        like = like or block.take(slice(0, 0))
        normals = normals or has_normals(block)
        finite = finite_rows(block)
        bad = len(block) - int(np.count_nonzero(finite))
        if bad and not drops:
            raise EncodeError("encode.nonfinite", f"{bad} splats or more have values that are not finite")
        count, dropped = count + len(block) - bad, dropped + bad
        drawn = rng.random(len(block))
        drawn[~finite] = np.inf
        limit = keys.max() if len(keys) == SAMPLE else np.inf
        rows = np.flatnonzero(drawn < limit)
        bare = replace(block, sh_rest=np.zeros((len(block), 0, 3), np.float32), extras={})
        kept.append(bare.take(rows))
        keys = np.concatenate([keys, drawn[rows]])
        if len(keys) > SAMPLE:
            best = np.sort(np.argpartition(keys, SAMPLE)[:SAMPLE])
            kept, keys = [joined(kept).take(best)], keys[best]
    if like is None:
        raise UsageError("usage.splats", "no block of splats at all")
    if not normals:
        like = without_normals(like)
    return Census(count=count, dropped=dropped, sample=joined(kept), like=like)


NORMALS = ("nx", "ny", "nz")


def has_normals(splats: Splats) -> bool:
    """Whether it has normals other than zero."""
    return any(name in splats.extras and bool(splats.extras[name].any()) for name in NORMALS)


def without_normals(splats: Splats) -> Splats:
    """The same without extras for normals, if there are all three."""
    if not all(name in splats.extras for name in NORMALS):
        return splats
    kept = {name: array for name, array in splats.extras.items() if name not in NORMALS}
    return replace(splats, extras=kept)


@dataclass(frozen=True, slots=True)
class Cut:
    """Splats whose coordinate `axis` is under `at` go left; sides are cuts again, or numbers of regions."""

    axis: int
    at: float
    left: Cut | int
    right: Cut | int


def cuts(positions: NDArray[np.float32], count: int) -> Cut | int:
    """`count` boxes with about as many of `positions` each, numbered so that neighbours come together."""
    return _cut(positions, count, iter(range(count)))


def _cut(points: NDArray[np.float32], parts: int, numbers: Iterator[int]) -> Cut | int:
    if parts == 1:
        return next(numbers)
    middle = np.quantile(points, (0.02, 0.98), axis=0) if len(points) else np.zeros((2, 3))
    axis = int(np.argmax(middle[1] - middle[0]))
    values = np.sort(points[:, axis])
    at = float(values[len(values) * (parts // 2) // parts]) if len(values) else 0.0
    left = points[:, axis] < np.float32(at)
    half = parts // 2
    return Cut(axis, at, _cut(points[left], half, numbers), _cut(points[~left], parts - half, numbers))


def regions_of(positions: NDArray[np.float32], tree: Cut | int) -> NDArray[np.int64]:
    """(N,) the region of each position."""
    found = np.zeros(len(positions), np.int64)
    # A function in here that calls itself would keep the block until cycles are collected.
    left: list[tuple[NDArray[np.intp], Cut | int]] = [(np.arange(len(positions)), tree)]
    while left:
        rows, node = left.pop()
        if isinstance(node, int):
            found[rows] = node
            continue
        is_left = positions[rows, node.axis] < np.float32(node.at)
        left += [(rows[is_left], node.left), (rows[~is_left], node.right)]
    return found


def region_count(splats: int, most: int) -> int:
    """Regions for so many splats, of `most` each at most."""
    return 1 if splats <= most else -(-splats // max(int(most * FILL), 1))


def pieces(counts: list[int], most: int) -> Iterator[tuple[int, int, int]]:
    """(region, first, count) of what is encoded in one: a region that got too many is cut again."""
    for region, count in enumerate(counts):
        parts = -(-count // most)
        for part in range(parts):
            first, last = count * part // parts, count * (part + 1) // parts
            yield region, first, last - first


def check_count(regions: int, memory: int, each: int, splats: int) -> None:
    """Raises `EncodeError` "encode.memory" where there are more regions than parameter sets can have ids."""
    if regions > MOST_SETS:
        enough = FIXED + int(splats / FILL / (0.9 * MOST_SETS) * each)
        raise EncodeError(
            "encode.memory",
            f"{memory:,} bytes of memory need {regions} regions, of which a file can have {MOST_SETS}: "
            f"about {-(-enough >> 20)} MiB are enough",
        )
