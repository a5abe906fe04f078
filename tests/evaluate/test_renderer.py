"""The renderer against a plain one without tiles and lists, and against rendereval where that is there."""

from __future__ import annotations

import importlib
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gscodec.errors import UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.renderer import MODES, Renderer, Statistics
from gscodec.splats import Splats

Array = NDArray[Any]
REFEREE = Path(__file__).resolve().parents[2].parent / "shared/tools/rendereval"
NEAR = {"gsplat": 0.01, "inria": 0.2}
MOST = {"gsplat": 0.999, "inria": 0.99}


def made(count: int, degree: int = 0, seed: int = 0, size: float = 0.05) -> Splats:
    """Splats in a ball around the origin, some of them thin, some nearly opaque."""
    random = np.random.default_rng(seed)
    normal = lambda *shape: random.normal(size=shape).astype(np.float32)  # noqa: E731
    return Splats(
        positions=normal(count, 3) * np.float32(0.5),
        scales=np.float32(math.log(size)) + normal(count, 3),
        rotations=normal(count, 4),
        opacities=2 * normal(count),
        sh_dc=normal(count, 3),
        sh_rest=np.float32(0.3) * normal(count, (degree + 1) ** 2 - 1, 3),
    )


def looking(width: int = 45, height: int = 38, distance: float = 2.5, angle: float = 0.4) -> Camera:
    """From `distance` towards the origin; the principal point is off the middle, pixels not square."""
    c, s = math.cos(angle), math.sin(angle)
    rotation = np.array([[c, 0, s], [0.0, 1, 0], [-s, 0, c]]) @ np.array(
        [[1, 0, 0], [0, 0.96, 0.28], [0, -0.28, 0.96]]
    )
    return Camera(
        width=width,
        height=height,
        fx=1.1 * width,
        fy=1.3 * width,
        cx=0.47 * width,
        cy=0.55 * height,
        position=-distance * rotation[2],
        rotation=rotation,
    )


# ---- the plain renderer


def basis(x: float, y: float, z: float) -> Array:
    """The 16 real harmonics, written out in Cartesian form with the factors as roots."""
    pi = math.pi
    one, two, three = (
        math.sqrt(3 / (4 * pi)),
        math.sqrt(15 / (4 * pi)),
        math.sqrt(35 / (32 * pi)),
    )
    return np.array(
        [
            math.sqrt(1 / (4 * pi)),
            -one * y,
            one * z,
            -one * x,
            two * x * y,
            -two * y * z,
            math.sqrt(5 / (16 * pi)) * (3 * z * z - 1),
            -two * x * z,
            two / 2 * (x * x - y * y),
            -three * y * (3 * x * x - y * y),
            math.sqrt(105 / (4 * pi)) * x * y * z,
            -math.sqrt(21 / (32 * pi)) * y * (5 * z * z - 1),
            math.sqrt(7 / (16 * pi)) * z * (5 * z * z - 3),
            -math.sqrt(21 / (32 * pi)) * x * (5 * z * z - 1),
            math.sqrt(105 / (16 * pi)) * z * (x * x - y * y),
            -three * x * (x * x - 3 * y * y),
        ]
    )


@dataclass
class Plain:
    """Weights of every splat in every pixel, (N, H, W), and what is made of them."""

    weights: Array
    light: Array
    z: Array
    colours: Array
    harmonics: Array

    def picture(self, background: Array, colours: Array | None = None) -> Array:
        blend = np.einsum("nhw,nc->hwc", self.weights, self.colours if colours is None else colours)
        return np.asarray(blend + self.light[..., None] * background)


def turned(splat: Array) -> Array:
    w, x, y, z = splat / np.linalg.norm(splat)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + 2 * w * cross + 2 * cross @ cross)


