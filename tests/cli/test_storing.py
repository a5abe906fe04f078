"""gsenc, gsdec and gsinfo on what a file holds besides the look of its splats."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import MADE, run

import gscodec
from gscodec.evaluate.camera_files import write_cameras
from gscodec.evaluate.rigs import make_rig
from gscodec.io import PlyScene, read_ply, write_ply

ORIGIN = (431_250.0, 5_412_875.0, 120.0)


def extras(count: int) -> dict[str, np.ndarray]:
    i = np.arange(count)
    return {
        "id": (i * 7 % count).astype(np.int32),
        "label": (i % 250).astype(np.uint8),
        "confidence": np.sin(i).astype(np.float32),
        "time": i / 7,
        "feature": np.stack([np.cos(i), i * 1e-3], 1).astype(np.float32),
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 splats with extra attributes and comments."""
    path = tmp_path_factory.mktemp("further") / "scene.ply"
    splats = read_ply(MADE).splats.take(np.arange(300))
    write_ply(path, replace(splats, extras=extras(300)), comments=["made by a test", "Größe: 3 m"])
    return path


def big_endian(path: Path, target: Path) -> None:
    """The same PLY file the other way round."""
    data = path.read_bytes()
    end = data.index(b"end_header\n") + 11
    words = {"float": "f", "double": "d", "int": "i", "uchar": "B"}
    kinds = [line.split()[1] for line in data[:end].decode().splitlines() if line.startswith("property")]
    codes = "".join(words[kind] for kind in kinds)
    rows = struct.iter_unpack("<" + codes, data[end:])
    header = data[:end].replace(b"binary_little_endian", b"binary_big_endian")
    target.write_bytes(header + b"".join(struct.pack(">" + codes, *row) for row in rows))


def encoded(folder: Path, source: Path, *options: str) -> Path:
    target = folder / "out.gsc"
    found = run("gsenc", source, "-o", target, "--effort", "1", *options)
    assert found.code == 0, found.err
    return target


def decoded(source: Path, *options: str) -> PlyScene:
    target = source.with_suffix(".ply")
    found = run("gsdec", source, "-o", target, *options)
    assert found.code == 0, found.err
    return read_ply(target)


def test_all_properties_come_back_bit_for_bit(scene: Path, tmp_path: Path) -> None:
    big_endian(scene, tmp_path / "big.ply")
    given = read_ply(scene)
    for source in (scene, tmp_path / "big.ply"):
        found = decoded(encoded(tmp_path, source, "--keep-order"))
        assert found.properties == given.properties
        for name, array in given.splats.extras.items():
            assert found.splats.extras[name].tobytes() == array.tobytes(), name


def test_extra_error(scene: Path, tmp_path: Path) -> None:
    options = ("--extra-error", "confidence=0.01", "--extra-error", "feature_*=0.25", "--keep-order")
    path = encoded(tmp_path, scene, *options)
    found, given = decoded(path).splats, read_ply(scene).splats
    for name, bound in (("confidence", 0.01), ("feature_0", 0.25), ("feature_1", 0.25), ("time", 0)):
        difference = np.abs(found.extras[name].astype(float) - given.extras[name].astype(float)).max()
        assert difference <= bound
        assert (difference > 0) == (bound > 0), name
    about = run("gsinfo", path).out.decode()
    assert "confidence: 1 x f32, in steps of 0.0" in about
    assert "time: 1 x f64, lossless" in about
    assert path.stat().st_size < encoded(tmp_path, scene, "--keep-order").stat().st_size


def test_extra_error_falls_back_to_lossless_and_says_so(scene: Path, tmp_path: Path) -> None:
    splats = read_ply(scene).splats
    odd = np.where(np.arange(300) == 5, np.nan, 1.5).astype(np.float32)
    write_ply(tmp_path / "odd.ply", replace(splats, extras={"odd": odd}))
    found = run(
        "gsenc", tmp_path / "odd.ply", "-o", tmp_path / "out.gsc", "--effort", "1", "--extra-error", "*=1"
    )
    assert "odd that close: kept lossless" in found.err
    assert np.isnan(gscodec.decode((tmp_path / "out.gsc").read_bytes()).extras["odd"]).sum() == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--extra-error", "nothing=1"), "no extra attribute 'nothing'"),
        (("--extra-error", "id=1"), "'id' is i32"),
        (("--extra-error", "time"), "NAME=ERR"),
        (("--extra-error", "time=-1"), "NAME=ERR"),
        (("--extra-error", "time=nan"), "NAME=ERR"),
        (("--drop-extra", "nothing"), "no extra attribute 'nothing'"),
        (("--offset", "1,2"), "X,Y,Z"),
        (("--offset", "1,2,inf"), "X,Y,Z"),
        (("--thumbnail", "9999"), "2048"),
    ],
)
def test_wrong_options(scene: Path, tmp_path: Path, options: tuple[str, ...], why: str) -> None:
    found = run("gsenc", scene, "-o", tmp_path / "out.gsc", "--effort", "1", *options)
    assert found.code == 2
    assert why in found.line
    assert not (tmp_path / "out.gsc").exists()


