"""Scenes that move, encoded and looked at again."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gscodec
from gscodec.encode.dynamic import encoder
from gscodec.encode.dynamic import gof as gofs
from gscodec.encode.dynamic.aiming import FramesRuler
from gscodec.encode.dynamic.layers import survey
from gscodec.encode.dynamic.sequence import open_sequence
from gscodec.encode.steps import choose_steps, extent_of
from gscodec.encode.targets import Ruler
from gscodec.evaluate.rigs import make_rig

SCENE = Path(__file__).resolve().parents[2] / "examples" / "made_scene.ply"
FRAMES = 24


@pytest.fixture(scope="module")
def scene() -> gscodec.Splats:
    whole = gscodec.read(SCENE)
    splats = whole.take(np.flatnonzero(whole.opacities > -2)[::2])
    return replace(splats, sh_rest=splats.sh_rest[:, :3], extras={})


def sizes(splats: gscodec.Splats) -> NDArray[np.float64]:
    return np.sort(np.exp(splats.scales.astype(np.float64)), 1)[:, 1]


def moving(
    scene: gscodec.Splats, *, share: float, noise: float = 0.0, frames: int = FRAMES, seed: int = 0
) -> list[gscodec.Splats]:
    """The `share` of the splats with the least x moves along curves; all tremble by `noise` sizes."""
    rng = np.random.default_rng(seed)
    span = float(np.ptp(np.quantile(scene.positions, (0.05, 0.95), axis=0), axis=0).max())
    mine = scene.positions[:, 0] <= np.quantile(scene.positions[:, 0], share)
    out = []
    for frame in range(frames):
        time = frame / frames
        off = np.zeros((len(scene), 3))
        off[mine] = span * np.array([0.1 * time, 0.05 * time**2, 0.02 * np.sin(3 * time)])
        off += rng.normal(0, 1, off.shape) * noise * sizes(scene)[:, None]
        out.append(replace(scene, positions=(scene.positions + off).astype(np.float32)))
    return out


def encoded(frames: Any, **options: Any) -> tuple[gscodec.Scene, bytes, dict[str, Any]]:
    report: dict[str, Any] = {}
    options = {"effort": 1, "threads": 2, **options}
    data = gscodec.encode_sequence(frames, report=report, **options)
    return gscodec.open(data), data, report


def at_frame(found: gscodec.Scene, frame: int) -> gscodec.Splats:
    assert found.time is not None
    return found.at_tick(frame * found.time.frame_ticks)


def level(wanted: gscodec.Splats, shown: gscodec.Splats) -> float:
    """dB of pictures."""
    ruler = Ruler(wanted, make_rig(wanted, "outside", views=3, size=(160, 120)), 2)
    return ruler.measure(shown).psnr


def nearest(splats: gscodec.Splats, to: gscodec.Splats) -> NDArray[np.float64]:
    """(N,) how far each of `to` is from the nearest of `splats`, in its own size."""
    far = [float(np.linalg.norm(splats.positions - p, axis=1).min()) for p in to.positions]
    return np.array(far) / sizes(to)


def test_a_part_moves_the_rest_is_stored_once(scene: gscodec.Splats) -> None:
    frames = moving(scene, share=0.3)
    found, data, report = encoded(frames)
    assert report["static_splats"] > 0.65 * len(scene)
    assert report["keyframes"] < 0.1 * len(scene)
    still = gscodec.encode(scene, effort=1)
    assert len(data) < 2 * len(still)  # for 24 frames
    limit = level(scene, gscodec.decode(still)) - 2.5
    for frame in (0, 1, 11, 23):
        shown = at_frame(found, frame)
        assert len(shown) == len(scene)
        assert level(frames[frame], shown) > limit


def test_noise_is_smoothed_away_or_kept(scene: gscodec.Splats) -> None:
    clean, noisy = moving(scene, share=1.0), moving(scene, share=1.0, noise=0.1)
    found, data, report = encoded(noisy, quality=4.0)
    assert report["functions"] > 0.9 * report["segment_splats"]
    kept, larger, _ = encoded(noisy, quality="near-lossless")
    assert len(larger) > 4 * len(data)
    for frame in (3, 12, 20):
        shown = at_frame(found, frame)
        assert level(clean[frame], shown) > level(noisy[frame], shown)
        assert level(noisy[frame], at_frame(kept, frame)) > level(noisy[frame], clean[frame]) + 15


def test_births_and_deaths(scene: gscodec.Splats) -> None:
    late = scene.positions[:, 0] > np.median(scene.positions[:, 0])
    low = replace(scene, opacities=np.where(late, np.float32(-12), scene.opacities).astype(np.float32))
    frames = [low] * 8 + [scene] * 9 + [low] * 7
    found, _, _ = encoded(frames)
    for frame, there in ((0, False), (7, False), (8, True), (16, True), (17, False), (23, False)):
        shown = at_frame(found, frame)
        visible = int(np.count_nonzero(shown.opacities > -5.5))
        assert abs(visible - (len(scene) if there else int((~late).sum()))) <= 0.02 * len(scene), frame
        assert level(frames[frame], shown) > 40


def test_what_shows_for_a_moment_is_there(scene: gscodec.Splats) -> None:
    """Cameras look at some moments, each at one of them: what no camera happened to see is kept."""
    frames = moving(scene, share=0.3)
    late, brief = np.flatnonzero(scene.opacities > 2)[[5, 6]]
    for index, each in enumerate(frames):
        opacities = each.opacities.copy()
        opacities[late] = 3.0 if index == FRAMES - 1 else -12.0
        opacities[brief] = 3.0 if index in (8, 9) else -12.0
        frames[index] = replace(each, opacities=opacities)
    found, _, _ = encoded(frames, effort=2)
    for index in (0, 8, FRAMES - 1):
        shown = at_frame(found, index)
        assert np.count_nonzero(shown.opacities > -5.5) == np.count_nonzero(frames[index].opacities > -5.5)


def test_colours_of_what_has_keyframes_change(scene: gscodec.Splats) -> None:
    """Leaps that nothing follows need keyframes, and colours that functions would follow come with them."""
    rng = np.random.default_rng(4)
    mine = np.flatnonzero(scene.opacities > 0)[:60]
    off, frames = np.zeros((len(mine), 3)), []
    for index in range(FRAMES):
        leaps = rng.random(len(mine)) < 0.15
        off[leaps] = rng.normal(0, 20, (leaps.sum(), 3)) * sizes(scene)[mine[leaps], None]
        positions, colours = scene.positions.copy(), scene.sh_dc.copy()
        positions[mine] += off.astype(np.float32)
        colours[mine] += np.float32(2 * index / FRAMES)
        frames.append(replace(scene, positions=positions, sh_dc=colours))
    found, _, report = encoded(frames)
    assert report["keyframes"] >= 30
    last, shown = frames[-1].take(mine), at_frame(found, FRAMES - 1)
    near = np.linalg.norm(shown.positions[None] - last.positions[:, None], axis=2).argmin(1)
    assert np.median(np.abs(shown.sh_dc[near] - last.sh_dc)) < 0.2


def test_fades(scene: gscodec.Splats) -> None:
    alpha = 1 / (1 + np.exp(-scene.opacities.astype(np.float64)))
    frames = []
    for frame in range(FRAMES):
        shown = np.clip(0.9 * alpha * np.exp(-(((frame / FRAMES - 0.4) / 0.3) ** 2)), 1e-6, 1)
        frames.append(replace(scene, opacities=np.log(shown / (1 - shown)).astype(np.float32)))
    found, _, report = encoded(frames)
    assert report["functions"] > 0.9 * len(scene)
    for frame in (2, 9, 18):
        assert level(frames[frame], at_frame(found, frame)) > 35


def test_a_cut_starts_a_segment(scene: gscodec.Splats) -> None:
    other = replace(
        scene, positions=scene.positions[::-1].copy(), sh_dc=scene.sh_dc[::3].repeat(3, 0)[: len(scene)]
    )
    frames = [scene] * 7 + [other] * 6
    found, _, report = encoded(frames)
    ticks = found.time.frame_ticks if found.time is not None else 0
    assert [segment.start // ticks for segment in found.segments] == [0, 7]
    assert report["segments"] == 2
    for frame in (0, 6, 7, 12):
        assert level(frames[frame], at_frame(found, frame)) > 35


def test_frames_in_other_orders_are_one_track(scene: gscodec.Splats) -> None:
    rng = np.random.default_rng(3)
    frames = [frame.take(rng.permutation(len(scene))) for frame in moving(scene, share=0.3, frames=12)]
    found, data, report = encoded(frames)
    assert report["segments"] == 1
    assert report["static_splats"] > 0.6 * len(scene)
    assert len(data) < 2 * len(gscodec.encode(scene, effort=1))
    assert level(frames[9], at_frame(found, 9)) > 40


def test_orders_that_were_found_hold_for_later_walks(scene: gscodec.Splats) -> None:
    """Frames in other orders, so noisy that they do not look tracked once they are put in order."""
    rng = np.random.default_rng(0)
    frames, steps = [], choose_steps(0.25, None)
    for frame in moving(scene.take(np.arange(500)), share=0.5, noise=0.02, frames=6):
        noisy = replace(
            frame,
            scales=frame.scales + rng.normal(0, 0.2, frame.scales.shape).astype(np.float32),
            sh_dc=frame.sh_dc + rng.normal(0, 0.2, frame.sh_dc.shape).astype(np.float32),
            opacities=frame.opacities + rng.normal(0, 3, len(frame)).astype(np.float32),
        )
        frames.append(noisy.take(rng.permutation(len(frame))))
    sequence = open_sequence(frames, allow_gaps=False, sh_degree=None, nonfinite="drop", offset=None)
    walks = [survey(sequence, steps, extent_of, tell=lambda _share: None).linked for _ in range(3)]
    assert walks[0].any()
    assert (walks[0] == walks[1]).all()
    assert (walks[0] == walks[2]).all()


def test_nothing_moves(scene: gscodec.Splats) -> None:
    found, data, report = encoded([scene] * 5)
    assert report["static_splats"] == len(scene)
    assert len(data) < len(gscodec.encode(scene, effort=1)) + 300
    assert len(at_frame(found, 4)) == len(scene)


def test_frames_that_share_nothing_are_not_larger_than_files(scene: gscodec.Splats) -> None:
    rng = np.random.default_rng(4)
    frames = [scene.take(np.sort(rng.permutation(len(scene))[: 800 + 50 * k])) for k in range(4)]
    found, data, report = encoded(frames, gof=4)
    assert report["segments"] == 1
    assert len(data) <= sum(len(gscodec.encode(frame, effort=1)) for frame in frames)
    for number, frame in enumerate(frames):
        shown = at_frame(found, number)
        assert len(shown) == len(frame)
        assert level(frame, shown) > 35


def test_large_frames_have_sets_of_their_own(scene: gscodec.Splats, monkeypatch: Any) -> None:
    monkeypatch.setattr(encoder, "OWN_SET", 100)
    rng = np.random.default_rng(4)
    frames = [scene.take(rng.permutation(len(scene))[:500]) for _ in range(3)]
    found, data, _ = encoded(frames)
    assert len(data) <= sum(len(gscodec.encode(frame, effort=1)) for frame in frames)
    assert [len(at_frame(found, k)) for k in range(3)] == [500, 500, 500]


def test_large_frames_are_as_good_as_files(scene: gscodec.Splats, monkeypatch: Any) -> None:
    """Steps are those that each frame would have alone, though it needs finer ones than others."""
    monkeypatch.setattr(encoder, "OWN_SET", 100)
    rng = np.random.default_rng(4)
    frames = []
    for shrink in (0, 0, 2):
        frame = scene.take(rng.permutation(len(scene))[:700])
        frames.append(replace(frame, scales=frame.scales - np.float32(shrink)))
    found, data, _ = encoded(frames, effort=4)
    files = [gscodec.encode(frame, effort=4) for frame in frames]
    assert len(data) <= 1.01 * sum(map(len, files))
    for number, (frame, file) in enumerate(zip(frames, files, strict=True)):
        assert level(frame, at_frame(found, number)) > level(frame, gscodec.decode(file)) - 0.2


def test_one_frame_and_empty_ones(scene: gscodec.Splats) -> None:
    nothing = scene.take(slice(0, 0))
    found, _, _ = encoded([scene])
    assert len(at_frame(found, 0)) == len(scene)
    found, _, _ = encoded([scene, nothing, scene.take(slice(0, 50))])
    assert [len(at_frame(found, k)) for k in range(3)] == [len(scene), 0, 50]
    found, _, report = encoded([nothing, nothing])
    assert report["segments"] == 1
    assert len(at_frame(found, 1)) == 0


def test_gaps_keep_their_time(tmp_path: Path, scene: gscodec.Splats) -> None:
    frames = moving(scene, share=1.0, frames=12)
    for number in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12):
        gscodec.write(tmp_path / f"f{number}.ply", frames[number - 1])
    found, _, report = encoded(str(tmp_path / "f*.ply"), allow_gaps=True, fps=25)
    assert report["frames"] == 10
    assert found.duration == pytest.approx(12 / 25)
    assert level(frames[11], at_frame(found, 11)) > 35


def test_streams_may_be_cut_and_files_are_whole(scene: gscodec.Splats) -> None:
    frames = moving(scene, share=0.3, frames=18)
    parts: list[int] = []
    out = io.BytesIO()
    from gscodec.encode.dynamic.whole import encode_frames

    encode_frames(
        frames, out, gof=6, fixed_gof=True, effort=1, stream=True, emitted=lambda: parts.append(out.tell())
    )
    assert len(parts) == 5  # header part, three segments, end
    with gscodec.open(out.getvalue()[: parts[2]]) as found:
        assert level(frames[10], at_frame(found, 10)) > 35


def test_the_same_for_any_number_of_threads(scene: gscodec.Splats) -> None:
    frames = moving(scene, share=0.5, noise=0.1, frames=10)
    made = [gscodec.encode_sequence(frames, effort=3, threads=threads) for threads in (1, 3)]
    assert made[0] == made[1]


def test_pictures_decide_at_higher_efforts(scene: gscodec.Splats) -> None:
    frames = moving(scene, share=0.5, frames=10)
    _, _, report = encoded(frames, effort=4, target_psnr=40)
    assert report["target_reached"]
    assert report["psnr"] == pytest.approx(40, abs=0.2)


def test_targets_are_those_of_the_whole_sequence(scene: gscodec.Splats, tmp_path: Path) -> None:
    frames = moving(scene, share=0.5, frames=10)
    for size, most in ((14_000, 14_000), ("1.4kB/frame", 14_000), ("360kbps", 15_000)):
        _, data, report = encoded(frames, target_size=size)
        assert report["target_reached"]
        assert 0.99 * most <= len(data) <= most
    found, data, report = encoded(frames, target_psnr=38, effort=2)
    assert report["target_reached"]
    assert report["psnr"] == pytest.approx(38, abs=0.2)
    assert level(frames[5], at_frame(found, 5)) == pytest.approx(38, abs=4)
    target = tmp_path / "scene.gsc"
    gscodec.encode_sequence(frames, target, effort=2, threads=2, quality=report["quality"])
    assert target.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["scene.gsc"]


def test_targets_that_cannot_be(scene: gscodec.Splats) -> None:
    frames = moving(scene, share=0.5, frames=4)
    _, data, report = encoded(frames, target_size=100)
    assert not report["target_reached"]
    assert len(data) > 100
    hidden = [replace(each, opacities=np.full(len(each), -12, np.float32)) for each in frames]
    _, _, report = encoded(hidden, target_psnr=40)
    assert not report["target_reached"]
    with pytest.raises(gscodec.UsageError, match="for each frame or for each second"):
        encoded(frames, target_size="4B/splat")
    with pytest.raises(gscodec.UsageError, match="for each splat"):
        gscodec.encode(scene, target_size="4Mbps")


def test_what_is_seen_of_some_frames_is_measured(scene: gscodec.Splats) -> None:
    frames = moving(scene, share=0.5, frames=6)
    frames[3] = replace(scene, opacities=np.full(len(scene), -12, np.float32))
    _, _, report = encoded(frames, target_psnr=38, effort=2)
    assert report["target_reached"]
    views = make_rig(scene, "outside", views=1, size=(100, 80))
    sequence = open_sequence(frames, allow_gaps=False, sh_degree=None, nonfinite="drop", offset=None)
    ruler = FramesRuler(sequence, views, "auto", 2)
    assert [place for place, _ in ruler._rulers] == [0, 1, 2, 4, 5]


def test_what_is_measured(scene: gscodec.Splats) -> None:
    frames = moving(scene, share=0.5, frames=6)
    found, data, report = encoded(frames, measure=True)
    assert data == encoded(frames)[1]
    assert report["psnr_worst"] <= report["psnr"]
    assert level(frames[3], at_frame(found, 3)) == pytest.approx(report["psnr"], abs=3)


def test_windows() -> None:
    linked = np.array([False, True, True, True, False, False, True, True, True, True])
    found = gofs.windows(linked, list(range(10)), 4)
    assert [(each.first, each.last, each.tracked) for each in found] == [
        (0, 4, True),
        (4, 5, False),
        (5, 8, True),
        (8, 10, True),
    ]
    with pytest.raises(gscodec.UsageError, match="gof"):
        gofs.check_gof(0)


def test_wrong_arguments(scene: gscodec.Splats) -> None:
    for options in ({"fps": 0}, {"gof": 0}, {"quality": "best"}, {"quality": 1.0, "target_psnr": 40.0}):
        with pytest.raises(gscodec.UsageError):
            encoded([scene], **options)
