"""How an encoding tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]  # a stage, and the share of it that is done


def silent(_stage: str, _share: float) -> None:
    """Tells nobody."""


def within(tell: Progress, stage: str) -> Callable[[float], None]:
    """What tells the share of one stage."""
    return lambda share: tell(stage, share)
