"""Rigs on small made scenes: what they must see, from where they must not look, and what may be wrong."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from gscodec.errors import UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.rigs import Kind, closer, focus_depth, make_rig
from gscodec.splats import Splats


def made(positions: np.ndarray, *, scale: Any = 0.02, opacity: float = 3.0) -> Splats:
    n = len(positions)
    return Splats(
        positions=positions.astype(np.float32),
        scales=np.broadcast_to(np.log(np.asarray(scale, np.float32)), (n, 3)).astype(np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        opacities=np.full(n, opacity, np.float32),
        sh_dc=np.zeros((n, 3), np.float32),
        sh_rest=np.zeros((n, 0, 3), np.float32),
    )


def directions(n: int) -> np.ndarray:
    vectors = np.random.default_rng(1).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def box(n: int, sides: tuple[float, float, float]) -> np.ndarray:
    """Points on the walls of a box around the origin."""
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (n, 3))
    axis = np.arange(n) % 3
    points[np.arange(n), axis] = np.sign(points[np.arange(n), axis]) / 2
    return points * sides


def street(n: int) -> np.ndarray:
    """A floor, 20 by 4, between two walls 3 high; -y is up."""
    points = np.random.default_rng(3).uniform((-10, -3, -2), (10, 0, 2), (n, 3))
    part = np.arange(n) % 3
    points[part == 0, 1] = 0
    points[part == 1, 2] = -2
    points[part == 2, 2] = 2
    return points


def sighted(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Which points are in the picture."""
    x, y, z = camera.rotation @ (points - camera.position).T
    z = np.where(z > 1e-9, z, np.nan)
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    return (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)


def check(cameras: list[Camera], views: int, size: tuple[int, int] = (400, 300)) -> None:
    assert len(cameras) == views
    assert len({camera.name for camera in cameras}) == views
    for camera in cameras:
        assert (camera.width, camera.height) == size
        assert np.isfinite(camera.position).all()
        assert np.isfinite([camera.fx, camera.fy, camera.cx, camera.cy]).all()
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(camera.rotation) > 0


# ---- what they see ----------------------------------------------------------------------------------------


def test_an_object_is_seen_from_all_sides() -> None:
    points = directions(4000)
    cameras = make_rig(made(points))
    check(cameras, 48)
    outside = [camera for camera in cameras if camera.name.startswith("outside")]
    assert len(outside) > 24
    # Facing and in the picture: what a sphere hides is its far side.
    seen = [
        sighted(camera, points) & (((camera.position - points) * points).sum(1) > 0) for camera in cameras
    ]
    assert np.mean(np.any(seen, axis=0)) > 0.99
    assert np.mean(np.sum(seen, axis=0) >= 3) > 0.9
    for whole in outside[::2]:
        assert sighted(whole, points).mean() > 0.98
        assert np.linalg.norm(whole.position) > 1.5
    # A camera within the hollow sphere would see nothing that any viewer sees.
    assert np.mean([np.linalg.norm(camera.position) < 0.95 for camera in cameras]) < 0.1


def test_near_views_are_close_to_the_surface_and_before_it() -> None:
    points = directions(4000)
    cameras = make_rig(made(points), "near", views=12)
    check(cameras, 12)
    distances = np.array([np.linalg.norm(camera.position) for camera in cameras])
    assert distances.max() < 3
    assert (distances > 1).mean() > 0.8


def test_a_room_is_seen_from_inside() -> None:
    sides = (8.0, 2.5, 6.0)
    points = box(12_000, sides)
    cameras = make_rig(made(points, scale=0.05), views=40)
    inside = [camera for camera in cameras if camera.name.startswith("inside")]
    assert len(inside) >= 10
    within = np.array([(np.abs(camera.position) < np.array(sides) / 2).all() for camera in inside])
    assert within.mean() > 0.9
    assert np.mean(np.any([sighted(camera, points) for camera in inside], axis=0)) > 0.75
    # They do not stand in one corner.
    places = np.array([camera.position for camera in inside])
    assert (np.ptp(places, axis=0) > np.array(sides) * (0.3, 0, 0.3)).all()


def test_places_from_which_all_splats_are_of_one_size_are_found() -> None:
    """As after training with cameras in one region: splats as large as their distance from it."""
    eye = np.array([1.0, -0.5, 0.5])
    points = eye + directions(6000) * np.exp(np.random.default_rng(4).uniform(0, 2.5, (6000, 1)))
    distance = np.linalg.norm(points - eye, axis=1)
    cameras = make_rig(made(points, scale=0.01 * distance[:, None]), "inside", views=12)
    places = np.array([camera.position for camera in cameras])
    assert np.median(np.linalg.norm(places - eye, axis=1)) < 2.5
    assert np.ptp(points, axis=0).min() > 15


