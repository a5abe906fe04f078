"""JSON objects that lie in some places."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2, 255, 256, 65536, 2**31, 2**53, 2**64, 10**400, 0.5, 1e39, -1e308, 5121, 5126),
    *(None, True, "", "0", "../x", [], [1], {}, {"count": 1}),
)


def lying(value: Any, times: int, *, seed: int = 0) -> Iterator[Any]:
    """Copies of which one to three parts are missing, repeated, another part, or any of `VALUES`."""
    rng = np.random.default_rng(seed)
    for _ in range(times):
        copied = copy.deepcopy(value)
        for _ in range(int(rng.integers(1, 4))):
            places = list(_places(copied))
            if not places:
                break
            holder, key = places[int(rng.integers(len(places)))]
            kind = rng.integers(4)
            if kind == 0:
                del holder[key]
            elif kind == 1 and isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            elif kind == 2:
                other, name = places[int(rng.integers(len(places)))]
                holder[key] = copy.deepcopy(other[name])
            else:
                holder[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])
        yield copied


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All (holder, key), of long lists the first few."""
    keys = list(value)[:40] if isinstance(value, dict) else range(min(len(value), 8))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])
