"""glTF in and out. What we write is read back by a reader of a few lines that shares nothing with ours."""

from __future__ import annotations

import base64
import io
import json
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_samples import damaged, made, rotation_difference, survives, wild
from json_faults import lying

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError
from gscodec.io.axes import between, in_axes, placed, turned
from gscodec.io.gltf import lost_in_gltf, read_gltf, write_gltf
from gscodec.io.splat_file import SplatFile
from gscodec.io.spz import read_spz, write_spz
from gscodec.splats import Splats

LUF = coordinate_systems.LEFT_UP_FORWARD
NAME = "KHR_gaussian_splatting"
SPZ = "KHR_gaussian_splatting_compression_spz_2"
SHAPES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
KINDS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5126: "<f4"}


def written(splats: Splats, **more: Any) -> bytes:
    out = io.BytesIO()
    size = write_gltf(out, SplatFile(splats=splats, coordinate_system=LUF, **more))
    assert size == len(out.getvalue())
    return out.getvalue()


def read(data: bytes) -> SplatFile:
    return read_gltf(io.BytesIO(data))


def parts(glb: bytes) -> tuple[dict[str, Any], bytes]:
    """JSON and binary of a GLB, whose structure is checked."""
    magic, version, length = struct.unpack_from("<4sII", glb)
    assert (magic, version, length, len(glb) % 4) == (b"glTF", 2, len(glb), 0)
    size, kind = struct.unpack_from("<I4s", glb, 12)
    assert (kind, size % 4) == (b"JSON", 0)
    document = json.loads(glb[20 : 20 + size])
    if 20 + size == len(glb):
        return document, b""
    rest, kind = struct.unpack_from("<I4s", glb, 20 + size)
    assert (kind, 28 + size + rest) == (b"BIN\0", len(glb))
    return document, glb[28 + size :]


