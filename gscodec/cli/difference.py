"""`gsinfo --diff A B`: in what two .gsc files differ, in bytes, settings and splats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.lossless import read_lossless
from gscodec.opening import decode
from gscodec.splats import Splats

LEFT_OUT = {
    "file",
    "bytes",
    "parts",
    "bytes_by_stream",
    "overhead",
    "sections",
    "chunks",
    "hashes",
    "columns",
}
ATTRIBUTES = ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")


def difference(
    a: dict[str, Any], b: dict[str, Any], data: tuple[bytes, bytes], threads: int
) -> dict[str, Any]:
    """What differs between two files, of which `inspect` found `a` and `b`; both are decoded.

    Raises `StreamError` when one is faulty, `InputError` where only one is lossless and has no splats.
    """
    profiles = a["format"]["profile"], b["format"]["profile"]
    parts = _by_name(a), _by_name(b)
    facts: dict[str, Any] = {
        "same_bytes": data[0] == data[1],
        "bytes": [a["bytes"], b["bytes"]],
        "splats": [_count(a), _count(b)],
        "parts": {
            name: [parts[0].get(name, 0), parts[1].get(name, 0)]
            for name in dict.fromkeys([*parts[0], *parts[1]])
        },
    }
    if profiles == ("lossless", "lossless"):
        return facts | {"settings": dict(_settings(_plain(a), _plain(b))), "ply_differs_at": _first(*data)}
    is_alike = profiles[0] == profiles[1]
    of_profile, of_other = ({"format": {"profile": profile}} for profile in profiles)
    settings = _settings(_plain(a), _plain(b)) if is_alike else _settings(of_profile, of_other)
    first, second = decode(data[0], threads=threads), decode(data[1], threads=threads)
    return facts | {"settings": dict(settings), **_values(first, second)}


def _by_name(facts: dict[str, Any]) -> dict[str, int]:
    if "columns" not in facts:
        return {part["part"]: part["bytes"] for part in facts["parts"]}
    columns = {column["name"]: column["bytes"] for column in facts["columns"]}
    return {**columns, "everything else": facts["bytes"] - sum(columns.values())}


def _count(facts: dict[str, Any]) -> int:
    return int(facts["ply"]["rows"] if "ply" in facts else facts["splats"])


def _first(a: bytes, b: bytes) -> int | None:
    """Where the PLY files of two lossless files differ first; None where they are the same."""
    x, y = (b"".join(read_lossless(each).pieces()) for each in (a, b))
    if x == y:
        return None
    shorter = min(len(x), len(y))
    differs = np.flatnonzero(np.frombuffer(x, np.uint8, shorter) != np.frombuffer(y, np.uint8, shorter))
    return int(differs[0]) if len(differs) else shorter


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
    """The greatest difference where splats match one by one, and what is equal to the last bit."""
    pairs = {name: (getattr(a, name), getattr(b, name)) for name in ATTRIBUTES}
    for name in dict.fromkeys([*a.extras, *b.extras]):
        pairs[f"extra {name}"] = a.extras.get(name), b.extras.get(name)
    return {
        "decoded": {name: _greatest(x, y) for name, (x, y) in pairs.items()},
        "same_bits": [name for name, (x, y) in pairs.items() if _is_comparable(x, y) and _is_same(x, y)],
    }


def _is_comparable(x: NDArray[Any] | None, y: NDArray[Any] | None) -> bool:
    return x is not None and y is not None and x.shape == y.shape and x.dtype == y.dtype


def _is_same(x: NDArray[Any], y: NDArray[Any]) -> bool:
    return x.tobytes() == y.tobytes()


def _greatest(x: NDArray[Any] | None, y: NDArray[Any] | None) -> float | None:
    """Of the differences that are finite; None where shapes or types differ."""
    if x is None or y is None or not _is_comparable(x, y):
        return None
    if x.dtype.kind in "iu":  # modulo 2^n the difference is right, whatever the sign
        return float(np.where(x > y, x - y, y - x).view(f"u{x.itemsize}").max(initial=0))
    with np.errstate(all="ignore"):
        apart = np.abs(x.astype(np.float64) - y.astype(np.float64))
    return float(apart[np.isfinite(apart)].max(initial=0))


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
    if "ply_differs_at" in facts:
        at = facts["ply_differs_at"]
        return [*out, "", "PLY files", "  the same" if at is None else f"  differ from byte {at:,} on"]
    out += ["", "Decoded splats"]
    differing = {name: value for name, value in facts["decoded"].items() if name not in facts["same_bits"]}
    if not differing:
        out.append("  equal to the last bit")
    for name, value in differing.items():
        what = f"differ by up to {value:.6g}, splat by splat" if value else "differ in bits, not in value"
        out.append(f"  {name} {'of another count or type' if value is None else what}")
    return out


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 48 else text[:45] + "..."
