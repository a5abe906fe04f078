"""Which PLY property goes to which array of `Splats`, and the arrays while they fill with rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._ply_header import PlyElement, PlyHeader
from gscodec.splats import SH_REST_COUNTS, Splats

# What stands in for properties that a file may lack.
DEFAULT_OPACITY = 6.906755  # logit of 0.999: as opaque as rasterisers draw a splat
DEFAULT_SCALE_2 = -13.815511  # log of 1e-6: the missing thickness of 2D (surfel) splats

NORMALS = ("nx", "ny", "nz")

# A pipe's header is not believed beyond this much memory until the rows arrive.
_UNPROVEN_BYTES = 1 << 26
_REST_NAME = re.compile(r"f_rest_(0|[1-9][0-9]{0,5})")
_EXTRA = "extra "  # tells an extra called "scales" from the scales


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a property goes: a column of a (rows, width) array of `dtype`."""

    target: str
    column: int
    width: int
    dtype: np.dtype[Any]


def slots_of(
    header: PlyHeader, vertex: PlyElement, position: np.dtype[Any]
) -> tuple[list[Slot], tuple[str, ...]]:
    """A slot for each vertex property, and the names of the missing ones that have a default.

    Standard ones are float32, positions of the type `position`.
    """
    names = [p.name for p in vertex.properties]
    for item in vertex.properties:
        if item.is_list:
            raise InputError("ply.list", f"vertex property {item.name!r} is a list; splats have none")
    rest = _rest_count(names)
    standard = {
        name: Slot(target, column, len(group), position if target == "positions" else np.dtype(np.float32))
        for target, group in standard_names(rest).items()
        for column, name in enumerate(group)
    }
    missing = tuple(name for name in standard if name not in names)
    if set(missing) - {"opacity", "scale_2"}:
        raise _not_splats(header, names, missing)
    extra = {p.name: Slot(_EXTRA + p.name, 0, 1, p.dtype("=")) for p in vertex.properties}
    return [standard.get(name, extra[name]) for name in names], missing


def standard_names(rest: int) -> dict[str, list[str]]:
    """The properties of each array, by column, for `rest` SH coefficients above the DC term."""
    return {
        "positions": ["x", "y", "z"],
        "sh_dc": [f"f_dc_{i}" for i in range(3)],
        "sh_rest": [f"f_rest_{c * rest + k}" for k in range(rest) for c in range(3)],
        "opacities": ["opacity"],
        "scales": [f"scale_{i}" for i in range(3)],
        "rotations": [f"rot_{i}" for i in range(4)],
    }


def _rest_count(names: list[str]) -> int:
    """SH coefficients above the DC term, from the f_rest_* properties."""
    found = {int(match[1]) for name in names if (match := _REST_NAME.fullmatch(name))}
    count = len(found)
    if count % 3 or count // 3 not in SH_REST_COUNTS or found != set(range(count)):
        raise InputError(
            "ply.sh",
            f"{count} f_rest properties are no SH degree: expected f_rest_0 to _8, _23 or _44, or none",
        )
    return count // 3


def _not_splats(header: PlyHeader, names: list[str], missing: tuple[str, ...]) -> InputError:
    """The error for a file that lacks what splats need, and its likely reason."""
    if "packed_position" in names or any(e.name == "chunk" for e in header.elements):
        return InputError(
            "ply.compressed", "a PlayCanvas compressed PLY; convert it to an uncompressed PLY first"
        )
    if {"x", "y", "z"} <= set(names) and not any(n.startswith(("f_dc_", "scale_", "rot_")) for n in names):
        return InputError(
            "ply.pointcloud", "a point cloud or mesh, not splats: it has no f_dc, scale and rot properties"
        )
    shown = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
    return InputError("ply.missing", f"the PLY vertices lack {shown}")


