"""`run_batch`: the items of a batch on a Dask cluster, one of this machine's own or any other."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from gscodec import __version__
from gscodec.batch.journal import Journal, Record
from gscodec.batch.plan import Item, Job
from gscodec.batch.work import run_item, stop
from gscodec.errors import InputError, UsageError
from gscodec.io.output import write_error

CONNECT_SECONDS = 20
STOP_SECONDS = 10
EXTRA = "gscodec batch needs Dask: pip install 'gscodec[batch]'"


@dataclass(slots=True)
class Outcome:
    """What a batch came to: `records` of what was tried now, and the names of what was there already."""

    records: list[Record] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[Record]:
        """The records of items that went wrong."""
        return [record for record in self.records if record["status"] != "done"]


def run_batch(
    items: Sequence[Item],
    job: Job,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    force: bool = False,
    told: Callable[[str, Any], None] = lambda _what, _about: None,
) -> Outcome:
    """Do the items that the journal in the folder of outputs does not have; what came of each.

    scheduler  the address of a Dask scheduler, whose workers see the same files and have the same gscodec
    workers    without one, how many processes to start here; None: one per processor
    force      do everything again
    told       called with "skipped" and the names of such items, "waiting" (the scheduler has no workers yet)
               and None, and with "done" or "failed" and the record of an item as it ends

    An exception, KeyboardInterrupt too, ends what still runs; items that were finished are kept and noted.
    Raises `UsageError` "batch.dask", `InputError` "batch.scheduler", "batch.busy", "io.write".
    """
    outcome = Outcome()
    with Journal(job.folder) as journal:
        todo = []
        for item in items:
            if not force and journal.has(item, job):
                outcome.skipped.append(item.name)
            else:
                todo.append(item)
        told("skipped", outcome.skipped)
        if not todo:
            return outcome
        todo.sort(key=lambda item: -item.size)  # the longest first: else the last one is waited for alone
        # left by a batch whose machine went down: nobody else is at work here while the journal is locked
        for old in os.scandir(journal.place):
            if old.is_dir(follow_symlinks=False):
                shutil.rmtree(old, ignore_errors=True)
        place = os.path.join(journal.place, secrets.token_hex(8))
        try:
            os.mkdir(place)  # with permissions as of any folder: workers may be of another user
        except OSError as error:
            raise write_error(error, place) from error
        try:
            with _client(scheduler, min(workers or processors(), len(todo))) as client:
                for record in _results(client, todo, job, place, told):
                    journal.add(record)
                    outcome.records.append(record)
                    told(record["status"], record)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return outcome


def processors() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@contextlib.contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Any]:
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise UsageError("batch.dask", EXTRA) from error
    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:  # TimeoutError is an OSError
            raise InputError(
                "batch.scheduler", f"cannot reach a Dask scheduler at {scheduler}: {error}"
            ) from error
        with client:
            yield client
        return
    # One thread each, since items are processes of one thread; memory is theirs, which no worker counts.
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            preload="gscodec.batch.work",
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _results(
    client: Any, items: Sequence[Item], job: Job, place: str, told: Callable[[str, Any], None]
) -> Iterator[Record]:
    """Records as items end, in whatever order."""
    distributed = import_module("distributed")
    batch = secrets.token_hex(8)
    if not client.nthreads():
        told("waiting", None)
    futures = {}
    try:
        for item in items:
            future = client.submit(run_item, item, job, place, batch, __version__, pure=False)
            futures[future] = item
        for future in distributed.as_completed(futures, loop=client.loop):
            item = futures[future]
            error = future.exception()
            yield future.result() if error is None else _lost(item, job, error)
            future.release()
    except BaseException:
        _stop(client, list(futures), batch)
        raise


def _lost(item: Item, job: Job, error: BaseException) -> Record:
    """The record of an item that Dask gave up on."""
    why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, ImportError):
        why = f"the worker has no gscodec of this version ({error})"
    return {
        "name": item.name,
        "source": item.source,
        "identity": job.identity,
        "status": "failed",
        "message": f"lost on a worker: {why}"[:500],
        "exit_code": 1,
    }


def _stop(client: Any, futures: list[Any], batch: str) -> None:
    """Start nothing more, and end what runs: cancelling a future only forgets it."""
    with contextlib.suppress(Exception):
        client.cancel(futures, force=True)
    with contextlib.suppress(Exception):
        client.run(stop, batch, on_error="ignore", callback_timeout=STOP_SECONDS)
