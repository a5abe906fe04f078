"""Scenes in regions: nothing is lost at borders, nothing stays behind, and the machine has no say."""

from __future__ import annotations

import errno
import gc
import io
import os
import weakref
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gscodec
from gscodec.container import ContainerReader, Parameters
from gscodec.encode import large, regions, spill
from gscodec.encode.effort import effort_of
from gscodec.encode.file import encode_blocks, encode_file
from gscodec.encode.targets import Ruler
from gscodec.errors import EncodeError, InputError, UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.rigs import make_rig
from gscodec.io import read_ply, write_ply
from gscodec.io.blocks import SplatBlocks
from gscodec.splats import Splats

MADE = Path(__file__).resolve().parents[2] / "examples/made_scene.ply"


def memory(splats: int, effort: int = 1, sh_degree: int = 3) -> int:
    """What regions of so many splats take."""
    return regions.FIXED + splats * regions.bytes_per_splat(effort_of(effort), sh_degree)


def encoded(tmp_path: Path, source: Any = MADE, **options: Any) -> tuple[bytes, dict[str, Any]]:
    """The file in regions of 1300 splats, and the report."""
    out = tmp_path / "out.gsc"
    options = {"effort": 1, "max_memory": memory(1300, options.get("effort", 1)), **options}
    report = encode_file(source, out, **options)
    return out.read_bytes(), report


@pytest.fixture
def scene() -> Splats:
    return read_ply(MADE).splats


def test_every_splat_is_there_once(tmp_path: Path, scene: Splats) -> None:
    path = tmp_path / "in.ply"
    write_ply(path, replace(scene, extras={"label": np.arange(4000, dtype=np.int32)}))
    data, report = encoded(tmp_path, path)
    assert report["regions"] > 3
    assert (report["splats"], report["kept"]) == (4000, 4000)
    decoded = gscodec.decode(data)
    rows = decoded.extras["label"]
    assert sorted(rows.tolist()) == list(range(4000))
    assert np.abs(decoded.positions - scene.positions[rows]).max() < 0.02
    assert np.abs(decoded.sh_dc - scene.sh_dc[rows]).mean() < 0.02


def test_every_region_has_a_parameter_set(tmp_path: Path) -> None:
    data, report = encoded(tmp_path)
    reader = ContainerReader()
    reader.feed(data)
    reader.close()
    ids = [event.id for event in reader.events() if isinstance(event, Parameters)]
    assert ids == list(range(report["regions"]))


@pytest.mark.parametrize("effort", [1, 2, 4])
def test_pictures_are_those_of_a_scene_in_one(tmp_path: Path, scene: Splats, effort: int) -> None:
    data, _ = encoded(tmp_path, effort=effort)
    ruler = Ruler(scene, make_rig(scene, views=8, size=(160, 120)), 2)
    whole = ruler.measure(gscodec.decode(gscodec.encode(scene, effort=effort)))
    parts = ruler.measure(gscodec.decode(data))
    assert parts.psnr > whole.psnr - 1
    assert parts.worst > whole.worst - 2.5  # regions as small as here know little of their steps


def test_classes_do_not_depend_on_regions(tmp_path: Path, scene: Splats) -> None:
    whole: dict[str, Any] = {}
    gscodec.encode(scene, effort=1, report=whole)
    assert encoded(tmp_path)[1]["classes"] == whole["classes"]


@pytest.mark.parametrize("effort", [1, 2, 4])
def test_one_region_is_a_scene_in_one(tmp_path: Path, scene: Splats, effort: int) -> None:
    data, report = encoded(tmp_path, effort=effort, max_memory="2GiB")
    assert report["regions"] == 1
    assert data == gscodec.encode(scene, effort=effort)


@pytest.mark.parametrize("options", [{}, {"effort": 2}, {"layers": 3}, {"stream": True}])
def test_threads_and_blocks_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    first = encoded(tmp_path, threads=1, **options)[0]
    monkeypatch.setattr(large, "BLOCK_BYTES", 1 << 16)
    assert encoded(tmp_path, threads=3, **options)[0] == first


