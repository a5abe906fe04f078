"""Camera files: `read_cameras` and `write_cameras`. Three kinds, told apart by their content:

    cameras.json     of the 3DGS training code: a list of {id, img_name, width, height, position, rotation
                     (3 x 3, camera to world), fx, fy}; optional cx, cy (else the centre), "split" or "test"
    COLMAP           a folder with cameras.bin and images.bin, or cameras.txt and images.txt
    transforms.json  of instant-ngp, nerfstudio and the Blender scenes: {"frames": [{file_path,
                     transform_matrix}]}, from an OpenGL camera (y up, z backward) to the scene

Lens distortion is ignored: the cameras are the pinhole part of the model. Nothing is rescaled or turned.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError, UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.io import atomic_output

Float64 = NDArray[np.float64]

MAX_JSON_BYTES = 1 << 28  # some 300,000 cameras
MAX_SIDE, MIN_FOCAL = 1 << 15, 1e-6  # pixels; the renderer draws no larger pictures
MAX_NUMBER = 1e15  # positions and focal lengths beyond it lose all precision when they meet a scene
MAX_NAME = 4096  # bytes
SKEW = 0.01  # how far the singular values of a rotation may be from 1: rounding, not scaling

# COLMAP's number of a camera model: its name and the length of its parameters.
MODELS = {0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4)}
MODELS |= {3: ("RADIAL", 5), 4: ("OPENCV", 8), 5: ("OPENCV_FISHEYE", 8)}
ONE_FOCAL_LENGTH = {"SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"}
IMAGE_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")


def read_cameras(path: str | os.PathLike[str]) -> list[Camera]:
    """The cameras of a file, or of a folder: at least one.

    A folder is a COLMAP model or holds one as `sparse/0`, `sparse` or `0`; or it holds transforms.json,
    transforms_train.json and transforms_test.json, or cameras.json. COLMAP's cameras are sorted by name,
    the others keep the order of their file. `split` comes from "split", "test" or "is_test" of an entry,
    from train_filenames and test_filenames, or from a file's own name (transforms_test.json).

    Raises `InputError`: "io.read", "io.limit", "cameras.format" (no known kind of file), "cameras.value",
    "cameras.truncated"; `UsageError` "usage.cameras" where no size of the pictures can be found.
    """
    place = Path(path)
    try:
        if place.is_dir():
            cameras = _read_folder(place)
        elif place.stem in ("cameras", "images") and place.suffix in (".bin", ".txt"):
            cameras = _read_colmap(place.parent, place.suffix)
        else:
            cameras = _read_json(place)
    except OSError as error:
        raise InputError("io.read", f"cannot read {place}: {error.strerror or error}") from error
    if not cameras:
        raise InputError("cameras.value", f"{place} holds no camera")
    return cameras


def write_cameras(path: str | os.PathLike[str], cameras: Sequence[Camera]) -> None:
    """Write a cameras.json that `read_cameras` reads back exactly; the file appears whole or not at all.

    "cx" and "cy" are written where the principal point is not the centre, "split" where there is one.
    Raises `UsageError` "usage.cameras" for a camera that could not be read back, `InputError` "io.write".
    """
    entries = []
    for number, camera in enumerate(cameras):
        entry: dict[str, Any] = {"id": number, "img_name": camera.name}
        entry |= {"width": camera.width, "height": camera.height}
        entry["position"] = np.asarray(camera.position, np.float64).tolist()
        entry["rotation"] = np.asarray(camera.rotation, np.float64).T.tolist()
        entry |= {"fx": float(camera.fx), "fy": float(camera.fy)}
        if (camera.cx, camera.cy) != (camera.width / 2, camera.height / 2):
            entry |= {"cx": float(camera.cx), "cy": float(camera.cy)}
        if camera.split:
            entry["split"] = camera.split
        try:
            _inria_camera(entry, f"camera {number}", number)
        except InputError as error:
            raise UsageError("usage.cameras", f"cannot write {path}: {error.message}") from error
        entries.append(entry)
    with atomic_output(path) as file:
        file.write((json.dumps(entries, indent=1) + "\n").encode())


def _read_folder(folder: Path) -> list[Camera]:
    for model in (folder, folder / "sparse" / "0", folder / "sparse", folder / "0"):
        for suffix in (".bin", ".txt"):
            if all((model / f"{stem}{suffix}").is_file() for stem in ("cameras", "images")):
                return _read_colmap(model, suffix)
    names = ("transforms.json",), ("transforms_train.json", "transforms_test.json"), ("cameras.json",)
    for group in names:
        if found := [folder / name for name in group if (folder / name).is_file()]:
            return [camera for path in found for camera in _read_json(path)]
    raise InputError("cameras.format", f"{folder} holds no COLMAP model, transforms.json or cameras.json")


def _read_json(path: Path) -> list[Camera]:
    with path.open("rb") as file:
        data = file.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise InputError("io.limit", f"{path} is longer than the {MAX_JSON_BYTES:,} bytes of a camera file")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, or a number too long
        raise InputError("cameras.format", f"{path} is no camera file: not JSON ({error})") from error
    if isinstance(content, list):
        return [_inria_camera(item, f"{path}: camera {i}", i) for i, item in enumerate(content)]
    if isinstance(content, dict) and "frames" in content:
        return _read_transforms(content, path)
    raise InputError("cameras.format", f"{path} is JSON, but neither a list of cameras nor has it frames")


def _inria_camera(item: Any, where: str, number: int) -> Camera:
    if not isinstance(item, dict):
        raise _bad(where, "is not an object")
    return Camera(
        **_pinhole(*map(item.get, ("width", "height", "fx", "fy", "cx", "cy")), where=where),
        position=_array(item.get("position"), (3,), where, "position"),
        rotation=_rotation(_array(item.get("rotation"), (3, 3), where, "rotation"), where),
        name=_name(item.get("img_name", item.get("name", str(number))), where),
        split=_split(item, where),
    )


def _split(item: Mapping[str, Any], where: str) -> str:
    """ "train" or "test" where the entry says so; other words, as "val", are neither."""
    if "split" in item:
        word = _name(item["split"], where).lower()
        return word if word in ("train", "test") else ""
    for key in ("test", "is_test"):
        if key in item:
            if item[key] not in (True, False):  # 0 and 1 too
                raise _bad(where, f'"{key}" is neither true nor false')
            return "test" if item[key] else "train"
    return ""


def _read_transforms(content: dict[str, Any], path: Path) -> list[Camera]:
    frames = content["frames"]
    lists = {split: content.get(f"{split}_filenames", []) for split in ("train", "test")}
    if not all(isinstance(names, list) for names in (frames, *lists.values())):
        raise _bad(str(path), '"frames", "train_filenames" or "test_filenames" is not a list')
    if not all(isinstance(frame, dict) for frame in frames):
        raise _bad(str(path), "a frame is not an object")
    splits = {_name(name, str(path)): split for split, names in lists.items() for name in names}
    by_name = re.search(r"(?:^|[_.-])(train|test)$", path.stem)
    found: tuple[int, int] | None = None
    cameras = []
    for number, frame in enumerate(frames):
        where = f"{path}: frame {number}"
        item = {**content, **frame}
        if "w" not in item or "h" not in item:
            found = found or _picture_size(frames, path)
            item["w"], item["h"] = found
        name = _name(frame.get("file_path", str(number)), where)
        split = _split(frame, where) or splits.get(name, by_name[1] if by_name else "")
        cameras.append(_frame_camera(item, where, name.removeprefix("./"), split))
    return cameras


def _frame_camera(item: dict[str, Any], where: str, name: str, split: str) -> Camera:
    if item.get("camera_model", "OPENCV") not in [name for name, _ in MODELS.values()]:
        raise _bad(where, f"the camera model {item['camera_model']!r} is not supported")
    fx, fy = (_axis_focal(item, axis, item[side], where) for axis, side in ("xw", "yh"))
    rows = item.get("transform_matrix")
    shape = (4, 4) if isinstance(rows, list) and len(rows) == 4 else (3, 4)
    matrix = _array(rows, shape, where, "transform_matrix")
    if shape == (4, 4) and not np.allclose(matrix[3], (0, 0, 0, 1), rtol=0, atol=1e-6):
        raise _bad(where, '"transform_matrix" does not end with the row 0 0 0 1')
    return Camera(
        **_pinhole(item["w"], item["h"], fx, fy, item.get("cx"), item.get("cy"), where=where),
        position=matrix[:3, 3].copy(),
        # OpenGL's camera looks along -z with y up, ours along z with y down.
        rotation=_rotation(matrix[:3, :3] * (1.0, -1.0, -1.0), where),
        name=name,
        split=split,
    )


def _axis_focal(item: Mapping[str, Any], axis: str, side: Any, where: str) -> float | None:
    length, angle = item.get(f"fl_{axis}"), item.get(f"camera_angle_{axis}")
    if length is not None or angle is None:
        return length if length is None else _number(length, where, f"fl_{axis}")
    if not 1e-6 < _number(angle, where, f"camera_angle_{axis}") < math.pi:
        raise _bad(where, f'"camera_angle_{axis}" is {angle}, not between 0 and pi')
    return _number(side, where, "w or h") / 2 / math.tan(angle / 2)


def _picture_size(frames: list[dict[str, Any]], path: Path) -> tuple[int, int]:
    """Width and height of the first picture of the frames that is a PNG or JPEG file beside `path`."""
    names = (_name(frame.get("file_path", ""), str(path)) for frame in frames)
    for picture in (path.parent / f"{name}{suffix}" for name in names for suffix in IMAGE_SUFFIXES):
        if picture.is_file():
            with picture.open("rb") as file:
                if size := _header_size(file):
                    return size
    raise UsageError("usage.cameras", f'{path} lacks "w" and "h", and no PNG or JPEG picture is beside it')


def _header_size(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height as the header of a PNG or JPEG file has them; None for other files."""
    start = file.read(24)
    if start[:8] == b"\x89PNG\r\n\x1a\n":
        return int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")
    file.seek(2)
    while start[:2] == b"\xff\xd8" and len(head := file.read(4)) == 4 and head[0] == 0xFF:
        if 0xC0 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):  # a start of frame
            frame = file.read(5)
            return int.from_bytes(frame[3:], "big"), int.from_bytes(frame[1:3], "big")
        # 0xFF before a marker is padding; everything else has a length that counts itself.
        step = -3 if head[1] == 0xFF else max(int.from_bytes(head[2:], "big"), 2) - 2
        file.seek(step, os.SEEK_CUR)
    return None


