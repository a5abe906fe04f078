"""antimatter15 .splat files."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from splat_samples import SCENES, apart, damaged, made, odd, survives

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError
from gscodec.io.splat import lost_in_splat, read_splat, write_splat
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats


def read(data: bytes) -> SplatFile:
    return read_splat(io.BytesIO(data))


def written(splats: Splats) -> bytes:
    out = io.BytesIO()
    assert write_splat(out, SplatFile(splats=splats)) == len(out.getvalue())
    return out.getvalue()


def test_bytes_by_hand() -> None:
    file = read(struct.pack("<6f8B", 1, -2, 3, 1, np.e, 0, 0, 255, 51, 0, 255, 128, 128, 0))
    splats = file.splats
    assert splats.positions.tolist() == [[1, -2, 3]]
    np.testing.assert_allclose(splats.scales, [[0, 1, -13.815511]], atol=1e-6)
    np.testing.assert_allclose(splats.sh_dc, [[-1.7724539, 1.7724539, -1.0634723]], atol=1e-6)
    assert splats.opacities[0] == pytest.approx(-13.8155, abs=1e-3)
    length = np.hypot(127, 128)
    np.testing.assert_allclose(splats.rotations, [[127 / length, 0, 0, -128 / length]], atol=1e-6)
    assert splats.sh_degree == 0
    assert file.coordinate_system == coordinate_systems.UNSPECIFIED


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_round_trip(count: int) -> None:
    splats = made(count)
    data = written(splats)
    assert len(data) == 32 * count
    back = read(data).splats
    off = apart(splats, back)
    assert off["positions"] == 0
    assert off["scales"] < 1e-6
    assert off["opacities"] < 0.5 / 255 + 1e-6
    assert off["sh_dc"] < 0.5 / 255 / 0.2820947 + 1e-6
    assert off["rotations"] < 0.02
    again = apart(back, read(written(back)).splats)
    assert again.pop("rotations") < 0.02
    assert max(again.values()) < 1e-6


def test_extreme_values() -> None:
    splats = odd()
    back = read(written(splats)).splats
    assert len(back) == 4
    assert np.array_equal(back.positions, splats.positions[6:])
    for values in (back.scales, back.rotations, back.opacities, back.sh_dc):
        assert np.isfinite(values).all()
    assert back.rotations[2].tolist() == [1, 0, 0, 0]
    lost = " ".join(lost_in_splat(SplatFile(splats=splats)))
    for part in ("6 splats", "harmonics", "colours outside", "range of float32"):
        assert part in lost


def test_what_is_lost_is_said() -> None:
    file = SplatFile(
        splats=made(3, 2, label=np.zeros(3)),
        comments=("a",),
        coordinate_system=coordinate_systems.RIGHT_UP_BACK,
        rendering_model=rendering_models.ANTIALIASED,
    )
    lost = " ".join(lost_in_splat(file))
    for part in ("harmonics", "label", "comments", "right_up_back", "antialiased", "8 bits"):
        assert part in lost
    assert len(lost_in_splat(SplatFile(splats=made(3)))) == 1


def test_damage() -> None:
    data = written(made(7))
    for piece in damaged(data, 200, head=len(data)):
        assert survives(read, piece, "splat.") == (len(piece) % 32 == 0)


def test_paths_and_limits(tmp_path: Path) -> None:
    path = tmp_path / "scene.splat"
    assert write_splat(path, SplatFile(splats=made(3))) == 96
    assert len(read_splat(path, max_bytes=96).splats) == 3
    with pytest.raises(InputError) as caught:
        read_splat(path, max_bytes=95)
    assert caught.value.code == "io.limit"
    with pytest.raises(InputError) as caught:
        read_splat(tmp_path / "none.splat")
    assert caught.value.code == "io.read"
    with pytest.raises(InputError) as caught:
        write_splat(tmp_path / "none" / "scene.splat", SplatFile(splats=made(3)))
    assert caught.value.code == "io.write"


@pytest.mark.skipif(not (SCENES / "chair_gaussian.splat").exists(), reason="the scene is not here")
def test_a_found_file() -> None:
    splats = read_splat(SCENES / "chair_gaussian.splat").splats
    assert len(splats) == 89945
    assert np.isfinite(splats.scales).all()
    assert apart(read(written(splats)).splats, splats)["rotations"] < 0.02
