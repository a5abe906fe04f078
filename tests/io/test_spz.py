"""SPZ in and out: our own writer, bytes put together by hand, damage, and a file of another writer."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from format_samples import damaged, made, rotation_difference, survives, wild

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError, UsageError
from gscodec.io import _inflate
from gscodec.io._quantise import LOGITS
from gscodec.io.axes import between, in_axes, turned
from gscodec.io.splat_file import SplatFile
from gscodec.io.spz import AXES_OF_RECORD, lost_in_spz, read_spz, write_spz
from gscodec.splats import Splats

SCENES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "scenes"
DATA = Path(__file__).parent / "data"
RUB = coordinate_systems.RIGHT_UP_BACK
VERSIONS = (2, 3, 4)


def written(splats: Splats, *, version: int = 4, **more: object) -> bytes:
    out = io.BytesIO()
    file = SplatFile(splats=splats, coordinate_system=RUB)
    assert write_spz(out, file, version=version, **more) == len(out.getvalue())  # type: ignore[arg-type]
    return out.getvalue()


def read(data: bytes) -> SplatFile:
    return read_spz(io.BytesIO(data))


def old(
    version: int, parts: list[bytes], *, count: int, degree: int, flags: int = 0, fraction: int = 12
) -> bytes:
    head = struct.pack("<4sII4B", b"NGSP", version, count, degree, fraction, flags, 0)
    return gzip.compress(head + b"".join(parts))


def assert_close(
    found: Splats, wanted: Splats, *, rotation: float, sh_bits: tuple[int, int] = (5, 4)
) -> None:
    """Within half a step of everything."""
    assert np.abs(found.positions - wanted.positions).max(initial=0) <= 0.5 / 4096 + 1e-6
    assert np.abs(found.scales - wanted.scales).max(initial=0) <= 1 / 32 + 1e-6
    assert rotation_difference(found, wanted) <= rotation
    alpha = [1 / (1 + np.exp(-each.opacities.astype(float))) for each in (found, wanted)]
    assert np.abs(alpha[0] - alpha[1]).max(initial=0) <= 0.51 / 255
    assert np.abs(found.sh_dc - wanted.sh_dc).max(initial=0) <= 0.5 / 255 / 0.15 + 1e-6
    for part, bits in ((slice(0, 3), sh_bits[0]), (slice(3, None), sh_bits[1])):
        step = 2.0 ** (1 - bits)
        difference = np.abs(found.sh_rest[:, part] - wanted.sh_rest[:, part])
        assert difference.max(initial=0) <= step / 2 + 1 / 256 + 1e-6


# ---- round trips


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("version", VERSIONS)
def test_round_trip(version: int, degree: int, count: int) -> None:
    splats = made(count, degree)
    file = read(written(splats, version=version))
    assert file.coordinate_system == RUB
    assert file.notes == ()
    assert_close(file.splats, splats, rotation=0.0021 if version > 2 else 0.12)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_read_is_written_again_as_it_was(version: int) -> None:
    first = read(written(made(500), version=version)).splats
    second = read(written(first, version=version)).splats
    for name in ("positions", "scales", "opacities", "sh_dc", "sh_rest"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert rotation_difference(first, second) <= (0.0021 if version > 2 else 0.12)


def test_all_values_of_a_byte_come_back() -> None:
    """Opacity 0 and 255 too, which are finite."""
    every = bytes(range(256))
    three = b"".join(bytes([b]) * 3 for b in range(256))
    parts = [bytes(9 * 256), every, three, three, bytes(4 * 256)]
    splats = read(old(3, parts, count=256, degree=0)).splats
    assert np.isfinite(splats.opacities).all()
    again = gzip.decompress(written(splats, version=3))
    assert again[16 + 9 * 256 :][: 256 + 6 * 256] == every + three + three


@pytest.mark.parametrize("bits", [(1, 1), (5, 4), (8, 8)])
def test_harmonics_bits(bits: tuple[int, int]) -> None:
    splats = made()
    assert_close(read(written(splats, sh_bits=bits)).splats, splats, rotation=0.0021, sh_bits=bits)


def test_axes_of_the_training_code_are_turned() -> None:
    splats = made()
    for system in (coordinate_systems.UNSPECIFIED, coordinate_systems.RIGHT_DOWN_FORWARD):
        out = io.BytesIO()
        write_spz(out, SplatFile(splats=splats, coordinate_system=system))
        found = in_axes(read(out.getvalue()), coordinate_systems.RIGHT_DOWN_FORWARD).splats
        assert_close(found, splats, rotation=0.0021)


def test_antialiasing_is_kept() -> None:
    for version in VERSIONS:
        out = io.BytesIO()
        file = SplatFile(splats=made(3), rendering_model=rendering_models.ANTIALIASED)
        write_spz(out, file, version=version)
        assert read(out.getvalue()).rendering_model == rendering_models.ANTIALIASED
    assert any(
        "discs" in each for each in lost_in_spz(replace(file, rendering_model=rendering_models.SURFELS))
    )


def test_same_bytes_each_time() -> None:
    for version in VERSIONS:
        assert written(made(), version=version) == written(made(), version=version)


# ---- what does not fit


@pytest.mark.parametrize("version", VERSIONS)
def test_wild_values(version: int) -> None:
    splats = wild()
    file = SplatFile(splats=splats, coordinate_system=RUB)
    found = read(written(splats, version=version)).splats
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        assert np.isfinite(getattr(found, name)).all()
    lost = lost_in_spz(file)
    left_out = next(each for each in lost if "not finite" in each)
    assert left_out.startswith(f"{len(splats) - len(found)} of {len(splats)} ")
    assert any(each.startswith("positions of") for each in lost)
    assert any(each.startswith("logarithms of scales of") for each in lost)


def test_large_scenes_have_coarser_positions() -> None:
    splats = made(10, 0)
    splats.positions[3] = (-3000.0, 9000.0, 1.0)
    found = read(written(splats)).splats
    assert np.abs(found.positions - splats.positions).max() <= 0.5 / 512
    assert any("1/512" in each for each in lost_in_spz(SplatFile(splats=splats)))


def test_what_is_lost_is_said() -> None:
    extras = {"label": np.arange(5), "uv": np.zeros((5, 2), np.float32)}
    file = SplatFile(splats=replace(made(5), extras=extras), comments=("made",))
    lost = lost_in_spz(file)
    assert "extra attributes: label, uv" in lost
    assert "the comments" in lost
    assert read(written(file.splats)).splats.extras == {}


def test_options() -> None:
    for more in ({"version": 1}, {"version": 5}, {"sh_bits": (0, 4)}, {"sh_bits": (5, 9)}):
        with pytest.raises(UsageError) as caught:
            written(made(1), **more)  # type: ignore[arg-type]
        assert caught.value.code == "spz.option"


# ---- files that our writer does not write


def test_version_1_has_half_floats() -> None:
    positions = np.array([[1.5, -2.25, 1000.0]], "<f2")
    parts = [positions.tobytes(), b"\x80", b"\x80\x80\x80", b"\x60\x60\x60", b"\xff\x80\x80"]
    splats = read(old(1, parts, count=1, degree=0)).splats
    assert np.array_equal(splats.positions, positions.astype(np.float32))
    assert np.allclose(splats.scales, -4)
    assert np.allclose(splats.rotations[0], [0, 1, 0, 0], atol=0.01)


def test_smallest_three_by_hand() -> None:
    """x is the largest: y = -sqrt(1/2), z = 0, w = 0 gives x = sqrt(1/2)."""
    word = (0 << 30) | ((512 | 511) << 20)
    parts = [bytes(9), b"\0", bytes(3), bytes(3), struct.pack("<I", word)]
    found = read(old(3, parts, count=1, degree=0)).splats.rotations[0]
    assert np.allclose(found, [0, np.sqrt(0.5), -np.sqrt(0.5), 0], atol=1e-6)


def test_fixed_point_by_hand() -> None:
    parts = [b"\xff\xff\xff" + b"\x00\x00\x80" + b"\x01\x00\x00", b"\0", bytes(3), bytes(3), bytes(4)]
    found = read(old(3, parts, count=1, degree=0, fraction=1)).splats.positions[0]
    assert found.tolist() == [-0.5, -(2.0**22), 0.5]


def test_opacities_of_0_and_1_are_those_of_all_formats() -> None:
    parts = [bytes(18), b"\x00\xff", bytes(6), bytes(6), bytes(8)]
    splats = read(old(3, parts, count=2, degree=0)).splats
    assert np.array_equal(splats.opacities, LOGITS[[0, 255]])
    assert splats.opacities == pytest.approx([-13.815510, 13.815510], abs=1e-3)
    assert np.array_equal(read(written(splats)).splats.opacities, splats.opacities)


def test_degree_4_is_cut() -> None:
    rest = bytes(range(72))
    parts = [bytes(9), b"\0", bytes(3), bytes(3), bytes(4), rest]
    file = read(old(3, parts, count=1, degree=4))
    assert file.splats.sh_degree == 3
    assert np.allclose(file.splats.sh_rest.reshape(-1) * 128 + 128, np.arange(45))
    assert file.notes == ("left out the harmonics of degree 4",)


@pytest.mark.parametrize("number", range(17))
def test_axes_in_a_record(number: int) -> None:
    """Also of systems that have no number of ours, which are turned to the usual ones of the format."""
    known = {4: coordinate_systems.RIGHT_UP_BACK, 6: coordinate_systems.RIGHT_DOWN_FORWARD}
    known |= {0: RUB, 7: coordinate_systems.LEFT_UP_FORWARD, 8: coordinate_systems.RIGHT_UP_FORWARD}
    known |= {12: coordinate_systems.RIGHT_FORWARD_UP}
    splats = made(4)
    record = struct.pack("<III", 0xADBE0003, 4, number)
    other = struct.pack("<II5s", 0xADBE0002, 5, b"hello")
    data = bytearray(gzip.decompress(written(splats, version=3)))
    data[14] |= 2
    plain = read(gzip.compress(bytes(data))).splats
    file = read(gzip.compress(bytes(data) + other + record))
    assert "ignored 1 extension record" in file.notes
    assert file.coordinate_system == known.get(number, RUB)
    if number not in known:
        letters = AXES_OF_RECORD[number - 1]
        assert np.array_equal(file.splats.positions, turned(plain, between(letters, "RUB")).positions)
        assert any(letters in note for note in file.notes)
    streams = bytearray(written(splats, version=4))
    streams[14] |= 2
    streams[16:20] = struct.pack("<I", 32 + len(record))
    file = read(bytes(streams[:32]) + record + bytes(streams[32:]))
    assert file.coordinate_system == known.get(number, RUB)


def test_committed_files() -> None:
    """Written by our own writer once: later readers must not change their minds."""
    for version in VERSIONS:
        file = read_spz(DATA / f"made_v{version}.spz")
        wanted = np.load(DATA / "made_spz.npz")
        for name in ("positions", "scales", "opacities", "sh_dc", "sh_rest"):
            assert np.allclose(getattr(file.splats, name), wanted[name], atol=1e-6), name
        assert np.allclose(
            np.abs(file.splats.rotations), np.abs(wanted["rotations"]), atol=0.002 if version > 2 else 0.12
        )


# ---- damage


@pytest.mark.parametrize("version", VERSIONS)
def test_damage(version: int) -> None:
    data = written(made(30), version=version)
    errors = [survives(read, each) for each in damaged(data, 400)]
    assert {error.code.split(".")[0] for error in errors if error} == {"spz"}
    assert sum(error is not None for error in errors) > 100


def test_damage_behind_the_packing() -> None:
    """Versions 1 to 3 have a checksum over everything: damage what it protects."""
    data = gzip.decompress(written(made(30), version=3))
    for each in damaged(data, 400):
        survives(read, gzip.compress(each, 1))


def test_every_length(tmp_path: Path) -> None:
    for version in VERSIONS:
        data = written(made(2), version=version)
        for length in range(len(data)):
            error = survives(read, data[:length])
            assert error is not None or length > len(data) - 9  # the end of gzip has nothing to read
    path = tmp_path / "a.spz"
    path.write_bytes(data)
    assert len(read_spz(path).splats) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({0: b"NGSX"}, "spz.magic"),
        ({4: b"\x05"}, "spz.version"),
        ({8: b"\xff\xff\xff\xff"}, "spz.header"),
        ({12: b"\x05"}, "spz.header"),
        ({15: b"\x05"}, "spz.header"),
        ({16: b"\x1f"}, "spz.header"),
        ({16: b"\xff\xff\xff\xff"}, "spz.truncated"),
        ({128: b"\xff\xff\xff"}, "spz.packing"),
        ({40: b"\xff"}, "spz.header"),
    ],
)
def test_headers(change: dict[int, bytes], code: str) -> None:
    data = bytearray(written(made(30)))
    for at, new in change.items():
        data[at : at + len(new)] = new
    with pytest.raises(InputError) as caught:
        read(bytes(data))
    assert caught.value.code == code


def test_a_header_takes_no_memory() -> None:
    """Four thousand million splats are claimed; nothing but what is there is taken."""
    count = 2**32 - 1
    sizes = [count * width for width in (9, 1, 3, 3, 4, 45)]
    frame = _inflate.zstd_frame(bytes(1000), 1)
    head = struct.pack("<4sII4BI12s", b"NGSP", 4, count, 3, 12, 0, 6, 32, bytes(12))
    table = b"".join(struct.pack("<QQ", len(frame), size) for size in sizes)
    old_head = struct.pack("<4sII4B", b"NGSP", 3, count, 3, 12, 0, 0)
    for data in (head + table + 6 * frame, gzip.compress(old_head + bytes(1000))):
        tracemalloc.start()
        with pytest.raises(InputError) as caught:
            read(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert caught.value.code == "spz.truncated"
        assert peak < 8 << 20


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inflate, "FLOOR", 1 << 20)
    count = 10_000_000
    frames = [_inflate.zstd_frame(bytes(count * width), 1) for width in (9, 1, 3, 3, 4)]
    head = struct.pack("<4sII4BI12s", b"NGSP", 4, count, 0, 12, 0, 5, 32, bytes(12))
    table = [
        struct.pack("<QQ", len(frame), count * w) for frame, w in zip(frames, (9, 1, 3, 3, 4), strict=True)
    ]
    with pytest.raises(InputError) as caught:
        read(b"".join([head, *table, *frames]))
    assert caught.value.code == "spz.limit"


def test_limits_and_paths(tmp_path: Path) -> None:
    data = written(made())
    with pytest.raises(InputError) as caught:
        read_spz(io.BytesIO(data), max_bytes=len(data) - 1)
    assert caught.value.code == "io.limit"
    with pytest.raises(InputError) as caught:
        read_spz(tmp_path / "none.spz")
    assert caught.value.code == "io.read"
    with pytest.raises(InputError) as caught:
        write_spz(tmp_path / "none/a.spz", SplatFile(splats=made()))
    assert caught.value.code == "io.write"
    with pytest.raises(InputError, match="what it holds is not SPZ"):
        read(gzip.compress(b"something else"))


# ---- files of others


@pytest.mark.skipif(not (SCENES / "biker.spz").exists(), reason="no shared scenes")
def test_a_real_file() -> None:
    file = read_spz(SCENES / "biker.spz")
    assert (len(file.splats), file.splats.sh_degree, file.notes) == (152746, 0, ())
    first = read(written(file.splats)).splats
    for name in ("positions", "scales", "opacities", "sh_dc"):
        assert np.array_equal(getattr(first, name), getattr(file.splats, name)), name
    assert rotation_difference(first, file.splats) < 0.0021
