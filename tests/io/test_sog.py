"""PlayCanvas SOG: reading what was made by hand, and what our writer makes."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sog_samples import archive, image, streamed, version_1, version_2
from splat_samples import SCENES, apart, made, odd

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError
from gscodec.io._quantise import morton_order
from gscodec.io.sog import lost_in_sog, read_sog, write_sog
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats


def read(files: dict[str, bytes]) -> SplatFile:
    return read_sog(io.BytesIO(archive(files)))


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def written(splats: Splats) -> bytes:
    out = io.BytesIO()
    assert write_sog(out, SplatFile(splats=splats)) == len(out.getvalue())
    return out.getvalue()


def check_images(splats: Splats) -> None:
    """What both versions have in common."""
    np.testing.assert_allclose(splats.positions, [[1 - np.e, np.e**2 - 1, 0], [np.e - 1, 0, 0]], rtol=1e-6)
    half = 0.5**0.5
    least = (128 / 255 - 0.5) * 2**0.5
    np.testing.assert_allclose(splats.rotations, [[0, half, -half, least], [-half, half, half, 0]], atol=1e-6)


# ---- by hand


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_version_2_by_hand(form: str) -> None:
    file = read(version_2(form=form))
    splats = file.splats
    check_images(splats)
    np.testing.assert_allclose(splats.scales, [[0, -0.1, -0.2], [-25.3, -25.4, -25.5]], rtol=1e-6)
    np.testing.assert_allclose(splats.sh_dc, [[1, 2, 3], [4, 5, 6]], rtol=1e-6)
    assert 1 / (1 + np.exp(-splats.opacities)) == pytest.approx([1e-6, 0.2])
    wanted = np.arange(1, 10).reshape(3, 3) / 10
    np.testing.assert_allclose(splats.sh_rest, [wanted, 0 * wanted], atol=1e-6)
    assert file.notes == ()
    assert file.coordinate_system == coordinate_systems.UNSPECIFIED
    assert file.rendering_model == rendering_models.CLASSIC


def test_version_1_by_hand() -> None:
    splats = read(version_1()).splats
    check_images(splats)
    np.testing.assert_allclose(splats.scales[0], [-10, -10 + 10 / 255, -10 + 20 / 255], rtol=1e-6)
    np.testing.assert_allclose(splats.sh_dc[1], [80 / 255 - 1, 100 / 255 - 1, 120 / 255 - 1], rtol=1e-5)
    np.testing.assert_allclose(splats.opacities, [-5, -3], rtol=1e-6)
    np.testing.assert_allclose(splats.sh_rest[0], -2 + 4 * np.arange(1, 10).reshape(3, 3) / 255, rtol=1e-5)


def test_streamed_by_hand(tmp_path: Path) -> None:
    folder = put(tmp_path, streamed())
    for path in (folder, folder / "lod-meta.json"):
        file = read_sog(path)
        assert (np.log1p(file.splats.positions[:, 0])).tolist() == pytest.approx([1, 1, 2, 4, 4])
        assert file.splats.sh_degree == 1
        assert not file.splats.sh_rest[:2].any()
        assert file.notes == (
            "level 0 of 0, 1",
            "the last 2 splats are the environment of all levels",
        )
    coarse = read_sog(folder, level=1).splats
    assert np.log1p(coarse.positions[:, 0]).tolist() == pytest.approx([3, 3, 4, 4])
    with pytest.raises(InputError) as caught:
        read_sog(folder, level=2)
    assert caught.value.code == "sog.level"


def test_unbundled_paths(tmp_path: Path) -> None:
    folder = put(tmp_path, version_2())
    wanted = read(version_2()).splats
    for path in (folder, str(folder), folder / "meta.json"):
        assert apart(read_sog(path).splats, wanted)["positions"] == 0
    size = sum(p.stat().st_size for p in folder.iterdir())
    assert len(read_sog(folder, max_bytes=size).splats) == 2
    with pytest.raises(InputError) as caught:
        read_sog(folder, max_bytes=size - 1)
    assert caught.value.code == "io.limit"
    with pytest.raises(InputError) as caught:
        read_sog(folder, level=1)
    assert caught.value.code == "sog.level"
    (folder / "quats.webp").unlink()
    (folder / "quats.webp").mkdir()
    with pytest.raises(InputError) as caught:
        read_sog(folder)
    assert caught.value.code == "sog.missing"


def test_old_and_odd_files() -> None:
    book = [None, *(i / 10 for i in range(1, 256))]
    file = read(version_2(sh0={"codebook": book, "files": ["sh0.webp"]}, antialias=True))
    assert "codebook" in file.notes[0]
    assert file.rendering_model == rendering_models.ANTIALIASED
    files = version_2()
    files["shN_labels.webp"] = image(np.full((4, 4, 3), 2))
    file = read(files)
    assert "palette" in file.notes[0]
    assert not file.splats.sh_rest.any()
    files = version_2()
    files["quats.webp"] = image(np.full((4, 4, 4), 251))
    assert read(files).splats.rotations.tolist() == [[1, 0, 0, 0]] * 2
    meta = json.loads(files["meta.json"])
    meta["shN"]["files"].reverse()  # as one description has it
    files = {**version_2(), "meta.json": b"\xef\xbb\xbf" + json.dumps(meta).encode()}
    assert read(files).splats.sh_rest.any()


# ---- round trips


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 17, 3000])
def test_round_trip(count: int, degree: int) -> None:
    splats = made(count, degree)
    data = written(splats)
    assert written(splats) == data
    file = read_sog(io.BytesIO(data))
    back, splats = file.splats, splats.take(morton_order(splats.positions))
    assert file.notes == ()
    assert back.sh_degree == degree
    off = apart(splats, back)
    assert off["positions"] < 2e-3
    assert off["scales"] < 0.2
    assert off["rotations"] < 0.012
    assert off["opacities"] < 0.5 / 255 + 1e-6
    assert off["sh_dc"] < 0.05
    again = read_sog(io.BytesIO(written(back))).splats
    off = apart(back.take(morton_order(back.positions)), again)
    assert max(off["scales"], off["sh_dc"], off["sh_rest"], off["opacities"]) < 1e-6  # few values stay


def test_what_was_few_values_stays() -> None:
    """Palettes of what fits into them lose nothing."""
    base = made(200, 3)
    splats = made(5000, 3, seed=1)
    pick = np.random.default_rng(0).integers(0, 85, 5000)
    splats.sh_rest[:, :, :] = np.round(base.sh_rest[pick] * 8) / 8
    splats.scales[:] = base.scales[pick]
    back = read_sog(io.BytesIO(written(splats))).splats
    off = apart(splats.take(morton_order(splats.positions)), back)
    assert off["scales"] == 0
    assert off["sh_rest"] == 0


def test_unbundled_is_what_is_bundled(tmp_path: Path) -> None:
    file = SplatFile(splats=made(100, 2), rendering_model=rendering_models.ANTIALIASED)
    total = write_sog(tmp_path / "meta.json", file)
    assert total == sum(p.stat().st_size for p in tmp_path.iterdir())
    write_sog(tmp_path / "scene.sog", file)
    with zipfile.ZipFile(tmp_path / "scene.sog") as bundle:
        assert bundle.namelist()[-1] == "meta.json"
        for name in bundle.namelist():
            assert bundle.read(name) == (tmp_path / name).read_bytes()
    assert read_sog(tmp_path).rendering_model == rendering_models.ANTIALIASED
    assert read_sog(tmp_path / "scene.sog").rendering_model == rendering_models.ANTIALIASED


def leaves(node: dict[str, Any], inside: tuple[list[float], list[float]]) -> Iterator[dict[str, Any]]:
    """Those of a tree, whose boxes must be within those of their parents."""
    low, high = node["bound"]["min"], node["bound"]["max"]
    assert all(a <= b <= c <= d for a, b, c, d in zip(inside[0], low, high, inside[1], strict=True))
    if "lods" in node:
        yield node
    for child in node.get("children", []):
        yield from leaves(child, (low, high))


EVERYWHERE = ([-np.inf] * 3, [np.inf] * 3)


@pytest.mark.parametrize("degree", [0, 2])
def test_streamed_is_what_is_bundled(degree: int, tmp_path: Path) -> None:
    """The same splats in the same order, no worse; leaves where their boxes are; data sets readable alone."""
    splats = made(5000, degree, seed=4)
    path = tmp_path / "lod-meta.json"
    total = write_sog(path, SplatFile(splats=splats), chunk=1500)
    assert total == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    streamed = read_sog(path)
    assert streamed.notes == ()
    ordered = splats.take(morton_order(splats.positions))
    bundled = read_sog(io.BytesIO(written(splats))).splats
    off, usual = apart(streamed.splats, ordered), apart(bundled, ordered)
    assert off["positions"] <= usual["positions"]
    assert off["opacities"] == usual["opacities"]
    assert off["rotations"] == usual["rotations"]
    assert off["scales"] <= usual["scales"] + 0.01
    assert off["sh_rest"] <= usual["sh_rest"] + 0.1

    meta = json.loads(path.read_text(encoding="utf-8"))
    assert (meta["version"], meta["lodLevels"], meta["counts"]) == (1, 1, [5000])
    assert len(meta["filenames"]) >= 4
    parts = [read_sog(tmp_path / name).splats for name in meta["filenames"]]
    assert max(len(part) for part in parts) <= 1500
    assert np.array_equal(np.concatenate([part.positions for part in parts]), streamed.splats.positions)
    found = list(leaves(meta["tree"], EVERYWHERE))
    taken = np.zeros(5000, int)
    starts = np.cumsum([0, *map(len, parts)])
    for leaf in found:
        entry = leaf["lods"]["0"]
        first = starts[entry["file"]] + entry["offset"]
        taken[first : first + entry["count"]] += 1
        inside = ordered.positions[first : first + entry["count"]]
        assert (inside >= leaf["bound"]["min"]).all()
        assert (inside <= leaf["bound"]["max"]).all()
    assert (taken == 1).all()
    boxes = [np.subtract(leaf["bound"]["max"], leaf["bound"]["min"]).prod() for leaf in found]
    assert sum(boxes) < np.subtract(meta["tree"]["bound"]["max"], meta["tree"]["bound"]["min"]).prod()


def test_streamed_leaves_have_an_extent(tmp_path: Path) -> None:
    splats = made(5000)
    splats.positions[:] *= 10
    write_sog(tmp_path / "lod-meta.json", SplatFile(splats=splats))
    meta = json.loads((tmp_path / "lod-meta.json").read_text(encoding="utf-8"))
    assert len(list(leaves(meta["tree"], EVERYWHERE))) > 4
    assert meta["filenames"] == ["0_0/meta.json"]
    assert len(read_sog(tmp_path).splats) == 5000


def test_box_of_a_streamed_splat(tmp_path: Path) -> None:
    """A long one along x, turned by 90 degrees about z: it is long along y."""
    splats = made(1)
    splats.positions[:] = [[1, 2, 3]]
    splats.scales[:] = np.log([[2, 0.5, 0.25]])
    splats.rotations[:] = [[0.5**0.5, 0, 0, 0.5**0.5]]
    write_sog(tmp_path / "lod-meta.json", SplatFile(splats=splats))
    meta = json.loads((tmp_path / "lod-meta.json").read_text(encoding="utf-8"))
    assert meta["tree"]["bound"]["min"] == pytest.approx([0.5, 0, 2.75], abs=1e-6)
    assert meta["tree"]["bound"]["max"] == pytest.approx([1.5, 4, 3.25])


def test_streamed_ends(tmp_path: Path) -> None:
    """No splats; extreme ones; many in one place; a folder that is not there, or is none."""
    path = tmp_path / "lod-meta.json"
    write_sog(path, SplatFile(splats=made(0)))
    assert len(read_sog(path).splats) == 0
    write_sog(path, SplatFile(splats=odd(), rendering_model=rendering_models.ANTIALIASED), chunk=1)
    file = read_sog(path)
    assert len(file.splats) == 4
    assert file.rendering_model == rendering_models.ANTIALIASED
    same = made(100)
    same.positions[:] = 1
    write_sog(path, SplatFile(splats=same), chunk=7)
    assert len(read_sog(path).splats) == 100
    with pytest.raises(InputError) as caught:
        write_sog(tmp_path / "none" / "lod-meta.json", SplatFile(splats=made(3)))
    assert caught.value.code == "io.write"
    shutil.rmtree(tmp_path / "0_0")
    (tmp_path / "0_0").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        write_sog(path, SplatFile(splats=made(3)))
    assert caught.value.code == "io.write"


def test_images_are_exact() -> None:
    """Lossless, and colours stay where alpha is 0."""
    rng = np.random.default_rng(0)
    wanted = rng.integers(0, 256, (20, 24, 4), np.uint8)
    wanted[:10, :, 3] = 0
    splats = made(300)
    splats.opacities[:] = -50
    with zipfile.ZipFile(io.BytesIO(written(splats))) as bundle:
        found = np.asarray(Image.open(io.BytesIO(bundle.read("sh0.webp"))).convert("RGBA")).reshape(-1, 4)
    assert not found[:, 3].any()
    assert found[:300, :3].any()
    from gscodec.io._sog_files import decode_image, encode_image

    assert np.array_equal(decode_image(encode_image(wanted), "x", wanted.size), wanted)


def test_extreme_values() -> None:
    splats = odd()
    back = read_sog(io.BytesIO(written(splats))).splats
    assert len(back) == 4
    for values in (back.positions, back.scales, back.rotations, back.opacities, back.sh_dc, back.sh_rest):
        assert np.isfinite(values).all()
    lost = " ".join(lost_in_sog(SplatFile(splats=splats)))
    for part in ("6 splats", "thickness", "harmonics", "order"):
        assert part in lost


def test_many_extreme_values() -> None:
    splats = made(3000, 1)
    rng = np.random.default_rng(0)
    for values in (splats.positions, splats.scales, splats.rotations, splats.sh_dc, splats.sh_rest):
        values[...] *= np.float32(10.0) ** rng.uniform(-40, 36, values.shape).astype(np.float32)
    back = read_sog(io.BytesIO(written(splats))).splats
    assert len(back) == 3000
    for values in (back.positions, back.scales, back.rotations, back.sh_dc, back.sh_rest):
        assert np.isfinite(values).all()
    assert "are clipped" in " ".join(lost_in_sog(SplatFile(splats=splats)))


def test_what_is_lost_is_said() -> None:
    file = SplatFile(
        splats=made(3, label=np.zeros(3)),
        comments=("a",),
        coordinate_system=coordinate_systems.RIGHT_UP_BACK,
        rendering_model=rendering_models.ANTIALIASED,
    )
    lost = " ".join(lost_in_sog(file))
    for part in ("label", "comments", "right_up_back", "256"):
        assert part in lost
    assert "antialiased" not in lost


@pytest.mark.parametrize("name", ["playbot_sog", "yushima_sog_v1", "showroom_sog/a"])
def test_found_files(name: str) -> None:
    if not (SCENES / name).exists():
        pytest.skip("the scene is not here")
    file = read_sog(SCENES / name)
    assert len(file.splats) == {"playbot_sog": 500000, "yushima_sog_v1": 185761}.get(name, 552167)
    assert file.notes == ()
    assert np.isfinite(file.splats.positions).all()