def test_drop_extra(scene: Path, tmp_path: Path) -> None:
    path = encoded(tmp_path, scene, "--drop-extra", "feature_*", "--drop-extra", "id")
    assert list(gscodec.decode(path.read_bytes()).extras) == ["label", "confidence", "time"]


def test_order_and_its_ways_around(scene: Path, tmp_path: Path) -> None:
    path = encoded(tmp_path, scene, "--keep-order")
    given, data = read_ply(scene).splats, path.read_bytes()
    ids = given.extras["id"]
    assert (decoded(path).splats.extras["id"] == ids).all()
    in_file = decoded(path, "--file-order").splats.extras["id"]
    assert (in_file != ids).any()
    assert (np.sort(in_file) == np.sort(ids)).all()
    assert (gscodec.decode(data, file_order=True).extras["id"] == in_file).all()
    report = run("gsdec", path, "-o", tmp_path / "again.ply", "--json").report
    assert (report["order"], report["comments"]) == ("input", 2)
    damaged = tmp_path / "damaged.gsc"
    damaged.write_bytes(data[: data.rindex(b"ENDM")])
    found = run("gsdec", damaged, "-o", tmp_path / "rescued.ply", "--keep-partial")
    assert found.code == 4
    assert (read_ply(tmp_path / "rescued.ply").splats.extras["id"] == in_file).all()


def test_pruned_and_dropped_splats_have_no_rank(scene: Path, tmp_path: Path) -> None:
    given = read_ply(scene).splats
    positions = given.positions.copy()
    positions[[0, 17, 299]] = np.nan
    write_ply(tmp_path / "broken.ply", replace(given, positions=positions))
    found = decoded(encoded(tmp_path, tmp_path / "broken.ply", "--keep-order")).splats
    kept = np.isfinite(positions).all(1)
    assert (found.extras["id"] == given.extras["id"][kept]).all()


def test_a_broken_order_is_an_error_and_can_be_passed_over(tmp_path: Path) -> None:
    vectors = Path(__file__).resolve().parents[2] / "conformance/vectors"
    path = vectors / "faulty/perm_repeat.gsc"
    found = run("gsdec", path, "-o", tmp_path / "out.ply")
    assert (found.code, (tmp_path / "out.ply").exists()) == (5, False)
    assert "--file-order" in found.line
    assert run("gsdec", path, "-o", tmp_path / "out.ply", "--file-order").code == 0


def test_comments_come_back(scene: Path, tmp_path: Path) -> None:
    path = encoded(tmp_path, scene)
    assert decoded(path).comments == ("made by a test", "Größe: 3 m")
    assert decoded(path, "--no-comments").comments == ()
    assert run("gsinfo", path, "--meta").out.decode() == "made by a test\nGröße: 3 m\n"
    assert decoded(encoded(tmp_path, scene, "--no-comments")).comments == ()


def test_comments_cannot_break_out_of_the_header(tmp_path: Path) -> None:
    splats = read_ply(MADE).splats.take(np.arange(10))
    text = "one\rtwo\nend_header\nproperty float x\0\x1b[2J\u2028" + "long " * 150_000
    data = gscodec.encode(splats, effort=1, metadata=[gscodec.Metadata(kind="comment", text=text)])
    (tmp_path / "odd.gsc").write_bytes(data)
    found = run("gsdec", tmp_path / "odd.gsc", "-o", tmp_path / "odd.ply")
    assert "left out comments" in found.err
    again = read_ply(tmp_path / "odd.ply")
    assert again.comments[:4] == ("one", "two", "end_header", "property float x  [2J")
    assert len(again.splats) == 10


def test_wrong_metadata_costs_no_splats(tmp_path: Path) -> None:
    path = Path(__file__).resolve().parents[2] / "conformance/vectors/uncommon/meta_zlib_bomb.gsc"
    found = run("gsdec", path, "-o", tmp_path / "out.ply")
    assert found.code == 0
    assert "meta.deflate" in found.err
    found = run("gsinfo", path, "--json")
    assert found.code == 0
    assert "meta.deflate" in found.report["problems"][0]


