"""Many files: names, the journal, and a real cluster of two processes that has accidents."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gscodec
from gscodec.batch import engine, work
from gscodec.batch.engine import Outcome, run_batch
from gscodec.batch.journal import FOLDER, Journal, read_records
from gscodec.batch.plan import Item, Job, identity_of, items_of
from gscodec.cli.batch import _Progress
from gscodec.cli.common import Teller
from gscodec.errors import InputError, UsageError
from gscodec.io import read_ply, write_ply

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "examples/made_scene.ply"
PACKAGE = Path(gscodec.__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE), "GSCODEC_DEBUG": ""}


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    """Processes that are started see the package that is tested, whatever other tests put into the path."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # of a shell that started tests in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        others = [path for path in sys.path if path and Path(path).resolve() not in (ROOT, PACKAGE)]
        patch.setattr(sys, "path", [str(PACKAGE), *others])
        yield


@pytest.fixture(scope="module")
def scheduler(installed: None) -> Iterator[str]:
    """The address of a cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PACKAGE))  # what workers import
        with distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=50,
        ) as cluster:
            yield cluster.scheduler_address


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Four small tiles and one that is broken."""
    splats = read_ply(MADE).splats
    for number, name in enumerate(["a/0.ply", "a/1.ply", "b/c/2.ply", "b/3.ply"]):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ply(path, splats.take(np.arange(300 + number)))
    (tmp_path / "in/b/broken.ply").write_bytes(b"ply\nthis is none\n")
    return tmp_path


def job(folder: Path, *options: str) -> Job:
    """Encoding at effort 1."""
    words = ("--threads", "1", *(options or ("--effort", "1")))
    return Job(
        command="gsenc",
        options=words,
        suffix=".gsc",
        identity=identity_of("gsenc", {"options": words}),
        folder=str(folder / "out"),
    )


def items(folder: Path, pattern: str = "in/**/*.ply") -> list[Item]:
    return items_of([str(folder / pattern)], None, ".gsc", str(folder / "out"), (".ply",))


def outputs(folder: Path) -> list[str]:
    """Every file below the folder of outputs but the journal; nothing else is left lying about."""
    found = [each for each in (folder / "out").rglob("*") if each.is_file()]
    assert os.listdir(folder / "out" / FOLDER) == ["journal.jsonl"]
    return sorted(each.relative_to(folder / "out").as_posix() for each in found if each.suffix != ".jsonl")


def states(outcome: Outcome) -> dict[str, str]:
    return {record["name"]: record["status"] for record in outcome.records}


# ---- names


def test_names(tiles: Path) -> None:
    found = {item.name: Path(item.source) for item in items(tiles)}
    assert sorted(found) == ["a/0.gsc", "a/1.gsc", "b/3.gsc", "b/broken.gsc", "b/c/2.gsc"]
    assert found["b/c/2.gsc"] == tiles / "in/b/c/2.ply"
    assert [item.name for item in items(tiles, "in/a/[0-9].ply")] == ["0.gsc", "1.gsc"]
    assert {item.name for item in items(tiles, "in")} == set(found)
    assert [item.name for item in items(tiles, "in/a/0.ply")] == ["0.gsc"]
    rooted = items_of([str(tiles / "in/a/0.ply")], str(tiles), ".spz", str(tiles / "out"), (".ply",))
    assert [item.name for item in rooted] == ["in/a/0.spz"]


