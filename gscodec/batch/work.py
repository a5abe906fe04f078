"""`run_item`: one item on one worker. What is here runs where Dask puts it; it knows nothing of Dask."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import gscodec
from gscodec.batch.plan import Item, Job, file_state, hash_of
from gscodec.errors import GscError
from gscodec.io.output import write_error

# of this worker process: what runs, and which batches were stopped
_running: dict[subprocess.Popen[str], str] = {}
_stopped: set[str] = set()
_lock = threading.Lock()


def run_item(item: Item, job: Job, place: str, batch: str, version: str) -> dict[str, Any]:
    """Do an item; the record for the journal. Never raises for what is wrong with the item.

    The output is written below `place`, and then moved to where it belongs: whatever kills the worker leaves
    nothing that looks like an output. `version` is that of whoever asks; another one would mix outputs.
    """
    start = time.monotonic()
    record: dict[str, Any] = {
        "name": item.name,
        "source": item.source,
        "identity": job.identity,
        "host": socket.gethostname(),
    }
    try:
        if gscodec.__version__ != version:
            raise _FailedError(f"the worker has gscodec {gscodec.__version__}, not {version}", 1)
        if not os.path.isdir(place):
            raise _FailedError(f"the worker does not see {place}: workers and client need the same files", 3)
        record |= {"status": "done", **_done(item, job, place, batch)}
    except _FailedError as error:
        record |= {"status": "failed", "message": str(error), "exit_code": error.code}
    except (GscError, OSError) as error:
        record |= {"status": "failed", "message": str(error), "exit_code": 3}
    return {**record, "seconds": round(time.monotonic() - start, 3)}


def stop(batch: str) -> int:
    """End what this worker process does for a batch, and start nothing more for it; how many were running."""
    with _lock:
        _stopped.add(batch)
        ours = [process for process, its in _running.items() if its == batch]
    for process in ours:
        process.terminate()  # gsenc and gsdec tidy up and exit with 143
    return len(ours)


def dask_setup(_worker: object) -> None:
    """Dask calls this in workers that `engine` starts on this machine.

    A terminal sends Ctrl-C to every process. Whoever started the batch decides what it means: see `stop`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # items inherit it


class _FailedError(Exception):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def _done(item: Item, job: Job, place: str, batch: str) -> dict[str, Any]:
    target = os.path.join(job.folder, item.name)
    before = file_state(item.source)
    folder = tempfile.mkdtemp(dir=place)
    try:
        output = os.path.join(folder, "out" + job.suffix)
        report = _run(job, item.source, output, batch)
        noted = {"size": before[0], "mtime_ns": before[1], "sha256": hash_of(item.source)}
        if file_state(item.source) != before:
            raise _FailedError(f"{item.source} was changed while it was read [io.changed]", 3)
        sha256 = hash_of(output)
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(output, target)
        except OSError as error:
            raise write_error(error, target) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    size, changed = file_state(target)
    kept = {
        name: report[name] for name in ("splats", "bytes_in", "bytes_out", "warnings") if report.get(name)
    }
    return {"input": noted, "output": {"size": size, "mtime_ns": changed, "sha256": sha256}, **kept}


def _run(job: Job, source: str, output: str, batch: str) -> dict[str, Any]:
    """Run the command; its report."""
    words = [
        sys.executable,
        "-P",
        "-m",
        f"gscodec.cli.{job.command}",
        source,
        "-o",
        output,
        "--json",
        *job.options,
    ]
    # the same package as this process has, wherever that came from
    package = str(Path(gscodec.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    with _lock:
        if batch in _stopped:
            raise _FailedError("stopped", 143)
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        _running[process] = batch
    try:
        out, said = process.communicate()
    except BaseException:
        process.kill()
        raise
    finally:
        with _lock:
            del _running[process]
    code = process.returncode
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        why = ": out of memory?" if name == "SIGKILL" else ""
        raise _FailedError(f"{job.command} was killed by {name}{why}", 1)
    if code:
        lines = [line for line in said.splitlines() if line.strip()]
        message = lines[-1].removeprefix(f"{job.command}: ") if lines else f"exit code {code}"
        raise _FailedError("stopped" if code in (130, 143) else message, code)
    report: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        report = json.loads(out)
    return report
