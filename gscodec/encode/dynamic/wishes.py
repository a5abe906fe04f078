"""`Wishes`: how a sequence is to be encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gscodec.encode.dynamic.gof import DEFAULT as DEFAULT_GOF
from gscodec.encode.effort import DEFAULT, Effort
from gscodec.encode.progress import Progress
from gscodec.errors import UsageError
from gscodec.evaluate.rigs import Kind


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a sequence is encoded: see `gscodec.encode_sequence`."""

    fps: Fraction
    gof: int = DEFAULT_GOF
    splits: bool = True
    tracked: bool | None = None
    static_layer: bool = True
    quality: str | float | None = None
    steps: Mapping[str, object] | None = None
    effort: int | Effort = DEFAULT
    cameras: object = None
    rig: Kind = "auto"
    threads: int = 0
    progress: Progress | None = None
    leading: tuple[tuple[bytes, bytes], ...] = ()
    coordinate_system: int | None = None


def rate_of(fps: object) -> Fraction:
    """Frames a second as a fraction: 29.97 becomes 30000/1001. Raises `UsageError` "usage.sequence"."""
    try:
        value = Fraction(str(fps)) if not isinstance(fps, Fraction) else fps
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    near = Fraction(round(value * 1001), 1001)
    if value.denominator != 1 and abs(near - value) < Fraction(1, 200) and near.numerator % 1000 == 0:
        value = near
    if not Fraction(1, 1000) <= value <= 1_000_000:
        raise UsageError("usage.sequence", f"fps {fps!r}: expected 0.001 to 1000000 frames a second")
    return value.limit_denominator(10_000)
