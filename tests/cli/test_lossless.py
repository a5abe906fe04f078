"""gsenc --lossless, and what gsdec, gsinfo and gscodec.decode make of its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import MADE, run

import gscodec
from gscodec.errors import InputError, LimitError, Unsupported


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lossless") / "scene.gsc"
    assert run("gsenc", str(MADE), "-o", str(out), "--lossless", "-q").code == 0
    return out


def test_the_file_comes_back(coded: Path, tmp_path: Path) -> None:
    out = tmp_path / "back.ply"
    assert run("gsdec", str(coded), "-o", str(out)).code == 0
    assert out.read_bytes() == MADE.read_bytes()
    assert coded.stat().st_size < 0.85 * MADE.stat().st_size


def test_pipes(coded: Path, tmp_path: Path) -> None:
    piped = run("gsenc", "-", "-o", "-", "--lossless", data=MADE.read_bytes())
    assert piped.code == 0
    assert piped.out == coded.read_bytes()
    assert run("gsdec", "-", "-o", "-", data=piped.out).out == MADE.read_bytes()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--quality", "high"], "--quality"),
        (["--target-size", "1MB"], "--target-size"),
        (["--effort", "5", "--measure"], "--effort and --measure"),
        (["--cameras", "c.json"], "--cameras"),
        (["--nonfinite", "drop", "--no-prune"], "--no-prune and --nonfinite"),
    ],
)
def test_options_that_lose_something_are_refused(options: list[str], named: str, tmp_path: Path) -> None:
    done = run("gsenc", str(MADE), "-o", str(tmp_path / "x.gsc"), "--lossless", *options)
    assert done.code == 2
    assert named in done.err
    assert not (tmp_path / "x.gsc").exists()


@pytest.mark.parametrize("options", [["--sh-degree", "1"], ["--layout", "compact"], ["--keep-partial"]])
def test_gsdec_changes_nothing(options: list[str], coded: Path, tmp_path: Path) -> None:
    done = run("gsdec", str(coded), "-o", str(tmp_path / "x.ply"), *options)
    assert done.code == 2
    assert options[0] in done.err
    assert not (tmp_path / "x.ply").exists()


def test_reports(coded: Path, tmp_path: Path) -> None:
    report = run("gsenc", str(MADE), "-o", str(tmp_path / "a.gsc"), "--lossless", "--json").report
    assert report["profile"] == "lossless"
    assert report["rows"] == 4000
    assert report["text_packed"] is False
    report = run("gsdec", str(coded), "-o", str(tmp_path / "a.ply"), "--json").report
    assert report["bytes_out"] == MADE.stat().st_size


def test_gsinfo(coded: Path) -> None:
    facts = run("gsinfo", str(coded), "--json", "--decode-hash").report
    assert facts["format"]["profile"] == "lossless"
    assert [c["name"] for c in facts["columns"]][:4] == ["x", "y", "z", "nx"]
    total = sum(column["bytes"] for column in facts["columns"])
    assert 0.95 * facts["bytes"] < total < facts["bytes"]
    words = run("gsinfo", str(coded)).out.decode()
    assert "profile lossless" in words
    assert "f_rest_44" in words


def test_text_in_two_notations_is_packed_and_said_so(tmp_path: Path) -> None:
    lines = [
        "ply",
        "format ascii 1.0",
        "element vertex 2",
        "property float x",
        "end_header",
        "1e0",
        "2.50",
        "",
    ]
    (tmp_path / "odd.ply").write_text("\n".join(lines))
    done = run("gsenc", str(tmp_path / "odd.ply"), "-o", str(tmp_path / "odd.gsc"), "--lossless")
    assert done.code == 0
    assert "packed" in done.err
    assert run("gsdec", str(tmp_path / "odd.gsc"), "-o", "-").out == (tmp_path / "odd.ply").read_bytes()


def test_a_header_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    ply = b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty int64 x\nend_header\n12345678"
    (tmp_path / "odd.ply").write_bytes(ply)
    done = run("gsenc", str(tmp_path / "odd.ply"), "-o", str(tmp_path / "odd.gsc"), "--lossless", "--json")
    assert done.code == 0
    assert "property int64 x" in done.report["note"]
    assert any("packed as a whole" in warning for warning in done.report["warnings"])
    assert run("gsdec", str(tmp_path / "odd.gsc"), "-o", "-").out == ply
    assert run("gsinfo", str(tmp_path / "odd.gsc"), "--json").report["ply"]["form"] == "packed as a whole"


def test_what_is_no_ply_is_refused(coded: Path, tmp_path: Path) -> None:
    done = run("gsenc", str(coded), "-o", str(tmp_path / "x.gsc"), "--lossless")
    assert done.code == 3
    assert "is a .gsc already" in done.err
    done = run("gsenc", "-", "-o", "-", "--lossless", data=b"not a ply file\n")
    assert done.code == 3
    assert "ply.magic" in done.err


def test_decode_gives_splats(coded: Path) -> None:
    wanted = gscodec.read(MADE)
    found = gscodec.decode(coded.read_bytes())
    assert found.positions.tobytes() == wanted.positions.tobytes()
    assert found.sh_rest.tobytes() == wanted.sh_rest.tobytes()
    lower = gscodec.decode(coded.read_bytes(), sh_degree=1)
    assert np.array_equal(lower.sh_rest, wanted.sh_rest[:, :3])
    with pytest.raises(LimitError):
        gscodec.decode(coded.read_bytes(), max_splats=3999)


def test_the_incremental_decoder_refuses_the_profile(coded: Path) -> None:
    decoder = gscodec.Decoder()
    decoder.feed(coded.read_bytes())
    with pytest.raises(Unsupported, match="lossless"):
        list(decoder.chunks())


def test_a_ply_without_splats_is_kept_but_not_decoded_to_splats(tmp_path: Path) -> None:
    from gscodec.encode.lossless import encode_ply

    ply = b"ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty uchar x\nend_header\nabc"
    with pytest.raises(InputError):
        gscodec.decode(encode_ply(ply).data)
