"""Spacetime Gaussians: files in and out, and how close the coded motion is to the formulas."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from native_samples import alpha, apart, by_number, spacetime

import gscodec
from gscodec._generated import temporal_kernels
from gscodec.dynamic.native import spacetime_scenes
from gscodec.encode.dynamic.whole_native import KERNELS, encode_spacetime, frames_of
from gscodec.errors import EncodeError, InputError, UsageError
from gscodec.io import read_ply, write_ply
from gscodec.io.spacetime import SpacetimeScene, is_spacetime, read_spacetime, write_spacetime

FRAMES = 50
THRESHOLD = 0.05
MOMENTS = np.linspace(0, 0.999, 20)


def encoded(*scenes: SpacetimeScene, **options: object) -> bytes:
    out = io.BytesIO()
    encode_spacetime(scenes, out, **{"frames": FRAMES, "effort": 1, **options})  # type: ignore[arg-type]
    return out.getvalue()


@pytest.fixture(scope="module")
def scene() -> SpacetimeScene:
    return spacetime()


@pytest.fixture(scope="module")
def fine(scene: SpacetimeScene) -> bytes:
    return encoded(scene, quality="near-lossless")


def differences(data: bytes, scene: SpacetimeScene, kernel: int, cut: float) -> np.ndarray:
    """(20, 3) quantiles at `cut`: of positions, in parts of the scene; of shapes; of opacities."""
    size = float(np.ptp(scene.splats.positions, axis=0).max())
    found = []
    with gscodec.open(data) as opened:
        for moment in MOMENTS:
            tick = round(moment * opened.duration_ticks)
            exact = tick / opened.duration_ticks
            got = by_number(opened.at_tick(tick))
            numbers = got.extras["number"].astype(int)
            wanted = scene.at(exact, kernel).take(numbers)
            weight = scene.weights(exact, kernel)
            assert (weight[numbers] > THRESHOLD * 0.85).all()
            missing = np.setdiff1d(np.arange(len(scene)), numbers)
            assert (weight[missing] < THRESHOLD * 1.15).all()
            far = np.linalg.norm(got.positions.astype(np.float64) - wanted.positions, axis=1) / size
            turned = apart(got, wanted)
            faded = np.abs(alpha(got) - alpha(wanted))
            found.append([np.quantile(each, cut) for each in (far, turned, faded)])
    return np.array(found)


@pytest.mark.parametrize("kernel", KERNELS)
def test_values_are_near_to_the_formulas(scene: SpacetimeScene, kernel: str) -> None:
    data = encoded(scene, quality="near-lossless", kernel=kernel)
    with gscodec.open(data) as opened:
        assert opened.time is not None
        assert opened.time.kernel == KERNELS[kernel]
    typical = differences(data, scene, KERNELS[kernel], 0.5).max(0)
    worst = differences(data, scene, KERNELS[kernel], 1.0).max(0)
    assert (typical < (5e-5, 0.01, 0.005)).all(), typical
    assert (worst < (3e-3, 0.06, 0.03)).all(), worst


def test_coarser_steps_take_fewer_bytes(scene: SpacetimeScene, fine: bytes) -> None:
    coarse = encoded(scene, quality="small")
    assert len(coarse) < 0.8 * len(fine)
    assert differences(coarse, scene, temporal_kernels.GAUSSIAN, 0.5)[:, 0].max() < 2e-3


def test_the_native_form_is_the_decoded_motion(scene: SpacetimeScene, fine: bytes) -> None:
    """The formulas with the numbers of the file give what a decoder shows."""
    with gscodec.open(fine) as opened:
        (back,) = spacetime_scenes(opened)
        for moment in (0.0, 0.31, 0.77):
            tick = round(moment * opened.duration_ticks)
            got = by_number(opened.at_tick(tick))
            again = back.at(tick / opened.duration_ticks)
            place = np.argsort(back.splats.extras["number"])
            numbers = np.searchsorted(np.sort(back.splats.extras["number"]), got.extras["number"])
            again = again.take(place[numbers])
            np.testing.assert_allclose(again.positions, got.positions, atol=1e-4)
            assert apart(again, got).max() < 2e-3
            assert np.abs(alpha(again) - alpha(got)).max() < 2e-3
    assert set(back.splats.extras) == {"number"}


def test_files(scene: SpacetimeScene, tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_spacetime(path, scene)
    assert is_spacetime(path)
    names = [name for name, _ in read_ply(path).properties]
    assert {"trbf_center", "trbf_scale", "omega_3", "motion_8", "number"} <= set(names)
    again = read_spacetime(path)
    np.testing.assert_array_equal(again.splats.positions, scene.splats.positions)
    np.testing.assert_allclose(again.motion, scene.motion, rtol=1e-6)
    np.testing.assert_allclose(again.omega, scene.omega, rtol=1e-6)
    write_ply(tmp_path / "b.ply", scene.splats)
    assert not is_spacetime(tmp_path / "b.ply")
    assert not is_spacetime(tmp_path / "none.ply")


@pytest.mark.parametrize("name", ["trbf_center", "trbf_scale", "motion_4", "motion_8", "omega_2"])
def test_missing_properties(scene: SpacetimeScene, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.ply"
    write_spacetime(path, scene)
    splats = read_ply(path).splats
    kept = {each: array for each, array in splats.extras.items() if each != name}
    write_ply(path, replace(splats, extras=kept))
    with pytest.raises(InputError) as caught:
        read_spacetime(path)
    assert caught.value.code == "spacetime.missing"


def test_broken_values() -> None:
    """Splats that are not finite or never shown are left out; extreme ones do no harm."""
    scene = spacetime(200)
    scene.centre[0], scene.scale[1], scene.motion[2, 1, 1], scene.omega[3, 0] = (
        np.nan,
        np.inf,
        -np.inf,
        np.nan,
    )
    scene.centre[4:8] = 1e9, -50.0, 7.0, 1.5
    scene.scale[4:8] = 0.0, 1.0, 80.0, -30.0
    scene.scale[8:12] = -1e30, -200.0, 1e30, 60.0
    scene.centre[8:12] = 0.5
    scene.motion[12] = 1e30
    scene.omega[13] = 1e20
    scene.splats.rotations[14] = 0
    out = io.BytesIO()
    report = encode_spacetime([scene], out, frames=10, effort=1)
    assert report["dropped_nonfinite"] == 4
    assert report["never_shown"] >= 3
    with gscodec.open(out.getvalue()) as opened:
        for frame in opened.frames():
            for name in ("positions", "rotations", "opacities"):
                assert np.isfinite(getattr(frame.splats, name)).all()
    with pytest.raises(EncodeError):
        encode_spacetime([scene], io.BytesIO(), frames=10, effort=1, nonfinite="error")


def test_no_splats() -> None:
    data = encoded(spacetime(0))
    with gscodec.open(data) as opened:
        assert len(opened.at(0.1)) == 0
        assert [len(each) for each in spacetime_scenes(opened)] == [0]


def test_several_segments(scene: SpacetimeScene) -> None:
    data = encoded(spacetime(300), spacetime(200, seed=5), frames=10, fps=20)
    with gscodec.open(data) as opened:
        assert [each.duration for each in opened.segments] == [2400, 2400]
        assert (opened.duration, opened.frame_count) == (1.0, 20)
        assert [len(each) <= most for each, most in zip(spacetime_scenes(opened), (300, 200), strict=True)]
    other = replace(spacetime(10), splats=replace(spacetime(10).splats, extras={}))
    with pytest.raises(InputError) as caught:
        encoded(spacetime(10), other)
    assert caught.value.code == "native.layout"


def test_it_is_looked_at_and_streamed() -> None:
    scene = spacetime(300)
    data = encoded(scene, effort=2, frames=8, stream=True)
    assert differences(data, scene, temporal_kernels.GAUSSIAN, 0.5)[:, 0].max() < 3e-3


@pytest.mark.parametrize(
    "options",
    [{}, {"frames": 3, "duration": 2}, {"duration": "0"}, {"duration": "x"}, {"frames": 0}],
)
def test_wrong_lengths(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        frames_of(**{"frames": None, "duration": None, "fps": 30, **options})  # type: ignore[arg-type]


def test_lengths() -> None:
    assert frames_of(frames=50, duration=None, fps="30") == (50, 30)
    frames, rate = frames_of(frames=None, duration="1.5", fps=30)
    assert frames / rate == 1.5


@pytest.mark.parametrize("options", [{"kernel": "other"}, {"threshold": 1.0}, {"threshold": float("nan")}])
def test_wrong_options(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        encoded(spacetime(3), **options)
