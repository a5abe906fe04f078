"""Sequences of frames: which files, in which order, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gscodec
from gscodec.encode.dynamic.matching import match
from gscodec.encode.dynamic.sequence import files_of, natural, open_sequence, places_of
from gscodec.encode.dynamic.tracking import is_tracked, leaps
from gscodec.encode.dynamic.wishes import rate_of

SCENE = Path(__file__).resolve().parents[2] / "examples" / "made_scene.ply"


@pytest.fixture(scope="module")
def scene() -> gscodec.Splats:
    return gscodec.read(SCENE).take(np.arange(0, 4000, 20))


def test_numbers_are_in_their_natural_order(tmp_path: Path, scene: gscodec.Splats) -> None:
    for number in (10, 9, 8):
        gscodec.write(tmp_path / f"scan2_{number}.ply", scene)
    wanted = [str(tmp_path / f"scan2_{number}.ply") for number in (8, 9, 10)]
    assert files_of(tmp_path) == wanted
    assert files_of(str(tmp_path / "*.ply")) == wanted
    assert natural("a2b10") < natural("a10b2")
    assert open_sequence(str(tmp_path / "*.ply")).places == [0, 1, 2]


def test_a_missing_number_is_an_error_or_keeps_its_time() -> None:
    names = ["x/a_01.ply", "x/a_02.ply", "x/a_05.ply"]
    with pytest.raises(gscodec.InputError, match="2 frames are missing, the first after a_02") as caught:
        places_of(names, allow_gaps=False)
    assert caught.value.code == "sequence.gap"
    assert places_of(names, allow_gaps=True) == [0, 1, 4]


def test_other_steps_and_names_are_no_gaps() -> None:
    assert places_of(["a_10.ply", "a_15.ply", "a_20.ply"], allow_gaps=False) == [0, 1, 2]
    assert places_of(["walk.ply", "run.ply"], allow_gaps=False) is None
    assert places_of(["a_3.ply", "a_1.ply"], allow_gaps=False) is None  # the caller's own order


def test_wrong_sources() -> None:
    with pytest.raises(gscodec.UsageError, match="without frames"):
        open_sequence([])
    with pytest.raises(gscodec.UsageError, match="expected a pattern"):
        open_sequence(3)
    with pytest.raises(gscodec.InputError, match="no file fits"):
        open_sequence("/nowhere/*.ply")


def test_harmonics_of_different_degrees(scene: gscodec.Splats) -> None:
    assert scene.sh_degree == 3
    plain = replace(scene, sh_rest=scene.sh_rest[:, :0])
    with pytest.raises(gscodec.InputError, match="give a degree that all have") as caught:
        open_sequence([scene, plain]).read(1)
    assert caught.value.code == "sequence.sh_degree"
    sequence = open_sequence([scene, plain], sh_degree=0)
    assert [sequence.read(index).splats.sh_degree for index in (0, 1)] == [0, 0]
    with pytest.raises(gscodec.InputError, match="give a degree"):
        open_sequence([scene, plain], sh_degree=1).read(1)


def test_values_that_are_not_finite_are_hidden_in_their_places(scene: gscodec.Splats) -> None:
    positions = scene.positions.copy()
    positions[3] = np.nan
    broken = replace(scene, positions=positions)
    frame = open_sequence([scene, broken]).read(1)
    assert frame.dropped == 1
    assert len(frame.splats) == len(scene)
    assert frame.splats.opacities[3] < -10
    assert np.isfinite(frame.splats.positions).all()
    with pytest.raises(gscodec.EncodeError, match="not finite"):
        open_sequence([scene, broken], nonfinite="error").read(1)


def test_tracks_are_told_from_other_splats(scene: gscodec.Splats) -> None:
    rng = np.random.default_rng(1)
    moved = replace(scene, positions=scene.positions + np.float32([0.05, 0, 0]))
    assert is_tracked(scene, moved)
    assert is_tracked(scene, scene)
    assert not is_tracked(scene, scene.take(rng.permutation(len(scene))))
    assert not is_tracked(scene, scene.take(np.arange(5)))
    order = np.lexsort(np.rint(scene.positions.T * 4))  # neighbours stay near each other
    assert not is_tracked(scene.take(order), scene.take(np.roll(order, 3)))


def test_another_order_of_the_same_splats_is_found(scene: gscodec.Splats) -> None:
    rng = np.random.default_rng(2)
    order = rng.permutation(len(scene))
    moved = replace(scene, positions=scene.positions + np.float32([0.003, 0.001, 0]))
    found = match(scene, moved.take(order))
    assert found is not None
    assert np.array_equal(order[found], np.arange(len(scene)))
    swapped = np.arange(len(scene))
    swapped[[5, 80, 33, 120]] = [80, 5, 120, 33]
    assert leaps(scene, moved.take(swapped))
    found = match(scene, moved.take(swapped))
    assert found is not None
    assert np.array_equal(swapped[found], np.arange(len(scene)))
    other = replace(scene, scales=scene.scales[::-1].copy(), sh_dc=scene.sh_dc[::-1].copy())
    assert match(scene, other) is None  # the index is as good as any


def test_frames_are_read_in_the_order_that_was_found(scene: gscodec.Splats) -> None:
    sequence = open_sequence([scene, scene])
    order = np.random.default_rng(5).permutation(len(scene))
    sequence.reorder(1, order)
    assert np.array_equal(sequence.read(1).splats.positions, scene.positions[order])
    assert np.array_equal(sequence.read(0).splats.positions, scene.positions)


def test_rates() -> None:
    assert rate_of(30) == 30
    assert rate_of("30000/1001") == rate_of(29.97)
    assert rate_of(12.5) * 2 == 25
    for wrong in (0, -1, "x", "1/0"):
        with pytest.raises(gscodec.UsageError, match="fps"):
            rate_of(wrong)


def test_frames_of_other_axes(tmp_path: Path, scene: gscodec.Splats) -> None:
    gscodec.write(tmp_path / "0.ply", scene)
    gscodec.write(tmp_path / "1.spz", scene)
    with pytest.raises(gscodec.InputError, match=r"1\.spz are right_up_back") as caught:
        open_sequence(tmp_path).read(1)
    assert caught.value.code == "sequence.axes"


def test_far_frames_have_the_offset_of_the_first(tmp_path: Path, scene: gscodec.Splats) -> None:
    exact = scene.positions + np.array([500_000.0, 4_000_000.0, 100.0])
    for frame in range(3):
        (tmp_path / f"{frame}.ply").write_bytes(with_doubles(scene, exact + frame / 8))
    report: dict[str, object] = {}
    data = gscodec.encode_sequence(
        str(tmp_path / "*.ply"), offset="auto", effort=1, quality=0.05, report=report
    )
    with gscodec.open(data) as opened:
        assert opened.header is not None
        assert opened.header.offset == report["offset"] != (0, 0, 0)
        middle = np.median(opened.at_tick(480).positions + np.array(opened.header.offset), axis=0)
    assert middle == pytest.approx(np.median(exact, axis=0) + 0.25, abs=0.02)


def test_frames_with_offsets_of_their_own_are_brought_together(tmp_path: Path, scene: gscodec.Splats) -> None:
    for frame in range(2):
        gscodec.write(tmp_path / f"{frame}.ply", scene)
        text = (tmp_path / f"{frame}.ply").read_bytes()
        stated = b"ply\nformat binary_little_endian 1.0\ncomment offset %d 0 0\n" % (5 + frame)
        (tmp_path / f"{frame}.ply").write_bytes(stated + text.split(b"\n", 2)[2])
    sequence = open_sequence(tmp_path)
    moved = sequence.read(1).splats.positions - sequence.read(0).splats.positions
    assert sequence.offset == (5, 0, 0)
    assert np.allclose(moved, (1, 0, 0), atol=1e-5)


def with_doubles(splats: gscodec.Splats, positions: np.ndarray) -> bytes:
    """A PLY file whose positions are doubles."""
    floats = ["f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2"]
    floats += [f"rot_{k}" for k in range(4)]
    names = [*("double x", "double y", "double z"), *(f"float {name}" for name in floats)]
    table = np.zeros(len(splats), [("xyz", "<f8", 3), ("rest", "<f4", len(floats))])
    table["xyz"] = positions
    columns = (splats.sh_dc, splats.opacities[:, None], splats.scales, splats.rotations)
    table["rest"] = np.concatenate(columns, axis=1)
    properties = "".join(f"property {name}\n" for name in names)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(splats)}\n{properties}end_header\n"
    return header.encode() + table.tobytes()
