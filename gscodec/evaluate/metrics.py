"""How far two pictures are apart: `psnr`, `ssim`, `ms_ssim`, `flip`, `percentile_error`, `lpips`.

Pictures are (H, W, 3) floats of red, green and blue as they go to a display (sRGB). Every measure clamps
them to 0..1 first, since that is what a display does, and raises `ValueError` for shapes that do not belong
together. Sums run in float64: near-lossless pictures differ by less than float32 resolves in a variance.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]  # (H, W, 3)
Mask = NDArray[np.bool_]  # (H, W)
Planes = NDArray[np.float64]  # (..., H, W)
Taps = NDArray[np.float64]  # (n,), n odd

WINDOW = 11  # taps of the window of SSIM, of standard deviation 1.5 pixels
C1, C2 = 0.01**2, 0.03**2  # what keeps SSIM's quotients finite where a window is black or flat
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of MS-SSIM, finest scale first
PIXELS_PER_DEGREE = 67.0  # FLIP's usual viewer: 0.7 m from a display of 3840 pixels in 0.7 m
_TILE = 32  # see `_filtered`


def psnr(a: Image, b: Image, mask: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB, over all pixels or those of `mask` (H, W).

    inf where the pictures are equal, or the mask is empty.
    """
    x, y = _pair(a, b)
    if mask is not None:
        if mask.shape != x.shape[:2]:
            raise ValueError(f"a mask of shape {mask.shape} for pictures of shape {x.shape}")
        x, y = x[mask], y[mask]
    error = float(np.mean((x - y) ** 2)) if x.size else 0.0
    return -10 * math.log10(error) if error > 0 else math.inf


def percentile_error(a: Image, b: Image, percentile: float = 99.0) -> float:
    """The error that `percentile` percent of the pixels do not exceed, in units of 1/255.

    The error of a pixel is that of its worst channel. 100 gives the largest error of the picture.
    """
    return float(np.percentile(pixel_errors(a, b), percentile))


def pixel_errors(a: Image, b: Image) -> NDArray[np.float64]:
    """(H, W): the absolute difference of each pixel's worst channel, in units of 1/255."""
    x, y = _pair(a, b)
    return np.asarray(255 * np.abs(x - y).max(axis=2))


# ---- structural similarity


def ssim(a: Image, b: Image) -> float:
    """Structural similarity (Wang et al. 2004), at most 1.

    As the 3DGS training code has it, so that numbers compare with published ones: a Gaussian window of
    11 x 11 pixels and standard deviation 1.5, beyond the borders black, mean over pixels and channels.
    """
    return float(np.mean([np.mean(light * structure) for light, structure in _full_terms(*_planes(a, b))]))


def ms_ssim(a: Image, b: Image) -> float:
    """Multi-scale structural similarity (Wang et al. 2003), 0 to 1: mean over channels.

    Five scales with the published weights, windows that lie within the picture, each scale half as large as
    the one before (means of 2 x 2 pixels; a last odd row or column counts twice). A picture that is too small
    for the window at a scale has only the scales before, their weights scaled to the same sum; one smaller
    than the window itself has `ssim`. Negative structure terms count as 0.
    """
    return ssim_and_ms_ssim(a, b)[1]