class Table:
    """The arrays that the rows are read into: (rows, width) each, growing as rows arrive.

    count    rows to come at most
    trusted  whether the input is known to be long enough for them; otherwise memory follows the rows
    keeps_normals   whether normals are kept though they are zero
    """

    def __init__(self, slots: list[Slot], count: int, *, trusted: bool, keeps_normals: bool = False) -> None:
        self.slots = slots
        self._shapes = {slot.target: slot for slot in slots}
        self._count = count
        row_bytes = sum(slot.width * slot.dtype.itemsize for slot in self._shapes.values())
        self._capacity = count if trusted else min(count, _UNPROVEN_BYTES // row_bytes)
        self._arrays: dict[str, NDArray[Any]] = {}
        # Zeros, as nearly all files have there, take no memory: their arrays come with the first other value.
        normals = {_EXTRA + name for name in NORMALS}
        self._late = normals if normals <= self._shapes.keys() and not keeps_normals else set()
        self._allocate()

    def store(self, target: str, columns: slice, start: int, values: NDArray[Any]) -> None:
        """Copy the (rows, n) `values` to `columns` of `target`, from row `start` on."""
        if self._late and target in self._late:
            # Bits, not values: minus zero is worth keeping too.
            if not np.ascontiguousarray(values).view(np.uint8).any():
                return
            self._late.clear()
            self._allocate()
        with np.errstate(over="ignore", invalid="ignore"):
            self._arrays[target][start : start + len(values), columns] = values

    def reserve(self, rows: int) -> None:
        """Make room for `rows` rows in all."""
        if rows > self._capacity:
            self._capacity = min(self._count, max(rows, self._capacity + self._capacity // 2))
            self._resize(self._capacity)

    def positions(self, rows: int) -> NDArray[Any]:
        """The positions of the first `rows` rows."""
        return self._arrays["positions"][:rows]

    def splats(self, rows: int, positions: NDArray[np.float32]) -> Splats:
        """The first `rows` rows, at `positions`; the table is spent."""
        del self._arrays["positions"]
        self._resize(rows)
        arrays = self._arrays
        rotations, scales = arrays.pop("rotations"), arrays.pop("scales")
        if not any(slot.target == "scales" and slot.column == 2 for slot in self.slots):
            scales[:, 2] = DEFAULT_SCALE_2
        opacities = arrays.pop("opacities", None)
        if opacities is None:
            opacities = np.full(rows, DEFAULT_OPACITY, np.float32)
        rest = arrays.pop("sh_rest", np.empty((rows, 0), np.float32))
        return Splats(
            positions=positions,
            scales=scales,
            rotations=rotations,
            opacities=opacities.reshape(rows),
            sh_dc=arrays.pop("sh_dc"),
            sh_rest=rest.reshape(rows, rest.shape[1] // 3, 3),
            extras={
                slot.target.removeprefix(_EXTRA): arrays[slot.target].reshape(rows)
                for slot in self.slots
                if slot.target in arrays
            },
        )

    def _allocate(self) -> None:
        for target, slot in self._shapes.items():
            if target not in self._arrays and target not in self._late:
                self._arrays[target] = np.zeros((self._capacity, slot.width), slot.dtype)

    def _resize(self, rows: int) -> None:
        for array in self._arrays.values():
            # Grows or shrinks in place, without a second copy; nothing else refers to the array yet.
            array.resize((rows, array.shape[1]), refcheck=False)


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive properties of one type that go to evenly spaced columns of one array."""

    target: str
    columns: slice
    first: int  # index of the first property
    count: int
    offset: int  # of the first in a binary row
    dtype: np.dtype[Any]  # in the file


def runs_of(vertex: PlyElement, slots: list[Slot], byte_order: str) -> Iterator[Run]:
    """Cut the vertex properties into as few copies as possible."""
    dtypes = [p.dtype(byte_order) for p in vertex.properties]
    first, offset = 0, 0
    while first < len(slots):
        start, dtype = slots[first], dtypes[first]
        step, count = 0, 1
        while first + count < len(slots):
            slot = slots[first + count]
            ahead = slot.column - start.column - step * (count - 1)
            if slot.target != start.target or dtypes[first + count] != dtype or ahead < 1:
                break
            if step not in (0, ahead):
                break
            step, count = ahead, count + 1
        step = max(step, 1)
        columns = slice(start.column, start.column + step * (count - 1) + 1, step)
        yield Run(start.target, columns, first, count, offset, dtype)
        offset += count * dtype.itemsize
        first += count
