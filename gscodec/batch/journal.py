"""`Journal`: what was done, a line of JSON for each attempt, so that a batch goes on where it was stopped.

It is only ever added to, by one batch at a time, a whole line in one write. A line that is not whole (the
machine went down while it was written) counts for nothing: then its item is done again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from gscodec.batch.plan import Item, Job, file_state, hash_of
from gscodec.errors import InputError
from gscodec.io.output import write_error

FOLDER = ".gscodec-batch"  # within the folder of outputs; wildcards pass over it
Record = dict[str, Any]


class Journal:
    """The journal of a folder of outputs, which is made if it is not there; locked until it is closed.

    Raises `InputError` "batch.busy", "io.write", "io.read".
    """

    def __init__(self, folder: str) -> None:
        self.place = os.path.join(folder, FOLDER)
        self.path = os.path.join(self.place, "journal.jsonl")
        try:
            os.makedirs(self.place, exist_ok=True)
        except OSError as error:
            raise write_error(error, self.place) from error
        try:
            self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise write_error(error, self.path) from error
        try:
            self._lock()
            self.records, self._is_torn = read_records(self.path)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, record: Record) -> None:
        """Note what became of an item. Raises `InputError` "io.write"."""
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        if self._is_torn:  # so that only the torn line is lost
            line = b"\n" + line
        try:
            if self._file.write(line) != len(line):
                self._is_torn = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise write_error(error, self.path) from error
        self._is_torn = False
        self.records[record["name"]] = record

    def has(self, item: Item, job: Job) -> bool:
        """Whether the output of an item is there, whole, and what it would be if it were made again."""
        record = self.records.get(item.name)
        if record is None or record.get("status") != "done" or record.get("identity") != job.identity:
            return False
        same_name = record.get("source") == item.source  # else times say nothing
        output = os.path.join(job.folder, item.name)
        try:
            return _is_same(output, record["output"]) and _is_same(item.source, record["input"], same_name)
        except (OSError, InputError, LookupError, TypeError):
            return False

    def _lock(self) -> None:
        with contextlib.suppress(ImportError):
            import fcntl  # not on every system

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    "batch.busy", f"another batch writes to {Path(self.place).parent}"
                ) from error
            except OSError:  # a file system without locks
                return


def read_records(path: str) -> tuple[dict[str, Record], bool]:
    """The last record of each item, and whether the last line is torn. Raises `InputError` "io.read"."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise InputError("io.read", f"cannot read {path}: {error.strerror or error}") from error
    records: dict[str, Record] = {}
    for line in data.splitlines():
        with contextlib.suppress(ValueError):  # torn
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("name"), str):
                records[record["name"]] = record
    return records, bool(data) and not data.endswith(b"\n")


def _is_same(path: str, noted: Record, by_time: bool = True) -> bool:
    """By size and time; where only the time differs (it was copied, or written again), by the hash."""
    size, time = file_state(path)
    if size != noted["size"]:
        return False
    if by_time and time == noted["mtime_ns"]:
        return True
    return bool(noted["sha256"] is not None and hash_of(path) == noted["sha256"])