def ssim_and_ms_ssim(a: Image, b: Image) -> tuple[float, float]:
    """`ssim` and `ms_ssim` in little more than the time of the first: they share the finest scale."""
    x, y = _planes(a, b)
    terms = _full_terms(x, y)
    single = float(np.mean([np.mean(light * structure) for light, structure in terms]))
    sides = [min(x.shape[1:])]
    while len(sides) < len(SCALE_WEIGHTS):
        sides.append((sides[-1] + 1) // 2)
    count = sum(side >= WINDOW for side in sides)
    if count == 0:
        return single, single
    inside = slice(WINDOW // 2, -(WINDOW // 2))
    terms = [(light[inside, inside], structure[inside, inside]) for light, structure in terms]
    weights = np.array(SCALE_WEIGHTS[:count]) * (sum(SCALE_WEIGHTS) / sum(SCALE_WEIGHTS[:count]))
    means = np.empty((count, len(x)))
    for scale in range(count):
        if scale:
            x, y = _halved(x), _halved(y)
            terms = list(map(_ssim_terms, x, y))
        last = scale == count - 1  # only there does light count
        means[scale] = [np.mean(light * structure if last else structure) for light, structure in terms]
    return single, float(np.mean(np.prod(np.maximum(means, 0) ** weights[:, None], axis=0)))


def _full_terms(x: Planes, y: Planes) -> list[tuple[Planes, Planes]]:
    """Of each channel of (3, H, W), light and structure terms around every pixel: (H, W) each."""
    padded = [np.pad(planes, ((0, 0), (WINDOW // 2,) * 2, (WINDOW // 2,) * 2)) for planes in (x, y)]
    return list(map(_ssim_terms, *padded))


def _ssim_terms(x: Planes, y: Planes) -> tuple[Planes, Planes]:
    """Light and structure terms of SSIM at each window within two planes (H, W): (H - 10, W - 10) each.

    Computed from sum and difference, of which SSIM needs one filtered plane less than of x and y, and whose
    variances lose no digits where x and y are nearly equal.
    """
    both, apart = x + y, x - y
    window = _gaussian(1.5, WINDOW // 2)
    planes = np.stack((both, apart, both * both, apart * apart))
    mean_both, mean_apart, square_both, square_apart = _filtered(planes, window, window)
    mean_both *= mean_both
    mean_apart *= mean_apart
    square_both -= mean_both
    square_apart -= mean_apart
    light = ((mean_both - mean_apart) / 2 + C1) / ((mean_both + mean_apart) / 2 + C1)
    structure = ((square_both - square_apart) / 2 + C2) / ((square_both + square_apart) / 2 + C2)
    return light, structure


def _halved(planes: Planes) -> Planes:
    """(..., H, W) to half as many rows and columns, rounded up: means of 2 x 2."""
    height, width = planes.shape[-2:]
    padded = np.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(0, height % 2), (0, width % 2)], mode="edge")
    rows = padded[..., ::2, :] + padded[..., 1::2, :]
    return np.asarray((rows[..., ::2] + rows[..., 1::2]) / 4)


# ---- FLIP (Andersson et al. 2020, "FLIP: A Difference Evaluator for Alternating Images")

# Contrast sensitivity as a sum of Gaussians, (weight, b in square degrees), for each opponent channel.
_SENSITIVITY = (
    ((1.0, 0.0047),),  # achromatic
    ((1.0, 0.0053),),  # red-green
    ((34.1, 0.04), (13.5, 0.025)),  # blue-yellow
)
_WIDEST = 0.04
_QC, _PC, _PT, _QF = 0.7, 0.4, 0.95, 0.5
_FEATURE_WIDTH = 0.082  # degrees: of the edges and points that an eye finds
_TO_XYZ = np.array(  # linear sRGB to CIE XYZ, from the primaries and the white D65
    [
        [10135552 / 24577794, 8788810 / 24577794, 4435075 / 24577794],
        [2613072 / 12288897, 8788810 / 12288897, 887015 / 12288897],
        [1425312 / 73733382, 8788810 / 73733382, 70074185 / 73733382],
    ]
)
_TO_RGB = np.linalg.inv(_TO_XYZ)
_WHITE = _TO_XYZ.sum(axis=1)[:, None, None]


def flip(
    a: Image, b: Image, pixels_per_degree: float = PIXELS_PER_DEGREE
) -> tuple[float, NDArray[np.float64]]:
    """What a viewer notices who flips between two pictures: (mean, map (H, W)), 0 (nothing) to 1.

    The published FLIP for pictures of low dynamic range. `pixels_per_degree` of visual angle says from how
    far the display is seen: 67 is 0.7 m from a 4K display that is 0.7 m wide. `a` is the reference; the
    measure is symmetric.
    """
    if not pixels_per_degree > 0:
        raise ValueError(f"{pixels_per_degree} pixels per degree")
    opponent = [_opponent(planes) for planes in _planes(a, b)]
    x, y = (_uniform(_seen(each, pixels_per_degree)) for each in opponent)
    colour = _hyab(x, y) ** _QC
    green, blue = (_uniform(_opponent(_column(rgb))) for rgb in ((0, 1, 0), (0, 0, 1)))
    most = float(_hyab(green, blue)[0, 0]) ** _QC
    knee = _PC * most  # large differences are compressed into the last twentieth
    colour = np.where(colour < knee, _PT / knee * colour, _PT + (colour - knee) / (most - knee) * (1 - _PT))
    (edges_x, points_x), (edges_y, points_y) = (_features(each[0], pixels_per_degree) for each in opponent)
    feature = np.maximum(np.abs(edges_x - edges_y), np.abs(points_x - points_y))
    feature = (feature / math.sqrt(2)) ** _QF
    error = np.asarray(np.clip(colour, 0, 1) ** (1 - np.minimum(feature, 1)))
    return float(error.mean()), error


def _column(rgb: tuple[float, float, float]) -> Planes:
    return np.array(rgb, np.float64)[:, None, None]


def _opponent(planes: Planes) -> Planes:
    """(3, H, W) sRGB to YCxCz: light, red-green, blue-yellow."""
    linear = np.where(planes <= 0.04045, planes / 12.92, ((planes + 0.055) / 1.055) ** 2.4)
    x, y, z = np.einsum("ij,jhw->ihw", _TO_XYZ, linear) / _WHITE
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)))


def _uniform(opponent: Planes) -> Planes:
    """(3, H, W) YCxCz to L*a*b*, with the Hunt effect: colours are less vivid where it is dark."""
    y = (opponent[0] + 16) / 116
    xyz = np.stack((y + opponent[1] / 500, y, y - opponent[2] / 200)) * _WHITE
    shown = np.clip(np.einsum("ij,jhw->ihw", _TO_RGB, xyz), 0, 1)  # filtered colours may leave the gamut
    ratio = np.einsum("ij,jhw->ihw", _TO_XYZ, shown) / _WHITE
    limit = 6 / 29
    x, y, z = np.where(ratio > limit**3, np.cbrt(ratio), ratio / (3 * limit**2) + 4 / 29)
    light = 116 * y - 16
    return np.stack((light, 0.01 * light * 500 * (x - y), 0.01 * light * 200 * (y - z)))


def _hyab(x: Planes, y: Planes) -> Planes:
    """(H, W) distance of two pictures in L*a*b*, meant for large differences."""
    apart = x - y
    return np.asarray(np.abs(apart[0]) + np.hypot(apart[1], apart[2]))


def _seen(opponent: Planes, pixels_per_degree: float) -> Planes:
    """(3, H, W) YCxCz without the detail that an eye cannot resolve at this distance."""
    radius = math.ceil(3 * math.sqrt(_WIDEST / (2 * math.pi**2)) * pixels_per_degree)
    padded = np.pad(opponent, ((0, 0), (radius, radius), (radius, radius)), mode="edge")
    out = np.empty_like(opponent)
    for channel, terms in enumerate(_SENSITIVITY):
        shapes, sums = [], []
        for weight, b in terms:
            sigma = math.sqrt(b / (2 * math.pi**2)) * pixels_per_degree
            shape = _gaussian(sigma, radius)
            shapes.append(shape)
            # `_gaussian` has sum 1; a term's share is what its own, unnormalised taps add up to
            sums.append(weight * math.sqrt(math.pi / b) / shape[radius] ** 2)
        out[channel] = sum(
            share / sum(sums) * _filtered(padded[channel], shape, shape)
            for share, shape in zip(sums, shapes, strict=True)
        )
    return out


def _features(light: Planes, pixels_per_degree: float) -> tuple[Planes, Planes]:
    """Strength of edges and of points at each pixel of a Y plane (H, W) of YCxCz: (H, W) each."""
    sigma = 0.5 * _FEATURE_WIDTH * pixels_per_degree
    radius = math.ceil(3 * sigma)
    padded = np.pad((light + 16) / 116, radius, mode="edge")
    at = np.arange(-radius, radius + 1.0)
    smooth = _gaussian(sigma, radius)
    strengths = []
    for shape in (at * smooth, (at**2 / sigma**2 - 1) * smooth):
        taps = np.where(shape > 0, shape / shape[shape > 0].sum(), shape / -shape[shape < 0].sum())
        strengths.append(np.hypot(_filtered(padded, smooth, taps), _filtered(padded, taps, smooth)))
    return strengths[0], strengths[1]


# ---- a learned measure, where its package is there


def lpips(a: Image, b: Image) -> float | None:
    """LPIPS with AlexNet, 0 (equal) upwards; None unless the packages lpips and torch and weights are here.

    Nothing is downloaded: without the weights in torch's cache there is no measure.
    """
    x, y = _planes(a, b)
    loaded = _lpips_model()
    if loaded is None:
        return None
    torch, model = loaded
    with torch.no_grad():
        tensors = [torch.from_numpy(planes.astype(np.float32))[None] * 2 - 1 for planes in (x, y)]
        return float(model(*tensors))


@lru_cache(maxsize=1)
def _lpips_model() -> tuple[Any, Any] | None:
    from importlib import import_module  # not known to the type checker, nor imported before it is asked for
    from pathlib import Path

    try:
        torch = import_module("torch")
        package = import_module("lpips")
    except ImportError:
        return None
    if not list(Path(torch.hub.get_dir(), "checkpoints").glob("alexnet-*.pth")):
        return None
    return torch, package.LPIPS(net="alex", verbose=False).eval()


# ---- shared


def _pair(a: Image, b: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both pictures (H, W, 3) as float64, clamped to 0..1. Raises `ValueError`."""
    if a.shape != b.shape or a.ndim != 3 or a.shape[2] != 3 or a.size == 0:
        raise ValueError(f"pictures of shape {a.shape} and {b.shape}: expected two of the same (H, W, 3)")
    return np.clip(a, 0, 1, dtype=np.float64), np.clip(b, 0, 1, dtype=np.float64)


def _planes(a: Image, b: Image) -> tuple[Planes, Planes]:
    """Both pictures as (3, H, W)."""
    x, y = _pair(a, b)
    return np.ascontiguousarray(x.transpose(2, 0, 1)), np.ascontiguousarray(y.transpose(2, 0, 1))


@lru_cache(maxsize=32)
def _gaussian(sigma: float, radius: int) -> Taps:
    """(2 * radius + 1,) taps of sum 1; `sigma` in pixels."""
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    taps.setflags(write=False)
    return np.asarray(taps)


def _filtered(planes: Planes, down: Taps, across: Taps) -> Planes:
    """Correlation of (..., H, W) with `down` along columns and `across` along rows, within the borders.

    (..., H - len(down) + 1, W - len(across) + 1). Done in tiles, as products with band matrices: most of
    their entries are 0, yet that is twice as fast as a sum of shifted planes. A tile is small enough that the
    product stays on one thread; starting several would take longer than the product.
    """
    *outer, height, width = planes.shape
    half = np.empty((*outer, height, width - len(across) + 1))
    whole = np.empty((*outer, height - len(down) + 1, half.shape[-1]))
    band_across, band_down = _band(tuple(across)), _band(tuple(down)).T.copy()
    for source, middle, target in zip(
        planes.reshape(-1, height, width),
        half.reshape(-1, height, half.shape[-1]),
        whole.reshape(-1, *whole.shape[-2:]),
        strict=True,
    ):
        for x in range(0, middle.shape[1], _TILE):
            size = min(_TILE, middle.shape[1] - x)
            reach = size + len(across) - 1
            for y in range(0, height, 2 * _TILE):
                rows = slice(y, y + 2 * _TILE)
                np.matmul(
                    source[rows, x : x + reach], band_across[:reach, :size], out=middle[rows, x : x + size]
                )
        for y in range(0, target.shape[0], _TILE):
            size = min(_TILE, target.shape[0] - y)
            reach = size + len(down) - 1
            for x in range(0, target.shape[1], 2 * _TILE):
                columns = slice(x, x + 2 * _TILE)
                np.matmul(
                    band_down[:size, :reach],
                    middle[y : y + reach, columns],
                    out=target[y : y + size, columns],
                )
    return whole


@lru_cache(maxsize=32)
def _band(taps: tuple[float, ...]) -> NDArray[np.float64]:
    """(_TILE + n - 1, _TILE): column j has the taps from row j on."""
    band = np.zeros((_TILE + len(taps) - 1, _TILE))
    for k, tap in enumerate(taps):
        band[np.arange(_TILE) + k, np.arange(_TILE)] = tap
    return band
