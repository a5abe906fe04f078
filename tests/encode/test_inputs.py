"""What can be given in place of `Splats` and cameras."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gscodec
from gscodec.encode.inputs import cameras_of, to_splats
from gscodec.evaluate.camera_files import write_cameras
from gscodec.evaluate.rigs import make_rig

SCENE = Path(__file__).resolve().parents[2] / "examples" / "made_scene.ply"


@pytest.fixture(scope="module")
def scene() -> gscodec.Splats:
    return gscodec.read(SCENE).take(np.arange(200))


class Tensor:
    """What is asked of a tensor: it must be detached, then moved, before it becomes an array."""

    def __init__(self, array: np.ndarray, *, is_attached: bool = True, is_far: bool = True) -> None:
        self.array, self.is_attached, self.is_far = array, is_attached, is_far

    def detach(self) -> Tensor:
        return Tensor(self.array, is_attached=False, is_far=self.is_far)

    def cpu(self) -> Tensor:
        return Tensor(self.array, is_attached=self.is_attached, is_far=False)

    def numpy(self) -> np.ndarray:
        if self.is_attached or self.is_far:
            raise RuntimeError("call detach and cpu first")
        return self.array

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("not by this way")


class Parameters:
    """Like torch.nn.ParameterDict: keys and items, but no `Mapping`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def keys(self) -> Iterator[str]:
        return iter(self.values)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


def gsplat(s: gscodec.Splats) -> dict[str, np.ndarray]:
    return {
        "means": s.positions,
        "scales": s.scales,
        "quats": s.rotations,
        "opacities": s.opacities,
        "sh0": s.sh_dc[:, None],
        "shN": s.sh_rest,
    }


def inria(s: gscodec.Splats, underscore: str = "") -> dict[str, np.ndarray]:
    return {
        f"{underscore}xyz": s.positions,
        f"{underscore}scaling": s.scales,
        f"{underscore}rotation": s.rotations,
        f"{underscore}opacity": s.opacities[:, None],
        f"{underscore}features_dc": s.sh_dc[:, None],
        f"{underscore}features_rest": s.sh_rest,
    }


def same(a: gscodec.Splats, b: gscodec.Splats) -> bool:
    names = ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_mappings(scene: gscodec.Splats) -> None:
    assert to_splats(scene) is scene
    for given in (gsplat(scene), inria(scene), inria(scene, "_")):
        assert same(to_splats(given), scene)
        tensors = {name: Tensor(array) for name, array in given.items()}
        assert same(to_splats(tensors), scene)
        assert same(to_splats(Parameters(tensors)), scene)
    doubles = {name: array.astype(np.float64).tolist() for name, array in gsplat(scene).items()}
    assert same(to_splats(doubles), scene)
    assert gscodec.encode(gsplat(scene), effort=1) == gscodec.encode(scene, effort=1)


def test_torch(scene: gscodec.Splats) -> None:
    torch = pytest.importorskip("torch")
    tensors = {
        name: torch.nn.Parameter(torch.from_numpy(array.copy())) for name, array in gsplat(scene).items()
    }
    assert same(to_splats(tensors), scene)
    assert same(to_splats(torch.nn.ParameterDict(tensors)), scene)
    halves = to_splats({name: tensor.detach().bfloat16() for name, tensor in tensors.items()})
    assert np.abs(halves.sh_dc - scene.sh_dc).max() < 0.05


def test_extras_and_no_harmonics(scene: gscodec.Splats) -> None:
    n = len(scene)
    given = gsplat(scene) | {"label": np.arange(n), "wide": Tensor(np.ones((n, 3), np.int32)), "step": 7}
    del given["shN"]
    splats = to_splats(given | {"names": np.zeros(3)})
    assert splats.sh_degree == 0
    assert list(splats.extras) == ["label", "wide"]
    decoded = gscodec.decode(gscodec.encode(given, effort=1))  # type: ignore[arg-type]
    assert sorted(decoded.extras["label"]) == list(range(n))
    assert decoded.extras["wide"].shape == (n, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"means": None}, "no means"),
        ({"sh0": None}, "no sh0"),
        ({"xyz": np.zeros((200, 3))}, "means and xyz are the same"),
        ({"quats": np.zeros((200, 3))}, "quats has the shape"),
        ({"means": np.zeros(200)}, "means has the shape"),
        ({"means": np.float32(1)}, "means has the shape"),
        ({"opacities": np.zeros((199,))}, "opacities has the shape"),
        ({"shN": np.zeros((200, 4, 3))}, "4 coefficients"),
        ({"shN": np.zeros((200, 45))}, "shN has the shape"),
        ({"scales": np.full((200, 3), "a")}, "expected numbers"),
        ({"scales": [[1, 2], [3]]}, "scales is no array"),
    ],
)
def test_bad_mappings(scene: gscodec.Splats, change: dict[str, Any], said: str) -> None:
    given = {name: value for name, value in (gsplat(scene) | change).items() if value is not None}
    with pytest.raises(gscodec.UsageError, match=said):
        gscodec.encode(given)


