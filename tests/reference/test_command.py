"""`python -m gscodec.reference` with files that cannot be read or written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import streams

from gscodec.errors import InputError
from gscodec.reference.__main__ import main, write
from gscodec.reference.decode import decode, ply

DATA = streams.file_from_seed(5, 20).data


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.gsc"
    path.write_bytes(DATA)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def check_refused(arguments: list[Path | str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(argument) for argument in arguments]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(words)
    assert err.count("\n") == 1
    assert err.endswith("\n")


@pytest.mark.parametrize("name", ["missing.gsc", "", "in.gsc/below"])
def test_unreadable_input(
    name: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    check_refused([path, tmp_path / "out.ply"], f"cannot read {path}: ", capsys)
    assert names(tmp_path) == ["in.gsc"]


@pytest.mark.parametrize("name", ["missing/out.ply", "", "in.gsc/below"])
def test_unwritable_output(
    name: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    check_refused([source, path], f"cannot write {path}: ", capsys)
    assert names(tmp_path) == ["in.gsc"]
    output = tmp_path / "out.ply"
    check_refused([source, output, "--trace", path], f"cannot write {path}: ", capsys)
    assert names(tmp_path) == ["in.gsc"]
    assert source.read_bytes() == DATA


def test_output_is_replaced(source: Path, tmp_path: Path) -> None:
    output, link = tmp_path / "out.ply", tmp_path / "link.ply"
    output.write_bytes(b"old")
    output.chmod(0o640)
    link.symlink_to(output)
    before = output.stat().st_ino
    assert main([str(source), str(link)]) == 0
    assert output.read_bytes() == ply(*decode(DATA))
    assert link.is_symlink()
    assert output.stat().st_ino != before
    assert stat.S_IMODE(output.stat().st_mode) == 0o640
    assert names(tmp_path) == ["in.gsc", "link.ply", "out.ply"]


def test_failed_rename_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.ply"
    path.write_bytes(b"old")

    def refuse(self: Path, target: Path) -> Path:
        assert self.parent == path.parent
        assert self.read_bytes() == b"new"
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError) as caught:
        write(path, b"new")
    assert caught.value.code == "io.write"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.ply"]


def test_devices_are_written_directly(source: Path) -> None:
    assert main([str(source), os.devnull]) == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
