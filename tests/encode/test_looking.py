"""An encoder that looks at pictures: what it sees, what it leaves out, what it makes better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gscodec
from gscodec.encode.effort import EFFORTS, Effort
from gscodec.encode.encoder import Encoder
from gscodec.encode.refit import correction, pictures
from gscodec.encode.steps import choose_steps
from gscodec.encode.whole import encode_splats
from gscodec.evaluate.renderer import Renderer
from gscodec.evaluate.rigs import make_rig

SCENE = Path(__file__).resolve().parents[2] / "examples" / "made_scene.ply"
SMALL = Effort(views=8, pixels=5000, refit_views=4, refit_pixels=5000, refit_steps=2)
ALL = replace(SMALL, balance_views=2)
TWICE = replace(ALL, rounds=2)


@pytest.fixture(scope="module")
def scene() -> gscodec.Splats:
    return gscodec.read(SCENE)


def few(count: int, degree: int = 0, seed: int = 3, **changes: Any) -> gscodec.Splats:
    """Splats in a ball of radius 1."""
    dice = np.random.default_rng(seed)
    rest = ((degree + 1) ** 2) - 1
    values: dict[str, Any] = {
        "positions": dice.normal(0, 0.4, (count, 3)),
        "scales": dice.normal(-2.5, 0.3, (count, 3)),
        "rotations": dice.normal(size=(count, 4)),
        "opacities": dice.normal(1, 1, count),
        "sh_dc": dice.normal(0, 0.5, (count, 3)),
        "sh_rest": dice.normal(0, 0.2, (count, rest, 3)),
    }
    return gscodec.Splats(**{k: np.asarray(v, np.float32) for k, v in {**values, **changes}.items()})


def silent(_share: float) -> None:
    """No progress."""


# ---- sight


def test_hidden_splats_matter_little() -> None:
    """A ball of dense splats, with some inside and some far outside of all pictures."""
    shell = few(3000, scales=np.full((3000, 3), -2.0), opacities=np.full(3000, 6.0))
    directions = shell.positions / np.linalg.norm(shell.positions, axis=1, keepdims=True)
    shell = replace(shell, positions=directions.astype(np.float32))
    inner = few(200, seed=4)
    inner = replace(inner, positions=(inner.positions * 0.3).astype(np.float32))
    both = gscodec.Splats(
        **{
            name: np.concatenate([getattr(shell, name), getattr(inner, name)])
            for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")
        }
    )
    encoder = Encoder(both, effort=SMALL, rig="outside")
    assert encoder.sight is not None
    importance = encoder.sight.importance()
    assert importance[3000:].max() < 0.7 * importance[:3000].mean()
    assert encoder.sight.squared[3000:].max() < 0.01 * encoder.sight.squared[:3000].mean()
    result = encoder.encode(choose_steps("default", None))
    assert np.count_nonzero(result.order >= 3000) <= 10


def test_gram_is_the_sum_over_views() -> None:
    """Against one rendering for each coefficient of one splat."""
    splats = few(12, 1)
    cameras = make_rig(splats, "outside", views=3, size=(40, 30))
    sight = Encoder(splats, effort=Effort(views=3, pixels=1200), cameras=cameras).sight
    assert sight is not None
    assert sight.gram is not None
    bright = replace(splats, sh_dc=splats.sh_dc + 8)  # nothing is clamped at 0
    renderer = Renderer(bright, threads=1)
    before = [renderer.render(camera).rgb.astype(np.float64) for camera in cameras]
    for number in (0, 7):
        changes = []
        for coefficient in range(4):
            dc, rest = bright.sh_dc.copy(), bright.sh_rest.copy()
            (dc[number] if coefficient == 0 else rest[number, coefficient - 1])[:] += 1
            other = Renderer(replace(bright, sh_dc=dc, sh_rest=rest), threads=1)
            changes.append(
                [other.render(c).rgb[..., 0] - b[..., 0] for c, b in zip(cameras, before, strict=True)]
            )
        exact = [
            sum(float((p * q).sum()) for p, q in zip(changes[i], changes[j], strict=True))
            for i in range(4)
            for j in range(i, 4)
        ]
        got = sight.gram[number].astype(np.float64)
        assert exact[0] > 1e-3
        np.testing.assert_allclose(got / got[0], np.array(exact) / exact[0], atol=2e-3)


def test_what_is_left_out_is_in_no_picture(scene: gscodec.Splats) -> None:
    encoder = Encoder(scene, effort=2)
    result = encoder.encode(choose_steps("high", None))
    pruned = np.setdiff1d(np.arange(len(scene)), result.order)
    assert 0 < len(pruned) == result.report["pruned"]
    kept = scene.take(np.sort(result.order))
    for camera in encoder.cameras[::4]:
        a, b = (Renderer(s).render(camera).rgb for s in (scene, kept))
        assert np.abs(a - b).mean() < 1e-3
    assert len(encoder.encode(choose_steps("high", {"prune": 0.0})).order) == len(scene)


# ---- colours


@pytest.mark.parametrize("steps", [1, 3])
def test_corrected_colours_lower_the_error(scene: gscodec.Splats, steps: int) -> None:
    dice = np.random.default_rng(0)
    cameras = [camera.resized(0.25) for camera in make_rig(scene, views=6)]
    wanted = pictures(scene, cameras, 1)
    noise = dice.normal(0, 0.1, scene.sh_dc.shape).astype(np.float32)
    decoded = replace(scene, sh_dc=scene.sh_dc + noise)
    change = correction(scene, decoded, cameras, steps=steps, threads=1, tell=silent)

    def error(s: gscodec.Splats) -> float:
        shown = pictures(s, cameras, 1)
        return sum(float(((a - b) ** 2).sum()) for a, b in zip(wanted, shown, strict=True))

    assert error(replace(decoded, sh_dc=decoded.sh_dc + change)) < error(decoded) / (1.3 if steps == 1 else 2)


def psnr(encoder: Encoder, data: Any) -> float:
    scores = encoder.measure(data)
    assert scores is not None
    return scores.psnr


def test_efforts(scene: gscodec.Splats) -> None:
    """All decode; correcting colours on pictures makes these better."""
    ruler = Encoder(scene, effort=5)
    found = {}
    for effort in (1, 2, 3):
        result = encode_splats(scene, effort=effort)
        assert (
            len(gscodec.decode(result.data)) == len(result.order) == len(scene) - int(result.report["pruned"])
        )  # type: ignore[call-overload]
        found[effort] = psnr(ruler, result)
    found[5] = psnr(ruler, ruler.encode(choose_steps("default", None)))
    assert found[5] > found[3]
    assert list(EFFORTS) == list(range(1, 10))


@pytest.mark.parametrize("effort", [2, ALL, TWICE], ids=["2", "all parts", "two rounds"])
def test_the_same_bytes_each_time(scene: gscodec.Splats, effort: Any) -> None:
    part = scene.take(np.arange(1000))
    first = encode_splats(part, effort=effort, threads=1).data
    assert encode_splats(part, effort=effort, threads=1).data == first
    assert encode_splats(part, effort=effort, threads=2).data == first


def test_rounds_and_balance(scene: gscodec.Splats) -> None:
    """Each is done, and none does much harm, though pictures of so few pixels tell little."""
    part = scene.take(np.arange(1500))
    ruler = Encoder(part, effort=SMALL)
    found = {}
    for name, effort in {"small": SMALL, "all": ALL, "twice": TWICE}.items():
        result = encode_splats(part, effort=effort)
        assert ("steps" in result.report) == (effort.balance_views > 0)
        assert len(gscodec.decode(result.data)) == len(result.order)
        found[name] = (result.data, psnr(ruler, result))
    assert len({data for data, _ in found.values()}) == 3
    assert found["twice"][1] > found["all"][1] - 1.5


def test_cameras_of_the_caller(scene: gscodec.Splats) -> None:
    """Those splats get the bits that these cameras see; what they do not see is left out."""
    part = scene.take(np.arange(1500))
    cameras = make_rig(part, "near", views=4, size=(160, 120))
    given = Encoder(part, effort=SMALL, cameras=cameras)
    without = Encoder(part, effort=SMALL)
    steps = choose_steps("small", None)
    mine, other = given.encode(steps), without.encode(steps)
    assert len(mine.data) != len(other.data)
    assert psnr(given, mine) > psnr(given, other) - 0.2
    at_one = encode_splats(part, effort=1, cameras=cameras)
    assert at_one.data == encode_splats(part, effort=1).data  # only targets use them


def test_cameras_that_see_nothing(scene: gscodec.Splats) -> None:
    away = [replace(c, rotation=-c.rotation) for c in make_rig(scene, "outside", views=3)]
    away = [replace(c, rotation=c.rotation * np.array([[-1], [1], [1]])) for c in away]
    with pytest.raises(gscodec.UsageError, match="see nothing"):
        gscodec.encode(scene, effort=2, cameras=away)


# ---- odd scenes


def both(splats: gscodec.Splats, **options: Any) -> Any:
    """Encoded with everything on, decoded."""
    result = encode_splats(splats, effort=SMALL, **options)
    decoded = gscodec.decode(result.data)
    assert len(decoded) == len(result.order)
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        assert np.isfinite(getattr(decoded, name)).all()
    return result, decoded


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_degrees(degree: int) -> None:
    _, decoded = both(few(300, degree))
    assert decoded.sh_degree == degree
    assert len(decoded) > 100


@pytest.mark.parametrize(
    "options", [{}, {"measure": True}, {"target_psnr": 40}, {"target_size": 600}, {"max_error": 9}]
)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_splats(count: int, options: dict[str, Any]) -> None:
    _, decoded = both(few(count, 3, opacities=np.full(count, 3.0)), **options)
    assert len(decoded) == count


@pytest.mark.parametrize("options", [{}, {"measure": True}, {"target_psnr": 40}, {"target_size": 600}])
def test_invisible_splats(options: dict[str, Any]) -> None:
    invisible = few(50, 1, opacities=np.full(50, -20.0))
    result, decoded = both(invisible, **options)
    assert (len(decoded), result.report["pruned"]) == (0, 50)
    assert len(both(invisible, steps={"prune": 0.0}, **options)[1]) == 50
    cameras = make_rig(invisible, views=2)
    assert len(both(invisible, cameras=cameras, **options)[1]) == 0


def test_nan_with_cameras() -> None:
    splats = few(400, 1)
    splats.positions[::7] = np.nan
    splats.sh_rest[3::7, 0] = np.inf
    clean = few(400, 1)
    result, decoded = both(splats, cameras=make_rig(clean, views=4), target_psnr=35)
    assert len(decoded) + result.report["pruned"] == np.isfinite(splats.positions[:, 0]).sum() - 57
    assert set(result.order) <= set(np.flatnonzero(np.isfinite(splats.positions[:, 0])))


@pytest.mark.parametrize("size", [1e-20, 1e-6, 1e6, 1e14, 1e20, 1e37])
@pytest.mark.parametrize("options", [{}, {"target_psnr": 30}])
def test_scenes_of_any_size(size: float, options: dict[str, Any]) -> None:
    normal = few(200, 1)
    scaled = replace(
        normal,
        positions=(normal.positions * np.float32(size)),
        scales=(normal.scales + np.float32(np.log(size))).astype(np.float32),
    )
    _, decoded = both(scaled, **options)
    assert len(decoded) > 50


def test_duplicates_share_their_colours() -> None:
    once = few(300, 2, opacities=np.full(300, -1.0))
    twice = once.take(np.repeat(np.arange(300), 2))
    result, decoded = both(twice, steps={"prune": 0.0})
    assert len(decoded) == 600
    encoder = Encoder(twice, effort=SMALL)
    assert psnr(encoder, encoder.encode(choose_steps("high", None))) > 35
    assert sorted(result.order) == list(range(600))


def test_one_broken_splat_spoils_nothing(scene: gscodec.Splats) -> None:
    part = scene.take(np.arange(1000))
    broken = replace(part, sh_dc=part.sh_dc.copy())
    broken.sh_dc[5] = 3e38
    result, decoded = both(broken, steps={"prune": 0.0})
    place = np.flatnonzero(result.order != 5)
    assert np.median(np.abs(decoded.sh_dc[place] - part.sh_dc[result.order[place]])) < 1


@pytest.mark.parametrize("factor", [0.5, 100.0])
def test_the_size_of_the_scene_does_not_matter(scene: gscodec.Splats, factor: float) -> None:
    larger = replace(
        scene,
        positions=scene.positions * np.float32(factor),
        scales=scene.scales + np.float32(np.log(factor)),
    )
    sizes = [len(gscodec.encode(s, effort=2)) for s in (scene, larger)]
    assert abs(sizes[1] / sizes[0] - 1) < 0.02


def test_the_unit_of_importance_does_not_matter(scene: gscodec.Splats) -> None:
    weight = np.random.default_rng(1).uniform(0.2, 1, len(scene))
    sizes = {len(gscodec.encode(scene, effort=2, importance=weight * unit)) for unit in (1.0, 1024.0)}
    assert len(sizes) == 1
