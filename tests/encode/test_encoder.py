"""The encoder's choices: what the caller can ask for, and what must hold whatever was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gscodec
from gscodec.encode.importance import classes_of, importance_of
from gscodec.encode.partition import cells_of, grid_for, split_cells
from gscodec.encode.steps import PRESETS, steps_at

SCENE = Path(__file__).resolve().parents[2] / "examples" / "made_scene.ply"


@pytest.fixture(scope="module")
def scene() -> gscodec.Splats:
    return gscodec.read(SCENE)


def error(scene: gscodec.Splats, **options: object) -> tuple[int, dict[str, float]]:
    """Bytes, and the root mean square error of each attribute."""
    data, order = gscodec.encode(scene, return_order=True, effort=1, **options)  # type: ignore[call-overload]
    wanted, got = scene.take(order), gscodec.decode(data)
    names = ("positions", "opacities", "sh_dc", "sh_rest")
    return len(data), {
        name: float(np.sqrt(np.mean((getattr(wanted, name) - getattr(got, name)) ** 2))) for name in names
    }


def test_presets_are_ordered(scene: gscodec.Splats) -> None:
    results = [error(scene, quality=quality) for quality in PRESETS]
    sizes = [size for size, _ in results]
    assert sizes == sorted(sizes, reverse=True)
    for name in ("positions", "sh_dc", "sh_rest"):
        errors = [errors[name] for _, errors in results]
        assert errors == sorted(errors)


@pytest.mark.parametrize(
    ("step", "attribute"), [("position", "positions"), ("colour", "sh_dc"), ("harmonics", "sh_rest")]
)
def test_a_step_changes_its_attribute(scene: gscodec.Splats, step: str, attribute: str) -> None:
    size, errors = error(scene)
    finer_size, finer = error(scene, steps={step: getattr(steps_at(PRESETS["default"]), step) / 8})
    assert finer[attribute] < errors[attribute] / 3
    assert finer_size > size


def test_importance_of_the_caller(scene: gscodec.Splats) -> None:
    left = scene.positions[:, 0] < np.median(scene.positions[:, 0])
    weight = np.where(left, 1.0, 1 / 64)
    data, order = gscodec.encode(scene, importance=weight, effort=1, return_order=True)
    off = np.abs(scene.sh_dc[order] - gscodec.decode(data).sh_dc).mean(1)
    assert off[~left[order]].mean() > 4 * off[left[order]].mean()


@pytest.mark.parametrize("bad", [np.ones(3), -np.ones(4000), np.full(4000, np.nan)])
def test_bad_importance(scene: gscodec.Splats, bad: np.ndarray) -> None:
    with pytest.raises(gscodec.UsageError, match="importance"):
        gscodec.encode(scene, importance=bad)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": "best"},
        *({"quality": bad} for bad in (0, -1, 0.01, 33, float("nan"), True, "1")),
        *({"effort": bad} for bad in (0, 10, 2.5, "5")),
        {"nonfinite": "keep"},
        {"threads": -1},
        {"steps": {"colours": 1}},
        *({"steps": {"scale": bad}} for bad in (0, -1, float("nan"), float("inf"), "a")),
        *({"steps": {name: -1.0}} for name in ("position", "rotation", "opacity", "harmonics", "spread")),
        *({"steps": {"classes": bad}} for bad in (0, 9, 2.5)),
        {"steps": {"exponents": (1, 2, 3, 4, 5)}},
    ],
)
def test_bad_options(scene: gscodec.Splats, options: dict[str, object]) -> None:
    with pytest.raises(gscodec.UsageError):
        gscodec.encode(scene, **options)  # type: ignore[call-overload]


def test_arguments_of_other_types(scene: gscodec.Splats) -> None:
    with pytest.raises(gscodec.UsageError):
        gscodec.encode(None)  # type: ignore[call-overload]
    with pytest.raises(gscodec.UsageError):
        gscodec.decode(gscodec.encode(scene, effort=1), threads=-1)


def test_threads_change_nothing(scene: gscodec.Splats) -> None:
    many = scene.take(np.tile(np.arange(len(scene)), 20))
    many.positions[:] += np.repeat(np.arange(20), len(scene))[:, None].astype(np.float32) * 7
    files = {gscodec.encode(many, threads=threads, effort=1) for threads in (1, 2, 5)}
    assert len(files) == 1
    data = files.pop()
    decoded = [gscodec.decode(data, threads=threads) for threads in (1, 3)]
    assert decoded[0].positions.tobytes() == decoded[1].positions.tobytes()


def test_importance_prefers_what_is_seen(scene: gscodec.Splats) -> None:
    importance = importance_of(scene, opacity_power=0.5, size_power=0.5, distance_power=0.5)
    fainter = scene.opacities < np.quantile(scene.opacities, 0.1)
    assert importance[fainter].mean() < importance[~fainter].mean()
    classes = classes_of(importance, 5)
    assert classes.max() <= 4
    assert importance[classes == 0].min() >= importance[classes == classes.max()].max()


def test_outliers_get_chunks_of_their_own() -> None:
    rng = np.random.default_rng(1)
    positions = rng.normal(size=(3000, 3)).astype(np.float32)
    positions[:5] *= np.float32(1e7)
    chunks = split_cells(positions, 1e-3)
    assert sorted(np.concatenate(chunks)) == list(range(3000))
    dense = max(chunks, key=len)
    assert len(dense) == 2995
    grid = grid_for(positions[dense], 128, -17, 1)
    assert grid.exponent == -17  # the far ones have not made it coarser
    cells = cells_of(positions[dense], np.zeros(len(dense), np.uint8), grid, 128)
    half = 128 * 2.0**-17
    assert np.abs((2 * (cells + np.array(grid.origin)) + 1) * half - positions[dense]).max() <= half * 1.01


@pytest.mark.parametrize("quality", [0.1, 0.25, 0.37, 0.62, 0.9, 1.19, 1.4, 2.0])
def test_thin_axes_stay_thin_at_every_step(scene: gscodec.Splats, quality: float) -> None:
    order = np.argsort(scene.scales, axis=1)
    logs = np.take_along_axis(scene.scales, order, axis=1)
    logs[::2, 0] = -30  # nothing, next to the two others
    scales = np.zeros_like(scene.scales)
    np.put_along_axis(scales, order, logs, axis=1)
    data, rows = gscodec.encode(
        replace(scene, scales=scales), quality=quality, effort=1, steps={"dilation": 0.25}, return_order=True
    )
    flat = np.sort(gscodec.decode(data).scales, axis=1)[rows % 2 == 0]
    assert np.quantile(np.exp(flat[:, 0]), 0.95) < 0.03 * np.exp(np.median(logs[:, 1]))
