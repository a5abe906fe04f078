"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import resource
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gscodec.errors import InputError
from gscodec.io import atomic_output


class Stop(BaseException):
    """Not an Exception, as KeyboardInterrupt."""


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def refused(path: str | os.PathLike[str]) -> str:
    with pytest.raises(InputError) as caught, atomic_output(path) as file:
        file.write(b"new")
    assert caught.value.code == "io.write"
    return str(caught.value)


@pytest.mark.parametrize("data", [b"", b"x", bytes(1_000_000)])
@pytest.mark.parametrize("existing", [True, False])
def test_success(tmp_path: Path, data: bytes, existing: bool) -> None:
    path = tmp_path / "out"
    if existing:
        path.write_bytes(b"old")
    with atomic_output(path) as file:
        file.write(data)
        assert path.read_bytes() == b"old" if existing else not path.exists()
        assert len(names(tmp_path)) == 1 + existing
    assert path.read_bytes() == data
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stop, OSError])
@pytest.mark.parametrize("existing", [True, False])
def test_failure_leaves_no_trace(tmp_path: Path, error: type[BaseException], existing: bool) -> None:
    path = tmp_path / "out"
    if existing:
        path.write_bytes(b"old")

    def fail() -> None:
        with atomic_output(str(path)) as file:
            file.write(bytes(1_000_000))
            raise error

    with pytest.raises(error) as caught:
        fail()
    assert type(caught.value) is error
    assert names(tmp_path) == (["out"] if existing else [])
    assert not existing or path.read_bytes() == b"old"


@pytest.mark.usefixtures("umask")
def test_permissions(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "new"):
        pass
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    kept = tmp_path / "kept"
    kept.touch()
    kept.chmod(0o604)
    with atomic_output(kept):
        pass
    assert stat.S_IMODE(kept.stat().st_mode) == 0o604


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_write_protected(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o444)
    assert "denied" in refused(path)
    assert path.read_bytes() == b"old"
    tmp_path.chmod(0o555)
    assert "denied" in refused(tmp_path / "other")
    tmp_path.chmod(0o755)


def test_symbolic_links_stay(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    for data in (b"first", b"second"):
        with atomic_output(tmp_path / "link") as file:
            file.write(data)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_bytes() == data
    assert names(tmp_path) == ["link", "real"]


def test_bad_places(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "there is no directory" in refused(tmp_path / "absent" / "out")
    assert "is a directory" in refused(tmp_path)
    assert "is a directory" in refused(f"{tmp_path}/out/")
    assert "is not a directory" in refused(tmp_path / "file" / "out")
    assert "too long" in refused(tmp_path / ("x" * 300)).lower()
    assert names(tmp_path) == ["file"]


def test_a_name_of_the_greatest_length(tmp_path: Path) -> None:
    with atomic_output(tmp_path / ("x" * 255)) as file:
        file.write(b"new")
    assert len(names(tmp_path)) == 1


def test_closed_by_the_block(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "out") as file:
        file.write(b"new")
        file.close()
    assert (tmp_path / "out").read_bytes() == b"new"


def test_devices(tmp_path: Path) -> None:
    with atomic_output("/dev/null") as file:
        file.write(bytes(100_000))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("size", [1, 10_000_000])
def test_disk_full(size: int) -> None:
    with pytest.raises(InputError, match="the disk is full") as caught, atomic_output("/dev/full") as file:
        file.write(bytes(size))
    assert caught.value.code == "io.write"


@pytest.mark.parametrize("size", [150_000, 10_000_000])
def test_write_error_removes_the_temporary_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(InputError) as caught, atomic_output(path) as file:
            file.write(bytes(size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "io.write"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    with atomic_output(path) as file:
        file.write(bytes(200_000))
    reader.join()
    assert got == [bytes(200_000)]
    assert stat.S_ISFIFO(path.stat().st_mode)
