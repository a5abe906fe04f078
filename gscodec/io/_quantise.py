"""What formats of few bits a value have in common: colours and opacities in bytes, packed rotations, orders.

Splats come and go as in `Splats`: log scales, logits, quaternions w first.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Float32, Splats

SH_C0: Final = 0.28209479177387814  # the harmonic of degree 0: colour = 0.5 + SH_C0 * sh_dc
FLAT: Final = -13.815511  # log of 1e-6: what stands for the logarithm of no thickness
LARGEST: Final = float(np.finfo(np.float32).max)

# The bytes 0 and 255 are opacities of which the logit is infinite: theirs are a millionth inside, which no
# picture shows. All formats of eight bits share them.
_ALPHA: Final = np.clip(np.arange(256) / 255, 1e-6, 1 - 1e-6)
LOGITS: Final[Float32] = np.log(_ALPHA / (1 - _ALPHA)).astype(np.float32)

_OTHERS: Final = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])


def byte_of(values: NDArray[Any], top: int = 255) -> NDArray[np.int64]:
    """Numbers from 0 to 1 as the nearest integers from 0 to `top`; what is outside is clipped."""
    return np.rint(np.clip(np.asarray(values, np.float64), 0, 1) * top).astype(np.int64)


def alpha_bytes(opacities: Float32) -> NDArray[np.uint8]:
    """(N,) logits as bytes of opacity; infinite ones are 0 and 255."""
    x = np.clip(opacities.astype(np.float64), -40, 40)
    return byte_of(1 / (1 + np.exp(-x))).astype(np.uint8)


def colour_bytes(sh_dc: Float32) -> NDArray[np.uint8]:
    """(N, 3) coefficients as bytes of red, green, blue; colours outside of 0 to 1 are clipped."""
    return byte_of(0.5 + SH_C0 * sh_dc.astype(np.float64)).astype(np.uint8)


def colour_coefficients(colours: NDArray[np.uint8]) -> Float32:
    """(N, 3) bytes of red, green, blue as coefficients."""
    table = ((np.arange(256) / 255 - 0.5) / SH_C0).astype(np.float32)
    return table[colours]


def linear_scales(scales: Float32) -> Float32:
    """Log scales as scales, in the range of float32."""
    return np.minimum(np.exp(np.clip(scales.astype(np.float64), -200, 100)), LARGEST).astype(np.float32)


def log_scales(scales: NDArray[Any]) -> Float32:
    """Scales as log scales: `FLAT` for what is not above 0; NaN stays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.asarray(scales, np.float64)
        return np.where(values <= 0, FLAT, np.log(values)).astype(np.float32)


def unit(rotations: NDArray[Any]) -> NDArray[np.float64]:
    """(N, 4) quaternions of length 1; those of length 0 become (1, 0, 0, 0)."""
    values = np.asarray(rotations, np.float64)
    # Divided by the largest part first: squares of tiny and huge numbers leave the range.
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0)
    none = ~(largest > 0)
    values = np.where(none, [1.0, 0, 0, 0], values / np.where(none, 1, largest))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