def glb(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    length = 28 + len(text) + len(binary)
    head = struct.pack("<4sIII4s", b"glTF", 2, length, len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


def independent(data: bytes) -> dict[str, np.ndarray]:
    """The attributes of the only primitive, by the letter of the format."""
    document, binary = parts(data)
    (primitive,) = document["meshes"][0]["primitives"]
    found = {}
    for name, number in primitive["attributes"].items():
        accessor = document["accessors"][number]
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        width = SHAPES[accessor["type"]]
        kind = np.dtype(KINDS[accessor["componentType"]])
        assert view["byteLength"] == accessor["count"] * width * kind.itemsize
        raw = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        values = np.frombuffer(raw, kind).reshape(-1, width)
        if accessor.get("normalized"):
            values = values / np.iinfo(kind).max
        if name == "POSITION":
            assert accessor["min"] == values.min(axis=0).tolist()
            assert accessor["max"] == values.max(axis=0).tolist()
        found[name] = values
    return found


def changed(change: Any, count: int = 5, degree: int = 1) -> bytes:
    """A file of ours, its JSON changed."""
    document, binary = parts(written(made(count, degree)))
    change(document)
    return glb(document, binary)


def code_of(data: bytes) -> str:
    error = survives(read, data)
    assert error is not None
    return error.code


# ---- round trips


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_round_trip(degree: int, count: int) -> None:
    splats = made(count, degree)
    file = read(written(splats))
    assert (file.coordinate_system, file.notes) == (LUF, ())
    assert file.splats.sh_degree == (degree if count else 0)
    assert np.array_equal(file.splats.positions, splats.positions)
    assert np.array_equal(file.splats.sh_dc, splats.sh_dc)
    assert count == 0 or np.array_equal(file.splats.sh_rest, splats.sh_rest)
    assert np.abs(file.splats.scales - splats.scales).max(initial=0) < 1e-6
    assert np.abs(file.splats.opacities - splats.opacities).max(initial=0) < 1e-3
    assert rotation_difference(file.splats, splats) < 1e-6


def test_written_as_the_extension_says() -> None:
    splats = made(40, 3)
    data = written(splats)
    found = independent(data)
    document, _ = parts(data)
    assert document["asset"]["version"] == "2.0"
    assert document["extensionsUsed"] == [NAME]
    primitive = document["meshes"][0]["primitives"][0]
    assert primitive["mode"] == 0
    assert primitive["extensions"][NAME] == {
        "kernel": "ellipse",
        "colorSpace": "srgb_rec709_display",
        "projection": "perspective",
        "sortingMethod": "cameraDistance",
    }
    assert np.array_equal(found["POSITION"], splats.positions)
    assert np.allclose(found[f"{NAME}:SCALE"], np.exp(splats.scales))
    assert np.allclose(found[f"{NAME}:OPACITY"][:, 0], 1 / (1 + np.exp(-splats.opacities)))
    assert np.allclose(np.linalg.norm(found[f"{NAME}:ROTATION"], axis=1), 1)
    assert np.allclose(found[f"{NAME}:ROTATION"], splats.rotations[:, [1, 2, 3, 0]], atol=1e-6)
    names = [f"{NAME}:SH_DEGREE_{d}_COEF_{n}" for d in range(4) for n in range(2 * d + 1)]
    assert set(found) == {
        "POSITION",
        "COLOR_0",
        f"{NAME}:SCALE",
        f"{NAME}:ROTATION",
        f"{NAME}:OPACITY",
        *names,
    }
    everything = np.concatenate([splats.sh_dc[:, None], splats.sh_rest], axis=1)
    for number, name in enumerate(names):
        assert np.array_equal(found[name], everything[:, number])
    linear = np.clip(splats.sh_dc * 0.2820948 + 0.5, 0, 1)
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    assert np.allclose(found["COLOR_0"][:, :3], linear, atol=0.5 / 255 + 1e-6)


def test_axes_are_turned() -> None:
    splats = made()
    out = io.BytesIO()
    write_gltf(out, SplatFile(splats=splats))
    found = independent(out.getvalue())["POSITION"]
    assert np.array_equal(found, splats.positions * np.array([-1, -1, 1], np.float32))


def test_opacity_and_scale_at_their_ends() -> None:
    splats = made(4, 0)
    splats.opacities[:] = (-np.inf, np.inf, 60, -60)
    splats.scales[0] = (-200, 88, -103)
    found = read(written(splats)).splats
    assert np.isfinite(found.opacities).all()
    assert np.isfinite(found.scales).all()
    assert np.array_equal(np.sign(found.opacities), [-1, 1, 1, -1])
    assert abs(found.opacities[3] + 60) < 1e-4


def test_wild_values() -> None:
    splats = wild()
    found = read(written(splats)).splats
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        assert np.isfinite(getattr(found, name)).all()
    lost = lost_in_gltf(SplatFile(splats=splats))
    assert f"{len(splats) - len(found)} of {len(splats)} splats" in lost[0]
    nothing = splats.take(np.flatnonzero(np.isnan(splats.positions).any(axis=1)))
    assert len(read(written(nothing)).splats) == 0


def test_what_is_lost_is_said() -> None:
    file = SplatFile(
        splats=replace(made(5), extras={"label": np.arange(5)}),
        comments=("made",),
        rendering_model=rendering_models.ANTIALIASED,
    )
    assert lost_in_gltf(file) == (
        "extra attributes: label",
        "that the splats were trained with antialiasing",
        "the comments",
    )
    assert lost_in_gltf(SplatFile(splats=made(5))) == ()


# ---- files that our writer does not write


def embedded(count: int = 12) -> tuple[dict[str, Any], Splats]:
    """A .gltf with its buffer as base64, interleaved, with integers wherever they are allowed."""
    rng = np.random.default_rng(4)
    kind = np.dtype(
        [
            ("POSITION", "<i2", 3),
            ("pad", "<i2"),
            (f"{NAME}:ROTATION", "<i2", 4),
            (f"{NAME}:SCALE", "u1", 3),
            (f"{NAME}:OPACITY", "u1"),
            (f"{NAME}:SH_DEGREE_0_COEF_0", "<f4", 3),
        ]
    )
    rows = np.zeros(count, kind)
    rows["POSITION"] = rng.integers(-1000, 1000, (count, 3))
    rows[f"{NAME}:ROTATION"] = rng.integers(-32767, 32768, (count, 4))
    rows[f"{NAME}:SCALE"] = rng.integers(1, 9, (count, 3))
    rows[f"{NAME}:OPACITY"] = rng.integers(0, 256, count)
    rows[f"{NAME}:SH_DEGREE_0_COEF_0"] = rng.normal(0, 1, (count, 3))
    codes = {"<i2": 5122, "|u1": 5121, "<f4": 5126}
    shapes = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
    names = [name for name in kind.names or () if name != "pad"]
    accessors = []
    for name in names:
        field = kind[name]
        accessors.append(
            {
                "bufferView": 0,
                "byteOffset": kind.fields[name][1],  # type: ignore[index]
                "componentType": codes[field.base.str],
                "count": count,
                "type": shapes[int(np.prod(field.shape))],
                "normalized": name.endswith(("ROTATION", "OPACITY")),
            }
        )
    data = rows.tobytes()
    document = {
        "asset": {"version": "2.0"},
        "extensionsUsed": [NAME, "KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "buffers": [
            {
                "byteLength": len(data),
                "uri": "data:application/octet-stream;base64," + base64.b64encode(data).decode(),
            }
        ],
        "bufferViews": [{"buffer": 0, "byteLength": len(data), "byteStride": kind.itemsize}],
        "accessors": accessors,
        "meshes": [
            {
                "primitives": [
                    {
                        "mode": 0,
                        "attributes": {name: number for number, name in enumerate(names)},
                        "extensions": {NAME: {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}},
                    }
                ]
            }
        ],
        "nodes": [{"mesh": 0}],
    }
    opacity = np.clip(rows[f"{NAME}:OPACITY"] / 255, 1e-45, 1 - 2.5e-8)
    wanted = Splats(
        positions=rows["POSITION"].astype(np.float32),
        scales=np.log(rows[f"{NAME}:SCALE"].astype(np.float32)),
        rotations=(rows[f"{NAME}:ROTATION"] / 32767)[:, [3, 0, 1, 2]].astype(np.float32),
        opacities=np.log(opacity / (1 - opacity)).astype(np.float32),
        sh_dc=rows[f"{NAME}:SH_DEGREE_0_COEF_0"].copy(),
        sh_rest=np.zeros((count, 0, 3), np.float32),
    )
    return document, wanted


def test_integers_interleaved_in_base64() -> None:
    document, wanted = embedded()
    found = read(json.dumps(document).encode()).splats
    assert np.array_equal(found.positions, wanted.positions)
    assert np.allclose(found.scales, wanted.scales)
    assert np.allclose(found.rotations, wanted.rotations)
    assert np.allclose(found.opacities, wanted.opacities, atol=1)
    assert np.array_equal(found.sh_dc, wanted.sh_dc)


def test_buffers_in_other_files(tmp_path: Path) -> None:
    document, wanted = embedded()
    uri = document["buffers"][0]["uri"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a b.bin").write_bytes(base64.b64decode(uri.split(",")[1]))
    document["buffers"][0]["uri"] = "sub/a%20b.bin"
    path = tmp_path / "scene.gltf"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert np.array_equal(read_gltf(path).splats.positions, wanted.positions)
    assert code_of(path.read_bytes()) == "gltf.buffer"  # a stream has no folder
    with pytest.raises(InputError) as caught:
        read_gltf(path, max_bytes=path.stat().st_size + 10)
    assert caught.value.code == "io.limit"
    for bad in ("../scene.bin", "/etc/passwd", "sub/../../x", "http://example.org/a.bin", "%2e%2e/x", "a\0b"):
        document["buffers"][0]["uri"] = bad
        path.write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(InputError) as caught:
            read_gltf(path)
        assert caught.value.code == "gltf.buffer", bad
    document["buffers"][0]["uri"] = "none.bin"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_gltf(path)
    assert caught.value.code == "io.read"


def test_nodes_place_their_meshes() -> None:
    splats = made(6, 2)
    half = np.sqrt(0.5)
    document, binary = parts(written(splats))
    document["nodes"] = [
        {"children": [2, 1], "scale": [2, 2, 2], "translation": [1, 0, 0]},
        {"mesh": 0, "rotation": [half, 0, 0, half]},
        {"mesh": 0, "matrix": [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]},
        {"mesh": 0, "translation": [9, 9, 9]},  # in no scene
    ]
    found = read(glb(document, binary)).splats
    about_x = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    about_z = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    one = placed(turned(splats, about_z), np.eye(3), 2.0, np.array([11.0, 12, 14]))
    two = placed(turned(splats, about_x), np.eye(3), 2.0, np.array([1.0, 0, 0]))
    assert len(found) == 12
    for part, wanted in ((found.take(slice(0, 6)), one), (found.take(slice(6, 12)), two)):
        assert np.allclose(part.positions, wanted.positions, atol=1e-5)
        assert np.allclose(part.scales, wanted.scales, atol=1e-5)
        assert np.allclose(part.sh_rest, wanted.sh_rest, atol=1e-5)
        assert rotation_difference(part, wanted) < 1e-5


@pytest.mark.parametrize(
    "node",
    [
        {"scale": [1, 2, 1]},
        {"scale": [0, 0, 0]},
        {"matrix": [1, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]},
        {"rotation": [0, 0, 0, 0]},
        {"scale": [1e200, 1e200, 1e200]},
    ],
)
def test_nodes_that_shear(node: dict[str, Any]) -> None:
    def change(document: dict[str, Any]) -> None:
        document["nodes"][0] |= node

    assert code_of(changed(change)) == "gltf.transform"


def test_several_primitives_and_degrees() -> None:
    small, large = made(3, 0), made(4, 2, seed=1)
    document, binary = parts(written(small))
    other, more = parts(written(large))
    views, accessors = len(document["bufferViews"]), len(document["accessors"])
    for view in other["bufferViews"]:
        view["byteOffset"] += len(binary)
    for accessor in other["accessors"]:
        accessor["bufferView"] += views
    primitive = other["meshes"][0]["primitives"][0]
    primitive["attributes"] = {name: n + accessors for name, n in primitive["attributes"].items()}
    document["bufferViews"] += other["bufferViews"]
    document["accessors"] += other["accessors"]
    document["meshes"][0]["primitives"] += [primitive, {"attributes": {"POSITION": 0}}]
    document["buffers"][0]["byteLength"] += len(more)
    file = read(glb(document, binary + more))
    assert np.array_equal(file.splats.positions, np.concatenate([small.positions, large.positions]))
    assert np.array_equal(file.splats.sh_rest[3:], large.sh_rest)
    assert not file.splats.sh_rest[:3].any()
    assert file.notes == ("left out 1 primitive that are no splats",)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_spz_within(version: int) -> None:
    """Its axes are right, up, back; those of the file around it left, up, forward."""
    out = io.BytesIO()
    write_spz(out, SplatFile(splats=made(20)), version=version)
    document = {
        "asset": {"version": "2.0"},
        "extensionsUsed": [NAME, SPZ],
        "extensionsRequired": [NAME, SPZ],
        "buffers": [{"byteLength": len(out.getvalue())}],
        "bufferViews": [{"buffer": 0, "byteLength": len(out.getvalue())}],
        "accessors": [{"type": "VEC3", "componentType": 5126, "count": 20}],
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": {"POSITION": 0},
                        "mode": 0,
                        "extensions": {NAME: {"extensions": {SPZ: {"bufferView": 0}}}},
                    }
                ]
            }
        ],
    }
    found = read(glb(document, out.getvalue())).splats
    plain = read_spz(io.BytesIO(out.getvalue()))
    assert np.array_equal(found.positions, turned(plain.splats, between("RUB", "LUF")).positions)
    assert np.array_equal(found.sh_rest, in_axes(plain, LUF).splats.sh_rest)
    data = glb(document, out.getvalue()[:-9])
    assert code_of(data).startswith(("spz.", "gltf."))