def test_pipe(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """Gives what it has once, some at a time."""

        def __init__(self) -> None:
            self._file = io.BytesIO(MADE.read_bytes())

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece = self._file.read(min(len(buffer), 5000))
            buffer[: len(piece)] = piece
            return len(piece)

    out = io.BytesIO()
    report = encode_file(Pipe(), out, effort=1, max_memory=memory(1300))  # type: ignore[arg-type]
    assert report["regions"] > 3
    assert out.getvalue() == encoded(tmp_path)[0]


def test_layers_come_in_order(tmp_path: Path) -> None:
    for stream in (False, True):
        data, report = encoded(tmp_path, layers=3, stream=stream)
        found: dict[str, Any] = report["layers"]
        assert sum(found["splats"]) == 4000
        path = tmp_path / "layers.gsc"
        path.write_bytes(data)
        from gscodec.partial import PartialFile

        part = PartialFile(lambda offset, count, data=data: data[offset : offset + count], len(data))
        layers = [chunk.layer for chunk in part.index.chunks]
        assert layers == sorted(layers)
        assert max(layers) == 2


def test_what_is_not_finite(tmp_path: Path, scene: Splats) -> None:
    path = tmp_path / "in.ply"
    scene.opacities[[3, 2500]] = np.nan
    write_ply(path, scene)
    data, report = encoded(tmp_path, path)
    assert (report["splats"], report["dropped_nonfinite"]) == (3998, 2)
    assert len(gscodec.decode(data)) == 3998
    with pytest.raises(EncodeError, match="not finite"):
        encoded(tmp_path, path, nonfinite="error")


@pytest.mark.parametrize("has_normals", [False, True])
def test_extras_and_normals(tmp_path: Path, scene: Splats, has_normals: bool) -> None:
    up = np.zeros(len(scene), np.float32)
    if has_normals:
        up[-1] = 1
    normals = {"nx": np.zeros_like(up), "ny": np.zeros_like(up), "nz": up}
    extras = {**normals, "label": np.arange(len(scene), dtype=np.int32)}
    path = tmp_path / "in.ply"
    write_ply(path, replace(scene, extras=extras))
    decoded = gscodec.decode(encoded(tmp_path, path)[0])
    assert sorted(decoded.extras["label"].tolist()) == list(range(4000))
    assert set(decoded.extras) == ({"label", *normals} if has_normals else {"label"})
    if has_normals:
        assert decoded.extras["nz"].sum() == 1


def test_other_formats(tmp_path: Path, scene: Splats) -> None:
    path = tmp_path / "in.spz"
    gscodec.write(path, scene)
    data, report = encoded(tmp_path, path)
    assert report["regions"] > 3
    assert len(gscodec.decode(data)) == 4000


def test_splats_at_one_place(tmp_path: Path, scene: Splats) -> None:
    path = tmp_path / "in.ply"
    write_ply(path, replace(scene, positions=np.ones_like(scene.positions)))
    data, report = encoded(tmp_path, path)
    assert report["regions"] == 4  # no box tells them apart
    assert len(gscodec.decode(data)) == 4000


def test_nothing_at_all(tmp_path: Path, scene: Splats) -> None:
    path = tmp_path / "in.ply"
    write_ply(path, scene.take(slice(0, 0)))
    assert len(gscodec.decode(encoded(tmp_path, path)[0])) == 0


def test_cameras_are_for_all_regions(tmp_path: Path, scene: Splats) -> None:
    cameras = make_rig(scene, "outside", views=4, size=(80, 60))
    data, report = encoded(tmp_path, effort=2, cameras=cameras)
    assert report["regions"] > 3
    assert len(gscodec.decode(data)) == report["kept"]
    away: list[Camera] = [replace(c, position=np.array([0.0, 0, 9000]), rotation=np.eye(3)) for c in cameras]
    with pytest.raises(UsageError, match="see nothing"):
        encoded(tmp_path, effort=2, cameras=away)


# ---- memory


def test_blocks_go_when_they_are_sorted() -> None:
    """Not when cycles are collected: that is after a gigabyte of them, whatever `max_memory` says."""
    positions = np.random.default_rng(1).normal(size=(1000, 3)).astype(np.float32)
    tree = regions.cuts(positions, 5)
    gone = weakref.ref(positions)
    gc.disable()
    try:
        assert np.bincount(regions.regions_of(positions, tree)).tolist() == [200] * 5
        del positions
        assert gone() is None
    finally:
        gc.enable()


def test_automatic_from_many_splats_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from gscodec.encode import file

    monkeypatch.setattr(file, "WHOLE", 3999)
    monkeypatch.setattr(regions, "MEMORY", memory(1300))
    pieces: list[bytes] = []
    with SplatBlocks(MADE) as blocks:
        assert encode_blocks(blocks, pieces.append, effort=1)["regions"] == 4
    with SplatBlocks(MADE) as blocks:  # a target needs all
        assert "regions" not in encode_blocks(blocks, pieces.append, effort=1, target_size="9B/splat")
    monkeypatch.setattr(file, "WHOLE", 4000)
    with SplatBlocks(MADE) as blocks:
        assert "regions" not in encode_blocks(blocks, pieces.append, effort=1)


@pytest.mark.parametrize("value", ["many", "3B/splat", 0, True, 1 << 20, "100MB"])
def test_memory_that_is_none(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        encoded(tmp_path, max_memory=value)
    assert caught.value.code == "usage.memory"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("options", [{"target_size": 9000}, {"measure": True}, {"max_error": 9}])
def test_what_needs_the_whole_scene(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="whole scene"):
        encoded(tmp_path, **options)


def test_too_many_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "MOST_SETS", 3)
    with pytest.raises(EncodeError, match=r"need \d regions, of which a file can have 3") as caught:
        encoded(tmp_path)
    assert caught.value.code == "encode.memory"


def test_level_2_for_more_than_level_1_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "_level", lambda *_: 2)
    data, _ = encoded(tmp_path)
    assert data[11] == 2
    assert len(gscodec.decode(data)) == 4000


