"""Full disks, read-only folders, files that change, signals: a clear error, and nothing half-written."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from commands import ENVIRONMENT, names, run

from gscodec.cli import common

# name of the command's module, arguments with {in} and {out}
COMMANDS = {
    "gsenc": ["gsenc", "{ply}", "-o", "{out}.gsc", "--effort", "1"],
    "gsdec": ["gsdec", "{gsc}", "-o", "{out}.ply"],
    "gsdec part": ["gsdec", "{gsc}", "-o", "{out}.ply", "--layers", "1"],
    "gsdec spz": ["gsdec", "{gsc}", "-o", "{out}.spz"],
    "convert": ["gscodec", "convert", "{ply}", "{out}.spz"],
    "convert gsc": ["gscodec", "convert", "{gsc}", "{out}.glb"],
    "crop": ["gscodec", "crop", "{gsc}", "-o", "{out}.gsc"],
    "merge": ["gscodec", "merge", "{gsc}", "{gsc}", "-o", "{out}.gsc"],
}
every_command = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture
def folder(scene_ply: Path, scene_gsc: Path, tmp_path: Path) -> Path:
    """A scene in both forms."""
    (tmp_path / "scene.ply").write_bytes(scene_ply.read_bytes())
    (tmp_path / "scene.gsc").write_bytes(scene_gsc.read_bytes())
    (tmp_path / "to").mkdir()
    return tmp_path


@pytest.fixture
def inside(capsys: pytest.CaptureFixture[str], folder: Path) -> Iterator[Callable[[str], tuple[int, str]]]:
    """Run a command in this process, where files can be tampered with: exit code, and what it said."""
    before = signal.getsignal(signal.SIGTERM)

    def run_inside(name: str) -> tuple[int, str]:
        words = filled(name, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as caught:
                import_module(f"gscodec.cli.{words[0]}").main()
        assert isinstance(caught.value.code, int)
        return caught.value.code, capsys.readouterr().err

    yield run_inside
    signal.signal(signal.SIGTERM, before)


def filled(name: str, folder: Path) -> list[str]:
    """The words of a command."""
    words = [word.replace("{out}", str(folder / "to/out")) for word in COMMANDS[name]]
    return [word.format(ply=folder / "scene.ply", gsc=folder / "scene.gsc") for word in words]


def target(name: str, folder: Path) -> Path:
    return next(Path(word) for word in filled(name, folder) if word.startswith(str(folder / "to/out")))


class Full(io.FileIO):
    """A file on a disk that holds `room` more bytes."""

    room = 0
    number = errno.ENOSPC

    def write(self, data: object, /) -> int:  # type: ignore[override]
        piece = bytes(memoryview(data).cast("B"))[: self.room - self.tell()]  # type: ignore[arg-type]
        if not piece:
            raise OSError(self.number, os.strerror(self.number))
        return super().write(piece)


@every_command
@pytest.mark.parametrize(("room", "number"), [(0, errno.ENOSPC), (100, errno.EIO), (5000, errno.ENOSPC)])
def test_a_disk_that_fills_up(
    name: str,
    room: int,
    number: int,
    folder: Path,
    inside: Callable[[str], tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target(name, folder).write_bytes(b"precious")
    monkeypatch.setattr(io, "FileIO", type("_Full", (Full,), {"room": room, "number": number}))
    code, said = inside(name)
    assert code == 3
    assert "[io.write]" in said
    assert ("the disk is full" if number == errno.ENOSPC else os.strerror(number)) in said
    assert said.count("\n") == 1
    assert names(folder / "to") == [target(name, folder).name]
    assert target(name, folder).read_bytes() == b"precious"


@every_command
@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("where", ["create", "replace"])
def test_a_folder_that_takes_no_files(
    name: str,
    number: int,
    where: str,
    folder: Path,
    inside: Callable[[str], tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where it does so only in the end."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    class NoNewFiles(io.FileIO):
        def __init__(self, path: str, mode: str = "r") -> None:
            if mode == "x":
                refuse()
            super().__init__(path, mode)

    if where == "create":
        monkeypatch.setattr(io, "FileIO", NoNewFiles)
    else:
        monkeypatch.setattr(os, "replace", refuse)
    code, said = inside(name)
    assert code == 3
    assert "[io.write]" in said
    assert names(folder / "to") == []


@every_command
def test_an_input_that_changes(
    name: str,
    folder: Path,
    inside: Callable[[str], tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another program writes the file while the command reads it."""
    if name == "merge":
        pytest.skip("it reads the file twice, and the second time it is what it is")
    path = next(word for word in filled(name, folder) if word.endswith(("scene.ply", "scene.gsc")))

    class Meddled(io.FileIO):
        def __exit__(self, *about: object) -> None:
            if os.fspath(self.name) == path:  # type: ignore[call-overload]
                os.truncate(path, os.path.getsize(path) - 1)
            super().__exit__(*about)  # type: ignore[arg-type]

        def readinto(self, buffer: object, /) -> int:  # type: ignore[override]
            got = super().readinto(buffer)  # type: ignore[arg-type]
            os.utime(path, ns=(1, 1))
            return got or 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            os.utime(path, ns=(1, 1))
            return data or b""

    real = open

    def meddled_open(file: object, *args: object, **options: object) -> object:
        return Meddled(path) if file == path and "buffering" in options else real(file, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(io, "FileIO", Meddled)
    monkeypatch.setattr("builtins.open", meddled_open)
    code, said = inside(name)
    assert code == 3
    assert "was changed while it was read" in said
    assert "[io.changed]" in said
    assert names(folder / "to") == []


def test_stdin_that_is_a_file_that_changes(folder: Path) -> None:
    code = f"""
import os, sys
from gscodec.cli import common, gsenc
read = common.CountingInput.read
def meddled(self, size=-1):
    os.truncate({str(folder / "scene.ply")!r}, 3000)
    return read(self, size)
common.CountingInput.read = meddled
sys.argv = ["gsenc", "-", "-o", {str(folder / "to/out.gsc")!r}]
gsenc.main()
"""
    with (folder / "scene.ply").open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            stdin=file,
            capture_output=True,
            check=False,
            env=ENVIRONMENT,
            timeout=60,
        )
    assert done.returncode == 3
    assert b"[io.changed]" in done.stderr
    assert names(folder / "to") == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("name", ["gsenc", "gsdec", "crop", "convert"])