def test_indices_choose() -> None:
    splats = made(5, 0)
    document, binary = parts(written(splats))
    document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": 3})
    document["accessors"].append(
        {
            "bufferView": len(document["bufferViews"]) - 1,
            "componentType": 5121,
            "count": 3,
            "type": "SCALAR",
        }
    )
    document["buffers"][0]["byteLength"] += 3
    document["meshes"][0]["primitives"][0]["indices"] = len(document["accessors"]) - 1
    found = read(glb(document, binary + bytes([4, 0, 4]))).splats
    assert np.array_equal(found.positions, splats.positions[[4, 0, 4]])
    assert code_of(glb(document, binary + bytes([4, 0, 5]))) == "gltf.accessor"


def sparse(**changes: Any) -> tuple[bytes, Splats]:
    """A file whose splats 1 and 3 of five are elsewhere, and of whose harmonics all but one are zero."""
    splats = made(5, 1)
    document, binary = parts(written(splats))
    end = len(binary)
    others = np.array([[7, 8, 9], [-7, -8, -9]], "<f4")
    binary += np.array([1, 3], "<u2").tobytes() + bytes(4) + others.tobytes()
    for start, size in ((end, 4), (end + 8, 24)):
        document["bufferViews"].append({"buffer": 0, "byteOffset": start, "byteLength": size})
    document["buffers"][0]["byteLength"] = len(binary)
    views = len(document["bufferViews"])
    part = {
        "count": 2,
        "indices": {"bufferView": views - 2, "componentType": 5123},
        "values": {"bufferView": views - 1},
    } | changes
    document["accessors"][0]["sparse"] = part
    names = document["meshes"][0]["primitives"][0]["attributes"]
    rest = document["accessors"][names[f"{NAME}:SH_DEGREE_1_COEF_1"]]
    del rest["bufferView"]
    rest["sparse"] = part | {"count": 1}
    splats.positions[[1, 3]] = others
    splats.sh_rest[:, 1] = 0
    splats.sh_rest[1, 1] = others[0]
    return glb(document, binary), splats


