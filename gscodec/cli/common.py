"""What the commands share: exit codes (`EXIT_CODES`), errors in one line, inputs and outputs, reports."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TextIO, TypeVar

import click

import gscodec
from gscodec.errors import GscError, InputError, UsageError

EXIT_CODES = """\b
Exit codes
  0  done                          6  a checksum does not match
  1  an internal error             7  not supported by this version
  2  wrong arguments               8  over a limit
  3  cannot read or write          9  the splats cannot be encoded
  4  the .gsc ends early           130  interrupted
  5  the .gsc is malformed         143  terminated
"""
HINTS = {
    "container.truncated": "get the rest of the file",
    "io.format": "",  # the message names the command
    "io.read": "",  # the message has what the operating system says
    "io.write": "",
    "ply.compressed": "",
    "ply.magic": "",  # gsenc knows more
    "ply.missing": "splats need x y z, f_dc_0..2, scale_0, scale_1 and rot_0..3",
    "ply.truncated": "the file was cut off: get the rest of it",
    "encode.nonfinite": "leave them out with --nonfinite drop",
    "output.type": "there is no way around this yet",
    "output.name": "there is no way around this yet",
}
Function = TypeVar("Function", bound=Callable[..., Any])


def version_option(name: str) -> Callable[[Function], Function]:
    """--version, which also says which version of the format is meant."""

    def show(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            from gscodec.container.header import VERSION

            click.echo(f"{name} {gscodec.__version__} (format {VERSION[0]}.{VERSION[1]})")
            context.exit()

    return click.option(
        "--version", is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show the version."
    )


threads_option = click.option(
    "--threads",
    type=click.IntRange(0, 1024),
    default=0,
    metavar="N",
    help="How many to use; 0, the default: one per processor. Never changes the result.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Report as JSON instead of in words.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong.")


# ---- one command from start to exit code


def run(command: click.Command, name: str) -> NoReturn:
    """Run `command` with the process's arguments, say what went wrong in one line, and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _complete(command, name)
        with command.make_context(name, sys.argv[1:]) as context:
            command.invoke(context)
        sys.stdout.flush()
        code = 0
    except click.exceptions.Exit as done:
        code = done.exit_code
    except BaseException as error:
        if os.environ.get("GSCODEC_DEBUG") == "1" and not isinstance(error, SystemExit):
            import traceback

            traceback.print_exc()
        code = _explain(error, name)
    _leave(code)


def _complete(command: click.Command, name: str) -> None:
    """When a shell asks what could come next, answer and exit: see `gscodec completion`."""
    program = name.split(maxsplit=1)[0]
    variable = f"_{program.upper()}_COMPLETE"
    if instruction := os.environ.get(variable):
        from click.shell_completion import shell_complete

        raise SystemExit(shell_complete(command, {}, program, variable, instruction))


def _terminate(*_: object) -> NoReturn:
    raise SystemExit(143)


def _explain(error: BaseException, name: str) -> int:
    """Print one line about `error`; the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if is_broken_pipe(error):
        return InputError.exit_code  # whoever read our output has seen enough: nothing to tell
    code, message = code_and_message(error)
    if isinstance(error, click.UsageError):
        message += f"; see {name} --help"
    with contextlib.suppress(OSError):
        click.echo(f"{name}: {message}", err=True)
    return code


def code_and_message(error: BaseException) -> tuple[int, str]:
    """Exit code, and one line that says what is wrong and what to do about it."""
    if isinstance(error, GscError):
        notes = getattr(error, "__notes__", [])
        return error.exit_code, "; ".join(filter(None, [str(error), hint_for(error), *notes]))
    if isinstance(error, click.ClickException):
        return UsageError.exit_code, " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return 130, "interrupted"
    if isinstance(error, MemoryError):
        why = " ".join(str(error).split()).replace("std::bad_alloc", "")  # a kernel's, which says no more
        return InputError.exit_code, f"not enough memory: {why}".rstrip(": ")
    if isinstance(error, OSError):
        return InputError.exit_code, f"{error.filename or 'input or output'}: {error.strerror or error}"
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return 1, f"internal error: {what}; please report it (GSCODEC_DEBUG=1 shows where it happened)"


def hint_for(error: GscError) -> str:
    """What to do about an error, or "" when there is nothing useful to say."""
    from gscodec._generated import errors

    if error.code in HINTS:
        return HINTS[error.code]
    cures = {row.code: row.cure for row in errors.ROWS if row.error_class != "UsageError"}
    return cures.get(error.code, "")


def is_broken_pipe(error: BaseException) -> bool:
    """Whether the reader of our output is gone."""
    for found in (error, error.__cause__):
        if isinstance(found, OSError) and found.errno == errno.EPIPE:
            return True
    return False


def _leave(code: int) -> NoReturn:
    """Exit without a complaint about a stdout that nobody reads, and without waiting for idle threads."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


# ---- inputs and outputs; "-" is stdin or stdout


