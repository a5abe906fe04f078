"""`Bar`: how far a command is, on a terminal."""

from __future__ import annotations

import sys
from typing import Any

import click


class Bar:
    """A progress bar with stage and remaining time on a terminal; nothing elsewhere.

    `stages` are (name, share of the whole time), in order. A stage of another name moves the bar through
    the first half of the stage that comes next, so that it is seen to move and the next one too.
    """

    def __init__(self, stages: list[tuple[str, float]], *, quiet: bool) -> None:
        self._stages = stages
        self._width = max(len(name) for name, _ in stages)
        self._is_shown = not quiet and sys.stderr.isatty()
        self._done = 0
        self._at = -1  # the last listed stage that was met

    def __enter__(self) -> Bar:
        self._bar = None
        if self._is_shown:
            label = self._stages[0][0].ljust(self._width)
            self._bar = click.progressbar(length=1000, label=label, file=sys.stderr, width=30)
            self._bar.__enter__()
        return self

    def __exit__(self, *about: Any) -> None:
        if self._bar is not None:
            if about[0] is None:
                self._bar.update(1000 - self._done)
            self._bar.__exit__(*about)

    def __call__(self, stage: str, share: float) -> None:
        """`share` (0 to 1) of `stage` is done."""
        if self._bar is None:
            return
        listed = [name for name, _ in self._stages]
        is_listed = stage in listed
        if is_listed:
            self._at = listed.index(stage)
        at = self._at if is_listed else min(self._at + 1, len(listed) - 1)
        part = self._stages[at][1] if is_listed else self._stages[at][1] / 2
        before = sum(each for _, each in self._stages[:at])
        target = int(1000 * (before + part * min(max(share, 0.0), 1.0)))
        self._bar.label = stage.ljust(self._width)
        if target > self._done:
            self._bar.update(target - self._done)
            self._done = target
        else:
            self._bar.render_progress()