def test_sparse_accessors() -> None:
    data, wanted = sparse()
    found = read(data).splats
    assert np.array_equal(found.positions, wanted.positions)
    assert np.array_equal(found.sh_rest, wanted.sh_rest)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"count": 3}, "gltf.accessor"),
        ({"count": -1}, "gltf.json"),
        ({"indices": {"bufferView": 0, "componentType": 5126}}, "gltf.accessor"),
        ({"indices": {"bufferView": 0, "componentType": 5125}}, "gltf.accessor"),
        ({"indices": {"bufferView": 99, "componentType": 5123}}, "gltf.json"),
        ({"indices": {"componentType": 5123}}, "gltf.json"),
        ({"values": {"bufferView": 7, "byteOffset": 400}}, "gltf.accessor"),
        ({"values": None}, "gltf.json"),
    ],
)
def test_sparse_accessors_that_lie(changes: dict[str, Any], code: str) -> None:
    assert code_of(sparse(**changes)[0]) == code


def test_sparse_indices_ascend() -> None:
    data, _ = sparse()
    at = len(data) - 32
    assert data[at : at + 4] == b"\1\0\3\0"
    for wrong in (b"\3\0\1\0", b"\1\0\1\0", b"\1\0\5\0"):
        assert code_of(data[:at] + wrong + data[at + 4 :]) == "gltf.accessor"


