"""Files that change while they are read, and places that cannot be read."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gscodec.errors import InputError
from gscodec.io import _source, ply_writing, read_ply, remote
from gscodec.io.formats import read_splats, write_splats
from gscodec.io.reading import opened, unchanged
from gscodec.io.remote import RangeSource
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats

Change = Callable[[Path], None]


def scene(count: int = 600) -> Splats:
    """Random splats."""
    source = np.random.default_rng(3)
    shapes = {"positions": 3, "scales": 3, "rotations": 4, "sh_dc": 3}
    arrays = {name: source.normal(size=(count, width)).astype(np.float32) for name, width in shapes.items()}
    return Splats(
        **arrays,
        opacities=np.zeros(count, np.float32),
        sh_rest=np.zeros((count, 0, 3), np.float32),
    )


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x" * 40)


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1000)


def touch(path: Path) -> None:
    """Other contents of the same size, to judge by the time."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))


def empty(path: Path) -> None:
    os.truncate(path, 0)


CHANGES = [grow, shrink, touch, empty]


class Meddled(io.FileIO):
    """A file that something else changes after `after` reads."""

    after = 1
    change: Change

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._path, self._reads = Path(os.fspath(path)), 0

    def _count(self) -> None:
        self._reads += 1
        if self._reads == self.after:
            type(self).change(self._path)

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._count()
        return bytes(data or b"")

    def readinto(self, buffer: object, /) -> int:  # type: ignore[override]
        got = super().readinto(buffer)  # type: ignore[arg-type]
        self._count()
        return got or 0


def meddle(monkeypatch: pytest.MonkeyPatch, change: Change, after: int) -> None:
    """Let `change` happen to every file that is read."""
    kind = type("_Meddled", (Meddled,), {"change": staticmethod(change), "after": after})
    monkeypatch.setattr("gscodec.io.reading.io.FileIO", kind)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("scene.ply", 1),  # between header and data
        ("scene.ply", 2),
        ("scene.compressed.ply", 1),
        ("scene.compressed.ply", 2),
        ("scene.spz", 1),
        ("scene.glb", 1),
        ("scene.sog", 1),
    ],
)
def test_every_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, name: str, after: int
) -> None:
    path = tmp_path / name
    write_splats(path, SplatFile(splats=scene()))
    meddle(monkeypatch, change, after)
    with pytest.raises(InputError) as caught:
        read_splats(path)
    assert caught.value.code == "io.changed"
    assert str(path) in caught.value.message


def test_sizes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scene.ply"
    size = ply_writing.write_ply(path, scene())
    meddle(monkeypatch, shrink, 1)
    with pytest.raises(InputError, match=f"it had {size:,} bytes, and now {size - 1000:,}") as caught:
        read_ply(path)
    assert isinstance(caught.value.__cause__, InputError)  # what the reader found itself
    assert caught.value.__cause__.code == "ply.truncated"


def test_a_file_object_that_ends_early(tmp_path: Path) -> None:
    """Whoever hands in an object watches it; that it is shorter than it said is seen."""
    path = tmp_path / "scene.ply"
    ply_writing.write_ply(path, scene())
    kind = type("_Meddled", (Meddled,), {"change": staticmethod(shrink), "after": 1})
    with kind(path) as file, pytest.raises(InputError) as caught:
        read_ply(file)
    assert caught.value.code == "ply.truncated"


def test_a_new_file_of_that_name_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with opened(path) as file:
        (tmp_path / "new").write_bytes(b"newer")
        os.replace(tmp_path / "new", path)
        assert file.read() == b"old"


def test_only_what_the_file_is_to_blame_for_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(error: type[BaseException]) -> None:
        grow(path)
        raise error

    with pytest.raises(ZeroDivisionError), opened(path):
        fail(ZeroDivisionError)
    with pytest.raises(KeyboardInterrupt), RangeSource(path):
        fail(KeyboardInterrupt)


def test_what_is_no_file_does_not_change() -> None:
    with unchanged(io.BytesIO(b"bytes"), "bytes"), opened("/dev/null") as file:
        assert file.read() == b""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as pipe, unchanged(pipe, "a pipe"):
        os.write(write, b"more")
        os.close(write)
        assert pipe.read() == b"more"


@pytest.mark.parametrize("change", CHANGES)
def test_parts_of_a_file(tmp_path: Path, change: Change) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(5000))

    def read() -> None:
        with RangeSource(path) as source:
            source.read_at(0, 100)
            change(path)
            source.read_at(100, 100)

    with pytest.raises(InputError) as caught:
        read()
    assert caught.value.code == "io.changed"


class _Server:
    """Answers range requests, each of another file than before."""

    def __init__(self, totals: list[int], tags: list[str]) -> None:
        self.totals, self.tags = totals, tags
        self.status, self.reason = 206, ""

    def request(self, _method: str, _url: str, *, headers: dict[str, str], **_: object) -> _Server:
        first, _, last = headers["Range"].removeprefix("bytes=").partition("-")
        self.left = bytes(int(last) - int(first) + 1)
        total = self.totals.pop(0)
        self.headers = {"Content-Range": f"bytes {first}-{last}/{total}", "ETag": self.tags.pop(0)}
        return self

    def read(self, _count: int) -> bytes:
        return self.left

    def close(self) -> None:
        pass

    def clear(self) -> None:
        pass


@pytest.mark.parametrize(
    ("totals", "tags"), [([9000, 9001], ["a", "a"]), ([9000, 9000], ["a", "b"])], ids=["size", "tag"]
)
def test_parts_of_a_url(monkeypatch: pytest.MonkeyPatch, totals: list[int], tags: list[str]) -> None:
    urllib3 = pytest.importorskip("urllib3")
    monkeypatch.setattr(urllib3, "PoolManager", lambda **_: _Server(totals, tags))
    with RangeSource("http://example.org/scene.gsc") as source, pytest.raises(InputError) as caught:
        source.read_at(5000, 10)
    assert caught.value.code == "io.changed"
    assert remote.is_url(source.name)


class _Failing(io.FileIO):
    """A disk that gives up after some reads."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._reads = 0

    def readinto(self, buffer: object, /) -> int:  # type: ignore[override]
        self._reads += 1
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scene.ply"
    ply_writing.write_ply(path, scene())
    monkeypatch.setattr("gscodec.io.reading.io.FileIO", _Failing)
    with pytest.raises(InputError, match=os.strerror(errno.EIO)) as caught:
        read_ply(path)
    assert caught.value.code == "io.read"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ELOOP, errno.EMFILE])
def test_files_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """As root every file may be read: what the system would say comes from here."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("gscodec.io.reading.io.FileIO", refuse)
    with pytest.raises(InputError, match=os.strerror(number)) as caught:
        read_ply(tmp_path / "scene.ply")
    assert caught.value.code == "io.read"
    assert _source.read_error(OSError("odd")).message == "cannot read the input: odd"


def test_folders_are_no_files(tmp_path: Path) -> None:
    for read in (read_ply, RangeSource):
        with pytest.raises(InputError, match="directory") as caught:
            read(tmp_path)  # type: ignore[operator]
        assert caught.value.code == "io.read"
