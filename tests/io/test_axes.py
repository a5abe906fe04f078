"""Coordinates: what is turned looks the same through a camera that is turned with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gscodec._generated import coordinate_systems
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.renderer import Renderer
from gscodec.io import axes
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats

SYSTEMS = [row for row in coordinate_systems.ROWS if row.value]


def scene(count: int = 60, degree: int = 3, seed: int = 0) -> Splats:
    rng = np.random.default_rng(seed)
    k = (degree + 1) ** 2 - 1
    return Splats(
        positions=rng.normal(0, 0.7, (count, 3)).astype(np.float32),
        scales=rng.uniform(-3.5, -1, (count, 3)).astype(np.float32),
        rotations=rng.normal(0, 1, (count, 4)).astype(np.float32),
        opacities=rng.normal(0.5, 1, count).astype(np.float32),
        sh_dc=rng.normal(0, 0.6, (count, 3)).astype(np.float32),
        sh_rest=rng.normal(0, 0.3, (count, k, 3)).astype(np.float32),
    )


def turned_matrix(seed: int) -> np.ndarray:
    """A random rotation."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def camera(seed: int = 1) -> Camera:
    rng = np.random.default_rng(seed)
    forward = rng.normal(size=3)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, rng.normal(size=3))
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(forward, right), forward])
    return Camera(
        width=64, height=48, fx=50.0, fy=50.0, cx=32.0, cy=24.0, position=-4 * forward, rotation=rows
    )


def picture(splats: Splats, view: Camera) -> np.ndarray:
    return Renderer(splats).view(view).draw().rgb


def same_view(view: Camera, matrix: np.ndarray) -> tuple[Camera, bool]:
    """The camera turned with the scene; a reflection is seen by a camera whose right is reversed."""
    rotation = view.rotation @ matrix.T
    is_mirrored = bool(np.linalg.det(matrix) < 0)
    if is_mirrored:
        rotation = rotation * np.array([[-1], [1], [1]])
    return replace(view, position=matrix @ view.position, rotation=rotation), is_mirrored


def assert_looks_the_same(before: Splats, after: Splats, matrix: np.ndarray) -> None:
    for seed in range(3):
        view = camera(seed)
        other, is_mirrored = same_view(view, matrix)
        wanted, found = picture(before, view), picture(after, other)
        assert wanted.max() > 0.1
        assert np.abs(wanted - (found[:, ::-1] if is_mirrored else found)).max() < 1e-4


@pytest.mark.parametrize("target", SYSTEMS, ids=lambda row: row.name)
@pytest.mark.parametrize("source", SYSTEMS, ids=lambda row: row.name)
def test_systems_look_the_same(source: coordinate_systems.Row, target: coordinate_systems.Row) -> None:
    splats = scene()
    file = SplatFile(splats=splats, coordinate_system=source.value)
    found = axes.in_axes(file, target.value)
    matrix = axes.between(axes.LETTERS[source.value], axes.LETTERS[target.value])
    assert found.coordinate_system == target.value
    assert np.linalg.det(matrix) == (1 if source.handedness == target.handedness else -1)
    assert_looks_the_same(splats, found.splats, matrix)


@pytest.mark.parametrize("target", SYSTEMS, ids=lambda row: row.name)
def test_there_and_back(target: coordinate_systems.Row) -> None:
    """To the last bit, but for harmonics that mix."""
    splats = scene(degree=3)
    file = SplatFile(splats=splats, coordinate_system=coordinate_systems.RIGHT_DOWN_FORWARD)
    back = axes.in_axes(axes.in_axes(file, target.value), coordinate_systems.RIGHT_DOWN_FORWARD).splats
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc"):
        assert np.array_equal(getattr(back, name), getattr(splats, name)), name
    assert np.abs(back.sh_rest - splats.sh_rest).max() < 1e-6


def test_flips_are_exact_in_harmonics_too() -> None:
    splats = scene()
    file = SplatFile(splats=splats, coordinate_system=coordinate_systems.RIGHT_DOWN_FORWARD)
    for target in (coordinate_systems.RIGHT_UP_BACK, coordinate_systems.LEFT_UP_FORWARD):
        found = axes.in_axes(file, target).splats
        assert np.array_equal(np.abs(found.sh_rest), np.abs(splats.sh_rest))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("sign", [1, -1])
def test_any_turn_looks_the_same(degree: int, sign: int) -> None:
    splats, matrix = scene(degree=degree, seed=degree), sign * turned_matrix(degree)
    assert_looks_the_same(splats, axes.turned(splats, matrix), matrix)


def test_placed_looks_the_same() -> None:
    splats, matrix, move = scene(), turned_matrix(7), np.array([3.0, -1.0, 0.5])
    found = axes.placed(splats, matrix, 2.0, move)
    for seed in range(3):
        view = camera(seed)
        other = replace(view, position=2 * matrix @ view.position + move, rotation=view.rotation @ matrix.T)
        assert np.abs(picture(splats, view) - picture(found, other)).max() < 1e-3  # 0.01 is near for both


def test_between_is_what_the_names_say() -> None:
    assert np.array_equal(axes.between("RDF", "RUB"), np.diag([1, -1, -1]))
    assert np.array_equal(axes.between("RDF", "LUF"), np.diag([-1, -1, 1]))
    assert np.array_equal(axes.between("RUB", "RFU"), [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert np.array_equal(axes.between("FLU", "RDF") @ [1, 2, 3], [-2, -3, 1])


def test_nothing_stated_is_the_training_code() -> None:
    splats = scene()
    found = axes.in_axes(SplatFile(splats=splats), coordinate_systems.RIGHT_DOWN_FORWARD)
    assert found.splats is splats
    assert axes.in_axes(found, coordinate_systems.UNSPECIFIED) is found
    flipped = axes.in_axes(SplatFile(splats=splats), coordinate_systems.RIGHT_UP_BACK).splats
    assert np.array_equal(flipped.positions, splats.positions * np.array([1, -1, -1], np.float32))


def test_wild_values_stay_where_they_are() -> None:
    splats = scene(8)
    splats.positions[0] = (np.inf, np.nan, 1)
    splats.sh_rest[1, 5] = np.inf
    found = axes.turned(splats, axes.between("RDF", "RFU"))
    assert np.array_equal(found.positions[0], [np.inf, 1, np.nan], equal_nan=True)
    assert np.isfinite(found.positions[1:]).all()
    assert np.isfinite(found.sh_rest[2:]).all()
    assert len(axes.turned(splats.take(slice(0, 0)), turned_matrix(1))) == 0


def test_normals_are_turned() -> None:
    normals = np.eye(3, dtype=np.float32)
    extras = {name: normals[:, i].copy() for i, name in enumerate(axes.NORMALS)}
    splats = replace(scene(3), extras=extras | {"age": np.arange(3)})
    found = axes.turned(splats, axes.between("RDF", "RFU"))
    assert np.array_equal(
        np.stack([found.extras[n] for n in axes.NORMALS], axis=1), [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    )
    assert np.array_equal(found.extras["age"], np.arange(3))