def test_nothing_that_says_it_is_much() -> None:
    """Zeros need no bytes in a file."""
    document, binary = parts(sparse()[0])
    for accessor in document["accessors"]:
        accessor["count"] = 2**40
        accessor.pop("bufferView", None)
        accessor["sparse"] = document["accessors"][0]["sparse"]
    tracemalloc.start()
    assert code_of(glb(document, binary)) == "gltf.limit"
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_meshopt_with_a_fallback() -> None:
    """Views say how they are compressed, too; the file does not require it: their own buffers have all."""
    splats = made(5, 1)
    document, binary = parts(written(splats))
    document["extensionsUsed"].append("EXT_meshopt_compression")
    for view in document["bufferViews"]:
        view["extensions"] = {"EXT_meshopt_compression": {"buffer": 1, "mode": "ATTRIBUTES"}}
    found = read(glb(document, binary)).splats
    assert np.array_equal(found.positions, splats.positions)


# ---- what is wrong


def _set(path: str, value: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        at: Any = document
        *way, last = path.split("/")
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at[step]
        if value is None:
            del at[last]
        elif isinstance(at, list):
            at[int(last)] = value
        else:
            at[last] = value

    return change


PRIMITIVE = "meshes/0/primitives/0"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("asset/version", "1.0", "gltf.version"),
        ("asset", [], "gltf.json"),
        ("extensionsRequired", ["EXT_other"], "gltf.required"),
        ("buffers/0/extensions", {"EXT_meshopt_compression": {"fallback": True}}, "gltf.required"),
        ("extensionsRequired", ["EXT_meshopt_compression"], "gltf.required"),
        (f"{PRIMITIVE}/extensions/{NAME}/kernel", "cube", "gltf.kernel"),
        (f"{PRIMITIVE}/attributes/POSITION", None, "gltf.missing"),
        (f"{PRIMITIVE}/attributes/{NAME}:OPACITY", None, "gltf.missing"),
        (f"{PRIMITIVE}/attributes/{NAME}:SH_DEGREE_1_COEF_1", None, "gltf.sh"),
        (f"{PRIMITIVE}/attributes/{NAME}:SH_DEGREE_3_COEF_0", 0, "gltf.sh"),
        (f"{PRIMITIVE}/attributes/{NAME}:SCALE", 99, "gltf.json"),
        (f"{PRIMITIVE}/attributes/{NAME}:SCALE", -1, "gltf.json"),
        (f"{PRIMITIVE}/attributes/{NAME}:SCALE", "x", "gltf.json"),
        (f"{PRIMITIVE}/attributes/{NAME}:SCALE", 0, "gltf.value"),  # positions, of which some are negative
        (f"{PRIMITIVE}/attributes/{NAME}:OPACITY", 0, "gltf.accessor"),
        ("accessors/0/count", 6, "gltf.accessor"),
        ("accessors/0/count", 4, "gltf.accessor"),
        ("accessors/0/count", 2**52, "gltf.accessor"),
        ("accessors/0/count", -1, "gltf.json"),
        ("accessors/0/count", 1.5, "gltf.json"),
        ("accessors/0/componentType", 5130, "gltf.accessor"),
        ("accessors/0/sparse", 1, "gltf.json"),
        ("accessors/0/sparse", {"count": 1}, "gltf.json"),
        ("accessors/0/bufferView", None, "gltf.accessor"),
        ("bufferViews/0/byteStride", 4, "gltf.accessor"),
        ("bufferViews/0/byteLength", 2**40, "gltf.buffer"),
        ("buffers/0/byteLength", 2**40, "gltf.truncated"),
        ("buffers/0/uri", "data:;base64,!!!", "gltf.buffer"),
        ("buffers/0/uri", "data:text/plain,hello", "gltf.buffer"),
        ("nodes/0/children", [0], "gltf.json"),
        ("nodes/0/children", [1], "gltf.json"),
        ("nodes/0/translation", [1, 2], "gltf.json"),
        ("nodes/0/rotation", ["a", 0, 0, 1], "gltf.json"),
        ("nodes/0/mesh", 3, "gltf.json"),
        ("scene", 7, "gltf.json"),
        ("meshes/0", 7, "gltf.json"),
    ],
)
def test_faults(path: str, value: Any, code: str) -> None:
    assert code_of(changed(_set(path, value))) == code


