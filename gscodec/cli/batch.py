"""`gscodec batch encode` and `gscodec batch decode`: many files, on this machine or on a Dask cluster."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from gscodec.cli import gsdec, gsenc
from gscodec.cli.common import EXIT_CODES, Teller, counted, json_option, quiet_option, size_in_words

if TYPE_CHECKING:
    from gscodec.batch.engine import Outcome

SETTINGS = {"help_option_names": ["-h", "--help"]}
OWN = ("source", "target", "threads", "as_json", "quiet")  # what no two outputs can differ by
ABOUT = """\b
Names of outputs are those of the inputs below the part of a pattern before its
first wildcard, below a folder that is given, or below --root.

\b
The same command again goes on where it was stopped: what is in DIR whole, and
was made of the same input by the same version with the same options, is left as
it is; what failed is tried again. DIR/.gscodec-batch/journal.jsonl has a line of
JSON for each attempt.

\b
Each item is a process of one thread (-- --threads N has more). With --scheduler,
workers need the same version of gscodec, and have to see the same files under
the same names: a shared file system.

"""


class _Passing(click.Command):
    """A command that leaves what follows -- to another one."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        context.meta["passed on"] = args[at + 1 :]
        return super().parse_args(context, args[:at])


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What both have."""
    decorators: list[Callable[..., Any]] = [
        click.argument("patterns", metavar="IN... [-- OPTIONS]", nargs=-1, required=True),
        click.option(
            "-o",
            "--output",
            "folder",
            metavar="DIR",
            required=True,
            help="Where outputs go; made if need be.",
        ),
        click.option("--root", metavar="DIR", help="What the names of outputs are relative to."),
        click.option(
            "--scheduler", metavar="ADDRESS", help="A Dask scheduler that runs already: tcp://host:8786."
        ),
        click.option(
            "--workers",
            type=click.IntRange(1, 1024),
            metavar="N",
            help="How many processes to start here.  [default: one per processor]",
        ),
        click.option("--force", is_flag=True, help="Do everything again."),
        json_option,
        quiet_option,
        click.pass_context,
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


@click.group("batch", context_settings=SETTINGS, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Encode or decode many files, on this machine or on a Dask cluster."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command(
    "encode",
    cls=_Passing,
    context_settings=SETTINGS,
    epilog="""\b
Examples
  gscodec batch encode 'scans/**/*.ply' -o packed
  gscodec batch encode tiles -o packed --workers 4 -- --quality small --effort 3
  gscodec batch encode tiles -o packed --scheduler tcp://head:8786

"""
    + ABOUT
    + EXIT_CODES,
)
@_options
def encode(context: click.Context, **given: Any) -> None:
    """Encode the files IN (quoted patterns, folders, names) as gsenc does with OPTIONS."""
    from gscodec.io.formats import FOLDER_FILES, FORMATS

    words, values = _passed_on(gsenc.command, context.meta["passed on"])
    if values["camera_path"]:
        words += ["--cameras", os.path.abspath(values["camera_path"])]
        values["camera_path"] = _cameras(values["camera_path"])
    ends = tuple(end for each in FORMATS.values() for end in each.suffixes if end not in FOLDER_FILES)
    _batch("gscodec batch encode", "gsenc", words, values, ".gsc", ends, **given)


@command.command(
    "decode",
    cls=_Passing,
    context_settings=SETTINGS,
    epilog="""\b
Examples
  gscodec batch decode 'packed/**/*.gsc' -o scenes
  gscodec batch decode packed -o scenes -- --to spz --sh-degree 1

"""
    + ABOUT
    + EXIT_CODES,
)
@_options
def decode(context: click.Context, **given: Any) -> None:
    """Decode the .gsc files IN (quoted patterns, folders, names) as gsdec does with OPTIONS."""
    from gscodec.io.formats import FORMATS

    words, values = _passed_on(gsdec.command, context.meta["passed on"])
    if values["keep_partial"]:
        raise click.UsageError("--keep-partial is for single files: see gsdec --help")
    suffix = FORMATS[values["to_name"] or "ply"].suffixes[0]
    _batch("gscodec batch decode", "gsdec", words, values, suffix, (".gsc",), **given)


def _passed_on(command: click.Command, words: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The options for each item, and their values. Raises `click.UsageError` before any work is done."""
    name = str(command.name)
    context = command.make_context(name, ["\0in", "-o", "\0out", *words])
    values = dict(context.params)
    if values["source"] not in ("\0in", ("\0in",)) or values["target"] != "\0out":
        raise click.UsageError(f"after -- go options of {name} other than files")
    if values["as_json"] or values["quiet"]:
        raise click.UsageError("--json and --quiet are for gscodec batch: give them before --")
    return ["--threads", "1", *words], {name: each for name, each in values.items() if name not in OWN}