# ---- what stays behind


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
@pytest.mark.parametrize("place", ["add", "append", "read_into"])
def test_nothing_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, place: str
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(spill.PayloadSpill if place == "add" else spill.SplatSpill, place, fails)
    with pytest.raises((KeyboardInterrupt, OSError)):
        encoded(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.RawIOBase):
        def write(self, _data: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def seek(self, _offset: int, _whence: int = 0) -> int:
            return 0

    monkeypatch.setattr(spill.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(InputError, match=r"temporary file.*the disk is full") as caught:
        encoded(tmp_path)
    assert caught.value.code == "io.write"
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "no"))
    with pytest.raises(InputError, match="there is no directory"):
        encoded(tmp_path)


# ---- pieces


def test_a_sample_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch, scene: Splats) -> None:
    monkeypatch.setattr(regions, "SAMPLE", 500)
    found = [
        regions.census(scene.take(slice(i, i + step)) for i in range(0, 4000, step)) for step in (4000, 333)
    ]
    assert len(found[0].sample) == 500
    assert (found[0].sample.positions == found[1].sample.positions).all()
    assert found[0].like.sh_degree == 3


@pytest.mark.parametrize("count", [1, 2, 7])
def test_boxes_share_evenly(scene: Splats, count: int) -> None:
    tree = regions.cuts(scene.positions, count)
    sizes = np.bincount(regions.regions_of(scene.positions, tree), minlength=count)
    assert sizes.sum() == 4000
    assert sizes.min() > 0.8 * 4000 / count


def test_a_heap_in_pieces() -> None:
    assert list(regions.pieces([5, 0, 3], 3)) == [(0, 0, 2), (0, 2, 3), (2, 0, 3)]