def test_names_that_cannot_be(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def code(patterns: list[str], root: str | None = None, suffix: str = ".gsc", folder: str = "out") -> str:
        with pytest.raises(UsageError) as caught:
            items_of(patterns, root, suffix, folder, (".ply",))
        return caught.value.code

    monkeypatch.chdir(tiles)
    assert code(["in/absent.ply"]) == "batch.empty"
    assert code(["in/*.spz"]) == "batch.empty"
    assert code(["in/a/0.ply"], "in/b") == "batch.root"
    os.link("in/b/3.ply", "in/b/1.ply")
    assert code(["in/a/*.ply", "in/b/*.ply"]) == "batch.names"  # both have 1.ply
    assert len(items_of(["in/a/*.ply", "in/b/*.ply"], "in", ".gsc", "out", ())) == 5
    assert code(["in/a"], suffix=".ply", folder="in/a") == "batch.names"  # over the inputs
    os.link("in/a/0.ply", "in/a/0.compressed.ply")
    assert code(["in/a"]) == "batch.names"
    assert len(items_of(["in/a/0.ply", "in/a/0.ply"], None, ".gsc", "out", ())) == 1


# ---- the journal


def noted(tiles: Path, **more: Any) -> tuple[Job, Item]:
    """An item that is done."""
    its, item = job(tiles), items(tiles)[0]
    target = tiles / "out" / item.name
    target.parent.mkdir(parents=True)
    target.write_bytes(b"encoded")
    record: dict[str, Any] = {"name": item.name, "source": item.source, "identity": its.identity}
    for end, path in (("input", item.source), ("output", target)):
        found = os.stat(path)
        sha256 = work.hash_of(str(path))
        record[end] = {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": sha256}
    with Journal(its.folder) as journal:
        journal.add({**record, "status": "done", **more})
    return its, item


def has(its: Job, item: Item) -> bool:
    with Journal(its.folder) as journal:
        return journal.has(item, its)


def test_what_is_done_is_done(tiles: Path) -> None:
    its, item = noted(tiles)
    assert has(its, item)
    assert not has(replace(its, identity="other options"), item)
    assert not has(its, items(tiles)[1])
    os.utime(item.source)  # another time, the same bytes
    os.utime(tiles / "out" / item.name)
    assert has(its, item)
    moved = replace(item, source=str(tiles / "moved.ply"))
    os.link(item.source, moved.source)
    assert has(its, moved)


@pytest.mark.parametrize("end", ["input", "output"])
@pytest.mark.parametrize("change", ["shorter", "other", "gone"])
def test_what_changed_is_done_again(tiles: Path, end: str, change: str) -> None:
    its, item = noted(tiles)
    path = Path(item.source) if end == "input" else tiles / "out" / item.name
    if change == "shorter":
        os.truncate(path, 5)
    elif change == "other":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        path.unlink()
    assert not has(its, item)


def test_failures_are_tried_again(tiles: Path) -> None:
    assert not has(*noted(tiles, status="failed"))


@pytest.mark.parametrize("torn", [b'{"name":"x', b"\xff\x00", b'["a list"]\n', b"7\n", b"\n\n", b""])
def test_a_torn_line_counts_for_nothing(tiles: Path, torn: bytes) -> None:
    its, item = noted(tiles)
    path = tiles / "out" / FOLDER / "journal.jsonl"
    with path.open("ab") as file:
        file.write(torn)
    with Journal(its.folder) as journal:
        assert journal.has(item, its)
        journal.add({"name": "next", "status": "failed"})
    records, is_torn = read_records(str(path))
    assert (sorted(records), is_torn) == (sorted([item.name, "next"]), False)


def test_one_batch_at_a_time(tiles: Path) -> None:
    pytest.importorskip("fcntl")
    with Journal(str(tiles / "out")), pytest.raises(InputError) as caught, Journal(str(tiles / "out")):
        pass
    assert caught.value.code == "batch.busy"


def test_a_journal_that_cannot_be_written(tiles: Path) -> None:
    (tiles / "out").write_bytes(b"a file")
    with pytest.raises(InputError) as caught:
        Journal(str(tiles / "out"))
    assert caught.value.code == "io.write"
    (tiles / "out").unlink()
    with Journal(str(tiles / "out")) as journal:
        journal._file.close()
        journal._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
        with pytest.raises(InputError, match="the disk is full"):
            journal.add({"name": "x"})


# ---- one item


def test_a_worker_of_another_kind(tiles: Path) -> None:
    its, item = job(tiles), items(tiles)[0]
    assert "not 7.0" in work.run_item(item, its, str(tiles), "batch", "7.0")["message"]
    unseen = work.run_item(item, its, str(tiles / "absent"), "batch", gscodec.__version__)
    assert "need the same files" in unseen["message"]
    work.stop("stopped")
    stopped = work.run_item(item, its, str(tiles), "stopped", gscodec.__version__)
    assert (stopped["status"], stopped["exit_code"]) == ("failed", 143)
    assert not (tiles / "out").exists()


def test_a_root_on_another_drive(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def relpath(path: str, start: str) -> str:
        raise ValueError(f"path is on mount 'C:', start on mount 'D:': {path}, {start}")

    monkeypatch.setattr(os.path, "relpath", relpath)
    with pytest.raises(UsageError, match="is not below") as caught:
        items_of([str(tiles / "in/a/0.ply")], str(tiles), ".gsc", str(tiles / "out"), (".ply",))
    assert caught.value.code == "batch.root"


def test_without_dask(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(engine, "import_module", absent)
    with pytest.raises(UsageError, match=r"pip install 'gscodec\[batch\]'") as caught:
        run_batch(items(tiles), job(tiles), workers=1)
    assert caught.value.code == "batch.dask"


# ---- a cluster


def test_a_failure_and_a_restart(tiles: Path, scheduler: str) -> None:
    first = run_batch(items(tiles), job(tiles), scheduler=scheduler)
    assert states(first).pop("b/broken.gsc") == "failed"
    assert [record["exit_code"] for record in first.failed] == [3]
    assert "[ply." in first.failed[0]["message"]
    good = ["a/0.gsc", "a/1.gsc", "b/3.gsc", "b/c/2.gsc"]
    assert outputs(tiles) == good
    by_hand = gscodec.encode(gscodec.read(tiles / "in/a/1.ply"), effort=1)
    assert (tiles / "out/a/1.gsc").read_bytes() == by_hand

    write_ply(tiles / "in/b/broken.ply", read_ply(MADE).splats.take(np.arange(10)))
    (tiles / "out/a/0.gsc").write_bytes(b"half of it")
    second = run_batch(items(tiles), job(tiles), scheduler=scheduler)
    assert states(second) == {"a/0.gsc": "done", "b/broken.gsc": "done"}
    assert sorted(second.skipped) == ["a/1.gsc", "b/3.gsc", "b/c/2.gsc"]
    assert outputs(tiles) == sorted([*good, "b/broken.gsc"])

    third = run_batch(items(tiles), job(tiles), scheduler="tcp://127.0.0.1:1")  # not even asked
    assert (len(third.records), len(third.skipped)) == (0, 5)
    other = run_batch(items(tiles)[:1], job(tiles, "--quality", "tiny", "--effort", "1"), scheduler=scheduler)
    assert states(other) == {"a/0.gsc": "done"}
    forced = run_batch(items(tiles)[1:2], job(tiles), scheduler=scheduler, force=True)
    assert states(forced) == {"a/1.gsc": "done"}


@contextlib.contextmanager
def killer(path: Path, *, worker: bool) -> Iterator[None]:
    """Kills the process that encodes `path`, once, or the worker that started it."""
    psutil = pytest.importorskip("psutil")
    is_over = threading.Event()

    def kill() -> None:
        while not is_over.is_set():
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if str(path) in child.cmdline():
                        (child.parent() if worker else child).kill()
                        return
            time.sleep(0.005)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_killed_item(tiles: Path, scheduler: str) -> None:
    """The others do not notice, and the next run does it."""
    slow = tiles / "in/slow.ply"
    slow.write_bytes(MADE.read_bytes())
    chosen = items(tiles, "in/[a-s]*/?.ply") + items(tiles, "in/slow.ply")
    its = job(tiles, "--effort", "5")
    with killer(slow, worker=False):
        first = run_batch(chosen, its, scheduler=scheduler)
    assert [record["message"] for record in first.failed] == ["gsenc was killed by SIGKILL: out of memory?"]
    assert outputs(tiles) == ["a/0.gsc", "a/1.gsc", "b/3.gsc"]
    second = run_batch(chosen, its, scheduler=scheduler)
    assert states(second) == {"slow.gsc": "done"}
    assert "slow.gsc" in outputs(tiles)


def test_a_killed_worker(tiles: Path, scheduler: str) -> None:
    """Its item goes to another, or to the one that takes its place."""
    slow = tiles / "in/slow.ply"
    slow.write_bytes(MADE.read_bytes())
    with killer(slow, worker=True):
        outcome = run_batch(items(tiles, "in/slow.ply"), job(tiles, "--effort", "3"), scheduler=scheduler)
    assert states(outcome) == {"slow.gsc": "done"}
    assert outputs(tiles) == ["slow.gsc"]


def test_an_interrupt_keeps_what_is_done(tiles: Path, scheduler: str) -> None:
    for number in range(6):
        (tiles / f"in/slow{number}.ply").write_bytes(MADE.read_bytes())

    def interrupt(what: str, _about: Any) -> None:
        if what == "done":
            raise KeyboardInterrupt

    its = job(tiles, "--effort", "3")
    with pytest.raises(KeyboardInterrupt):
        run_batch(items(tiles, "in/slow?.ply"), its, scheduler=scheduler, told=interrupt)
    (done,) = read_records(str(tiles / "out" / FOLDER / "journal.jsonl"))[0]
    assert done in outputs(tiles)
    rest = run_batch(items(tiles, "in/slow?.ply"), its, scheduler=scheduler)
    assert rest.skipped == [done]
    assert len(outputs(tiles)) == 6


def test_no_scheduler(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 1)
    with pytest.raises(InputError) as caught:
        run_batch(items(tiles), job(tiles), scheduler="tcp://127.0.0.1:1")
    assert caught.value.code == "batch.scheduler"
    with pytest.raises(InputError) as caught:
        run_batch(items(tiles), job(tiles), scheduler="nonsense")
    assert caught.value.code == "batch.scheduler"


# ---- the command


def command(*words: str | Path, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "gscodec.cli.gscodec", "batch", *map(str, words)],
        cwd=cwd,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def group(number: int) -> list[str]:
    """What still runs of a process group."""
    psutil = pytest.importorskip("psutil")
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def test_there_and_back(tiles: Path, scheduler: str) -> None:
    words = ("encode", "in/**/*.ply", "-o", "out", "--workers", "2", "--", "--effort", "1")
    code, out, err = ended(command(*words, cwd=tiles))
    assert (code, out) == (3, "")
    assert err.count("\n") == 3, err
    said, summary, failed = err.splitlines()
    assert said.startswith(f"gscodec batch encode: {tiles}/in/b/broken.ply: ")
    assert summary.startswith("4 items done: ")
    assert "1 of 5 items failed" in failed
    assert "[batch.failed]" in failed
    words = ("decode", "out", "-o", "back", "--scheduler", scheduler, "--json", "--", "--sh-degree", "0")
    code, out, err = ended(command(*words, cwd=tiles))
    assert (code, err) == (0, "")
    assert json.loads(out)["done"] == 4
    assert len(read_ply(tiles / "back/b/c/2.ply").splats) == 302


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c(tiles: Path) -> None:
    """A terminal sends it to every process; workers leave the decision to the command."""
    pytest.importorskip("distributed")
    for number in range(8):
        (tiles / f"in/slow{number}.ply").write_bytes(MADE.read_bytes())
    words = ("encode", "in/slow*.ply", "-o", "out", "--workers", "2", "--", "--effort", "5")
    process = command(*words, cwd=tiles)
    journal = tiles / "out" / FOLDER / "journal.jsonl"
    while not (journal.exists() and journal.read_bytes()):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = ended(process)
    assert code == 130
    done = read_records(str(journal))[0]
    assert f"{len(done)} of 8 done; the same command goes on from there" in err
    assert set(done) <= set(outputs(tiles))
    patience = time.monotonic() + 30
    while group(process.pid) and time.monotonic() < patience:
        time.sleep(0.05)
    assert group(process.pid) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encode", "in", "-o", "out", "--", "--effort", "99"], "--effort"),
        (["encode", "in", "-o", "out", "--", "more.ply"], "other than files"),
        (["encode", "in", "-o", "out", "--", "-o", "x"], "other than files"),
        (["encode", "in", "-o", "out", "--", "--json"], "before --"),
        (["encode", "in"], "--output"),
        (["encode", "in/*.spz", "-o", "out"], "[batch.empty]"),
        (["encode", "in", "-o", "out", "--workers", "1", "--scheduler", "tcp://x:1"], "give one"),
        (["encode", "in", "-o", "out", "--", "--cameras", "absent.json"], "absent.json"),
        (["decode", "in", "-o", "out", "--", "--keep-partial"], "--keep-partial"),
    ],
)
def test_usage(words: list[str], said: str, tiles: Path) -> None:
    code, _, err = ended(command(*words, cwd=tiles))
    assert code == (3 if "absent" in said else 2)
    assert said in err
    assert err.count("\n") == 1
    assert not (tiles / "out").exists()


def test_what_is_refused_of_one_item_is_done_of_the_others(tiles: Path) -> None:
    made = gscodec.encode(gscodec.read(tiles / "in/b/3.ply"), effort=1)
    (tiles / "packed").mkdir()
    (tiles / "packed/lossy.gsc").write_bytes(made)
    words = ["gsenc", str(MADE), "-o", str(tiles / "packed/exact.gsc"), "--lossless", "-q"]
    words = [sys.executable, "-m", f"gscodec.cli.{words[0]}", *words[1:]]
    subprocess.run(words, check=True, cwd=tiles)
    # the largest comes first: what it says is no reason to leave out the other
    words = ["decode", "packed", "-o", "out", "--workers", "1", "--", "--sh-degree", "0"]
    code, _, err = ended(command(*words, cwd=tiles))
    assert code == 3
    assert "exact.gsc: a lossless .gsc" in err
    assert outputs(tiles) == ["lossy.ply"]


def test_where_no_output_can_be(tiles: Path) -> None:
    (tiles / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file is not a directory") as caught:
        Journal(str(tiles / "file"))
    assert caught.value.code == "io.write"
    (tiles / "out/0.gsc/x").mkdir(parents=True)
    (tiles / "place").mkdir()
    (item,) = items(tiles, "in/a/0.ply")
    record = work.run_item(item, job(tiles), str(tiles / "place"), "batch", gscodec.__version__)
    assert (record["status"], record["exit_code"]) == ("failed", 3)
    assert record["message"] == f"cannot write {tiles / 'out/0.gsc'}: it is a directory [io.write]"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    teller = Teller("batch", as_json=False, quiet=False, data_on_stdout=False)
    clock = itertools.chain([0.0, 0.0], itertools.repeat(100.0))
    monkeypatch.setattr("gscodec.cli.batch.time.monotonic", lambda: next(clock))
    failed = {"name": "a", "source": "a.ply", "message": "no good", "exit_code": 3}

    def go_on() -> None:
        with _Progress("batch", {"a": 10, "b": 30, "c": 5}, quiet=False) as bar:
            bar.tell(teller, "skipped", ["c"])
            bar.tell(teller, "waiting", None)
            bar.tell(teller, "failed", failed)
            bar.tell(teller, "done", {"name": "b"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_on()
    shown = terminal.getvalue()
    assert "batch: a.ply: no good\n" in shown
    assert "1 of 3 done, 1 failed; about 5 min left" in shown
    assert "no workers yet" in shown
    assert "2 of 3 done; the same command goes on from there\n" in shown
