"""Camera files of all kinds, small and made here: what they mean, and what is wrong with the bad ones."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gscodec.errors import GscError, InputError, UsageError
from gscodec.evaluate.camera_files import read_cameras, write_cameras
from gscodec.evaluate.cameras import Camera

# A camera at (1, 2, 3) that looks along the scene's +x, with the scene's -y as up: right is -z.
EYE = np.array([1.0, 2.0, 3.0])
AXES = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
# 4 forward, 1 right and 1 down of it.
POINT = np.array([5.0, 3.0, 2.0])
QUATERNION = (math.sqrt(0.5), 0.0, -math.sqrt(0.5), 0.0)  # of AXES, world to camera
# As COLMAP has it: the scene's origin in the camera's axes.
TRANSLATION = tuple((-AXES @ EYE).tolist())


def projected(camera: Camera, point: np.ndarray) -> tuple[float, float]:
    x, y, z = camera.rotation @ (point - camera.position)
    assert z > 0
    return camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy


def check(camera: Camera, *, width: int = 64, height: int = 48, fx: float = 40, fy: float = 44) -> None:
    assert (camera.width, camera.height) == (width, height)
    assert (camera.fx, camera.fy) == pytest.approx((fx, fy))
    np.testing.assert_allclose(camera.position, EYE, atol=1e-12)
    np.testing.assert_allclose(camera.rotation, AXES, atol=1e-12)
    assert projected(camera, POINT) == pytest.approx((camera.cx + fx / 4, camera.cy + fy / 4))


def saved(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def inria(**changes: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": 0, "img_name": "one", "width": 64, "height": 48, "fx": 40.0, "fy": 44.0}
    return entry | {"position": EYE.tolist(), "rotation": AXES.T.tolist()} | changes


def matrix() -> list[list[float]]:
    """Camera to world in OpenGL's convention."""
    out = np.eye(4)
    out[:3, :3] = np.stack([AXES[0], -AXES[1], -AXES[2]], axis=1)
    out[:3, 3] = EYE
    return out.tolist()  # type: ignore[no-any-return]


def transforms(**changes: Any) -> dict[str, Any]:
    frame = {"file_path": "./images/a.png", "transform_matrix": matrix()}
    return {"w": 64, "h": 48, "fl_x": 40.0, "fl_y": 44.0, "frames": [frame]} | changes


def frame_changed(**changes: Any) -> dict[str, Any]:
    return transforms(frames=[{"file_path": "a", "transform_matrix": matrix()} | changes])


# ---- cameras.json -----------------------------------------------------------------------------------------


def test_inria(tmp_path: Path) -> None:
    (camera,) = read_cameras(saved(tmp_path / "any.name", [inria()]))
    check(camera)
    assert (camera.cx, camera.cy, camera.name, camera.split) == (32, 24, "one", "")


@pytest.mark.parametrize(
    ("mark", "split"),
    [
        ({"split": "train"}, "train"),
        ({"split": "Test"}, "test"),
        ({"split": "val"}, ""),
        ({"test": True}, "test"),
        ({"test": 0}, "train"),
        ({"is_test": False}, "train"),
    ],
)
def test_inria_split(tmp_path: Path, mark: dict[str, Any], split: str) -> None:
    assert read_cameras(saved(tmp_path / "cameras.json", [inria(**mark)]))[0].split == split


def test_written_cameras_are_read_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    (one,) = read_cameras(saved(path, [inria()]))
    angle = 0.3
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    cameras = [one, replace(one, cx=30.25, cy=1 / 3, name="é 2", split="test", rotation=AXES @ turn)]
    write_cameras(path, cameras)
    for written, read in zip(cameras, read_cameras(path), strict=True):
        for field in ("width", "height", "fx", "fy", "cx", "cy", "name", "split"):
            assert getattr(written, field) == getattr(read, field)
        np.testing.assert_array_equal(written.position, read.position)
        np.testing.assert_array_equal(written.rotation, read.rotation)
    first, second = json.loads(path.read_text(encoding="utf-8"))
    assert "cx" not in first
    assert "split" not in first
    assert (second["cx"], second["split"]) == (30.25, "test")


def test_what_cannot_be_read_back_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    write_cameras(path, read_cameras(saved(path, [inria()])))
    before = path.read_bytes()
    (camera,) = read_cameras(path)
    for bad in ({"fx": math.nan}, {"fy": 0.0}, {"position": np.zeros(2)}, {"rotation": np.ones((3, 3))}):
        with pytest.raises(UsageError, match=r"cameras\.json.*camera 1"):
            write_cameras(path, [camera, replace(camera, **bad)])
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="no directory"):
        write_cameras(tmp_path / "none" / "cameras.json", [camera])