def plain(splats: Splats, camera: Camera, mode: str) -> Plain:
    """Pixel by pixel, as the conventions say, in double precision."""
    n, width, height = len(splats), camera.width, camera.height
    local = (splats.positions - camera.position) @ camera.rotation.T
    weights, light = np.zeros((n, height, width)), np.ones((height, width))
    going = np.ones((height, width), bool)
    colours, harmonics = np.zeros((n, 3)), np.zeros((n, 16))
    px, py = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    known = splats.sh_rest.shape[1]
    for i in np.argsort(local[:, 2].astype(np.float32), kind="stable"):
        x, y, z = local[i]
        d = splats.positions[i] - camera.position
        harmonics[i] = basis(*(d / np.linalg.norm(d)))
        coefficients = np.concatenate([splats.sh_dc[i][None], splats.sh_rest[i]])
        colours[i] = np.maximum(harmonics[i][: known + 1] @ coefficients + 0.5, 0)
        opacity = 1 / (1 + math.exp(-splats.opacities[i]))
        if z <= NEAR[mode] or opacity < 1 / 255:
            continue
        axes = turned(splats.rotations[i].astype(float)) * np.exp(splats.scales[i].astype(float))
        limits = [
            (camera.fx, camera.cx, width, x / z),
            (camera.fy, camera.cy, height, y / z),
        ]
        tx, ty = (
            min((size - c) / f + 0.15 * size / f, max(-c / f - 0.15 * size / f, t))
            for f, c, size, t in limits
        )
        jacobian = np.array(
            [[camera.fx / z, 0, -camera.fx * tx / z], [0, camera.fy / z, -camera.fy * ty / z]]
        )
        spread = jacobian @ camera.rotation @ axes
        covariance = spread @ spread.T + 0.3 * np.eye(2)
        mx, my = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
        dx, dy = px - mx, py - my
        inverse = np.linalg.inv(covariance)
        power = 0.5 * (inverse[0, 0] * dx * dx + inverse[1, 1] * dy * dy) + inverse[0, 1] * dx * dy
        alpha = np.minimum(MOST[mode], opacity * np.exp(-power))
        alpha[alpha < 1 / 255] = 0
        if mode == "inria":
            mid = 0.5 * np.trace(covariance)
            radius = math.ceil(
                3 * math.sqrt(mid + math.sqrt(max(0.1, mid * mid - np.linalg.det(covariance))))
            )
            for pixels, centre in ((px, mx), (py, my)):
                first = max(0, int((centre - 0.5 - radius) / 16))
                last = max(0, int((centre - 0.5 + radius + 15) / 16))
                alpha[(pixels // 16 < first) | (pixels // 16 >= last)] = 0
        left = light * (1 - alpha)
        going &= ~((alpha > 0) & (left <= 1e-4))
        alpha[~going] = 0
        weights[i] = alpha * light
        light = light * (1 - alpha)
    return Plain(weights, light, local[:, 2], colours, harmonics)


# ---- pictures


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("degree", range(4))
def test_pictures(mode: str, degree: int) -> None:
    splats, camera = made(150, degree, seed=degree), looking()
    wanted = plain(splats, camera, mode)
    background = np.array([0.2, 0.7, 0.4])
    view = Renderer(splats, mode=mode).view(camera)
    picture = view.draw(background=(0.2, 0.7, 0.4))
    assert picture.rgb.shape == (38, 45, 3)
    assert {picture.rgb.dtype, picture.alpha.dtype, picture.depth.dtype} == {np.dtype(np.float32)}
    np.testing.assert_allclose(picture.rgb, wanted.picture(background), atol=3e-5)
    np.testing.assert_allclose(picture.alpha, 1 - wanted.light, atol=1e-5)
    hidden = 1 - wanted.light
    seen = hidden > 1e-2
    depth = np.einsum("nhw,n->hw", wanted.weights, wanted.z)
    np.testing.assert_allclose(picture.depth[seen], depth[seen] / hidden[seen], rtol=1e-3)
    assert not picture.depth[hidden < 1e-7].any()
    assert set(np.flatnonzero(wanted.weights.max((1, 2)))) <= set(view.visible)
    np.testing.assert_allclose(view.colours, wanted.colours[view.visible], atol=1e-5)
    assert (np.diff(wanted.z[view.visible]) >= -1e-6).all()
    assert len(view) == len(view.visible)


@pytest.mark.parametrize("mode", MODES)
def test_given_colours(mode: str) -> None:
    splats, camera = made(120), looking()
    colours = np.random.default_rng(1).normal(size=(120, 3)).astype(np.float32)
    picture = Renderer(splats, mode=mode).render(camera, colours=colours)
    wanted = plain(splats, camera, mode).picture(np.zeros(3), colours)
    assert wanted.min() < -0.1
    np.testing.assert_allclose(picture.rgb, wanted, atol=5e-5)


def test_many_layers_end_early() -> None:
    """So many opaque splats that pixels end; those behind give nothing."""
    splats = replace(made(2000, size=0.2), opacities=np.full(2000, 3, np.float32))
    wanted = plain(splats, looking(), "gsplat")
    statistics = Statistics.zeros(2000)
    picture = Renderer(splats).render(looking(), statistics=statistics)
    np.testing.assert_allclose(picture.rgb, wanted.picture(np.zeros(3)), atol=2e-4)
    assert picture.alpha.max() <= 1 - 1e-4
    assert (statistics.weight == 0).sum() > 500


@pytest.mark.parametrize("mode", MODES)
def test_the_same_depth_goes_by_index(mode: str) -> None:
    splats = made(64)
    splats = replace(splats, positions=np.zeros_like(splats.positions))
    view = Renderer(splats, mode=mode).view(looking())
    assert (np.diff(view.visible) > 0).all()
    np.testing.assert_allclose(
        view.draw().rgb, plain(splats, looking(), mode).picture(np.zeros(3)), atol=3e-5
    )


# ---- statistics and gradients


@pytest.mark.parametrize("mode", MODES)
def test_statistics(mode: str) -> None:
    splats = made(150, 3)
    cameras = [looking(), looking(33, 17, angle=-1.0)]
    random = np.random.default_rng(2)
    importance = [None, random.random((17, 33)).astype(np.float32)]
    statistics = Statistics.zeros(150, 2)
    weight, squared, largest = np.zeros(150), np.zeros(150), np.zeros(150)
    gram = np.zeros((150, 45))
    upper = np.triu_indices(9)
    renderer = Renderer(splats, mode=mode)
    for camera, weights in zip(cameras, importance, strict=True):
        wanted = plain(splats, camera, mode)
        picture = renderer.render(camera, statistics=statistics, pixel_weight=weights)
        np.testing.assert_array_equal(picture.rgb, renderer.render(camera).rgb)
        weight += wanted.weights.sum((1, 2))
        pixels = np.ones(wanted.light.shape) if weights is None else weights
        here = np.einsum("nhw,hw->n", wanted.weights**2, pixels)
        squared += here
        largest = np.maximum(largest, wanted.weights.max((1, 2)))
        y = wanted.harmonics[:, :9]
        gram += here[:, None] * (y[:, :, None] * y[:, None, :])[:, upper[0], upper[1]]
    np.testing.assert_allclose(statistics.weight, weight, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(statistics.squared, squared, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(statistics.largest, largest, atol=1e-5)
    assert statistics.gram is not None
    np.testing.assert_allclose(statistics.gram, gram, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_gather_is_the_adjoint_of_draw(mode: str) -> None:
    splats, camera = made(300), looking(70, 50)
    random = np.random.default_rng(3)
    colours = random.normal(size=(300, 3)).astype(np.float32)
    gradient = random.normal(size=(50, 70, 3)).astype(np.float32)
    view = Renderer(splats, mode=mode).view(camera)
    forward = (view.draw(colours=colours).rgb.astype(float) * gradient).sum()
    gathered = view.gather(gradient)
    assert gathered.dtype == np.float32
    backward = (gathered.astype(float) * colours).sum()
    assert forward == pytest.approx(backward, rel=1e-4, abs=1e-3)
    wanted = np.einsum("nhw,hwc->nc", plain(splats, camera, mode).weights, gradient)
    np.testing.assert_allclose(gathered, wanted, atol=1e-3)


def faint(count: int) -> Splats:
    """So many wide splats that let so much through that tiles have more weights than are kept."""
    splats = made(count)
    return replace(
        splats, scales=np.full_like(splats.scales, 0.5), opacities=np.full_like(splats.opacities, -5.1)
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "splats", [made(300), made(2000, 1, size=0.2), faint(2500)], ids=["few", "deep", "faint"]
)
def test_product_is_draw_then_gather(mode: str, splats: Splats) -> None:
    random = np.random.default_rng(5)
    colours = random.normal(size=(len(splats), 3)).astype(np.float32)
    wanted = random.random((50, 70, 3)).astype(np.float32)
    view = Renderer(splats, mode=mode).view(looking(70, 50))
    close = {"rtol": 1e-5, "atol": 1e-4}
    np.testing.assert_allclose(view.product(colours), view.gather(view.draw(colours=colours).rgb), **close)
    overlap = np.ones(len(splats))
    drawn = view.draw()
    np.testing.assert_allclose(
        view.product(picture=wanted, overlap=overlap), view.gather(wanted - drawn.rgb), **close
    )
    white = view.gather(np.repeat(drawn.alpha[..., None], 3, axis=2))[:, 0]
    np.testing.assert_allclose(overlap - 1, white, **close)


def test_threads_change_nothing() -> None:
    splats, camera = made(20_000, 1, size=0.01), looking(200, 130)
    gradient = np.random.default_rng(4).normal(size=(130, 200, 3)).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        statistics = Statistics.zeros(20_000, 1)
        view = Renderer(splats, threads=threads).view(camera)
        picture = view.draw(statistics=statistics)
        overlap = np.zeros(20_000)
        results.append(
            [
                picture.rgb,
                picture.alpha,
                picture.depth,
                view.visible,
                view.colours,
                view.gather(gradient),
                view.product(picture=gradient, overlap=overlap),
                overlap,
                statistics.weight,
                statistics.squared,
                statistics.largest,
                statistics.gram,
            ]
        )
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


# ---- edges


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40), (40, 1), (16, 16), (17, 33)])
def test_sizes(mode: str, width: int, height: int) -> None:
    splats, camera = made(60, 1), looking(width, height)
    picture = Renderer(splats, mode=mode).render(camera)
    np.testing.assert_allclose(picture.rgb, plain(splats, camera, mode).picture(np.zeros(3)), atol=3e-5)


@pytest.mark.parametrize("mode", MODES)
def test_no_splats(mode: str) -> None:
    view = Renderer(made(0, 3), mode=mode).view(looking())
    statistics = Statistics.zeros(0, 3)
    picture = view.draw(background=(0.25, 0.5, 1.0), statistics=statistics)
    assert (picture.rgb == np.array([0.25, 0.5, 1], np.float32)).all()
    assert not picture.alpha.any()
    assert not picture.depth.any()
    assert view.visible.shape == (0,)
    assert view.colours.shape == (0, 3)
    assert view.gather(picture.rgb).shape == (0, 3)
    assert view.product().shape == (0, 3)


@pytest.mark.parametrize("mode", MODES)
def test_splats_with_a_value_that_is_not_finite_are_invisible(mode: str) -> None:
    splats = made(140, 3)
    names = ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")
    bad = {name: getattr(splats, name).copy() for name in names}
    for k, values in enumerate(bad.values()):
        for j, value in enumerate((np.nan, np.inf, -np.inf, 3e38)):
            values.reshape(140, -1)[4 * k + j, -1] = value
    spoilt = {i for i in range(24) if i % 4 != 3}  # 3e38 is finite; whether it is seen is another matter
    seen = Renderer(Splats(**bad), mode=mode).view(looking())
    assert not spoilt & set(seen.visible.tolist())
    picture = seen.draw()
    for values in (picture.rgb, picture.alpha, picture.depth):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("mode", MODES)
def test_cameras_among_splats_and_huge_splats(mode: str) -> None:
    splats = made(100, 1)
    scales = splats.scales.copy()
    scales[:30] += np.float32(8)
    scales[30] = 25
    splats = replace(splats, scales=scales)
    for distance in (0.0, 0.02, 0.3):
        camera = replace(looking(), position=splats.positions[40] - distance * looking().rotation[2])
        picture = Renderer(splats, mode=mode).render(camera)
        for values in (picture.rgb, picture.alpha, picture.depth):
            assert np.isfinite(values).all()
        if distance > 0:  # the plain one divides by it
            wanted = plain(splats, camera, mode).picture(np.zeros(3))
            np.testing.assert_allclose(picture.rgb, wanted, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e14])
def test_scenes_of_any_size(scale: float) -> None:
    splats = made(50)
    splats = replace(
        splats,
        positions=splats.positions * np.float32(scale),
        scales=splats.scales + np.float32(math.log(scale)),
    )
    camera = replace(looking(), position=looking().position * scale)
    picture = Renderer(splats).render(camera)
    assert np.isfinite(picture.rgb).all()
    assert picture.alpha.any() == (scale > 1e-2)  # else all of it is nearer than the near plane


def test_too_many_pairs_are_an_error() -> None:
    splats = replace(
        made(2200), scales=np.full((2200, 3), 3, np.float32), opacities=np.full(2200, 2, np.float32)
    )
    with pytest.raises(MemoryError, match="tiles"):
        Renderer(splats).view(looking(4096, 4096))


def test_arguments_are_checked() -> None:
    splats = made(5, 1)
    with pytest.raises(ValueError, match="mode"):
        Renderer(splats, mode="gs")
    with pytest.raises(UsageError):
        Renderer(splats, threads=-1)
    with pytest.raises(UsageError):
        Statistics.zeros(5, 4)
    renderer = Renderer(splats)
    nothing: Any = math.nan
    for change in ({"width": 0}, {"fx": 0.0}, {"cy": nothing}, {"width": 1 << 17}):
        with pytest.raises(ValueError, match="camera"):
            renderer.view(replace(looking(), **change))
    view = renderer.view(looking())
    with pytest.raises(ValueError, match="colours"):
        view.draw(colours=np.zeros((4, 3), np.float32))
    with pytest.raises(ValueError, match="weights"):
        view.draw(pixel_weight=np.zeros((45, 38), np.float32))
    with pytest.raises(ValueError, match="statistics"):
        view.draw(statistics=Statistics.zeros(4))
    with pytest.raises(ValueError, match="gradient"):
        view.gather(np.zeros((45, 38, 3), np.float32))
    with pytest.raises(ValueError, match="colours"):
        view.product(np.zeros((4, 3), np.float32))
    with pytest.raises(ValueError, match="picture"):
        view.product(picture=np.zeros((45, 38, 3), np.float32))
    with pytest.raises(ValueError, match="output"):
        view.product(overlap=np.zeros(4))


# ---- the referee


@pytest.fixture(scope="module")
def referee() -> Any:
    pytest.importorskip("numba")
    if not REFEREE.is_dir():
        pytest.skip("rendereval is not there")
    sys.path.insert(0, str(REFEREE))
    try:
        return importlib.import_module("rendereval.raster")
    finally:
        sys.path.remove(str(REFEREE))


@pytest.mark.parametrize("mode", MODES)
def test_against_the_referee(referee: Any, mode: str) -> None:
    splats, camera = made(3000, 3, size=0.03), looking(150, 110)
    scene = {
        "xyz": splats.positions,
        "scale": splats.scales,
        "rot": splats.rotations,
        "opacity": splats.opacities,
        "f_dc": splats.sh_dc,
        "f_rest": splats.sh_rest,
    }
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = camera.rotation, -camera.rotation @ camera.position
    names = ("width", "height", "fx", "fy", "cx", "cy")
    theirs = SimpleNamespace(
        **{name: getattr(camera, name) for name in names}, pos=camera.position, world_to_cam=lambda: matrix
    )
    rgb, alpha, depth = referee.render(referee.prepare(scene), theirs, bg=(1, 0, 0.5), mode=mode, aux=True)
    picture = Renderer(splats, mode=mode).render(camera, background=(1, 0, 0.5))
    assert (np.abs(picture.rgb - rgb).max(2) <= 1e-3).mean() > 0.999
    assert -10 * math.log10(((picture.rgb - rgb) ** 2).mean()) > 65
    assert (np.abs(picture.alpha - alpha) <= 1e-3).mean() > 0.999
    assert (np.abs(picture.depth - depth) <= 1e-2).mean() > 0.999
