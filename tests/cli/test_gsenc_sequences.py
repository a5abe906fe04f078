"""gsenc of several files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import gscodec
from gscodec.cli.gsenc import command

SCENE = Path(__file__).resolve().parents[2] / "examples" / "made_scene.ply"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("frames")
    scene = gscodec.read(SCENE).take(np.arange(0, 4000, 20))
    for number in range(8, 12):
        moved = replace(scene, positions=scene.positions + np.float32([0.01 * number, 0, 0]))
        gscodec.write(place / f"frame_{number}.ply", moved)
    return place


def test_a_pattern_a_folder_and_a_list_are_the_same(folder: Path, tmp_path: Path) -> None:
    names = [str(folder / f"frame_{number}.ply") for number in range(8, 12)]
    made = []
    for sources in ([str(folder / "*.ply")], [str(folder)], names):
        target = tmp_path / "scene.gsc"
        found = CliRunner().invoke(command, [*sources, "-o", str(target), "--effort", "1", "--fps", "25"])
        assert found.exit_code == 0, found.output
        made.append(target.read_bytes())
    assert made[0] == made[1] == made[2]
    with gscodec.open(made[0]) as scene:
        assert scene.duration == pytest.approx(4 / 25)
        assert scene.frame_count == 4


def test_streams_go_to_stdout(folder: Path) -> None:
    found = CliRunner().invoke(command, [str(folder), "-o", "-", "--effort", "1", "--stream", "--quiet"])
    assert found.exit_code == 0
    with gscodec.open(found.stdout_bytes) as scene:
        assert len(scene.at(0.0)) == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}/frame_8.ply", "{0}/frame_9.ply", "{0}/frame_11.ply"], "1 frame is missing"),
        (["{0}", "--layers", "2"], "--layers means nothing to a sequence"),
        (["{0}/frame_8.ply", "--gof", "5"], "--gof means nothing to a single file"),
        (["{0}/frame_8.ply", "-"], "stdin"),
        (["{0}/nothing_*.ply"], "no file fits"),
        (["{0}", "--fps", "0"], "fps"),
    ],
)
def test_what_cannot_be(folder: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    words = [word.format(folder) for word in arguments]
    found = CliRunner().invoke(command, [*words, "-o", str(tmp_path / "x.gsc"), "--effort", "1"])
    assert found.exit_code != 0
    assert message in str(found.output) + str(found.exception)


def test_what_a_file_holds_besides(folder: Path, tmp_path: Path) -> None:
    target, note = tmp_path / "scene.gsc", tmp_path / "note.json"
    note.write_text('{"licence": "CC0-1.0"}')
    stored = ["--meta", str(note), "--thumbnail", "32", "--offset", "1,2,3"]
    found = CliRunner().invoke(command, [str(folder), "-o", str(target), "--effort", "1", *stored])
    assert found.exit_code == 0, found.output
    assert "relative to 1, 2, 3" in found.output
    data = target.read_bytes()
    assert [text.text for text in gscodec.metadata(data)] == [note.read_text()]
    picture = gscodec.thumbnail(data)
    assert picture is not None
    assert max(picture.width, picture.height) == 32
    assert gscodec.scene_offset(data) == (1, 2, 3)


def test_what_is_left_out_is_said(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "frames"
    place.mkdir()
    for path in folder.iterdir():
        splats = gscodec.read(path)
        label = np.arange(len(splats), dtype=np.int32)
        gscodec.write(place / path.name, replace(splats, extras={"label": label}))
    for options, is_said in (([], True), (["--drop-extra", "la*"], False)):
        arguments = [str(place), "-o", str(tmp_path / "x.gsc"), "--effort", "1", *options]
        found = CliRunner().invoke(command, arguments)
        assert found.exit_code == 0, found.output
        assert ("are left out: label" in found.output) == is_said


def test_a_scene_of_which_all_moves_has_splats(tmp_path: Path) -> None:
    splats = gscodec.read(Path(__file__).parents[2] / "examples/made_scene.ply").take(np.arange(300))
    for index in range(6):
        moved = splats.positions + np.float32(0.1 * index)
        gscodec.write(tmp_path / f"{index}.ply", replace(splats, positions=moved))
    arguments = [str(tmp_path / "*.ply"), "-o", str(tmp_path / "x.gsc"), "--effort", "1", "--gof", "2"]
    found = CliRunner().invoke(command, [*arguments, "--target-size", "2Mbps"])
    assert found.exit_code == 0, found.output
    assert "no splats" not in found.output
    assert "without splats" not in found.output