def test_rounded_rotations_are_made_orthonormal(tmp_path: Path) -> None:
    rotation = AXES.T + np.random.default_rng(0).uniform(-1e-3, 1e-3, (3, 3))
    (camera,) = read_cameras(saved(tmp_path / "cameras.json", [inria(rotation=rotation.tolist())]))
    np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(camera.rotation, AXES, atol=2e-3)


# ---- transforms.json --------------------------------------------------------------------------------------


def test_transforms(tmp_path: Path) -> None:
    (camera,) = read_cameras(saved(tmp_path / "transforms.json", transforms(cx=30, cy=20, k1=0.1)))
    check(camera)
    assert (camera.cx, camera.cy, camera.name, camera.split) == (30, 20, "images/a.png", "")
    for content in (
        frame_changed(transform_matrix=matrix()[:3]),
        frame_changed(w=64, h=48.0, fl_x=40, fl_y=44) | {"w": 1, "fl_x": 1},
    ):
        check(read_cameras(saved(tmp_path / "t.json", content))[0])


def test_transforms_angles(tmp_path: Path) -> None:
    content = transforms(camera_angle_x=2 * math.atan(0.8))
    del content["fl_x"], content["fl_y"]
    check(read_cameras(saved(tmp_path / "t.json", content))[0], fy=40)
    content["camera_angle_y"] = 2 * math.atan(24 / 44)
    check(read_cameras(saved(tmp_path / "t.json", content))[0])


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 64, 48) + b"\x08\x02\0\0\0"
JPEG = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xdb\0\x03x\xff\xc2\0\x11\x08" + struct.pack(">HH", 48, 64) + b"\x03"


@pytest.mark.parametrize(("name", "data"), [("a.png", PNG), ("a.JPG", JPEG), ("a", PNG)])
def test_size_from_the_pictures(tmp_path: Path, name: str, data: bytes) -> None:
    content = frame_changed(file_path="./a")
    del content["w"], content["h"]
    path = saved(tmp_path / "transforms_test.json", content)
    (tmp_path / name).write_bytes(data)
    (camera,) = read_cameras(path)
    check(camera)
    assert (camera.name, camera.split) == ("a", "test")
    for broken in (b"", data[:20], b"GIF89a" * 9, data[:2] + b"\xff\xe0"):
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(GscError) as caught:
            read_cameras(path)
        assert caught.value.code in ("usage.cameras", "cameras.value")


def test_transforms_splits(tmp_path: Path) -> None:
    frames = [{"file_path": name, "transform_matrix": matrix()} for name in "abc"]
    content = transforms(frames=frames, train_filenames=["a"], test_filenames=["c"])
    cameras = read_cameras(saved(tmp_path / "transforms.json", content))
    assert [camera.split for camera in cameras] == ["train", "", "test"]
    assert len(read_cameras(tmp_path)) == 3
    (tmp_path / "transforms.json").unlink()
    saved(tmp_path / "transforms_test.json", transforms())
    saved(tmp_path / "transforms_train.json", transforms())
    assert [camera.split for camera in read_cameras(tmp_path)] == ["train", "test"]


# ---- COLMAP -----------------------------------------------------------------------------------------------

LENSES = {  # model: parameters, focal lengths
    (0, "SIMPLE_PINHOLE"): ((40, 30, 20), (40, 40)),
    (1, "PINHOLE"): ((40, 44, 30, 20), (40, 44)),
    (2, "SIMPLE_RADIAL"): ((40, 30, 20, 0.1), (40, 40)),
    (3, "RADIAL"): ((40, 30, 20, 0.1, 0.2), (40, 40)),
    (4, "OPENCV"): ((40, 44, 30, 20, 0.1, 0.2, 0, 0), (40, 44)),
    (5, "OPENCV_FISHEYE"): ((40, 44, 30, 20, 0.1, 0.2, 0, 0), (40, 44)),
}


def binary_cameras(model: int = 1, size: tuple[int, int] = (64, 48), lens: Any = (40, 44, 30, 20)) -> bytes:
    return struct.pack(f"<QIiQQ{len(lens)}d", 1, 7, model, *size, *lens)


def binary_images(*names: str, pose: Any = (*QUATERNION, *TRANSLATION), camera: int = 7) -> bytes:
    points = struct.pack("<Q", 2) + bytes(48)
    images = (struct.pack("<I7dI", 1, *pose, camera) + name.encode() + b"\0" + points for name in names)
    return struct.pack("<Q", len(names)) + b"".join(images)


