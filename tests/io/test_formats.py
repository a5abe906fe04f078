"""The list of formats: what a file is, what is written, what is lost."""

from __future__ import annotations

import gzip
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from format_samples import made, rotation_difference

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.cli import files
from gscodec.errors import InputError, UsageError
from gscodec.io import formats
from gscodec.io.axes import LETTERS, in_axes
from gscodec.io.formats import FORMATS, by_content, by_suffix, format_of, read_splats, write_splats
from gscodec.io.ply import read_ply
from gscodec.io.ply_writing import write_ply
from gscodec.io.splat_file import SplatFile

RDF = coordinate_systems.RIGHT_DOWN_FORWARD
RUB = coordinate_systems.RIGHT_UP_BACK
HERE = ("ply", "spz", "gltf")


def bytes_of(name: str, count: int = 5) -> bytes:
    out = io.BytesIO()
    FORMATS[name].write(out, SplatFile(splats=made(count)))
    return out.getvalue()


def test_the_commands_know_the_same_names() -> None:
    assert set(files.NAMES) == set(FORMATS)
    assert [files.axes_of(name) for name in files.AXES] == list(LETTERS)
    assert files.axes_of(None) is None


def test_entries() -> None:
    for name, each in FORMATS.items():
        assert each.name == name
        assert each.description
        assert each.axes in LETTERS
        assert by_suffix(f"dir.spz/SCENE{each.suffixes[0].upper()}") is each
    assert by_suffix("scene.compressed.ply") is FORMATS["compressed_ply"]
    assert by_suffix("a/meta.json") is FORMATS["sog"]
    assert by_suffix("scene.gsc") is None
    assert by_suffix("ply") is None


@pytest.mark.parametrize("name", HERE)
def test_content_comes_before_the_name(name: str, tmp_path: Path) -> None:
    data = bytes_of(name)
    assert by_content(data[:4096]) is FORMATS[name]
    for called in ("scene.bin", "scene.spz", "scene.ply", "scene"):
        path = tmp_path / called
        path.write_bytes(data)
        assert format_of(path) is FORMATS[name]
        assert len(read_splats(path).splats) == 5


def test_what_files_start_with() -> None:
    assert by_content(b"ply\nformat binary_little_endian 1.0\nelement chunk 3\n") is FORMATS["compressed_ply"]
    assert by_content(b"ply\nformat ascii 1.0\nend_header\nelement chunk 3\n") is FORMATS["ply"]
    assert by_content(b"PK\x03\x04....") is FORMATS["sog"]
    assert by_content(b'{"asset": {"version": "2.0"}}') is FORMATS["gltf"]
    assert by_content(gzip.compress(b"NGSP....")) is FORMATS["spz"]
    for other in (b"", b"hello", b"{}", gzip.compress(b"ply\n"), b"\x1f\x8b", b"\x1f\x8b\x08\xff" + bytes(9)):
        assert by_content(other) is None


