"""SOG files that are damaged, or lie."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from json_faults import lying
from sog_samples import archive, image, streamed, version_1, version_2
from splat_samples import damaged, made, survives

from gscodec.errors import InputError
from gscodec.io.sog import read_sog, write_sog
from gscodec.io.splat_file import SplatFile


def read(data: bytes) -> SplatFile:
    return read_sog(io.BytesIO(data))


def code_of(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> str:
    with pytest.raises(InputError) as caught:
        read(archive(files, method))
    return caught.value.code


def with_meta(change: Any, files: dict[str, bytes] | None = None) -> dict[str, bytes]:
    files = files or version_2()
    meta = json.loads(files["meta.json"])
    change(meta)
    return {**files, "meta.json": json.dumps(meta).encode()}


@pytest.mark.parametrize(
    "name",
    [
        "../x.webp",
        "/etc/x.webp",
        "a/../../x.webp",
        "C:x.webp",
        "..\\x.webp",
        "",
        ".",
        "a//b",
        "a\0b",
        7,
        None,
        ["x"],
    ],
)
def test_names_that_leave_the_folder(name: Any, tmp_path: Path) -> None:
    files = with_meta(lambda meta: meta["quats"].update(files=[name]))
    assert code_of(files) == "sog.path"
    scene = tmp_path / "scene"
    scene.mkdir()
    (tmp_path / "x.webp").write_bytes(version_2()["quats.webp"])
    for key, data in files.items():
        (scene / key).write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_sog(scene)
    assert caught.value.code == "sog.path"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m.update(version=3), "sog.version"),
        (lambda m: m.update(version="2"), "sog.version"),
        (lambda m: m.update(version=True), "sog.version"),
        (lambda m: m.update(version=[]), "sog.version"),
        (lambda m: m.update(count=-1), "sog.meta"),
        (lambda m: m.update(count=2.0), "sog.meta"),
        (lambda m: m.update(count=None), "sog.meta"),
        (lambda m: m.update(count=10**4000), "sog.meta"),
        (lambda m: m.update(count=17), "sog.image"),
        (lambda m: m.update(count=10**8), "sog.count"),
        (lambda m: m.pop("means"), "sog.meta"),
        (lambda m: m.update(means=[]), "sog.meta"),
        (lambda m: m["means"].pop("mins"), "sog.meta"),
        (lambda m: m["means"].update(mins=[0, 0]), "sog.meta"),
        (lambda m: m["means"].update(mins=[0, 0, "0"]), "sog.meta"),
        (lambda m: m["means"].update(mins=[0, 0, 10**400]), "sog.meta"),
        (lambda m: m["means"].update(mins=[0, 0, True]), "sog.meta"),
        (lambda m: m["means"].update(files=["means_l.webp"]), "sog.meta"),
        (lambda m: m["means"].update(files=["means_l.webp", "none.webp"]), "sog.missing"),
        (lambda m: m["means"].update(files=["means_l.webp", "meta.json"]), "sog.image"),
        (lambda m: m["scales"].update(codebook=[1] * 255), "sog.meta"),
        (lambda m: m["scales"].update(codebook=[1] * 257), "sog.meta"),
        (lambda m: m["scales"].update(codebook=[1, None] * 128), "sog.meta"),
        (lambda m: m["scales"].update(codebook=[1e39] * 256), "sog.meta"),
        (lambda m: m["scales"].update(codebook=[]), "sog.meta"),
        (lambda m: m["shN"].update(bands=2), "sog.meta"),
        (lambda m: m["shN"].update(bands=1.5), "sog.meta"),
        (lambda m: m["shN"].update(bands=[]), "sog.meta"),
        (lambda m: m.update(shN=7), "sog.meta"),
    ],
)
def test_json_that_lies(change: Any, code: str) -> None:
    assert code_of(with_meta(change)) == code


def test_more_numbers_than_needed() -> None:
    """The first ones count, as for players, in both versions."""
    for files in (version_1(), version_2()):
        wanted = read(archive(files)).splats
        for key in ("means", "sh0"):
            longer = with_meta(lambda meta, key=key: meta[key].get("mins", []).append(7), files)
            found = read(archive(longer)).splats
            assert np.array_equal(found.positions, wanted.positions)
            assert np.array_equal(found.opacities, wanted.opacities)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"nul",
        b"\xff",
        b'{"version": 2, "count": NaN}',
        b"[" * 100000,
        b'{"count":' + b"9" * 5000 + b"}",
    ],
)
def test_no_json(text: bytes) -> None:
    assert code_of({**version_2(), "meta.json": text}) == "sog.meta"


def test_archives() -> None:
    for data in (b"", b"PK", b"ply\n", archive(version_2())[:-30], bytes(1000)):
        with pytest.raises(InputError) as caught:
            read(data)
        assert caught.value.code == "sog.zip"
    assert code_of({}) == "sog.missing"
    assert code_of(version_2(), zipfile.ZIP_BZIP2) == "sog.zip"
    assert len(read(archive(version_2(), zipfile.ZIP_DEFLATED)).splats) == 2


def test_bombs(tmp_path: Path) -> None:
    """A little that says it is much: refused before the memory for it is taken."""
    zeros = bytes(50_000_000)
    assert code_of({**version_2(), "quats.webp": zeros}, zipfile.ZIP_DEFLATED) == "sog.limit"
    assert code_of({**version_2(), "meta.json": b" " * 70_000_000}, zipfile.ZIP_DEFLATED) == "sog.limit"
    large = image(np.zeros((4000, 4000, 4)))
    assert code_of({**version_2(), "quats.webp": large}) == "sog.image"
    # 16383 x 16383 pixels, in the header only.
    head = bytearray(version_2()["quats.webp"])
    assert head[12:16] == b"VP8L"
    head[21:25] = (int.from_bytes(head[21:25], "little") | 0xFFFFFFF).to_bytes(4, "little")
    assert code_of({**version_2(), "quats.webp": bytes(head)}) == "sog.image"
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1 << 31, 1 << 31, 8, 6, 0, 0, 0)
    png += struct.pack(">I", zlib.crc32(png[12:]))
    assert code_of({**version_2(), "quats.webp": png}) == "sog.image"
    files = streamed()
    meta = json.loads(files["lod-meta.json"])
    meta["filenames"] = ["0_0/meta.json"] * 1000
    for name, data in {**files, "lod-meta.json": json.dumps(meta).encode()}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_sog(tmp_path)
    assert caught.value.code == "sog.meta"


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(tree=None),
        lambda m: m.update(tree={"children": 5}),
        lambda m: m.update(tree={"lods": [1]}),
        lambda m: m.update(tree={"lods": {"0": None}}),
        lambda m: m.update(tree={"lods": {"x": {"file": 0, "offset": 0, "count": 1}}}),
        lambda m: m.update(tree={"lods": {"0": {"file": 3, "offset": 0, "count": 1}}}),
        lambda m: m.update(tree={"lods": {"0": {"file": 0, "offset": -1, "count": 1}}}),
        lambda m: m.update(tree={"lods": {"0": {"file": 0, "offset": 1, "count": 2}}}),
        lambda m: m.update(tree={"lods": {"0": {"file": 0, "offset": 0, "count": 10**30}}}),
        lambda m: m["tree"]["children"].append(m["tree"]["children"][0]),
        lambda m: m.update(filenames=None),
    ],
)
def test_trees_that_lie(change: Any, tmp_path: Path) -> None:
    files = streamed()
    meta = json.loads(files["lod-meta.json"])
    change(meta)
    for name, data in {**files, "lod-meta.json": json.dumps(meta).encode()}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_sog(tmp_path)
    assert caught.value.code == "sog.meta"


def test_folder_without_a_scene(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_sog(tmp_path)
    assert caught.value.code == "sog.missing"
    with pytest.raises(InputError) as caught:
        write_sog(tmp_path / "none" / "meta.json", SplatFile(splats=made(3)))
    assert caught.value.code == "io.write"


@pytest.mark.parametrize("files", [version_1(), version_2()], ids=["1", "2"])
def test_damage(files: dict[str, bytes]) -> None:
    whole = archive(files)
    for piece in damaged(whole, 150, head=60):
        survives(read, piece, "sog.")
    # The JSON and the images by themselves, so that no checksum of the archive hides them.
    for name, data in files.items():
        for piece in damaged(data, 80, head=60 if name.endswith("webp") else len(data), seed=len(name)):
            survives(read, archive({**files, name: piece}), "sog.")
    for piece in damaged(whole[-300:], 100, head=300):  # the archive's table of contents
        survives(read, whole[:-300] + piece, "sog.")


def test_a_file_that_is_read_again_does_not_count_again(tmp_path: Path) -> None:
    """Many data sets of the same images: their splats add up, the bytes do not."""
    count = 900_000
    side = 952
    assert side * side >= count
    meta = json.loads(version_2(harmonics=False)["meta.json"])
    meta["count"] = count
    meta["scales"]["codebook"] = meta["sh0"]["codebook"] = [0]
    blank = image(np.zeros((side, side, 4)))
    for key in ("means", "scales", "quats", "sh0"):
        meta[key]["files"] = ["blank.webp"] * len(meta[key]["files"])
    names = [f"{i}.json" for i in range(3)]
    (tmp_path / "blank.webp").write_bytes(blank)
    for name in names:
        (tmp_path / name).write_text(json.dumps(meta))
    lods = [{"lods": {"0": {"file": i, "offset": 0, "count": count}}} for i in range(3)]
    (tmp_path / "lod-meta.json").write_text(json.dumps({"filenames": names, "tree": {"children": lods}}))
    with pytest.raises(InputError) as caught:
        read_sog(tmp_path)
    assert caught.value.code == "sog.count"


def test_an_archive_that_lies_about_its_members() -> None:
    files = with_meta(lambda meta: meta.update(count=2_000_000))
    data = bytearray(archive(files))
    at = 0
    while (at := data.find(b"PK\1\2", at)) >= 0:
        data[at + 20 : at + 24] = b"\xff\xff\xff\x7f"  # compressed size
        at += 4
    with pytest.raises(InputError) as caught:
        read(bytes(data))
    assert caught.value.code in ("sog.count", "sog.zip")


def test_json_that_lies_anywhere() -> None:
    streamed_whole = {("meta.json" if k == "lod-meta.json" else k): v for k, v in streamed().items()}
    for files in (version_1(), version_2(), streamed_whole):
        read_some = 0
        for meta in lying(json.loads(files["meta.json"]), 200):
            data = archive({**files, "meta.json": json.dumps(meta).encode()})
            read_some += survives(read, data, "sog.")
        assert 0 < read_some < 200
