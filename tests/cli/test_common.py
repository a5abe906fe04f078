"""What the commands share, where a process would be too slow or too hard to drive."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import click
import numpy as np
import pytest
from commands import MADE

from gscodec import errors
from gscodec.cli.bar import Bar
from gscodec.cli.common import EXIT_CODES, code_and_message, counted, size_in_words, times
from gscodec.cli.gsenc import SEARCH_STAGES, STAGES
from gscodec.encode.effort import EFFORTS
from gscodec.encode.whole import encode_splats
from gscodec.io import read_ply

EFFORT = replace(EFFORTS[5], views=4, pixels=2000, refit_views=2, refit_pixels=2000)


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


def test_counted() -> None:
    assert [counted(n, "splat") for n in (0, 1, 1234)] == ["0 splats", "1 splat", "1,234 splats"]


def test_help_lists_every_exit_code() -> None:
    assert {"0", "1", *map(str, range(2, 10)), "130", "143"} <= set(EXIT_CODES.split())


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
    for error in (MemoryError(), MemoryError("std::bad_alloc")):
        assert code_and_message(error) == (3, "not enough memory")
    assert code_and_message(MemoryError("too\nmany")) == (3, "not enough memory: too many")
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


def test_an_unlisted_stage_moves_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    with Bar([("reading", 0.2), ("coding", 0.8)], quiet=False) as progress:
        at = []
        for stage, share in [("reading", 1.0), ("new", 0.5), ("new", 1.0), ("coding", 0.75), ("last", 1.0)]:
            progress(stage, share)
            at.append(progress._done)
    assert at == [200, 400, 600, 800, 800]  # nothing comes after the last listed one


def test_every_stage_of_the_encoder_is_listed() -> None:
    sent: list[str] = []
    splats = read_ply(MADE).splats.take(np.arange(500))
    encode_splats(splats, effort=EFFORT, progress=lambda stage, _: sent.append(stage))
    listed = [name for name, _ in STAGES]
    told = list(dict.fromkeys(sent))
    assert told == [name for name in listed if name in told]  # all are listed, and in their order
    assert set(listed) - set(told) <= {"reading", "writing", "balancing"}
    assert sum(share for _, share in STAGES) == pytest.approx(1)


def test_a_search_is_one_stage() -> None:
    sent: list[tuple[str, float]] = []
    splats = read_ply(MADE).splats.take(np.arange(500))
    encode_splats(splats, effort=EFFORT, target_size="6B/splat", progress=lambda *step: sent.append(step))
    listed = [name for name, _ in SEARCH_STAGES]
    assert list(dict.fromkeys(stage for stage, _ in sent)) == listed[1:-1]
    shares = [share for stage, share in sent if stage == "searching"]
    assert shares == sorted(shares)
    assert sum(share for _, share in SEARCH_STAGES) == pytest.approx(1)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_bar_when_quiet_or_in_a_pipe(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    stream = _Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Bar([("reading", 1.0)], quiet=is_terminal) as progress:
        progress("reading", 0.5)
    assert stream.getvalue() == ""