def test_full_device(name: str, folder: Path) -> None:
    words = [("/dev/full" if str(folder / "to/out") in word else word) for word in filled(name, folder)]
    done = run(words[0], *words[1:], *(["--to", "ply"] if name == "convert" else []))
    assert done.code == 3
    assert "the disk is full" in done.line


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not apply")
@every_command
def test_permissions(name: str, folder: Path) -> None:
    words = filled(name, folder)
    (folder / "to").chmod(0o555)
    try:
        done = run(words[0], *words[1:])
    finally:
        (folder / "to").chmod(0o755)
    assert (done.code, "[io.write]" in done.line) == (3, True)
    for path in (folder / "scene.ply", folder / "scene.gsc"):
        path.chmod(0)
    done = run(words[0], *words[1:])
    assert (done.code, "[io.read]" in done.line) == (3, True)


SLOW = """
import io, sys, time

class Slow(io.FileIO):
    def write(self, data):
        done = super().write(bytes(data[:100]))
        print("writing", file=sys.stderr, flush=True)
        time.sleep(60)
        return done

io.FileIO = Slow
from gscodec.cli import {module}
sys.argv = {words!r}
{module}.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("name", ["gsenc", "gsdec", "gsdec spz", "convert", "crop"])
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_writes(name: str, sent: signal.Signals, code: int, folder: Path) -> None:
    words = filled(name, folder)
    script = SLOW.format(module=words[0], words=words)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", script], stderr=subprocess.PIPE, env=ENVIRONMENT, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "writing\n"
    (temporary,) = names(folder / "to")
    assert temporary.startswith(".gscodec-")
    process.send_signal(sent)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == code
    assert names(folder / "to") == []
    assert "Traceback" not in rest


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("words", [["gsenc"], ["gsdec"], ["gscodec", "crop"]])
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_waits_for_input(
    words: list[str], sent: signal.Signals, code: int, folder: Path
) -> None:
    script = f"""
import sys
from gscodec.cli import {words[0]}, common
start = common.check_paths
class Told:
    def __init__(self, file): self.file = file
    def __getattr__(self, name):
        if name in ("read", "readinto"): print("reading", file=sys.stderr, flush=True)
        return getattr(self.file, name)
class Stdin:
    buffer = Told(sys.stdin.buffer)
    def isatty(self): return False
sys.stdin = Stdin()
sys.argv = {[*words, "-", "-o", str(folder / "to/out")]!r}
{words[0]}.main()
"""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", script],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "reading\n"
    process.send_signal(sent)
    assert process.wait(timeout=60) == code
    assert names(folder / "to") == []
    process.communicate()


def test_every_exit_of_a_signal_is_known() -> None:
    assert common.code_and_message(KeyboardInterrupt()) == (130, "interrupted")
    with pytest.raises(SystemExit) as caught:
        common._terminate()
    assert caught.value.code == 143
