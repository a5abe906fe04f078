"""`SplatBlocks`: the splats of a file of any format in blocks; a large PLY need not fit into memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.io._ply_rows import PlyScene, RowReader
from gscodec.io._source import read_error
from gscodec.io.formats import FORMATS, Format, as_splat_file, format_of
from gscodec.io.offset import Offset
from gscodec.io.ply import read_ply_blocks
from gscodec.io.reading import State, changed_error, state_of
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats


class SplatBlocks:
    """A file that is open; only of PLY it is not all in memory.

    count              splats that it declares
    can_repeat         whether `blocks` may be asked for again: not of a pipe
    comments           as in `SplatFile`
    coordinate_system, rendering_model  as in `SplatFile`
    offset, moved      as in `SplatFile`; of a PLY known once the first block was taken

    `offset` is what `read_ply` takes. Of a PLY in blocks "auto" is decided from the first block, so it may
    be another one than that of the whole.
    """

    coordinate_system = coordinate_systems.UNSPECIFIED
    rendering_model = rendering_models.CLASSIC

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        kind: Format | None = None,
        *,
        offset: Offset | None = None,
    ) -> None:
        is_path = isinstance(source, (str, os.PathLike))
        if kind is None:
            kind = format_of(source) if isinstance(source, (str, os.PathLike)) else FORMATS["ply"]
        self._path = source if isinstance(source, (str, os.PathLike)) and os.path.isfile(source) else None
        self._file: SplatFile | None = None
        self._rows: RowReader | None = None
        self._done: PlyScene | None = None
        self._opened: io.FileIO | None = None
        self._state: State | None = None
        self._offset = offset
        if kind.name != "ply":
            self._keep(kind.read(source))
            return
        if isinstance(source, (str, os.PathLike)):
            self._open(source)
        else:
            self._rows = read_ply_blocks(source, offset=offset)
        rows = self._given()
        self.count, self.comments = rows.count, rows.comments
        self.offset, self.moved = rows.offset, rows.moved
        self.can_repeat = is_path and self._path is not None

    def _open(self, path: str | os.PathLike[str]) -> RowReader:
        try:
            if self._opened is None:
                self._opened = open(path, "rb", buffering=0)  # noqa: SIM115
                self._state = state_of(self._opened)
            else:
                self._opened.seek(0)  # not by its name, which may be another file's by now
        except OSError as error:
            raise read_error(error, os.fspath(path)) from error
        self._rows = read_ply_blocks(self._opened, offset=self._offset)
        return self._rows

    def _keep(self, file: SplatFile) -> None:
        self._file, self.count, self.can_repeat = file, len(file.splats), True
        self.coordinate_system, self.rendering_model = file.coordinate_system, file.rendering_model
        self.comments, self.offset, self.moved = file.comments, file.offset, file.moved

    def _given(self) -> RowReader:
        if self._rows is None:
            raise RuntimeError("a file that was not opened")
        return self._rows

    def blocks(self, rows: int) -> Iterator[Splats]:
        """All splats, `rows` or a little more at a time; at least one block. Normals are kept though zero."""
        if self._file is not None:
            splats = self._file.splats
            for first in range(0, max(len(splats), 1), rows):
                yield splats.take(slice(first, first + rows))
            return
        reader = self._rows
        if reader is None:
            if self._path is None:
                raise RuntimeError("a pipe can be read once")
            reader = self._open(self._path)
        self._rows = None
        block = None
        for block in reader.blocks(rows, keeps_normals=True):
            self.offset, self.moved = reader.offset, reader.moved
            if self._offset is not None:
                self._offset = reader.offset  # decided: it is the same when the file is read again
            yield block
        self._done = reader.scene(block.take(slice(0, 0))) if block is not None else None
        self._check()

    def whole(self) -> SplatFile:
        """The file in memory, as `read_splats` gives it."""
        if self._file is None:
            reader = self._given()
            scene = reader.scene(next(reader.blocks()))
            self._check()
            self._keep(as_splat_file(scene))
        if self._file is None:
            raise RuntimeError("a file that was not kept")
        return self._file

    def _check(self) -> None:
        """Raises `InputError` "io.changed"; before a writer takes for whole what was made of it."""
        if self._opened is not None and self._state is not None:
            now = state_of(self._opened)
            if now != self._state:
                raise changed_error(os.fspath(self._opened.name), self._state, now)

    def about(self) -> SplatFile:
        """What the file says besides its splats, once all were taken; these are there, or none of them."""
        if self._file is not None:
            return self._file
        if self._done is None:
            raise RuntimeError("a file that was not read to its end")
        return as_splat_file(self._done)

    def close(self) -> None:
        """The file is closed, if it was opened here."""
        if self._opened is not None:
            self._opened.close()

    def __enter__(self) -> SplatBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