def smallest_three(rotations: Float32, top: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Quaternions without their largest part: its number (N,), and the others (N, 3), 0 to `top`.

    The others, of a quaternion whose largest part is positive, are between -sqrt(1/2) and sqrt(1/2).
    """
    q = unit(rotations)
    which = np.abs(q).argmax(axis=1)
    largest = np.take_along_axis(q, which[:, None], axis=1)
    rest = np.take_along_axis(np.where(largest < 0, -q, q), _OTHERS[which], axis=1)
    return which, byte_of(rest * np.sqrt(0.5) + 0.5, top)


def from_smallest_three(which: NDArray[Any], rest: NDArray[Any], top: int) -> Float32:
    """The inverse of `smallest_three`: (N, 4) float32."""
    parts = (rest.astype(np.float64) / top - 0.5) * np.sqrt(2)
    q = np.empty((len(which), 4))
    np.put_along_axis(q, _OTHERS[which], parts, axis=1)
    largest = np.sqrt(np.maximum(0, 1 - (parts**2).sum(axis=1)))
    np.put_along_axis(q, np.asarray(which)[:, None], largest[:, None], axis=1)
    return q.astype(np.float32)


def morton_order(positions: Float32) -> NDArray[np.intp]:
    """The order of (N, 3) finite positions along a Z-order curve; stable."""
    return np.argsort(morton_codes(positions), kind="stable")


def morton_codes(positions: Float32) -> NDArray[np.uint64]:
    """(N,): where (N, 3) finite positions are on a Z-order curve in their box, 21 bits an axis, x lowest."""
    if not len(positions):
        return np.zeros(0, np.uint64)
    values = positions.astype(np.float64)
    low, high = values.min(axis=0), values.max(axis=0)
    cells = ((values - low) / np.where(high > low, high - low, 1) * ((1 << 21) - 1)).astype(np.uint64)
    code = np.zeros(len(values), np.uint64)
    for axis in range(3):
        spread = cells[:, axis]
        for shift, mask in _SPREAD:
            spread = (spread | spread << np.uint64(shift)) & np.uint64(mask)
        code |= spread << np.uint64(axis)
    return code


_SPREAD: Final = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def writable(splats: Splats) -> NDArray[np.bool_]:
    """(N,): which splats a format of few bits can hold.

    All values must be finite; but opacities may be infinite (then 0 or 1) and log scales minus infinity.
    """
    good = ~np.isnan(splats.opacities) & np.all(splats.scales < np.inf, axis=1)
    for values in (splats.positions, splats.rotations, splats.sh_dc):
        good &= np.isfinite(values).all(axis=1)
    good &= np.isfinite(splats.sh_rest).all(axis=(1, 2))
    return np.asarray(good)


def kept(splats: Splats) -> Splats:
    """The splats that are `writable`."""
    good = writable(splats)
    return splats if good.all() else splats.take(good)


def commonly_lost(
    file: SplatFile,
    *,
    sh_degree: int = 3,
    order: bool = False,
    colours_clipped: bool = False,
    sizes: bool = False,
    antialiased: bool = False,
) -> list[str]:
    """What such formats lose of `file`, a sentence each.

    `sh_degree` is the highest that the format has; `order`: it sorts the splats; `colours_clipped`: it has
    no colours outside of 0 to 1; `sizes`: it has scales, not their logarithms; `antialiased`: it can say that
    splats are antialiased.
    """
    splats = file.splats
    lost = []
    if count := len(splats) - int(writable(splats).sum()):
        lost.append(f"{count:,} splats that have values that are not finite are left out")
    if order and len(splats) > 1:
        lost.append("the order of the splats")
    if splats.sh_degree > sh_degree:
        what = (
            f"above degree {sh_degree}"
            if sh_degree
            else "above degree 0: colours do not change with the view"
        )
        lost.append(f"the harmonics {what}")
    if colours_clipped:
        with np.errstate(invalid="ignore"):
            count = int((np.abs(SH_C0 * splats.sh_dc) > 0.5).any(axis=1).sum())
        if count:
            lost.append(f"colours outside of 0 to 1 of {count:,} splats are clipped")
    if sizes and (count := int((np.abs(splats.scales) > 87).any(axis=1).sum())):
        lost.append(f"scales of {count:,} splats leave the range of float32 and are clipped")
    if splats.extras:
        lost.append(f"the extra attributes: {', '.join(splats.extras)}")
    if file.coordinate_system != coordinate_systems.UNSPECIFIED:
        lost.append(f"that the coordinate system is {coordinate_systems.NAMES[file.coordinate_system]}")
    known = {rendering_models.CLASSIC} | ({rendering_models.ANTIALIASED} if antialiased else set())
    if file.rendering_model not in known:
        lost.append(f"that the rendering model is {rendering_models.NAMES[file.rendering_model]}")
    return lost