class CountingInput:
    """A binary file that knows how many bytes were read from it, and the first few."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0
        self.start = b""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        data = self._file.read(size)
        self._note(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of `buffer`; how many bytes."""
        got = int(self._file.readinto(buffer))  # type: ignore[attr-defined]
        self._note(buffer[:got])
        return got

    def _note(self, data: bytes | memoryview) -> None:
        self.count += len(data)
        if len(self.start) < 16:
            self.start += bytes(data[:16])


class HashingOutput:
    """A binary file that counts what is written and, if asked, takes its SHA-256."""

    def __init__(self, file: BinaryIO, *, hashed: bool) -> None:
        self._file = file
        self._sha256 = hashlib.sha256() if hashed else None
        self.count = 0

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`."""
        view = memoryview(data).cast("B")
        left = view
        while left:
            try:
                left = left[self._file.write(left) or 0 :]
            except OSError as error:  # of stdout: `atomic_output` has an error of its own
                raise _stdout_error(error) from error
        if self._sha256 is not None:
            self._sha256.update(view)
        self.count += len(view)
        return len(view)

    @property
    def sha256(self) -> str | None:
        """Of everything written so far, in hexadecimal."""
        return self._sha256.hexdigest() if self._sha256 is not None else None


def _stdout_error(error: OSError) -> InputError:
    return InputError("io.write", f"cannot write to stdout: {error.strerror or error}")


def check_paths(source: str, target: str, what: str) -> None:
    """Refuse what can only be a mistake: binary data on a terminal, an output that is the input."""
    if not target:
        raise click.UsageError("the name of the output is empty: give a file, or - for stdout")
    if source == "-" and sys.stdin.isatty():
        raise click.UsageError(f"stdin is a terminal: give a file, or send {what} through a pipe")
    if target == "-" and sys.stdout.isatty():
        raise click.UsageError("stdout is a terminal: name a file with -o, or send it through a pipe")
    if "-" not in (source, target):
        with contextlib.suppress(OSError):
            if os.path.samefile(source, target) and Path(source).is_file():
                raise click.UsageError(f"{target} is also the input, which would be lost")


@contextlib.contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """The file, or stdin for "-". Raises `InputError`, also when the file changes within the block."""
    from gscodec.io.reading import opened, unchanged

    if path == "-":
        with unchanged(sys.stdin.buffer, "the input"):  # which may be a file
            yield sys.stdin.buffer
        return
    with opened(path) as file:
        yield file


@contextlib.contextmanager
def open_output(path: str, *, hashed: bool) -> Iterator[HashingOutput]:
    """A file that appears whole or not at all, or stdout for "-". Raises `InputError`."""
    from gscodec.io import atomic_output

    if path == "-":
        yield HashingOutput(sys.stdout.buffer, hashed=hashed)
        try:
            sys.stdout.buffer.flush()
        except OSError as error:
            raise _stdout_error(error) from error
        return
    with atomic_output(path) as file:
        yield HashingOutput(file, hashed=hashed)


# ---- what is said


def size_in_words(count: float) -> str:
    """Bytes for people: 29.1 MB (a million bytes)."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 999.5 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def counted(count: int, what: str) -> str:
    """1 splat, 1,234 splats."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def times(ratio: float) -> str:
    """24x, 3.4x."""
    return f"{ratio:.0f}x" if ratio >= 9.95 else f"{ratio:.1f}x"


class Teller:
    """Says how it goes: warnings, then a last line or a JSON report, on stdout unless data goes there."""

    def __init__(self, name: str, *, as_json: bool, quiet: bool, data_on_stdout: bool) -> None:
        self.name, self.as_json, self.quiet = name, as_json, quiet
        self.warnings: list[str] = []
        self._file: TextIO = sys.stderr if data_on_stdout else sys.stdout

    def warn(self, message: str) -> None:
        """Something that the person should know; the work goes on."""
        self.warnings.append(message)
        if not self.quiet and not self.as_json:
            click.echo(f"{self.name}: warning: {message}", err=True)

    def report(self, facts: dict[str, object], line: str) -> None:
        """The result: `facts` for machines or `line` for people."""
        if self.as_json:
            everything = {
                "command": self.name,
                "version": gscodec.__version__,
                **facts,
                "warnings": self.warnings,
            }
            click.echo(json.dumps(everything, indent=2), file=self._file)
        elif not self.quiet:
            click.echo(line, err=True)

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """With --json, an error is reported as JSON too, besides its line on stderr."""
        try:
            yield
        except (GscError, OSError, MemoryError) as error:
            if self.as_json and not is_broken_pipe(error):
                code, message = code_and_message(error)
                what: dict[str, object] = {"exit_code": code, "message": message}
                if isinstance(error, GscError):
                    what |= {
                        "code": error.code,
                        "clause": error.clause or None,
                        "section": error.section or None,
                        "offset": error.offset,
                    }
                self.report({"error": what}, "")
            raise
