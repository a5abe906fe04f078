"""What each effort does: how many views are looked at, how closely, and how often colours are corrected."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from gscodec.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Work per encoding. No views at all: importance is guessed from opacity and size.

    views, pixels            cameras that tell what each splat gives to pictures, and the size of these
    refit_views, refit_pixels, refit_steps
                             cameras on which the colours are corrected once everything else is coded, and
                             steps of the solver; no views: each splat makes up for its own errors only
    balance_views            cameras on which steps are balanced between attributes; none: as they are
    rounds                   how often colours are corrected and harmonics chosen anew
    directions               whether errors of harmonics count by the directions they are seen from
    tables                   of frequencies, at most
    """

    views: int = 0
    pixels: int = 0
    refit_views: int = 0
    refit_pixels: int = 0
    refit_steps: int = 0
    balance_views: int = 0
    rounds: int = 1
    directions: bool = True
    tables: int = 64


DEFAULT = 5
EFFORTS = {
    1: Effort(rounds=0),
    2: Effort(views=16, pixels=30_000, rounds=0),
    3: Effort(views=32, pixels=30_000),
    4: Effort(views=48, pixels=40_000, refit_views=16, refit_pixels=60_000, refit_steps=2, balance_views=8),
    5: Effort(views=64, pixels=40_000, refit_views=32, refit_pixels=80_000, refit_steps=3, balance_views=8),
    6: Effort(views=96, pixels=60_000, refit_views=48, refit_pixels=120_000, refit_steps=4, balance_views=12),
    7: Effort(
        views=128, pixels=120_000, refit_views=64, refit_pixels=160_000, refit_steps=5, balance_views=16
    ),
    8: Effort(
        views=192,
        pixels=120_000,
        refit_views=96,
        refit_pixels=160_000,
        refit_steps=6,
        balance_views=24,
        rounds=2,
    ),
    9: Effort(
        views=256,
        pixels=240_000,
        refit_views=128,
        refit_pixels=240_000,
        refit_steps=8,
        balance_views=32,
        rounds=2,
    ),
}


def effort_of(number: int | Effort) -> Effort:
    """The effort 1 to 9, or one of the caller's own. Raises `UsageError`."""
    if isinstance(number, Effort):
        return number
    if isinstance(number, bool) or not isinstance(number, Integral) or int(number) not in EFFORTS:
        raise UsageError("usage.effort", f"effort {number!r}: expected 1 to 9")
    return EFFORTS[int(number)]