def _cameras(path: str) -> str:
    """A hash of what a camera file says, wherever it lies. Raises `InputError`."""
    from dataclasses import astuple

    from gscodec.api import read_cameras

    digest = hashlib.sha256()
    for camera in read_cameras(path):
        for value in astuple(camera):
            digest.update(repr(value.tolist() if hasattr(value, "tolist") else value).encode() + b"\n")
    return digest.hexdigest()


def _batch(
    name: str,
    program: str,
    words: list[str],
    values: dict[str, Any],
    suffix: str,
    ends: tuple[str, ...],
    *,
    patterns: tuple[str, ...],
    folder: str,
    root: str | None,
    scheduler: str | None,
    workers: int | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers are started here, those of --scheduler are there: give one")
    teller = Teller(name, as_json=as_json, quiet=quiet, data_on_stdout=False)
    with teller.failures():
        from gscodec.batch.engine import run_batch
        from gscodec.batch.plan import Job, identity_of, items_of

        start = time.perf_counter()
        folder = os.path.abspath(folder)
        job = Job(
            command=program,
            options=tuple(words),
            suffix=suffix,
            identity=identity_of(program, values),
            folder=folder,
        )
        items = items_of(patterns, root, suffix, folder, ends)
        with _Progress(name, {item.name: item.size for item in items}, quiet=quiet) as progress:
            outcome = run_batch(
                items,
                job,
                scheduler=scheduler,
                workers=workers,
                force=force,
                told=partial(progress.tell, teller),
            )
    seconds = time.perf_counter() - start
    _report(teller, outcome, seconds, scheduler, folder)
    if outcome.failed:
        from gscodec.errors import InputError

        raise InputError("batch.failed", f"{len(outcome.failed)} of {counted(len(items), 'item')} failed")


def _report(teller: Teller, outcome: Outcome, seconds: float, scheduler: str | None, folder: str) -> None:
    done = [record for record in outcome.records if record["status"] == "done"]
    sizes = [sum(record[end]["size"] for record in done) for end in ("input", "output")]
    facts: dict[str, object] = {
        "output": folder,
        "scheduler": scheduler,
        "done": len(done),
        "failed": len(outcome.failed),
        "skipped": len(outcome.skipped),
        "bytes_in": sizes[0],
        "bytes_out": sizes[1],
        "seconds": round(seconds, 4),
        "items": outcome.records,
        "skipped_items": outcome.skipped,
    }
    line = f"{counted(len(done), 'item')} done" if outcome.records else "nothing to do"
    if done:
        line += f": {size_in_words(sizes[0])} -> {size_in_words(sizes[1])} in {seconds:.1f} s"
    if outcome.skipped:
        line += f"; {len(outcome.skipped)} done before"
    teller.report(facts, line)


class _Progress:
    """A line on a terminal: how many are done, and how long the rest may take. Failures everywhere."""

    def __init__(self, name: str, sizes: dict[str, int], *, quiet: bool) -> None:
        self._name, self._sizes = name, sizes
        self._is_shown = not quiet and sys.stderr.isatty()
        self._done = self._failed = self._skipped = 0
        self._bytes = self._left = 0
        self._start = time.monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._show("")
        if kind is not None and not issubclass(kind, Exception):  # Ctrl-C, or a signal
            kept = self._done + self._skipped
            click.echo(
                f"{self._name}: {kept} of {len(self._sizes)} done; the same command goes on from there",
                err=True,
            )

    def tell(self, teller: Teller, what: str, about: Any) -> None:
        """What `run_batch` has to say."""
        if what == "skipped":
            self._skipped = len(about)
            self._start = time.monotonic()
            self._left = sum(self._sizes.values()) - sum(self._sizes[name] for name in about)
        elif what == "waiting":
            teller.warn("the scheduler has no workers yet: waiting for some")
        elif what == "failed":
            self._failed += 1
            self._show("")
            click.echo(f"{self._name}: {about['source']}: {about['message']}", err=True)
        else:
            self._done += 1
        if what in ("done", "failed"):
            self._bytes += self._sizes[about["name"]]
        self._show(self._line())

    def _line(self) -> str:
        ended = self._done + self._failed
        words = f"{self._done + self._skipped} of {len(self._sizes)} done"
        if self._failed:
            words += f", {self._failed} failed"
        if ended and self._bytes:
            # by bytes: the largest come first
            seconds = time.monotonic() - self._start
            rest = max(0, self._left - self._bytes) / self._bytes * seconds
            words += f"; about {rest / 60:.0f} min left" if rest > 90 else f"; about {rest:.0f} s left"
        return words

    def _show(self, line: str) -> None:
        if self._is_shown:
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)