def test_a_spill_keeps_splats(scene: Splats) -> None:
    with spill.SplatSpill(scene, 3, None) as heaps:
        which = np.arange(4000) % 3
        for start in range(0, 4000, 1500):
            rows = slice(start, start + 1500)
            heaps.add(scene.take(rows), which[rows])
        assert heaps.counts == [1334, 1333, 1333]
        back = heaps.read(1, 100, 700)
        assert (back.sh_rest == scene.take(np.flatnonzero(which == 1)[100:800]).sh_rest).all()


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"layers": 3}, {"stream": True, "layers": 3}])
def test_metadata_and_errors_of_extras(tmp_path: Path, scene: Splats, options: dict[str, Any]) -> None:
    path, i = tmp_path / "in.ply", np.arange(4000)
    odd = np.where(i == 3999, np.nan, 1).astype(np.float32)
    extras = {
        "row": i.astype(np.int32),
        "heat": (100 * np.sin(i)).astype(np.float32),
        "time": i / 7,
        "odd": odd,
    }
    write_ply(path, replace(scene, extras=extras))
    text = gscodec.Metadata(kind="json", text='{"made": "by a test"}')
    errors = {"heat": 0.01, "time": 1e-3, "odd": 0.5}
    data, report = encoded(tmp_path, path, metadata=[text], extra_errors=errors, **options)
    assert report["regions"] > 3
    assert report["extra_steps"]["odd"] is None
    assert 0.015 < report["extra_steps"]["heat"] <= 0.02
    decoded = gscodec.decode(data)
    rows = decoded.extras["row"]
    for name, error in errors.items():
        lost = np.abs(decoded.extras[name].astype(np.float64) - extras[name][rows])
        assert np.nanmax(lost) <= error
        assert name == "odd" or lost.max() > error / 4
    assert np.isnan(decoded.extras["odd"]).sum() == 1
    assert gscodec.metadata(data) == [text]


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("offset", [None, "auto", (431_000.0, 5_412_000.0, 100.0)])
def test_scene_far_away(tmp_path: Path, scene: Splats, offset: Any, piped: bool) -> None:
    path, origin = tmp_path / "in.ply", (431_250.0, 5_412_875.0, 120.0)
    extras = {"row": np.arange(4000, dtype=np.int32)}
    write_ply(path, replace(scene, extras=extras), world=origin)
    source = io.BytesIO(path.read_bytes()) if piped else path
    data, report = encoded(tmp_path, source, offset=offset)
    assert report["regions"] > 3
    found, decoded = gscodec.scene_offset(data), gscodec.decode(data)
    place = decoded.positions + np.array(found)
    lost = np.abs(place - np.array(origin) - scene.positions[decoded.extras["row"]]).max()
    if offset is None:
        assert found == (0, 0, 0)
        assert lost > 0.1
    else:
        assert offset in (found, "auto")
        assert lost < 0.02


def test_cameras_follow_the_offset(tmp_path: Path, scene: Splats) -> None:
    cameras = make_rig(scene, views=6, size=(100, 75))
    path, origin = tmp_path / "in.ply", (4_096.0, 8_192.0, 0.0)
    write_ply(path, scene, world=origin)
    there = [replace(camera, position=camera.position + np.array(origin)) for camera in cameras]
    options: dict[str, Any] = {"effort": 2, "offset": origin}
    for more in ({}, {"max_memory": None}):
        moved = encoded(tmp_path, path, cameras=there, **options, **more)[1]
        here = encoded(tmp_path, MADE, cameras=cameras, effort=2, **more)[1]
        assert 0 < moved["pruned"] == pytest.approx(here["pruned"], abs=20)


def test_extras_that_are_dropped(tmp_path: Path, scene: Splats) -> None:
    path = tmp_path / "in.ply"
    extras = {name: np.arange(4000, dtype=np.int32) for name in ("row", "label", "length")}
    write_ply(path, replace(scene, extras=extras))
    for options in ({"max_memory": memory(1300)}, {}):
        pieces: list[bytes] = []
        with SplatBlocks(path) as blocks:
            encode_blocks(blocks, pieces.append, effort=1, drop_extra=("l*",), **options)  # type: ignore[arg-type]
        assert list(gscodec.decode(b"".join(pieces)).extras) == ["row"]
    with SplatBlocks(path) as blocks, pytest.raises(UsageError, match="no extra attribute"):
        encode_blocks(blocks, pieces.append, effort=1, drop_extra=("rows",), max_memory=memory(1300))


@pytest.mark.parametrize("options", [{"keep_order": True}, {"thumbnail": 64}])
def test_what_needs_all_splats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="whole scene") as error:
        encoded(tmp_path, **options)
    assert error.value.code == "usage.memory"
    monkeypatch.setattr(import_module("gscodec.encode.file"), "WHOLE", 1000)
    assert "regions" not in encoded(tmp_path, max_memory=None, **options)[1]
