"""`gsinfo --diff A B`: in what two .gsc files differ, in bytes, settings and splats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

LEFT_OUT = {"file", "bytes", "parts", "bytes_by_stream", "overhead", "sections", "chunks", "hashes"}
ATTRIBUTES = ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")


def difference(
    a: dict[str, Any], b: dict[str, Any], data: tuple[bytes, bytes], threads: int
) -> dict[str, Any]:
    """What differs between two files, of which `inspect` found `a` and `b`; both are decoded.

    Raises `StreamError` when one of them is faulty.
    """
    from gscodec.decoder import decode

    parts = _by_name(a), _by_name(b)
    first, second = decode(data[0], threads=threads), decode(data[1], threads=threads)
    return {
        "same_bytes": data[0] == data[1],
        "bytes": [a["bytes"], b["bytes"]],
        "splats": [len(first), len(second)],
        "parts": {
            name: [parts[0].get(name, 0), parts[1].get(name, 0)]
            for name in dict.fromkeys([*parts[0], *parts[1]])
        },
        "settings": dict(_settings(_plain(a), _plain(b))),
        "decoded": _values(first, second),
    }


def _by_name(facts: dict[str, Any]) -> dict[str, int]:
    return {part["part"]: part["bytes"] for part in facts["parts"]}


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in facts.items() if name not in LEFT_OUT | {"bits_per_splat", "splats"}
    }


def _settings(a: Any, b: Any, path: str = "") -> list[tuple[str, list[Any]]]:
    """(name, [value in a, value in b]) of each leaf that differs."""
    if isinstance(a, dict) and isinstance(b, dict):
        names = dict.fromkeys([*a, *b])
        return [
            leaf
            for name in names
            for leaf in _settings(a.get(name), b.get(name), f"{path}.{name}".strip("."))
        ]
    if isinstance(a, list) and isinstance(b, list) and any(isinstance(each, dict) for each in a + b):
        padded = [
            (a[i] if i < len(a) else None, b[i] if i < len(b) else None) for i in range(max(len(a), len(b)))
        ]
        return [leaf for i, (x, y) in enumerate(padded) for leaf in _settings(x, y, f"{path}[{i}]")]
    return [] if a == b else [(path, [a, b])]


def _values(a: Splats, b: Splats) -> dict[str, Any]:
    """Whether the decoded arrays are equal, and the greatest difference where splats match one by one."""
    found: dict[str, Any] = {}
    for name in ATTRIBUTES:
        x, y = getattr(a, name), getattr(b, name)
        found[name] = _greatest(x, y)
    names = dict.fromkeys([*a.extras, *b.extras])
    for name in names:
        x, y = a.extras.get(name), b.extras.get(name)
        found[f"extra {name}"] = None if x is None or y is None else _greatest(x, y)
    return found


def _greatest(x: NDArray[Any], y: NDArray[Any]) -> float | None:
    """0 where bits are equal; None where shapes or types differ."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return None
    if x.tobytes() == y.tobytes():
        return 0.0
    with np.errstate(all="ignore"):
        return float(np.abs(x.astype(np.float64) - y.astype(np.float64)).max())


def lines(facts: dict[str, Any], names: tuple[str, str]) -> list[str]:
    """For people."""
    if facts["same_bytes"]:
        return [f"{names[0]} and {names[1]} are the same, byte for byte"]
    out = [f"{'':24}{'first':>14}{'second':>14}{'change':>10}"]
    rows = {"bytes": facts["bytes"], "splats": facts["splats"], **facts["parts"]}
    for name, (x, y) in rows.items():
        change = f"{100 * (y - x) / x:+.1f} %" if x else ""
        out.append(f"{name:24}{x:>14,}{y:>14,}{change if x != y else '':>10}")
    if facts["settings"]:
        out += ["", "Settings that differ"]
        out += [f"  {name}: {_short(x)} | {_short(y)}" for name, (x, y) in facts["settings"].items()]
    out += ["", "Decoded splats"]
    differing = {name: value for name, value in facts["decoded"].items() if value != 0}
    if not differing:
        out.append("  equal to the last bit")
    for name, value in differing.items():
        what = "of another count or type" if value is None else f"differ by up to {value:.6g}, splat by splat"
        out.append(f"  {name} {what}")
    return out


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 48 else text[:45] + "..."
