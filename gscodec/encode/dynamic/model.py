"""`Motion`: splats of a segment and how they move, in floats: what is to be coded, and can be looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.fitting import Float, Frames, aligned, conjugate, curve_at, hamilton
from gscodec.encode.dynamic.sequence import HIDDEN
from gscodec.splats import Splats

STILL, POLYNOMIAL, KEYFRAMES = range(3)
SEEN = 1 / 255  # alpha under which no renderer draws anything
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Values of n splats at every frame of the segment, for those of `rows` (n,) of a `Motion`.

    positions (F, n, 3), rotations (F, n, 4), opacities (F, n) logits; scales (F, n, 3), colours (F, n, 3) and
    harmonics (F, n, K, 3) float32, or None where they never change; alive (F, n) bool
    """

    rows: Rows
    positions: Frames
    rotations: Frames
    opacities: Frames
    alive: NDArray[np.bool_]
    scales: Frames | None = None
    colours: Frames | None = None
    harmonics: Frames | None = None

    def take(self, chosen: NDArray[np.intp]) -> Keys:
        """Of the splats at `chosen`, places among `rows`."""

        def of(array: Frames | None) -> Frames | None:
            return None if array is None else array[:, chosen]

        return Keys(
            self.rows[chosen],
            self.positions[:, chosen],
            self.rotations[:, chosen],
            self.opacities[:, chosen],
            self.alive[:, chosen],
            of(self.scales),
            of(self.colours),
            of(self.harmonics),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """N splats over the F frames of a segment.

    base         the splats: polynomial ones at `reference`, or where they fade at the centre of that;
                 those of keyframes at their first frame
    kind         (N,) uint8 STILL, POLYNOMIAL or KEYFRAMES
    span         (N, 2) the first frame in which a splat is shown, and the one after its last
    times        (F,) of frames in durations of the segment, 0 to less than 1
    reference    a time, in durations
    translation  (N, 3, 3) float64, scene units by the first to third power of the time since `reference`,
                 or since `centre`
    rotation     (N, 4) float64 u of the linear rotation
    centre, width  (N,) float64, in durations, of the fade of those that `fades`
    keys         of those that have keyframes
    """

    base: Splats
    kind: NDArray[np.uint8]
    span: NDArray[np.int32]
    times: Float
    reference: float
    translation: Float
    rotation: Float
    centre: Float
    width: Float
    fades: NDArray[np.bool_]
    keys: Keys | None = None

    def __len__(self) -> int:
        return len(self.base)

    @property
    def frames(self) -> int:
        """F"""
        return len(self.times)

    def at(self, frame: int, splats: Splats | None = None, rows: Rows | None = None) -> Splats:
        """The splats at a frame, all of them: those that are not shown have an opacity that nobody sees.

        splats, rows  move these in place of `base`: decoded ones, (n,) numbers of which are `rows`
        """
        rows = np.arange(len(self)) if rows is None else rows
        here = self.base.take(rows) if splats is None else splats
        after = self.times[frame] - np.where(self.fades[rows], self.centre[rows], self.reference)
        powers = np.concatenate([np.zeros((len(rows), 1, 3)), self.translation[rows]], 1)
        positions = here.positions + curve_at(powers, after)
        turning = np.flatnonzero(self.rotation[rows].any(1))
        rotations = here.rotations.astype(np.float64)
        p = self.rotation[rows[turning]] * after[turning, None] + np.array([1.0, 0, 0, 0])
        rotations[turning] = hamilton(p / np.linalg.norm(p, axis=1, keepdims=True), rotations[turning])
        alpha = alpha_of(here.opacities)
        weight = np.exp(-np.square((self.times[frame] - self.centre[rows]) / self.width[rows]))
        alpha = np.where(self.fades[rows], alpha * weight, alpha)
        opacities = np.where(self.fades[rows], logit_of(alpha), here.opacities)
        shown = (self.span[rows, 0] <= frame) & (frame < self.span[rows, 1])
        if self.keys is not None:
            place = np.full(len(self), -1, np.intp)
            place[self.keys.rows] = np.arange(len(self.keys.rows))
            of = np.flatnonzero(place[rows] >= 0)
            key = place[rows[of]]
            base = self.base.take(rows[of])
            positions[of] = here.positions[of] + (self.keys.positions[frame, key] - base.positions)
            turn = hamilton(
                self.keys.rotations[frame, key].astype(np.float64),
                conjugate(base.rotations.astype(np.float64)),
            )
            rotations[of] = hamilton(turn, here.rotations[of].astype(np.float64))
            opacities[of] = self.keys.opacities[frame, key]
            shown[of] &= self.keys.alive[frame, key]
        return replace(
            here,
            positions=positions.astype(np.float32),
            rotations=rotations.astype(np.float32),
            opacities=np.where(shown, opacities, HIDDEN).astype(np.float32),
        )


def alpha_of(opacities: NDArray[np.floating]) -> Float:
    """Opacities 0 to 1 from logits."""
    return np.asarray(1 / (1 + np.exp(-np.clip(opacities.astype(np.float64), -30, 30))))


def logit_of(alpha: Float) -> Float:
    """Logits of opacities 0 to 1."""
    inside = np.clip(alpha, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def moving_nothing(splats: Splats, span: NDArray[np.int32], times: Float) -> Motion:
    """Splats that stay as they are, each shown for its span."""
    count = len(splats)
    return Motion(
        base=splats,
        kind=np.zeros(count, np.uint8),
        span=span,
        times=times,
        reference=0.5,
        translation=np.zeros((count, 3, 3)),
        rotation=np.zeros((count, 4)),
        centre=np.zeros(count),
        width=np.ones(count),
        fades=np.zeros(count, bool),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Splats that are the same in all of F frames: (F, N, ...) float32 each, rotations `aligned`."""

    positions: Frames
    rotations: Frames
    opacities: Frames
    scales: Frames
    colours: Frames
    harmonics: Frames

    @classmethod
    def of(cls, frames: list[Splats]) -> Track:
        """Of frames of the same length and degree."""
        return cls(
            np.stack([each.positions for each in frames]),
            aligned(np.stack([each.rotations for each in frames])),
            np.stack([each.opacities for each in frames]),
            np.stack([each.scales for each in frames]),
            np.stack([each.sh_dc for each in frames]),
            np.stack([each.sh_rest for each in frames]),
        )

    def cut(self, first: int, last: int) -> Track:
        """Frames `first` to before `last`: views."""
        part = slice(first, last)
        return Track(
            self.positions[part],
            self.rotations[part],
            self.opacities[part],
            self.scales[part],
            self.colours[part],
            self.harmonics[part],
        )

    def take(self, rows: Rows) -> Track:
        """Some splats."""
        return Track(
            self.positions[:, rows],
            self.rotations[:, rows],
            self.opacities[:, rows],
            self.scales[:, rows],
            self.colours[:, rows],
            self.harmonics[:, rows],
        )
