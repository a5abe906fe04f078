"""Measures of pictures: against their definitions, and against numbers of other implementations."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gscodec.evaluate import metrics
from gscodec.evaluate.metrics import flip, lpips, ms_ssim, percentile_error, psnr, ssim, ssim_and_ms_ssim

# What others say of `pictures`: PSNR of scikit-image 0.26.0; SSIM of another implementation of that of 3DGS
# (zero padding), MS-SSIM of pytorch-msssim 1.0.0; FLIP of flip-evaluator 1.7 at 67 and at 30 pixels a degree.
# The last two compute in float32.
KNOWN = {
    (192, 208, 0.1): (24.787947933481, 0.7383414815791, 0.98083509, 0.08014324, 0.20774670),
    (208, 192, 0.6): (10.135035551047, 0.1135501568974, 0.76747009, 0.45874086, 0.61196929),
    (176, 240, 0.01): (44.774678522447, 0.9959074261753, 0.99975727, 0.01394223, 0.03946105),
}


def pictures(height: int, width: int, amount: float) -> tuple[metrics.Image, metrics.Image]:
    """Waves and squares; and the same with noise of this amplitude."""
    row, column, channel = np.mgrid[:height, :width, :3].astype(np.float64)
    waves = 0.3 * np.sin(row / (5 + channel)) * np.cos(column / 7 - channel)
    clean = 0.5 + waves + 0.2 * ((row // 16 + column // 16) % 2 - 0.5)
    noise = np.modf(np.sin(12.9898 * row + 78.233 * column + 37.719 * channel) * 43758.5453)[0]
    return clean, np.clip(clean + amount * noise, 0, 1)


@pytest.mark.parametrize("size", KNOWN)
def test_agrees_with_others(size: tuple[int, int, float]) -> None:
    a, b = pictures(*size)
    known = KNOWN[size]
    assert psnr(a, b) == pytest.approx(known[0], abs=1e-9)
    assert ssim(a, b) == pytest.approx(known[1], abs=1e-9)
    assert ms_ssim(a, b) == pytest.approx(known[2], abs=1e-6)
    assert flip(a, b)[0] == pytest.approx(known[3], abs=1e-6)
    assert flip(a, b, 30)[0] == pytest.approx(known[4], abs=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (11, 11), (37, 90), (90, 33)])
def test_equal_and_symmetric(size: tuple[int, int]) -> None:
    a, b = pictures(*size, 0.2)
    assert psnr(a, a) == math.inf
    assert (ssim(a, a), ms_ssim(a, a)) == (1, 1)
    assert flip(a, a)[0] == percentile_error(a, a) == 0
    assert psnr(a, b) == psnr(b, a) < math.inf
    for measure in (ssim, ms_ssim, percentile_error, lambda x, y: flip(x, y)[0]):
        assert measure(a, b) == pytest.approx(measure(b, a), abs=1e-12)
    assert ssim(a, b) < 1
    assert ms_ssim(a, b) < 1
    assert flip(a, b)[1].shape == size
    assert ssim_and_ms_ssim(a, b) == (ssim(a, b), ms_ssim(a, b))


def test_more_noise_is_worse() -> None:
    rows = []
    for amount in (0.01, 0.05, 0.2, 0.8):
        a, b = pictures(60, 70, amount)
        rows.append([psnr(a, b), ssim(a, b), ms_ssim(a, b), -flip(a, b)[0], -percentile_error(a, b)])
    assert (np.diff(rows, axis=0) < 0).all()


def test_known_values() -> None:
    black, white = np.zeros((40, 50, 3), np.float32), np.ones((40, 50, 3), np.float32)
    assert psnr(black, white) == 0
    assert psnr(black, white / 10) == pytest.approx(20, abs=1e-5)
    assert percentile_error(black, white) == 255
    assert flip(black, white)[0] == pytest.approx(0.96738, abs=1e-5)  # edges and points add nothing here
    inner = slice(5, -5)
    light, structure = metrics.C1 / (1 + metrics.C1), 1.0
    planes = metrics._full_terms(np.zeros((1, 40, 50)), np.ones((1, 40, 50)))[0]
    np.testing.assert_allclose(planes[0][inner, inner], light)
    np.testing.assert_allclose(planes[1][inner, inner], structure)


def test_clamps() -> None:
    """A display shows nothing below 0 and above 1."""
    a, b = pictures(30, 30, 0.3)
    wild = np.where(b == 1, 7, np.where(b == 0, -3, b))
    assert (wild != b).any()
    for measure in (psnr, ssim, ms_ssim, percentile_error):
        assert measure(a, wild) == measure(a, b)
    assert flip(a, wild)[0] == flip(a, b)[0]


def test_mask() -> None:
    a, b = pictures(20, 20, 0.1)
    mask = np.zeros((20, 20), bool)
    assert psnr(a, b, mask) == math.inf
    mask[3:7, 2:9] = True
    assert psnr(a, b, mask) == pytest.approx(psnr(a[3:7, 2:9], b[3:7, 2:9]))
    with pytest.raises(ValueError, match="mask of shape"):
        psnr(a, b, mask[1:])


def test_percentiles() -> None:
    a = np.zeros((10, 10, 3))
    b = a.copy()
    b[0, :5, 1] = [10 / 255, 20 / 255, 30 / 255, 40 / 255, 50 / 255]
    b[0, :5, 2] = 5 / 255
    assert percentile_error(a, b, 100) == pytest.approx(50)
    assert percentile_error(a, b, 0) == 0
    assert percentile_error(a, b) == pytest.approx(np.percentile([0] * 95 + [10, 20, 30, 40, 50], 99))


# ---- against definitions, window by window


def _windows(x: metrics.Planes, y: metrics.Planes) -> tuple[metrics.Planes, metrics.Planes]:
    """Light and structure terms of every window within two planes, from the means they are defined by."""
    taps = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    weights = np.outer(taps, taps) / taps.sum() ** 2
    shape = (x.shape[0] - 10, x.shape[1] - 10)
    light, structure = np.empty(shape), np.empty(shape)
    for i, j in np.ndindex(shape):
        p, q = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
        mp, mq = (weights * p).sum(), (weights * q).sum()
        vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
        both = (weights * (p - mp) * (q - mq)).sum()
        light[i, j] = (2 * mp * mq + metrics.C1) / (mp**2 + mq**2 + metrics.C1)
        structure[i, j] = (2 * both + metrics.C2) / (vp + vq + metrics.C2)
    return light, structure


def test_ssim_is_its_definition() -> None:
    a, b = pictures(13, 17, 0.2)
    values = []
    for channel in range(3):
        light, structure = _windows(np.pad(a[..., channel], 5), np.pad(b[..., channel], 5))
        values.append((light * structure).mean())
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-12)


def test_small_pictures_have_fewer_scales() -> None:
    """21 x 24 has two scales, the second of 11 x 12; the weights keep their sum."""
    a, b = pictures(21, 24, 0.1)
    weights = np.array(metrics.SCALE_WEIGHTS[:2]) * sum(metrics.SCALE_WEIGHTS) / 0.3304
    values = []
    for channel in range(3):
        x, y = a[..., channel], b[..., channel]
        fine = _windows(x, y)[1].mean()
        x, y = (np.concatenate((plane, plane[-1:])) for plane in (x, y))  # the last odd row counts twice
        light, structure = _windows(*(plane.reshape(11, 2, 12, 2).mean((1, 3)) for plane in (x, y)))
        values.append(fine ** weights[0] * (light * structure).mean() ** weights[1])
    assert ms_ssim(a, b) == pytest.approx(np.mean(values), abs=1e-12)


def test_opposite_pictures_have_no_structure_in_common() -> None:
    a, _ = pictures(64, 64, 0)
    assert 0 <= ms_ssim(a, 1 - a) < 0.3


@pytest.mark.parametrize("size", [(16, 5), (33, 64), (75, 41), (96, 97)])
def test_filtering_in_tiles(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    planes, down, across = rng.normal(size=(2, *size)), rng.normal(size=7), rng.normal(size=5)
    windows = np.lib.stride_tricks.sliding_window_view(planes, (7, 5), axis=(1, 2))
    expected = np.einsum("phwij,i,j->phw", windows, down, across)
    np.testing.assert_allclose(metrics._filtered(planes, down, across), expected, atol=1e-12)


def test_flip_finds_what_an_eye_finds() -> None:
    """A hard edge stands out more than the same difference spread out; from far away it all does less."""
    grey = np.full((64, 96, 3), 0.5)
    edge, ramp = grey.copy(), grey.copy()
    edge[:, 48:] += 0.1
    ramp += np.linspace(0, 0.1, 96)[None, :, None]
    _, seen = flip(grey, edge)
    assert seen[:, 48].min() > seen[:, 90].max() > 0
    assert seen[:, :30].max() < 1e-9
    assert flip(grey, ramp)[1].max() < seen.max()
    a, b = pictures(64, 96, 0.1)
    assert flip(a, b, 120)[0] < flip(a, b, 67)[0] < flip(a, b, 20)[0]


def test_refuses() -> None:
    a, b = pictures(20, 30, 0.1)
    for x, y in ((a, b[1:]), (a[..., 0], b[..., 0]), (a[..., :2], b[..., :2]), (a[:0], b[:0])):
        for measure in (psnr, ssim, ms_ssim, flip, percentile_error, lpips):
            with pytest.raises(ValueError, match="pictures of shape"):
                measure(x, y)
    with pytest.raises(ValueError, match="pixels per degree"):
        flip(a, b, 0)


# ---- LPIPS, which is there or not


class _Hub:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_dir(self) -> str:
        return str(self.folder)


def test_lpips_is_none_without_its_package_or_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a, b = pictures(20, 20, 0.1)
    metrics._lpips_model.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    assert lpips(a, b) is None
    metrics._lpips_model.cache_clear()
    torch = ModuleType("torch")
    torch.hub = _Hub(tmp_path)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "lpips", ModuleType("lpips"))
    assert lpips(a, b) is None
    metrics._lpips_model.cache_clear()
