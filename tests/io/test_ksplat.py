"""mkkellogg .ksplat files."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from splat_samples import apart, damaged, made, odd, survives

from gscodec.errors import InputError, UsageError
from gscodec.io.ksplat import lost_in_ksplat, read_ksplat, write_ksplat
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats


def read(data: bytes) -> SplatFile:
    return read_ksplat(io.BytesIO(data))


def written(splats: Splats, level: int) -> bytes:
    out = io.BytesIO()
    assert write_ksplat(out, SplatFile(splats=splats), level=level) == len(out.getvalue())
    return out.getvalue()


def by_hand(level: int, sections: list[tuple[bytes, bytes]], count: int) -> bytes:
    """A file of (header, data) of sections, range of harmonics -2 to 2."""
    head = struct.pack(
        "<BBHIIIIHH5f", 0, 1, 0, len(sections), len(sections), count, count, level, 0, 0, 0, 0, -2, 2
    )
    parts = [head.ljust(4096, b"\0"), *(header.ljust(1024, b"\0") for header, _ in sections)]
    return b"".join(parts + [data for _, data in sections])


def test_bytes_of_level_2_by_hand() -> None:
    """A full bucket of two splats and one of one, and a section of its own with other harmonics."""
    half = np.array([1, np.e, 0, 0.5, 0.5, 0.5, 0.5], "<f2").tobytes()

    def splat(*position: int, rest: bytes = b"") -> bytes:
        return struct.pack("<3H", *position) + half + bytes([0, 255, 51, 255]) + rest

    tables = struct.pack("<I6f", 1, 10, 20, 30, -10, 0, 0)
    data = tables + splat(32767, 32767, 32767) + splat(65534, 0, 32767) + splat(32768, 32767, 32767)
    header = struct.pack("<IIIIfHHIIIIH", 3, 3, 2, 2, 5.0, 12, 0, 32767, len(data), 1, 1, 0)
    rest = bytes(range(0, 90, 10))
    other = struct.pack("<3f", 0, 0, 0) + splat(32767, 32767, 32767, rest=rest)
    # One place more than splats: it is skipped.
    other_header = struct.pack("<IIIIfHHIIIIH", 1, 2, 1, 1, 5.0, 12, 0, 0, 0, 1, 0, 1)
    sections = [(other_header, other + bytes(33)), (header, data)]
    splats = read(by_hand(2, sections, 4)).splats
    np.testing.assert_allclose(
        splats.positions, [[0, 0, 0], [10, 20, 30], [12.5, 17.5, 30], [-10 + 2.5 / 32767, 0, 0]], atol=1e-5
    )
    np.testing.assert_allclose(splats.scales[0], [0, 1, -13.815511], atol=1e-3)
    assert splats.rotations[0].tolist() == [0.5, 0.5, 0.5, 0.5]
    wanted = (-2 + np.frombuffer(rest, np.uint8) / 255 * 4).reshape(3, 3).T
    np.testing.assert_allclose(splats.sh_rest[0], wanted, atol=1e-6)
    assert not splats.sh_rest[1:].any()


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 3000])
def test_round_trip(count: int, degree: int, level: int) -> None:
    splats = made(count, degree)
    back = read(written(splats, level)).splats
    assert back.sh_degree == min(degree, 2)
    if level:  # in buckets: find each again, by what is nearly exact
        order = np.lexsort(np.rint(splats.positions.T * 1000))
        splats, back = splats.take(order), back.take(np.lexsort(np.rint(back.positions.T * 1000)))
        near = np.abs(splats.positions - back.positions).max(axis=1, initial=0) < 1e-3
        assert near.mean() > 0.9 if count else True
        splats, back = splats.take(near), back.take(near)
    cut = made(0, min(degree, 2)).sh_rest.shape[1]
    off = apart(
        Splats(**{**vars_of(splats), "sh_rest": splats.sh_rest[:, :cut]}),
        back,
    )
    assert off["positions"] <= (2.6 / 32767 if level else 0)
    assert off["scales"] < (1e-2 if level else 1e-6)
    assert off["rotations"] < (1e-3 if level else 1e-6)
    assert off["opacities"] < 0.5 / 255 + 1e-6
    assert off["sh_rest"] <= (0, 1e-3, 0.01)[level]


def vars_of(splats: Splats) -> dict[str, np.ndarray]:
    return {
        name: getattr(splats, name)
        for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")
    }


@pytest.mark.parametrize("level", [0, 1, 2])
def test_extreme_values(level: int) -> None:
    splats = odd()
    back = read(written(splats, level)).splats
    assert len(back) == 4
    for values in vars_of(back).values():
        assert np.isfinite(values).all()
    lost = " ".join(lost_in_ksplat(SplatFile(splats=splats), level=level))
    assert "6 splats" in lost
    assert ("order" in lost) == (level > 0)


def test_splats_at_one_place_and_full_buckets() -> None:
    splats = made(512)
    splats.positions[:] = 7
    back = read(written(splats, 1)).splats
    np.testing.assert_allclose(back.positions, 7, atol=1e-4)
    assert apart(splats, back)["scales"] < 1e-2


def test_lost_harmonics_are_said() -> None:
    assert "above degree 2" in " ".join(lost_in_ksplat(SplatFile(splats=made(2, 3))))
    assert "above degree" not in " ".join(lost_in_ksplat(SplatFile(splats=made(2, 2))))


def test_unknown_level() -> None:
    file = SplatFile(splats=made(1))
    for call in (lambda: write_ksplat(io.BytesIO(), file, level=3), lambda: lost_in_ksplat(file, level=-1)):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.code == "ksplat.level"


def set_u32(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        (0, 0x0000_0002, "ksplat.header"),  # version 2.0
        (4, 0xFFFFFFFF, "ksplat.truncated"),  # sections
        (16, 0xFFFFFFFF, "ksplat.header"),  # splats
        (20, 7, "ksplat.header"),  # level
        (4096, 11, "ksplat.header"),  # more splats than places
        (4100, 0xFFFFFFFF, "ksplat.truncated"),
        (4096 + 12, 0xFFFFFFFF, "ksplat.truncated"),  # buckets
        (4096 + 20, 13, "ksplat.buckets"),  # bytes of a bucket
        (4096 + 32, 99, "ksplat.buckets"),  # full buckets
        (4096 + 36, 0, "ksplat.buckets"),  # other buckets
        (4096 + 40, 3, "ksplat.header"),  # degree
    ],
)
def test_numbers_that_lie(at: int, value: int, code: str) -> None:
    data = set_u32(written(made(10, 1), 1), at, value)
    with pytest.raises(InputError) as caught:
        # A bucket's 13 bytes may already be more than there is.
        read(data + bytes(100))
    assert caught.value.code == code


@pytest.mark.parametrize("level", [0, 1, 2])
def test_damage(level: int) -> None:
    data = written(made(20, 2), level)
    interesting = data[:48] + data[4096:4140]
    for piece in damaged(data, 100, head=len(data)):
        survives(read, piece, "ksplat.")
    for piece in damaged(interesting, 400, head=len(interesting), seed=1):
        mixed = piece[:44].ljust(4096, b"\0") + piece[48:92].ljust(1024, b"\0") + data[5120:]
        survives(read, mixed, "ksplat.")