@pytest.mark.parametrize("bad", [None, 3, "scene.ply", [1, 2], {}, np.zeros((3, 14))])
def test_what_holds_no_splats(bad: Any) -> None:
    with pytest.raises(gscodec.UsageError) as caught:
        gscodec.encode(bad)
    assert caught.value.code == "usage.splats"


def test_cameras(scene: gscodec.Splats, tmp_path: Path) -> None:
    made = make_rig(scene, views=6)
    assert cameras_of(made) == made
    marked = [
        replace_split(camera, split) for camera, split in zip(made, ("train", "test", "") * 2, strict=True)
    ]
    assert [camera.split for camera in cameras_of(marked)] == ["train", "train"]
    assert [camera.split for camera in cameras_of(marked[1:3])] == [""]
    write_cameras(tmp_path / "cameras.json", marked)
    for path in (tmp_path, tmp_path / "cameras.json", str(tmp_path)):
        assert len(cameras_of(path)) == 2
    assert len(gscodec.read_cameras(tmp_path)) == 6
    with pytest.raises(gscodec.UsageError, match="marked as test"):
        cameras_of([marked[1]])


def replace_split(camera: gscodec.Camera, split: str) -> gscodec.Camera:
    from dataclasses import replace

    return replace(camera, split=split)


def bad_cameras() -> list[tuple[Any, str]]:
    from dataclasses import replace

    (good,) = make_rig(gscodec.read(SCENE), views=1)

    def changed(**values: Any) -> list[gscodec.Camera]:
        return [good, replace(good, name="odd", **values)]

    return [
        ([], "empty"),
        ("", "path of the cameras is empty"),
        (3, "not int"),
        ([1], "number 0 of the cameras is a int"),
        (changed(position=np.full(3, 1e20)), "camera odd: the position"),
        (changed(position=None), "camera odd: the position"),
        (changed(rotation=np.full((3, 3), np.nan)), "camera odd: the rotation is not orthonormal"),
        (changed(rotation=good.rotation * 1e31), "not orthonormal"),
        (changed(rotation=good.rotation * 1.1), "not orthonormal"),
        (changed(rotation=-good.rotation), "a reflection"),
        (changed(fx=0.0), "a focal length is under 1e-06"),
        (changed(fy=1e-40), "a focal length is under 1e-06"),
        (changed(fx="wide"), "fx, fy, cx and cy"),
        (changed(cx=math.inf), "fx, fy, cx and cy"),
        (changed(width=100.5), "width is 100.5, not a whole number from 1 to 32768"),
        (changed(height=32769), "height is 32769"),
        (changed(height=0), "height is 0"),
    ]


@pytest.mark.parametrize(("bad", "said"), bad_cameras(), ids=range(17))
def test_bad_cameras(scene: gscodec.Splats, bad: Any, said: str) -> None:
    with pytest.raises(gscodec.UsageError, match=said) as caught:
        gscodec.encode(scene, cameras=bad)
    assert caught.value.code == "usage.cameras"


def test_cameras_at_the_limits(scene: gscodec.Splats) -> None:
    """What readers accept, the renderer does too."""
    from dataclasses import replace

    (good,) = make_rig(scene, views=1)
    for values in (
        {"width": 32768, "height": 1},
        {"width": np.int64(100), "height": np.uint8(80)},
        {"fx": 1e-6, "fy": 1e15},
        {"rotation": good.rotation.astype(np.float32)},
        {"cx": -1e15},
    ):
        options: dict[str, Any] = values
        cameras = [good, replace(good, **options)]
        gscodec.encode(scene, effort=2, cameras=cameras)