def test_names_where_the_content_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.splat"
    path.write_bytes(bytes(64))
    assert format_of(path) is FORMATS["splat"]
    path = tmp_path / "a.ply"
    path.write_bytes(b"hello")
    with pytest.raises(InputError) as caught:
        read_splats(path)
    assert caught.value.code == "ply.magic"
    path = tmp_path / "a.xyz"
    path.write_bytes(b"hello")
    with pytest.raises(InputError) as caught:
        read_splats(path)
    assert caught.value.code == "format.unknown"
    with pytest.raises(InputError) as caught:
        read_splats(tmp_path / "none.ply")
    assert caught.value.code == "io.read"
    with pytest.raises(UsageError) as usage:
        read_splats(path, name="obj")
    assert usage.value.code == "format.name"
    path.write_bytes(bytes_of("spz"))
    with pytest.raises(InputError) as caught:
        read_splats(path, name="ply")
    assert caught.value.code == "ply.magic"


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        format_of(tmp_path)
    assert caught.value.code == "format.unknown"
    (tmp_path / "meta.json").write_text('{"means": {}}', encoding="utf-8")
    assert format_of(tmp_path) is FORMATS["sog"]
    assert format_of(tmp_path / "meta.json") is FORMATS["sog"]


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("source", [coordinate_systems.UNSPECIFIED, *LETTERS])
def test_axes_of_what_is_written(source: int, name: str, tmp_path: Path) -> None:
    """Whatever the axes of the input: as a PLY file it looks the same, whichever format it went through."""
    splats = made(30)
    splats.sh_rest[...] *= 0.4  # a turn could lead larger ones out of the range of SPZ
    file = SplatFile(splats=splats, coordinate_system=source)
    write_splats(tmp_path / "straight.ply", file)
    wanted = read_ply(tmp_path / "straight.ply").splats
    assert np.array_equal(wanted.positions, in_axes(file, RDF).splats.positions)
    path = tmp_path / f"scene{FORMATS[name].suffixes[0]}"
    write_splats(path, file)
    there = read_splats(path)
    assert there.coordinate_system == (FORMATS[name].axes if name != "ply" else 0)
    write_splats(tmp_path / "back.ply", there)
    found = read_ply(tmp_path / "back.ply").splats
    assert np.abs(found.positions - wanted.positions).max() <= 0.5 / 4096 + 1e-6
    assert np.abs(found.sh_rest - wanted.sh_rest).max() <= 1 / 16 + 0.01
    assert rotation_difference(found, wanted) < 0.0021


def test_other_axes_are_written_as_asked(tmp_path: Path) -> None:
    file = SplatFile(splats=made(30), coordinate_system=RDF)
    wanted = in_axes(file, coordinate_systems.RIGHT_FORWARD_UP).splats.positions
    for name in HERE:
        path = tmp_path / f"scene{FORMATS[name].suffixes[0]}"
        write_splats(path, file, axes=coordinate_systems.RIGHT_FORWARD_UP)
        assert np.abs(read_splats(path).splats.positions - wanted).max() <= 0.5 / 4096 + 1e-6


def test_losses(tmp_path: Path) -> None:
    extras = {"label": np.arange(5, dtype=np.int32), "id": np.arange(5), "a b": np.zeros(5, np.float32)}
    file = SplatFile(
        splats=replace(made(5), extras=extras),
        rendering_model=rendering_models.ANTIALIASED,
        comments=("made",),
    )
    path = tmp_path / "scene.ply"
    lost = write_splats(path, file)
    assert lost[0].endswith(": id, a b")
    assert lost[1:] == ("that the splats were trained with antialiasing",)
    assert set(read_splats(path).splats.extras) == {"label"}
    os.unlink(path)
    with pytest.raises(InputError) as caught:
        write_splats(path, file, strict=True)
    assert caught.value.code == "format.lossy"
    assert not path.exists()
    assert write_splats(path, SplatFile(splats=made(5)), strict=True) == ()
    with pytest.raises(UsageError) as usage:
        write_splats(tmp_path / "scene.obj", file)
    assert usage.value.code == "format.name"
    write_splats(tmp_path / "scene.obj", SplatFile(splats=made(5)), name="spz")
    assert format_of(tmp_path / "scene.obj") is FORMATS["spz"]


def test_notes_on_ply(tmp_path: Path) -> None:
    path = tmp_path / "scene.ply"
    write_ply(path, made(3))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"property float opacity", b"property float opaciti") + b"x")
    file = read_splats(path)
    assert file.notes == (
        "the input lacks opacity: filled in with defaults",
        "ignored 1 byte after the declared data",
    )
    assert file.coordinate_system == coordinate_systems.UNSPECIFIED


def test_limit(tmp_path: Path) -> None:
    for name in HERE:
        path = tmp_path / name
        path.write_bytes(bytes_of(name))
        with pytest.raises(InputError) as caught:
            read_splats(path, max_bytes=100)
        assert caught.value.code == "io.limit"
    assert formats.HEAD >= 1024
