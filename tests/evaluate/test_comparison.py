"""`compare` on a small made-up scene, and the pictures of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gscodec.errors import InputError
from gscodec.evaluate import pictures
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.comparison import (
    MEASURES,
    Group,
    Shot,
    ViewScores,
    compare,
    distance_name,
    evenly,
    fitted,
    score,
)
from gscodec.evaluate.renderer import Renderer
from gscodec.splats import Splats


def scene(count: int = 150, sh_degree: int = 0) -> Splats:
    """A ball of coloured splats around the origin."""
    rng = np.random.default_rng(7)
    normal = rng.standard_normal
    return Splats(
        positions=(0.4 * normal((count, 3))).astype(np.float32),
        scales=(normal((count, 3)) * 0.3 - 2.5).astype(np.float32),
        rotations=normal((count, 4)).astype(np.float32),
        opacities=np.full(count, 2, np.float32),
        sh_dc=normal((count, 3)).astype(np.float32),
        sh_rest=np.zeros((count, (sh_degree + 1) ** 2 - 1, 3), np.float32),
    )


def recoloured(splats: Splats, amount: float) -> Splats:
    return replace(splats, sh_dc=(splats.sh_dc + np.float32(amount)).astype(np.float32))


def camera(number: int, *, size: tuple[int, int] = (64, 48), away: bool = False) -> Camera:
    """One of those around the scene, three units from it; or one that looks away from it."""
    angle = number * 1.3
    forward = np.array([math.sin(angle), 0, math.cos(angle)])
    right = np.array([forward[2], 0, -forward[0]])
    return Camera(
        width=size[0],
        height=size[1],
        fx=60.0,
        fy=60.0,
        cx=size[0] / 2,
        cy=size[1] / 2,
        position=(3 if away else -3) * forward,
        rotation=np.stack((right, np.array([0.0, 1, 0]), forward)),
        name=f"view {number}",
    )


CAMERAS = [camera(number) for number in range(3)]


def test_a_scene_is_equal_to_itself() -> None:
    report = compare(scene(), {"same": scene()}, CAMERAS)
    groups = report.tests["same"]
    assert [group.distance for group in groups] == [1, 0.5, 0.25]
    for group in groups:
        assert [view.name for view in group.views] == ["view 0", "view 1", "view 2"]
        means = {name: group.mean(name) for name in group.measures}
        assert means == {
            "psnr": math.inf,
            "psnr_content": math.inf,
            "ssim": 1,
            "ms_ssim": 1,
            "flip": 0,
            "p99_error": 0,
            "max_error": 0,
        }
    facts = json.loads(json.dumps(report.facts("same"), allow_nan=False))
    assert facts[0]["mean"]["psnr"] == facts[0]["views"][0]["psnr"] == "inf"
    assert facts[0]["worst"]["psnr"] == {"value": "inf", "view": "view 0"}
    assert facts[0]["equal_views"] == 3


def test_measures_differences() -> None:
    truth = scene()
    tests = {"near": recoloured(truth, 0.02), "far": recoloured(truth, 0.3)}
    shots: list[Shot] = []
    done: list[float] = []
    report = compare(
        truth,
        tests,
        CAMERAS,
        distances=(1, 0.5),
        watch=shots.append,
        progress=lambda stage, share: done.append(share),
    )
    assert done == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert [(shot.name, shot.distance) for shot in shots[:3]] == [
        ("view 0", 1),
        ("view 0", 0.5),
        ("view 1", 1),
    ]
    for near, far in zip(report.tests["near"], report.tests["far"], strict=True):
        assert set(near.measures) == set(MEASURES) - {"lpips"}
        for name in near.measures:
            assert near.mean(name) != far.mean(name)
            assert (near.mean(name) > far.mean(name)) == MEASURES[name].higher
        assert near.mean("psnr_content") < near.mean("psnr") < math.inf  # the background is equal
    full = Renderer(truth).render(CAMERAS[1])
    other = Renderer(tests["far"]).render(CAMERAS[1])
    assert report.tests["far"][0].views[1].scores == pytest.approx(score(full, other))
    # nearer, the scene fills more of the picture
    first, second = (shot.reference.alpha.mean() for shot in shots[:2])
    assert second > 1.5 * first
    facts = json.loads(json.dumps(report.facts("far"), allow_nan=False))
    assert [group["distance"] for group in facts] == [1, 0.5]
    assert len(facts[1]["views"]) == 3
    worst = report.tests["far"][1].worst("flip")
    assert facts[1]["worst"]["flip"] == {"value": worst.scores["flip"], "view": worst.name}
    lines = report.lines()
    assert len(lines) == 5
    assert [line.split()[:2] for line in lines[1::2]] == [["near", "full"], ["far", "full"]]


def test_options() -> None:
    """More splats, fewer harmonics, another background, another renderer, one thread; and no FLIP."""
    truth, test = scene(sh_degree=2), recoloured(scene(160), 0.1)
    plain = compare(truth, {"b": test}, CAMERAS[:1], distances=(1,)).tests["b"][0]
    quick = compare(truth, {"b": test}, CAMERAS[:1], distances=(1,), with_flip=False, threads=1).tests["b"][0]
    assert "flip" not in quick.measures
    assert quick.mean("psnr") == plain.mean("psnr")
    white = compare(
        truth, {"b": test}, CAMERAS[:1], distances=(1,), background=(1, 1, 1), mode="inria", with_flip=False
    )
    assert white.tests["b"][0].mean("psnr") != plain.mean("psnr")


def test_a_view_of_nothing_hides_no_other() -> None:
    truth = scene()
    report = compare(truth, {"b": recoloured(truth, 0.1)}, [camera(0), camera(1, away=True)], with_flip=False)
    for group in report.tests["b"]:
        assert group.views[1].scores["psnr"] == math.inf
        assert group.mean("psnr") == group.views[0].scores["psnr"]
        assert group.worst("psnr").name == "view 0"
    assert report.facts("b")[0]["equal_views"] == 1


def test_worst_goes_by_what_is_better() -> None:
    views = tuple(
        ViewScores(name=name, scores={"psnr": psnr, "flip": flip})
        for name, psnr, flip in (("a", 30.0, 0.1), ("b", 20.0, 0.3), ("c", 20.0, 0.3), ("d", math.inf, 0.0))
    )
    group = Group(distance=1, views=views)
    assert group.worst("psnr").name == group.worst("flip").name == "b"
    assert group.mean("psnr") == pytest.approx(70 / 3)


def test_refuses() -> None:
    truth = scene(10)
    for tests, cameras, distances in (
        ({}, CAMERAS, (1,)),
        ({"b": truth}, [], (1,)),
        ({"b": truth}, CAMERAS, ()),
    ):
        with pytest.raises(ValueError, match="nothing to compare"):
            compare(truth, tests, cameras, distances=distances)
    for distance in (0, -1, 1.5, math.nan):
        with pytest.raises(ValueError, match="distance"):
            compare(truth, {"b": truth}, CAMERAS, distances=(1, distance))


def test_cameras_are_picked_evenly_and_fitted() -> None:
    many = [camera(number) for number in range(10)]
    assert [each.name[-1] for each in evenly(many, 3)] == ["1", "5", "8"]
    assert evenly(many, 10) == evenly(many, 99) == many
    assert evenly(many, 1) == [many[5]]
    small = fitted(camera(0, size=(600, 400)), (300, 300), may_grow=False)
    assert (small.width, small.height, small.fx) == (300, 200, 30)
    assert fitted(many[0], (640, 640), may_grow=False) is many[0]
    assert fitted(many[0], (640, 640), may_grow=True).height == 480


def test_distance_names() -> None:
    names = [distance_name(distance) for distance in (1, 0.5, 0.25, 2 / 3, 0.123)]
    assert names == ["full", "1/2", "1/4", "2/3", "0.123"]


# ---- pictures


def test_colours_get_lighter_evenly() -> None:
    table = pictures.colours()
    linear = (table / 255.0) ** 2.2 @ [0.2126, 0.7152, 0.0722]
    assert tuple(table[0]) == (0, 0, 0)
    assert (np.diff(linear) > -0.002).all()
    assert np.cbrt(linear[[64, 128, 192]]) == pytest.approx([0.25, 0.5, 0.75], abs=0.06)


def test_scales() -> None:
    assert [pictures.scale_for(error) for error in (0, 4, 4.1, 30, 255)] == [4, 4, 8, 32, 255]


@pytest.mark.parametrize("width", [20, 200])
def test_composed_pictures(width: int) -> None:
    a, b = np.zeros((30, width, 3)), np.zeros((30, width, 3))
    b[4, 5, 1] = 8 / 255
    heat = pictures.heat_map(a, b, scale=8)
    assert heat.shape == (30 + pictures.FOOT, width, 3)
    np.testing.assert_array_equal(heat[4, 5], pictures.colours()[255])
    assert heat[:30].any(axis=2).sum() == 1
    both = pictures.side_by_side(a + 1, b, scale=8, names=("reference", "a very long name, 漢字" * 9))
    assert both.shape == (pictures.HEAD + 30 + pictures.FOOT, 3 * width + 2 * pictures.GAP, 3)
    panel = both[pictures.HEAD : pictures.HEAD + 30]
    assert (panel[:, :width] == 255).all()
    np.testing.assert_array_equal(panel[4, width + pictures.GAP + 5], [0, 8, 0])


def test_gallery_keeps_the_worst(tmp_path: Path) -> None:
    truth = scene()
    tests = {"a/b.gsc": recoloured(truth, 0.02), "c": recoloured(truth, 0.3)}
    gallery = pictures.Gallery(2)
    cameras = [*CAMERAS, replace(camera(4), name=""), replace(camera(5), name="")]
    report = compare(truth, tests, cameras, with_flip=False, watch=gallery.take)
    paths = gallery.write(tmp_path / "new/folder")
    assert len(paths) == 8
    assert sorted(paths) == sorted((tmp_path / "new/folder").iterdir())
    for path in paths:
        with Image.open(path) as image:
            assert image.size == (64 if "-error" in path.name else 200, 78 if "-error" in path.name else 98)
    every = [
        (view.scores["psnr"], distance_name(group.distance).replace("/", "_"), view.name.replace(" ", "_"))
        for group in report.tests["c"]
        for view in group.views
    ]
    _, where, name = min(every)
    stem = f"c-{where}-{name}" if name else f"c-{where}"
    assert paths[4].name == f"{stem}.png"
    assert paths[0].name.startswith("a_b.gsc-")
    again = pictures.Gallery(2)
    compare(truth, tests, cameras, with_flip=False, watch=again.take)
    assert [path.name for path in again.write(tmp_path / "b")] == [path.name for path in paths]
    assert all((tmp_path / "b" / path.name).read_bytes() == path.read_bytes() for path in paths)


def test_names_that_repeat(tmp_path: Path) -> None:
    gallery = pictures.Gallery(3)
    cameras = [replace(each, name="same") for each in CAMERAS]
    truth = scene(40)
    compare(
        truth, {"c": recoloured(truth, 0.1)}, cameras, distances=(1,), with_flip=False, watch=gallery.take
    )
    names = [path.name for path in gallery.write(tmp_path)]
    assert names[::2] == ["c-full-same.png", "c-full-same-2.png", "c-full-same-3.png"]


def test_a_png_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"io\.write"):
        pictures.write_png(tmp_path / "no/folder.png", np.zeros((2, 2, 3), np.uint8))