def test_meta_files(scene: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"licence": "CC0-1.0"}')
    (tmp_path / "b.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    path = encoded(tmp_path, scene, "--meta", str(tmp_path / "a.json"), "--meta", str(tmp_path / "b.xmp"))
    found = run("gsinfo", path, "--json", "--meta").report["metadata"]
    assert [each["kind"] for each in found] == ["comment", "json", "xmp"]
    assert json.loads(found[1]["text"]) == {"licence": "CC0-1.0"}
    assert [each.kind for each in gscodec.metadata(path.read_bytes())] == ["comment", "json", "xmp"]
    for name, text in (
        ("a.json", "{"),
        ("b.json", "NaN"),
        ("c.json", "\udcff"),
        ("d.txt", "{}"),
        ("e.xmp", "{}"),
    ):
        (tmp_path / name).write_text(text, errors="surrogateescape")
        found_error = run(
            "gsenc", scene, "-o", tmp_path / "no.gsc", "--effort", "1", "--meta", tmp_path / name
        )
        assert found_error.code == 3
        assert "[meta.format]" in found_error.line


def test_thumbnail(scene: Path, tmp_path: Path) -> None:
    path = encoded(tmp_path, scene, "--thumbnail=64")
    picture = gscodec.thumbnail(path.read_bytes())
    assert picture is not None
    assert max(picture.width, picture.height) == 64
    target = tmp_path / f"picture.{picture.kind}"
    assert run("gsinfo", path, "--thumbnail", target).code == 0
    assert target.read_bytes() == picture.data
    from PIL import Image

    with Image.open(target) as image:
        assert image.size == (picture.width, picture.height)
        assert np.asarray(image.convert("L")).std() > 5
    assert run("gsinfo", path, "--thumbnail", tmp_path / "picture.jpg").code == 2
    assert run("gsinfo", path, "--json").report["thumbnail"]["width"] == picture.width
    write_cameras(tmp_path / "cameras.json", make_rig(read_ply(scene).splats, views=3, size=(90, 120)))
    seen = gscodec.thumbnail(
        encoded(tmp_path, scene, "--thumbnail=60", "--cameras", str(tmp_path / "cameras.json")).read_bytes()
    )
    assert seen is not None
    assert (seen.width, seen.height) == (45, 60)
    bare = encoded(tmp_path, scene)
    assert gscodec.thumbnail(bare.read_bytes()) is None
    found = run("gsinfo", bare, "--thumbnail", target)
    assert (found.code, "no thumbnail" in found.err) == (3, True)


def test_georeferenced_scenes_keep_millimetres(scene: Path, tmp_path: Path) -> None:
    splats = read_ply(scene).splats
    write_ply(tmp_path / "far.ply", splats, world=ORIGIN)
    place = splats.positions.astype(float) + ORIGIN
    path = encoded(tmp_path, tmp_path / "far.ply", "--keep-order", "--quality", "near-lossless")
    offset = gscodec.scene_offset(path.read_bytes())
    assert np.abs(np.array(offset) - ORIGIN).max() < 10
    near = decoded(path)
    assert near.offset == offset
    assert np.abs(near.splats.positions + np.array(offset) - place).max() < 1e-3
    assert dict(near.properties)["x"] == "float"
    target = tmp_path / "world.ply"
    assert run("gsdec", path, "-o", target, "--world").code == 0
    world = read_ply(target, offset=ORIGIN)
    assert dict(world.properties)["x"] == "double"
    assert np.abs(world.splats.positions.astype(float) + ORIGIN - place).max() < 1e-3
    assert not any("offset" in comment for comment in world.comments)
    # and again: the comment says where the scene is
    again = encoded(tmp_path, path.with_suffix(".ply"))
    assert gscodec.scene_offset(again.read_bytes()) == offset
    assert [text.kind for text in gscodec.metadata(again.read_bytes())] == []
    moved = encoded(tmp_path, path.with_suffix(".ply"), "--offset", "431000,5412000,100")
    assert gscodec.scene_offset(moved.read_bytes()) == (431_000, 5_412_000, 100)


def test_offset_leaves_near_scenes_and_floats_alone(scene: Path, tmp_path: Path) -> None:
    splats = read_ply(scene).splats
    write_ply(tmp_path / "double.ply", splats, world=(0.0, 0.0, 0.0))
    assert gscodec.scene_offset(encoded(tmp_path, tmp_path / "double.ply").read_bytes()) == (0, 0, 0)
    far = replace(splats, positions=splats.positions + np.float32(1e5))
    write_ply(tmp_path / "far.ply", far)
    assert gscodec.scene_offset(encoded(tmp_path, tmp_path / "far.ply").read_bytes()) == (0, 0, 0)
    path = encoded(tmp_path, tmp_path / "far.ply", "--offset", "1e5,1e5,100000")
    assert np.abs(gscodec.decode(path.read_bytes()).positions).max() < 100


def test_too_much_metadata_says_what_helps(scene: Path, tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text('"' + "a" * (1 << 24) + '"')
    (tmp_path / "half.json").write_text('"' + "a" * (9 << 20) + '"')
    for names in (["long"], ["half", "half"]):
        options = [word for name in names for word in ("--meta", str(tmp_path / f"{name}.json"))]
        found = run("gsenc", scene, "-o", tmp_path / "out.gsc", "--effort", "1", *options)
        assert found.code == 9
        assert "16,777,216" in found.line
        assert "[encode.metadata]; store less: shorten the files of --meta" in found.line
        assert "level" not in found.line
