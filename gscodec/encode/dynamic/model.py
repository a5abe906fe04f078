"""`Motion`: splats of a segment and how they move, in floats: what is to be coded, and can be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.factors import Factor
from gscodec.encode.dynamic.sequence import HIDDEN
from gscodec.encode.dynamic.turns import Float, Frames, aligned, conjugate, hamilton, turned
from gscodec.splats import Splats

STILL, FUNCTIONS, KEYFRAMES = range(3)
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


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """N splats over the F frames of a segment.

    base         the splats: constants that functions add to; those of keyframes are at their first frame
    kind         (N,) uint8 STILL, FUNCTIONS or KEYFRAMES
    span         (N, 2) the first frame in which a splat is shown, and the one after its last: of splats that
                 are STILL
    times        (F,) of frames in durations of the segment, 0 to less than 1
    functions    by attribute: numbers (n,) of the splats that follow, and what they follow
    alive        (F, N) bool: when splats that follow functions are shown; None: always
    keys         of those that have keyframes
    track        what was given, for residuals; `left` by attribute (N,) how much of it is not followed, and
                 `missed` how much of that residuals have to make up for
    """

    base: Splats
    kind: NDArray[np.uint8]
    span: NDArray[np.int32]
    times: Float
    functions: Mapping[str, tuple[Rows, Factor]] = field(default_factory=dict)
    alive: NDArray[np.bool_] | None = None
    keys: Keys | None = None
    track: Track | None = None
    left: Mapping[str, Float] = field(default_factory=dict)
    missed: Mapping[str, Float] = field(default_factory=dict)

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
        now = {
            "position": here.positions.astype(np.float64),
            "scale": here.scales.astype(np.float64),
            "opacity": octaves_of(here.opacities)[:, None],
            "colour": here.sh_dc.astype(np.float64),
            "harmonics": here.sh_rest.reshape(len(rows), -1).astype(np.float64),
        }
        rotations = here.rotations.astype(np.float64)
        for name, (of, factor) in self.functions.items():
            place = np.full(len(self), -1, np.intp)
            place[of] = np.arange(len(of))
            mine = np.flatnonzero(place[rows] >= 0)
            change = factor.change(frame, place[rows[mine]])
            if name == "scale" and splats is not None:  # decoded axes descend
                axes = np.argsort(-self.base.scales[rows[mine]].astype(np.float64), axis=1, kind="stable")
                change = np.take_along_axis(change, axes, 1)
            if name == "rotation":
                rotations[mine] = turned(change, rotations[mine])
            else:
                now[name][mine] += change
        shown = (self.span[rows, 0] <= frame) & (frame < self.span[rows, 1])
        if self.alive is not None:
            shown &= self.alive[frame, rows] | (self.kind[rows] != FUNCTIONS)
        opacities, positions = here.opacities.astype(np.float64), now["position"]
        if "opacity" in self.functions:
            opacities = logit_of_octaves(now["opacity"][:, 0])
        if self.keys is not None:
            place = np.full(len(self), -1, np.intp)
            place[self.keys.rows] = np.arange(len(self.keys.rows))
            mine = np.flatnonzero(place[rows] >= 0)
            key = place[rows[mine]]
            base = self.base.take(rows[mine])
            positions[mine] += self.keys.positions[frame, key] - base.positions
            turn = hamilton(
                self.keys.rotations[frame, key].astype(np.float64),
                conjugate(base.rotations.astype(np.float64)),
            )
            rotations[mine] = hamilton(turn, here.rotations[mine].astype(np.float64))
            opacities[mine] = self.keys.opacities[frame, key]
            shown[mine] &= self.keys.alive[frame, key]
        return Splats(
            positions=positions.astype(np.float32),
            scales=now["scale"].astype(np.float32),
            rotations=rotations.astype(np.float32),
            opacities=np.where(shown, opacities, HIDDEN).astype(np.float32),
            sh_dc=now["colour"].astype(np.float32),
            sh_rest=now["harmonics"].astype(np.float32).reshape(here.sh_rest.shape),
        )


def alpha_of(opacities: NDArray[np.floating]) -> Float:
    """Opacities 0 to 1 from logits."""
    return np.asarray(1 / (1 + np.exp(-np.clip(opacities.astype(np.float64), -30, 30))))


def logit_of(alpha: Float) -> Float:
    """Logits of opacities 0 to 1."""
    inside = np.clip(alpha, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def octaves_of(opacities: NDArray[np.floating]) -> Float:
    """log2(opacity + 1/16) from logits: the scale on which steps are even (6.5)."""
    return np.asarray(np.log2(alpha_of(opacities) + 1 / 16))


def logit_of_octaves(octaves: NDArray[np.floating]) -> Float:
    """The inverse."""
    return logit_of(np.exp2(octaves.astype(np.float64)) - 1 / 16)


def moving_nothing(splats: Splats, span: NDArray[np.int32], times: Float) -> Motion:
    """Splats that stay as they are, each shown for its span."""
    return Motion(base=splats, kind=np.zeros(len(splats), np.uint8), span=span, times=times)