def colmap(folder: Path, cameras: bytes | None = None, images: bytes | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.bin").write_bytes(binary_cameras() if cameras is None else cameras)
    (folder / "images.bin").write_bytes(binary_images("b", "a") if images is None else images)
    return folder


@pytest.mark.parametrize("inner", ["", "sparse", "sparse/0"])
def test_colmap_folders(tmp_path: Path, inner: str) -> None:
    model = colmap(tmp_path / inner)
    for place in {tmp_path, model, model.parent if inner else tmp_path, model / "images.bin"}:
        cameras = read_cameras(place)
        assert [camera.name for camera in cameras] == ["a", "b"]
        check(cameras[0])


@pytest.mark.parametrize("model", LENSES)
def test_colmap_models(tmp_path: Path, model: tuple[int, str]) -> None:
    lens, (fx, fy) = LENSES[model]
    binary = read_cameras(colmap(tmp_path / "b", binary_cameras(model[0], lens=lens)))[0]
    (tmp_path / "cameras.txt").write_text(f"# x\n\n7 {model[1]} 64 48 {' '.join(map(str, lens))}\n")
    numbers = " ".join(map(repr, (*QUATERNION, *TRANSLATION)))
    (tmp_path / "images.txt").write_text(f"# x\n1 {numbers} 7 b b.png\n\n2 {numbers} 7 a.png\n1 2 -1 3 4 5\n")
    text, second = read_cameras(tmp_path)
    assert (text.name, second.name, second.split) == ("a.png", "b b.png", "")
    for camera in (binary, text, second):
        check(camera, fx=fx, fy=fy)
        assert (camera.cx, camera.cy) == (30, 20)


def test_every_cut_of_a_binary_model_is_an_error(tmp_path: Path) -> None:
    for whole, name in ((binary_cameras(), "cameras.bin"), (binary_images("b", "a"), "images.bin")):
        for size in range(len(whole)):
            colmap(tmp_path)
            (tmp_path / name).write_bytes(whole[:size])
            with pytest.raises(InputError, match=name) as caught:
                read_cameras(tmp_path)
            assert caught.value.code == "cameras.truncated"


HUGE = struct.pack("<Q", (1 << 64) - 1)
NAN = float("nan")


@pytest.mark.parametrize(
    ("cameras", "images", "code"),
    [
        (HUGE, None, "cameras.truncated"),
        (None, HUGE, "cameras.truncated"),
        (None, binary_images("a")[:-56] + HUGE, "cameras.truncated"),
        (None, binary_images("a" * 5000), "cameras.value"),
        (None, struct.pack("<Q", 0), "cameras.value"),
        (binary_cameras(6), None, "cameras.value"),
        (binary_cameras(-1), None, "cameras.value"),
        (binary_cameras(size=(0, 48)), None, "cameras.value"),
        (binary_cameras(size=(64, 1 << 40)), None, "cameras.value"),
        (binary_cameras(lens=(0, 44, 30, 20)), None, "cameras.value"),
        (binary_cameras(lens=(40, NAN, 30, 20)), None, "cameras.value"),
        (None, binary_images("a", camera=8), "cameras.value"),
        (None, binary_images("a", pose=(0, 0, 0, 0, 1, 2, 3)), "cameras.value"),
        (None, binary_images("a", pose=(2, 0, 0, 0, 1, 2, 3)), "cameras.value"),
        (None, binary_images("a", pose=(1, 0, 0, 0, 1, NAN, 3)), "cameras.value"),
    ],
)
def test_bad_binary_models(tmp_path: Path, cameras: bytes | None, images: bytes | None, code: str) -> None:
    with pytest.raises(InputError, match=str(tmp_path)) as caught:
        read_cameras(colmap(tmp_path, cameras, images))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("cameras", "images"),
    [
        ("7 PINHOLE 64 48 40 44 30", ""),
        ("7 PINHOLE 64 48 40 44 30 20 1", ""),
        ("7 THIN_PRISM_FISHEYE 64 48 40 44 30 20", ""),
        ("7", ""),
        ("7 PINHOLE 64 48 40 x 30 20", ""),
        ("7 PINHOLE 64 48 40 nan 30 20", ""),
        ("7 PINHOLE 64.5 48 40 44 30 20", ""),
        ("7 PINHOLE 64 48 40 44 30 20", "1 1 0 0 0 0 0 0 7"),
        ("7 PINHOLE 64 48 40 44 30 20", "1 1 0 0 0 0 inf 0 7 a"),
        ("7 PINHOLE 64 48 40 44 30 20", "1 1 0 0 0 0 0 0 7 a\n2 1 0 0 0 0 0 0 7 b\n"),
        ("7 PINHOLE 64 48 40 44 30 20", "# none"),
    ],
)
def test_bad_text_models(tmp_path: Path, cameras: str, images: str) -> None:
    (tmp_path / "cameras.txt").write_text(cameras)
    (tmp_path / "images.txt").write_text(images)
    with pytest.raises(InputError, match=str(tmp_path)) as caught:
        read_cameras(tmp_path)
    assert caught.value.code == "cameras.value"


