"""What does not fit into memory, on disk: `SplatSpill` and `PayloadSpill`.

Both are files without a name: the operating system removes them when they are closed, however that happens.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io.output import write_error
from gscodec.splats import Splats

ATTRIBUTES = ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")


class _Spill:
    """A temporary file in `folder`, or in the usual place. Raises `InputError` "io.write", "io.read"."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder or tempfile.gettempdir()
        self.size = 0
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0, prefix=".gscodec-")  # noqa: SIM115
        except OSError as error:
            raise self._refused(error) from error

    def append(self, data: bytes | memoryview) -> int:
        """Where `data` begins."""
        start, left = self.size, memoryview(data).cast("B")
        self.size += len(left)
        try:
            self._file.seek(start)
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            raise self._refused(error) from error
        return start

    def read_into(self, start: int, view: memoryview) -> None:
        """Fill the flat `view` from `start` on."""
        try:
            self._file.seek(start)
            while view:
                if not (got := self._file.readinto(view)):
                    raise InputError("io.read", f"a temporary file in {self._folder} became shorter")
                view = view[got:]
        except OSError as error:
            why = error.strerror or error
            raise InputError("io.read", f"cannot read a temporary file in {self._folder}: {why}") from error

    def close(self) -> None:
        """The file is gone."""
        self._file.close()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _refused(self, error: OSError) -> InputError:
        return write_error(error, os.path.join(self._folder, "(a temporary file)"))


class SplatSpill(_Spill):
    """Splats like `like`, in heaps; each heap is read back in the order in which it was added."""

    def __init__(self, like: Splats, heaps: int, folder: str | None) -> None:
        super().__init__(folder)
        fields: list[Any] = [(name, "f4", getattr(like, name).shape[1:]) for name in ATTRIBUTES]
        fields += [(f"extra {name}", each.dtype, each.shape[1:]) for name, each in like.extras.items()]
        self._extras = tuple(like.extras)
        self.row = np.dtype(fields)
        self._extents: list[list[tuple[int, int]]] = [[] for _ in range(heaps)]
        self.counts = [0] * heaps

    def __enter__(self) -> SplatSpill:
        return self

    def add(self, splats: Splats, heaps: NDArray[np.integer] | None = None) -> None:
        """Each to its heap, the first one if nothing is said."""
        rows = np.empty(len(splats), self.row)
        order: Any = slice(None) if heaps is None else np.argsort(heaps, kind="stable")
        for name in ATTRIBUTES:
            rows[name] = getattr(splats, name)[order]
        for name in self._extras:
            rows[f"extra {name}"] = splats.extras[name][order]
        counts = [len(rows)] if heaps is None else np.bincount(heaps, minlength=len(self.counts)).tolist()
        start = self.append(rows.view(np.uint8).data) if len(rows) else self.size
        for heap, count in enumerate(counts):
            if count:
                self._extents[heap].append((start, count))
                self.counts[heap] += count
                start += count * self.row.itemsize

    def read(self, heap: int, first: int = 0, count: int | None = None) -> Splats:
        """`count` splats of a heap from number `first` on, or all."""
        stop = self.counts[heap] if count is None else min(first + count, self.counts[heap])
        rows = np.empty(max(stop - first, 0), self.row)
        at = 0
        for start, length in self._extents[heap]:
            low, high = max(first, at), min(stop, at + length)
            if low < high:
                view = rows[low - first : high - first].view(np.uint8).data
                self.read_into(start + (low - at) * self.row.itemsize, view)
            at += length
        arrays: dict[str, Any] = {name: rows[name].copy() for name in ATTRIBUTES}  # views would keep all rows
        extras = {name: rows[f"extra {name}"].copy() for name in self._extras}
        return Splats(**arrays, extras=extras)

    def blocks(self, rows: int) -> Iterator[Splats]:
        """The first heap, `rows` at a time."""
        for first in range(0, self.counts[0], rows):
            yield self.read(0, first, rows)


class PayloadSpill(_Spill, Sequence[bytes]):
    """Payloads of chunks, read when they are asked for."""

    def __init__(self, folder: str | None) -> None:
        super().__init__(folder)
        self._places: list[tuple[int, int]] = []

    def __enter__(self) -> PayloadSpill:
        return self

    def add(self, payload: bytes) -> None:
        """After those that are there."""
        self._places.append((self.append(payload), len(payload)))

    def reorder(self, order: Sequence[int]) -> None:
        """Number i is what was number `order[i]`."""
        self._places = [self._places[number] for number in order]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, number: int) -> bytes: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[bytes]: ...
    def __getitem__(self, number: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        start, size = self._places[number]
        data = bytearray(size)
        self.read_into(start, memoryview(data))
        return bytes(data)
