"""What the commands share, where a process would be too slow or too hard to drive."""

from __future__ import annotations

import io
import sys

import click
import pytest

from gscodec import errors
from gscodec.cli.common import Bar, code_and_message, size_in_words, times


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_600, "1.0 MB"),
        (29_100_000, "29.1 MB"),
        (12_345_000_000, "12.3 GB"),
        (5e15, "5000000 GB"),
    ],
)
def test_size_in_words(count: float, text: str) -> None:
    assert size_in_words(count) == text


def test_times() -> None:
    assert [times(r) for r in (0.5, 3.44, 9.96, 24.2)] == ["0.5x", "3.4x", "10x", "24x"]


def test_every_error_has_its_exit_code() -> None:
    expected = {
        errors.UsageError: 2,
        errors.InputError: 3,
        errors.Truncated: 4,
        errors.Malformed: 5,
        errors.Integrity: 6,
        errors.Unsupported: 7,
        errors.LimitError: 8,
        errors.EncodeError: 9,
    }
    for kind, code in expected.items():
        assert code_and_message(kind("x.y", "said so")) == (code, "said so [x.y]")
    assert code_and_message(KeyboardInterrupt())[0] == 130
    assert code_and_message(MemoryError())[0] == 3
    assert code_and_message(PermissionError(13, "Permission denied", "x")) == (3, "x: Permission denied")
    assert code_and_message(click.UsageError("no\nsuch thing."))[1] == "no such thing"
    code, message = code_and_message(ZeroDivisionError("division\nby zero"))
    assert (code, "\n" in message) == (1, False)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Bar([("reading", 0.5), ("coding", 0.5)], quiet=False) as progress:
        progress("reading", 0.5)
        progress("coding", 0.5)
        progress("something new", 0.5)
        progress("coding", 2.0)
    shown = terminal.getvalue()
    assert "reading" in shown
    assert "something new" in shown
    assert "100%" in shown


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_bar_when_quiet_or_in_a_pipe(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    stream = _Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Bar([("reading", 1.0)], quiet=is_terminal) as progress:
        progress("reading", 0.5)
    assert stream.getvalue() == ""