def test_a_street_is_covered() -> None:
    points = street(12_000)
    cameras = make_rig(made(points, scale=0.05))
    check(cameras, 48)
    seen = np.array([sighted(camera, points) for camera in cameras])
    assert np.mean(seen.sum(0) >= 5) > 0.95


# ---- the same, whatever -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(Kind))
def test_rigs_depend_on_the_splats_alone(kind: Kind) -> None:
    splats = made(street(3000), scale=0.05)
    first = make_rig(splats, kind, views=7, size=(64, 48))
    np.random.default_rng(9).random(5)
    second = make_rig(splats, kind, views=7, size=(64, 48))
    check(first, 7, (64, 48))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.position, other.position)
        np.testing.assert_array_equal(one.rotation, other.rotation)
    if kind in ("outside", "inside", "near"):
        assert all(camera.name.startswith(kind) for camera in first)


def test_outliers_do_not_move_the_cameras() -> None:
    points = directions(3000)
    far = points.copy()
    far[::500] *= 1e30
    for camera in make_rig(made(far), views=12):
        assert np.linalg.norm(camera.position) < 10


BROKEN = made(directions(6))
BROKEN.positions[0] = np.nan
BROKEN.positions[1, 2] = np.inf
BROKEN.scales[2] = np.nan
BROKEN.rotations[3] = 0
BROKEN.opacities[4] = np.nan
DEGENERATE = {
    "none": made(np.zeros((0, 3))),
    "one": made(np.array([[1.0, 2, 3]])),
    "two": made(np.array([[1.0, 2, 3], [4, 5, 6]])),
    "one place": made(np.full((500, 3), 7.0)),
    "plane": made(np.random.default_rng(5).uniform(-1, 1, (800, 3)) * (1, 0, 1), scale=(0.05, 1e-9, 0.05)),
    "line": made(np.random.default_rng(5).uniform(-1, 1, (800, 3)) * (0, 0, 1)),
    "huge": made(directions(500) * 1e37, scale=1e35),
    "far away": made(directions(500) + 1e7),
    "tiny": made(directions(500) * 1e-30, scale=1e-32),
    "solid": made(np.random.default_rng(6).uniform(-1, 1, (3000, 3)), scale=0.5),
    "invisible": made(directions(50), opacity=-20.0),
    "opaque": made(directions(50), opacity=float("inf")),
    "vast splats": made(directions(50), scale=3e38),
    "broken": BROKEN,
    "all broken": made(np.full((5, 3), np.nan)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["auto", "outside", "inside", "near"])
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_scenes_have_cameras(name: str, kind: Kind) -> None:
    check(make_rig(DEGENERATE[name], kind, views=5, size=(40, 30)), 5, (40, 30))


def test_any_number_of_views_and_any_size() -> None:
    splats = made(directions(300))
    for views in (1, 2, 3, 100):
        check(make_rig(splats, views=views, size=(1, 9)), views, (1, 9))


@pytest.mark.parametrize("wrong", [{"kind": "orbit"}, {"views": 0}, {"size": (0, 5)}])
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        make_rig(made(directions(9)), **wrong)
    assert caught.value.code == "usage.rig"


# ---- stepping closer --------------------------------------------------------------------------------------


def test_closer() -> None:
    (camera,) = make_rig(made(directions(300)), "outside", views=1)
    target = camera.position + 8 * camera.rotation[2]
    (moved,) = closer([camera], [8.0], 0.25)
    np.testing.assert_allclose(moved.position, target - 2 * camera.rotation[2])
    np.testing.assert_array_equal(moved.rotation, camera.rotation)
    for depths, share in (([], 0.5), ([1.0], 0.0), ([1.0], 1.5), ([float("nan")], 0.5)):
        with pytest.raises(UsageError):
            closer([camera], depths, share)


def test_focus_depth() -> None:
    depth, alpha = np.full((9, 12), 100.0), np.ones((9, 12))
    depth[3:6, 4:8] = np.arange(12).reshape(3, 4)
    assert focus_depth(depth, alpha) == 5
    alpha[3:5] = 0  # what is left of the middle: 8, 9, 10, 11
    alpha[5, 7] = 9
    assert focus_depth(depth, alpha) == 11
    depth[5, 7] = np.nan
    assert focus_depth(depth, alpha) == 9
    assert focus_depth(depth, np.zeros((9, 12))) == 0
    assert focus_depth(np.ones((1, 1)), np.ones((1, 1))) == 1