# ---- what is wrong with JSON files ------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "7", "{}", '"x"', "null", "1" * 5000, "ply\n"])
def test_other_files(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"c\.json") as caught:
        read_cameras(saved(tmp_path / "c.json", content))
    assert caught.value.code == "cameras.format"


def test_places_without_cameras(tmp_path: Path) -> None:
    for place, code in ((tmp_path, "cameras.format"), (tmp_path / "none.json", "io.read")):
        with pytest.raises(InputError, match=str(place)) as caught:
            read_cameras(place)
        assert caught.value.code == code
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not JSON"):
        read_cameras(tmp_path / "bytes.json")


BAD: list[Any] = [
    [],
    [7],
    [inria(width=None)],
    [inria(width="64")],
    [inria(width=True)],
    [inria(width=0)],
    [inria(width=-3)],
    [inria(height=1e9)],
    [inria(height=48.5)],
    [inria(fx=0)],
    [inria(fy=-1.0)],
    [inria(fx=NAN)],
    [inria(fx=10**400)],
    [inria(fx={})],
    [inria(cx=math.inf)],
    [inria(position=[1, 2])],
    [inria(position=[1, 2, NAN])],
    [inria(position=[1, 2, 1e30])],
    [inria(position="abc")],
    [inria(rotation=[[1, 0, 0], [0, 1, 0]])],
    [inria(rotation=[[1, 0, 0], [0, 1], [0, 0, 1]])],
    [inria(rotation=[[1, 0, 0], [0, 1, 0], [0, 0, NAN]])],
    [inria(rotation=[[1, 0, 0], [0, 1, 0], [0, 0, -1]])],
    [inria(rotation=[[2, 0, 0], [0, 2, 0], [0, 0, 2]])],
    [inria(rotation=[[0, 0, 0], [0, 0, 0], [0, 0, 0]])],
    [inria(rotation=[[1e15, 0, 0], [0, 1e15, 0], [0, 0, 1e15]])],
    [inria(img_name=5)],
    [inria(split=1)],
    [inria(test="yes")],
    [inria(test=[])],
    transforms(frames=[]),
    transforms(frames={}),
    transforms(frames=[1]),
    transforms(w=0),
    transforms(h="48"),
    transforms(fl_x=0),
    transforms(fl_x=None, fl_y=None),
    transforms(fl_x=None, camera_angle_x=0),
    transforms(fl_x=None, camera_angle_x=4),
    transforms(fl_x=None, camera_angle_x=5e-324),
    transforms(fl_x=None, camera_angle_x=NAN),
    transforms(cx=[]),
    transforms(camera_model="EQUIRECTANGULAR"),
    transforms(camera_model=[]),
    transforms(test_filenames="a"),
    transforms(test_filenames=[[]]),
    frame_changed(file_path=3),
    frame_changed(transform_matrix=None),
    frame_changed(transform_matrix=[]),
    frame_changed(transform_matrix=[[1, 0, 0, 0]] * 5),
    frame_changed(transform_matrix=np.zeros((4, 4)).tolist()),
    frame_changed(transform_matrix=(np.eye(4) * [1, 1, 1, 2]).tolist()),
    frame_changed(transform_matrix=np.diag([3.0, 3, 3, 1]).tolist()),
]


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_bad_values(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match=r"c\.json") as caught:
        read_cameras(saved(tmp_path / "c.json", content))
    assert caught.value.code == "cameras.value"


def test_transforms_without_size(tmp_path: Path) -> None:
    for name in ("images/a.png", "a\0b", "../" * 500, "\ud800"):
        content = frame_changed(file_path=name)
        del content["w"], content["h"]
        with pytest.raises(UsageError, match='"w" and "h"') as caught:
            read_cameras(saved(tmp_path / "t.json", content))
        assert caught.value.code == "usage.cameras"
