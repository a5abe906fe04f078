"""Targets in place of a quality: how they are read, searched for and reached."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gscodec
from gscodec.encode import targets
from gscodec.encode.effort import Effort
from gscodec.encode.encoder import Encoder
from gscodec.encode.steps import COARSEST_QUALITY, FINEST, choose_steps
from gscodec.encode.targets import Ruler, Target, parse_size, search
from gscodec.encode.whole import encode_splats

SCENE = Path(__file__).resolve().parents[2] / "examples" / "made_scene.ply"
SMALL = Effort(views=8, pixels=8000, refit_views=4, refit_pixels=8000, refit_steps=2)


@pytest.fixture(scope="module")
def scene() -> gscodec.Splats:
    return gscodec.read(SCENE).take(np.arange(1500))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (1234, (1234, "")),
        (5e5, (500_000, "")),
        ("250000", (250_000, "")),
        ("12MB", (12_000_000, "")),
        ("12 mb", (12_000_000, "")),
        ("1.5MiB", (1_572_864, "")),
        ("3k", (3000, "")),
        ("3Ki", (3072, "")),
        (".5G", (5e8, "")),
        ("100 bytes", (100, "")),
        ("3.5B/splat", (3.5, "splat")),
        ("4/splat", (4, "splat")),
        ("20 kB/frame", (20_000, "frame")),
        ("4Mbps", (5e5, "second")),
        ("800 kbit/s", (1e5, "second")),
    ],
)
def test_sizes(text: Any, value: tuple[float, str]) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize(
    "bad", ["", "MB", "1e5", "-3", "0", "12 miles", "4MBps", "1..2", "3B/", 0, -1, math.nan, math.inf, True]
)
def test_bad_sizes(bad: Any) -> None:
    with pytest.raises(gscodec.UsageError, match=r"size"):
        parse_size(bad)


@pytest.mark.parametrize(
    "options",
    [
        {"target_psnr": 40, "target_size": 1000},
        {"max_error": 3, "target_psnr": 40},
        {"quality": "default", "target_psnr": 40},
        {"target_psnr": 4},
        {"target_psnr": math.nan},
        {"target_psnr": "40"},
        {"max_error": 0},
        {"max_error": 256},
    ],
)
def test_bad_targets(scene: gscodec.Splats, options: dict[str, Any]) -> None:
    with pytest.raises(gscodec.UsageError) as caught:
        gscodec.encode(scene, **options)
    assert caught.value.code == "usage.target"


@pytest.mark.parametrize("kind", ["psnr", "size", "error"])
@pytest.mark.parametrize("bend", [0.0, 0.15, -0.1])
def test_search_of_smooth_functions(kind: Any, bend: float) -> None:
    """Whatever the number sought is, it takes few encodings."""
    most = 0
    for sought in np.geomspace(0.06, 20, 9):

        def coarseness(number: float) -> float:
            x = math.log(number)
            slope = {"psnr": 9.0, "size": 0.6, "error": 1.0}[kind]
            return slope * (x + bend * x * abs(x) / 4) - {"psnr": 41.0, "size": 8.8, "error": -1.7}[kind]

        value = coarseness(float(sought))
        aim = -value if kind == "psnr" else math.exp(-value if kind == "size" else value)
        found = search(Target(kind, aim), 1, lambda number, f=coarseness: (f(number), None))  # type: ignore[misc]
        assert found.is_reached
        assert not Target(kind, aim).is_forbidden(found.best.coarseness)
        most = max(most, found.count)
    assert most <= 6


def test_search_of_what_is_not_there() -> None:
    for aim in (90.0, 6.0):
        found = search(Target("psnr", aim), 1, lambda number: (8 * math.log(number) - 40, None))
        assert not found.is_reached
        assert found.best.number == (FINEST if aim > 50 else COARSEST_QUALITY)
        assert found.count <= 4


def test_search_of_leaps() -> None:
    """An error that leaps over the aim: the coarsest number found below it."""
    found = search(Target("error", 10.0), 1, lambda number: (math.log(5 if number < 1 else 30), number))
    assert found.is_reached
    assert 0.9 < found.best.number < 1
    assert found.count <= targets.ENCODINGS


def test_scores(scene: gscodec.Splats) -> None:
    cameras = [camera.resized(0.2) for camera in Encoder(scene, effort=SMALL).cameras]
    ruler = Ruler(scene, cameras, 1)
    equal = ruler.measure(scene)
    assert (equal.psnr, equal.worst, equal.error) == (math.inf, math.inf, 0)
    other = replace(scene, sh_dc=scene.sh_dc + np.float32(0.05))
    scores = ruler.measure(other)
    assert 20 < scores.worst <= scores.psnr < 60
    limit = scores.error / 255
    from gscodec.evaluate.renderer import Renderer

    worst = 0.0
    for camera in cameras:
        a, b = (np.clip(Renderer(s, threads=1).render(camera).rgb, 0, 1) for s in (scene, other))
        worst = max(worst, float((np.abs(a - b).max(2) > limit + 1e-6).mean()))
    assert worst <= 1e-3


def test_views_that_cannot_differ_do_not_count(scene: gscodec.Splats) -> None:
    """Neither cameras that see nothing, nor those that see nothing of what changed."""
    cameras = [camera.resized(0.2) for camera in Encoder(scene, effort=SMALL).cameras]
    turn = np.array([[-1.0], [1.0], [-1.0]])
    away = [replace(c, position=c.position * 50, rotation=c.rotation * turn) for c in cameras]
    assert not Ruler(scene, away, 1).sees
    other = replace(scene, sh_dc=scene.sh_dc + np.float32(0.05))
    assert Ruler(scene, [*cameras, *away], 1).measure(other) == Ruler(scene, cameras, 1).measure(other)
    # a second scene, far away and unchanged, with cameras of its own
    far = np.float32([1e4, 0, 0])
    both, changed = (
        gscodec.Splats(
            **{
                name: np.concatenate([getattr(a, name), getattr(b, name)])
                for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")
            }
        )
        for a, b in ((s, replace(scene, positions=scene.positions + far)) for s in (scene, other))
    )
    moved = [replace(camera, position=camera.position + far) for camera in cameras]
    equal = [camera for camera in moved if Ruler(both, [camera], 1).measure(changed).psnr == math.inf]
    assert equal
    assert Ruler(both, equal, 1).sees
    alone = Ruler(both, cameras, 1).measure(changed)
    assert alone.psnr < 60
    assert Ruler(both, [*cameras, *equal], 1).measure(changed) == alone
    assert Target("psnr", 40).coarseness(Ruler(both, equal, 1).measure(changed), 1) == -100


def test_numbers_of_any_kind(scene: gscodec.Splats) -> None:
    part = scene.take(np.arange(200))
    for mine, plain in [
        ({"target_size": np.int64(2000)}, {"target_size": 2000}),
        ({"quality": np.float32(0.5), "effort": np.int8(1)}, {"quality": 0.5}),
        (
            {"steps": {"classes": np.int64(3), "colour": np.float32(0.125)}},
            {"steps": {"classes": 3, "colour": 0.125}},
        ),
    ]:
        options: dict[str, Any] = {"effort": 1, **mine}
        other: dict[str, Any] = {"effort": 1, **plain}
        assert gscodec.encode(part, **options) == gscodec.encode(part, **other)
    assert targets.target_of(np.float32(40), None, None, {}) == Target("psnr", 40.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        *(({"effort": bad}, "usage.effort") for bad in ([], True, "5", 5.5, 0, None)),
        *(({"quality": bad}, "usage.quality") for bad in ([1], True, "best", math.nan, 0.01, 33, {})),
        *(({"steps": {"classes": bad}}, "usage.steps") for bad in (True, 3.0, [])),
        *(({"steps": {"colour": bad}}, "usage.steps") for bad in (True, "1", [], math.inf)),
        ({"steps": {"exponents": (True, 1, 1, 1, 1)}}, "usage.steps"),
        *(({"target_psnr": bad}, "usage.target") for bad in (True, [], np.float32(math.nan))),
    ],
)
def test_what_is_no_such_number(scene: gscodec.Splats, options: dict[str, Any], code: str) -> None:
    with pytest.raises(gscodec.UsageError) as caught:
        gscodec.encode(scene.take(np.arange(2)), **{"effort": 1, **options})
    assert caught.value.code == code


@pytest.mark.parametrize("effort", [1, SMALL], ids=["blind", "seeing"])
def test_targets_are_reached(scene: gscodec.Splats, effort: Any) -> None:
    found = encode_splats(scene, effort=effort, target_psnr=38)
    assert found.report["target_reached"]
    assert abs(float(found.report["psnr"]) - 38) <= 0.2  # type: ignore[arg-type]
    found = encode_splats(scene, effort=effort, target_size="10kB")
    assert found.report["target_reached"]
    assert 9900 <= len(found.data) <= 10_000
    found = encode_splats(scene, effort=effort, max_error=12)
    assert found.report["target_reached"]
    assert float(found.report["max_error"]) <= 12  # type: ignore[arg-type]


def test_the_number_found_gives_the_same_file(scene: gscodec.Splats) -> None:
    report: dict[str, Any] = {}
    data = gscodec.encode(scene, effort=2, target_size=12_000, report=report)
    assert gscodec.encode(scene, effort=2, quality=report["quality"]) == data
    assert gscodec.encode(scene, effort=2, target_size=12_000, threads=2) == data


def test_unreachable_targets_give_the_nearest(scene: gscodec.Splats) -> None:
    small = encode_splats(scene, effort=1, target_size=100)
    assert small.report["target_reached"] is False
    assert small.report["quality"] == COARSEST_QUALITY
    fine = encode_splats(scene, effort=1, target_psnr=95)
    assert fine.report["target_reached"] is False


def test_measure(scene: gscodec.Splats) -> None:
    for effort in (1, SMALL):
        encoder = Encoder(scene, effort=effort)
        fine, coarse = (encoder.measure(encoder.encode(choose_steps(q, None))) for q in (0.3, 2.0))
        assert fine is not None
        assert coarse is not None
        assert fine.psnr > coarse.psnr + 6
    report: dict[str, Any] = {}
    gscodec.encode(scene, effort=2, measure=True, report=report)
    assert 25 < report["psnr_worst"] <= report["psnr"] < 60