def _read_colmap(folder: Path, suffix: str) -> list[Camera]:
    paths = folder / f"cameras{suffix}", folder / f"images{suffix}"
    with paths[0].open("rb") as lens_file, paths[1].open("rb") as view_file:
        if suffix == ".bin":
            lenses = dict(_binary_lenses(_Binary(lens_file, paths[0])))
            views = list(_binary_views(_Binary(view_file, paths[1])))
        else:
            lenses = dict(_text_lenses(lens_file, paths[0]))
            views = list(_text_views(view_file, paths[1]))
    cameras = []
    for name, lens, pose in sorted(views, key=lambda view: view[:2]):
        where = f"{paths[1]}: image {name!r}"
        if lens not in lenses:
            raise _bad(where, f"its camera {lens} is not in {paths[0].name}")
        rotation = _rotation(_quaternion_matrix(pose[:4], where).T, where)
        position = -rotation.T @ pose[4:]
        cameras.append(Camera(**lenses[lens], position=position, rotation=rotation, name=name))
    return cameras


class _Binary:
    """Little-endian values of a file; what it announces is not believed beyond the bytes that are there."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.path, self._file = path, file
        self._left = os.fstat(file.fileno()).st_size

    def _need(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise InputError("cameras.truncated", f"{self.path} ends early")

    def values(self, layout: str) -> tuple[Any, ...]:
        size = struct.calcsize(f"<{layout}")
        self._need(size)
        return struct.unpack(f"<{layout}", self._file.read(size))

    def skip(self, size: int) -> None:
        self._need(size)
        self._file.seek(size, os.SEEK_CUR)

    def text(self) -> str:
        name = bytearray()
        while (byte := self.values("c")[0]) != b"\0":
            name += byte
            if len(name) > MAX_NAME:
                raise _bad(str(self.path), f"a name has over {MAX_NAME} bytes")
        return name.decode("utf-8", "replace")


def _binary_lenses(source: _Binary) -> Iterator[tuple[int, dict[str, Any]]]:
    for _ in range(source.values("Q")[0]):
        identity, model, width, height = source.values("IiQQ")
        where = f"{source.path}: camera {identity}"
        if model not in MODELS:
            raise _bad(where, f"the model {model} is not supported")
        name, size = MODELS[model]
        yield identity, _lens(name, width, height, source.values(f"{size}d"), where)


def _binary_views(source: _Binary) -> Iterator[tuple[str, int, Float64]]:
    for number in range(source.values("Q")[0]):
        _, *pose, lens = source.values("I7dI")
        name = source.text()
        source.skip(24 * source.values("Q")[0])  # the points that it sees
        yield name, lens, _array(pose, (7,), f"{source.path}: image {number}", "pose")


def _text_lenses(file: BinaryIO, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, 1):
        words = line.decode("utf-8", "replace").split()
        if words and not words[0].startswith("#"):
            where = f"{path}: line {number}"
            values = [_parsed(word, where) for word in (*words[:1], *words[2:])]
            if (words[1:2] or [""])[0] not in dict(MODELS.values()) or len(values) < 3:
                raise _bad(where, "is no camera, or its model is not supported")
            if len(values) - 3 != dict(MODELS.values())[words[1]]:
                raise _bad(where, f"has {len(values) - 3} parameters, not those of {words[1]}")
            yield int(values[0]), _lens(words[1], values[1], values[2], values[3:], where)


def _text_views(file: BinaryIO, path: Path) -> Iterator[tuple[str, int, Float64]]:
    is_points = False
    for number, line in enumerate(file, 1):
        where = f"{path}: line {number}"
        words = line.decode("utf-8", "replace").split(maxsplit=9)
        if is_points:  # every second line, which may be empty
            if len(line.split()) % 3:
                raise _bad(where, "is not the points of an image")
            is_points = False
        elif words and not words[0].startswith("#"):
            if len(words) != 10:
                raise _bad(where, "is no image")
            pose = [_parsed(word, where) for word in words[1:8]]
            yield words[9].strip(), int(_parsed(words[8], where)), _array(pose, (7,), where, "pose")
            is_points = True


def _lens(model: str, width: Any, height: Any, values: Sequence[float], where: str) -> dict[str, Any]:
    """The intrinsics of a `Camera`: of the parameters only those of a pinhole."""
    fx, fy, cx, cy, *_ = (values[0], *values) if model in ONE_FOCAL_LENGTH else values
    return _pinhole(width, height, fx, fy, cx, cy, where=where)


def _pinhole(width: Any, height: Any, fx: Any, fy: Any, cx: Any, cy: Any, *, where: str) -> dict[str, Any]:
    """The intrinsics of a `Camera`, checked; None is the other focal length, or the picture's centre."""
    found: dict[str, Any] = {"width": width, "height": height}
    for what, value in list(found.items()):
        number = _number(value, where, what)
        if not 1 <= number <= MAX_SIDE or number != int(number):
            raise _bad(where, f'"{what}" is {value}, not a whole number from 1 to {MAX_SIDE}')
        found[what] = int(number)
    found["fx"] = _number(fy if fx is None else fx, where, "fx")
    found["fy"] = _number(fx if fy is None else fy, where, "fy")
    if min(found["fx"], found["fy"]) < MIN_FOCAL:
        raise _bad(where, "a focal length is not positive")
    found["cx"] = _number(found["width"] / 2 if cx is None else cx, where, "cx")
    found["cy"] = _number(found["height"] / 2 if cy is None else cy, where, "cy")
    return found