def test_no_splats_at_all() -> None:
    document = {"asset": {"version": "2.0"}, "meshes": [{"primitives": [{"attributes": {}}]}]}
    assert code_of(json.dumps(document).encode()) == "gltf.missing"
    assert code_of(b"hello") == "gltf.magic"
    assert code_of(b"{") == "gltf.json"
    assert code_of(b'{"asset": NaN}') == "gltf.json"
    assert code_of(b"[" * 100_000) == "gltf.magic"
    assert code_of(b'{"a":' * 100_000) == "gltf.json"


def test_colour_spaces_are_noted() -> None:
    file = read(changed(_set(f"{PRIMITIVE}/extensions/{NAME}/colorSpace", "lin_rec709_display")))
    assert "lin_rec709_display" in file.notes[0]


def test_repeated_meshes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gscodec.io.gltf.FLOOR", 0)

    def change(document: dict[str, Any]) -> None:
        document["nodes"] = [{"mesh": 0}] * 2000
        document["scenes"] = [{"nodes": list(range(2000))}]

    assert code_of(changed(change, count=2000)) == "gltf.limit"


def test_a_header_takes_no_memory() -> None:
    data = bytearray(written(made(5)))
    data[8:12] = b"\xff\xff\xff\xff"
    tracemalloc.start()
    assert code_of(bytes(data)) == "gltf.truncated"
    assert code_of(changed(_set("accessors/0/count", 2**50))) == "gltf.accessor"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_damage() -> None:
    data = sparse()[0]
    text, binary = parts(data)
    errors = [survives(read, each) for each in damaged(data, 400)]
    assert {error.code.split(".")[0] for error in errors if error} == {"gltf"}
    source = json.dumps(text).encode()
    for each in damaged(source, 600, seed=1):
        head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(each) + len(binary), len(each), b"JSON")
        survives(read, head + each + struct.pack("<I4s", len(binary), b"BIN\0") + binary)


def test_json_that_lies() -> None:
    for data in (written(made(6, 1)), sparse()[0]):
        document, binary = parts(data)
        errors = [survives(read, glb(each, binary)) for each in lying(document, 500)]
        assert {error.code.split(".")[0] for error in errors if error} == {"gltf"}
        assert any(error is None for error in errors)
