"""Whole processes measured from outside: wall seconds, processor seconds, peak memory.

The kernel counts the memory of a process that starts another one towards the peak of that other one. So the
command is started by a bare interpreter of some 10 MB (this file, run as a script), never by the benchmark.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one process cost. `peak_mb` is in MB of 10^6 bytes; `output` is its standard output."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str


class CommandError(RuntimeError):
    """A measured command that failed."""

    def __init__(self, reason: str, command: Sequence[str] = ()) -> None:
        self.reason = reason
        names = " ".join(Path(part).name for part in command)
        super().__init__(f"{names}: {reason}" if names else reason)


class TooSlowError(CommandError):
    """A measured command that was stopped because it took too long."""


def run(command: Sequence[str], limit: float | None = None) -> Run:
    """Run `command` and measure it. Raises `CommandError` with its message when it fails, and `TooSlowError`
    after `limit` seconds."""
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *command]
    with subprocess.Popen(
        launcher, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # the session that was started for it: it and its children
            if isinstance(error, subprocess.TimeoutExpired):
                raise TooSlowError(f"did not finish in {limit:g} s") from None
            raise
    head, _, figures = errors.rpartition("\n@ ")
    if process.returncode or not figures:
        message = (head or errors).strip() or f"exit status {process.returncode}"
        raise CommandError(message, command)
    return Run(output=output, **json.loads(figures))


def launch(command: Sequence[str]) -> int:
    """What the bare interpreter does: start, wait, report on the last line of standard error."""
    begin = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - begin
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {
        "wall_s": round(wall, 4),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 4),
        "peak_mb": round(usage.ru_maxrss * unit / 1e6, 1),
    }
    sys.stderr.write(f"\n@ {json.dumps(figures)}")
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