def _bad(where: str, what: str) -> InputError:
    return InputError("cameras.value", f"{where}: {what}")


def _number(value: Any, where: str, what: str) -> float:
    """A finite number of sane size; JSON's true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(where, f'"{what}" is missing' if value is None else f'"{what}" is not a number')
    if not abs(value) <= MAX_NUMBER:
        raise _bad(where, f'"{what}" is not finite, or too large')
    return float(value)


def _parsed(word: str, where: str) -> float:
    try:
        return _number(float(word), where, word)
    except ValueError as error:
        raise _bad(where, f"has {word!r}, which is not a number") from error


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise _bad(where, "a name is not a string, or too long")
    return value


def _array(value: Any, shape: tuple[int, ...], where: str, what: str) -> Float64:
    if not isinstance(value, list | tuple) or len(value) != shape[0]:
        raise _bad(where, f'"{what}" is not an array of {shape[0]} rows or numbers')
    inner = shape[1:]
    return np.array([_array(v, inner, where, what) if inner else _number(v, where, what) for v in value])


def _quaternion_matrix(q: Float64, where: str) -> Float64:
    """(3, 3) world to camera of the quaternion w, x, y, z."""
    length = float(np.linalg.norm(q))
    if abs(length - 1) > SKEW:
        raise _bad(where, f"the rotation is a quaternion of length {length:g}")
    w, x, y, z = q / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix: Float64 = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    return matrix


def _rotation(to_world: Float64, where: str) -> Float64:
    """(3, 3) world to camera of a camera-to-world rotation, made orthonormal where rounding left it not."""
    if np.abs(to_world.T @ to_world - np.eye(3)).max() < 1e-12 and np.linalg.det(to_world) > 0:
        return np.ascontiguousarray(to_world.T)  # as it is: what was written is read back exactly
    left, stretch, right = np.linalg.svd(to_world)
    if np.abs(stretch - 1).max() > SKEW or np.linalg.det(left @ right) < 0:
        raise _bad(where, "the rotation is not orthonormal, or is a reflection")
    return np.ascontiguousarray((left @ right).T)
