"""PlayCanvas compressed PLY files."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from plyfile import PlyData
from splat_samples import SCENES, apart, damaged, made, odd, survives

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError
from gscodec.io._quantise import morton_order
from gscodec.io.compressed_ply import lost_in_compressed_ply, read_compressed_ply, write_compressed_ply
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats

ENDS = [f"{end}_{axis}" for end in ("min", "max") for axis in "xyz"]
SCALE_ENDS = [f"{end}_scale_{axis}" for end in ("min", "max") for axis in "xyz"]
COLOUR_ENDS = [f"{end}_{axis}" for end in ("min", "max") for axis in "rgb"]
PACKED = ["packed_position", "packed_rotation", "packed_scale", "packed_color"]


def read(data: bytes) -> SplatFile:
    return read_compressed_ply(io.BytesIO(data))


def written(splats: Splats, *comments: str) -> bytes:
    out = io.BytesIO()
    assert write_compressed_ply(out, SplatFile(splats=splats, comments=comments)) == len(out.getvalue())
    return out.getvalue()


def header(
    chunks: int, count: int, *, colours: bool = False, sh: int = 0, form: str = "little", more: str = ""
) -> bytes:
    lines = ["ply", f"format binary_{form}_endian 1.0", "comment made by hand", f"element chunk {chunks}"]
    lines += [f"property float {name}" for name in ENDS + SCALE_ENDS + (COLOUR_ENDS if colours else [])]
    lines += [f"element vertex {count}", *(f"property uint {name}" for name in PACKED)]
    if sh:
        lines += [f"element sh {count}", *(f"property uchar f_rest_{i}" for i in range(sh))]
    return "\n".join([*lines, *more.splitlines(), "end_header", ""]).encode()


@pytest.mark.parametrize("form", ["little", "big"])
def test_bytes_by_hand(form: str) -> None:
    order = "<" if form == "little" else ">"
    chunk = struct.pack(order + "12f", 0, 10, 20, 2047, 10, 21, -5, -5, -5, -5, 5, 5)
    rotation = 2 << 30 | 1023 << 20 | 512 << 10 | 0
    words = struct.pack(order + "4I", 5 << 21 | 7 << 11 | 2047, rotation, 1023 << 11, 0xFF00_80_33)
    rest = bytes([0, 255, 127, 128, 1, 254, 0, 0, 64])
    file = read(header(1, 1, sh=9, form=form) + chunk + words + rest)
    splats = file.splats
    np.testing.assert_allclose(splats.positions, [[5, 10, 21]])
    np.testing.assert_allclose(splats.scales, [[-5, 5, -5]])
    np.testing.assert_allclose(
        splats.sh_dc[0], np.array([0.5, -0.5, 128 / 255 - 0.5]) / 0.28209479, rtol=1e-5
    )
    assert 1 / (1 + np.exp(-splats.opacities[0])) == pytest.approx(0.2)
    half = (512 / 1023 - 0.5) * 2**0.5
    np.testing.assert_allclose(splats.rotations[0], [0.5**0.5, half, 0, -(0.5**0.5)], atol=1e-6)
    wanted = [[-4, 4, -1 / 64], [1 / 64, -4 + 1.5 / 32, 4 - 1.5 / 32], [-4, -4, -2 + 1 / 64]]
    np.testing.assert_allclose(splats.sh_rest[0].T, wanted, atol=1e-6)
    assert file.comments == ("made by hand",)
    assert file.coordinate_system == coordinate_systems.UNSPECIFIED


def test_colours_within_their_chunk() -> None:
    chunk = struct.pack("<18f", *[0] * 12, -1, 0, 1, 1, 1, 3)
    words = struct.pack("<4I", 0, 0, 0, 0x80_80_FF_00)
    splats = read(header(1, 1, colours=True) + chunk + words).splats
    colours = np.array([-1 + 2 * 128 / 255, 128 / 255, 3])
    np.testing.assert_allclose(splats.sh_dc[0], (colours - 0.5) / 0.28209479, rtol=1e-5)


def test_other_parts_are_left_out_and_said() -> None:
    more = "element camera 2\nproperty float f"
    file = read(header(0, 0, more=more) + bytes(8 + 5))
    assert len(file.splats) == 0
    assert "camera" in file.notes[0]
    assert "5 bytes" in file.notes[1]


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 2000])
def test_round_trip(count: int, degree: int) -> None:
    splats = made(count, degree)
    data = written(splats, "one", "two\nthree")
    file = read(data)
    assert file.comments == ("one", "two three")
    back, splats = file.splats, splats.take(morton_order(splats.positions))
    assert back.sh_degree == degree
    off = apart(splats, back)
    assert off["positions"] < 20 / 1023
    assert off["scales"] < 10 / 1023
    assert off["rotations"] < 0.003
    assert off["opacities"] < 0.5 / 255 + 1e-6
    assert off["sh_dc"] < 0.5 / 255 / 0.282 + 1e-6
    assert off["sh_rest"] < 1 / 64 + 1e-6
    assert (
        read(written(back)).splats.sh_rest.tobytes()
        == back.take(morton_order(back.positions)).sh_rest.tobytes()
    )


def test_is_a_ply_file_of_chunks() -> None:
    """As another library sees it."""
    found = PlyData.read(io.BytesIO(written(made(300, 1))))
    assert [(e.name, e.count) for e in found.elements] == [("chunk", 2), ("vertex", 300), ("sh", 300)]
    assert (found["chunk"]["min_x"] <= found["chunk"]["max_x"]).all()


def test_extreme_values() -> None:
    splats = odd()
    back = read(written(splats)).splats
    assert len(back) == 4
    for values in (back.positions, back.scales, back.rotations, back.opacities, back.sh_dc, back.sh_rest):
        assert np.isfinite(values).all()
    lost = " ".join(lost_in_compressed_ply(SplatFile(splats=splats)))
    for part in ("6 splats", "log scales outside", "harmonics outside", "order"):
        assert part in lost


def test_what_is_lost_is_said() -> None:
    file = SplatFile(
        splats=made(3, label=np.zeros(3)),
        comments=("a",),
        coordinate_system=coordinate_systems.RIGHT_UP_BACK,
        rendering_model=rendering_models.SURFELS,
    )
    lost = " ".join(lost_in_compressed_ply(file))
    for part in ("label", "right_up_back", "surfels", "order"):
        assert part in lost
    assert "comments" not in lost


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ply.magic"),
        (header(1, 1), "compressed.truncated"),
        (header(1, 1)[:-20], "ply.truncated"),
        (header(10**15, 256 * 10**15), "compressed.truncated"),
        (header(1, 257) + bytes(10000), "compressed.header"),
        (header(2, 256) + bytes(10000), "compressed.header"),
        (header(1, 1, sh=8) + bytes(1000), "compressed.header"),
        (header(1, 1).replace(b"element chunk", b"element chonk"), "compressed.header"),
        (header(1, 1).replace(b"float min_scale_y", b"int min_scale_y"), "compressed.header"),
        (header(1, 1).replace(b"uint packed_scale", b"list uchar uint packed_scale"), "compressed.header"),
        (header(1, 1).replace(b"binary_little_endian", b"ascii"), "compressed.header"),
        (header(1, 1, more="element chunk 1\nproperty float f"), "compressed.header"),
    ],
)
def test_headers_that_lie(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert caught.value.code == code


def test_limit() -> None:
    data = written(made(10))
    assert len(read_compressed_ply(io.BytesIO(data), max_bytes=len(data)).splats) == 10
    with pytest.raises(InputError) as caught:
        read_compressed_ply(io.BytesIO(data), max_bytes=len(data) - 1)
    assert caught.value.code == "io.limit"


def test_damage() -> None:
    data = written(made(20, 1))
    head = data.index(b"end_header") + 11
    for piece in damaged(data, 500, head=head):
        survives(read, piece, "compressed.", "ply.")
    for piece in damaged(data[head:], 200, head=80, seed=1):
        survives(read, data[:head] + piece, "compressed.", "ply.")


@pytest.mark.skipif(not (SCENES / "guitar.compressed.ply").exists(), reason="the scene is not here")
def test_a_found_file() -> None:
    file = read_compressed_ply(SCENES / "guitar.compressed.ply")
    assert len(file.splats) == 90854
    assert file.comments == ("Generated by SuperSplat 2.7.1",)
    again = read(written(file.splats)).splats
    assert apart(file.splats.take(morton_order(file.splats.positions)), again)["rotations"] < 0.003
