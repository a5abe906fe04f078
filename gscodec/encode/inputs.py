"""What callers may give for `Splats` and lists of `Camera`: parameters of a training, camera files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.attributes import extras
from gscodec.container import ExtraAttribute, SceneHeader
from gscodec.container.extra import FIRST_EXTRA_ID
from gscodec.encode.chunks import whole_rows
from gscodec.errors import EncodeError, UsageError
from gscodec.evaluate.camera_files import MAX_NUMBER, MAX_SIDE, MIN_FOCAL, read_cameras
from gscodec.evaluate.cameras import Camera
from gscodec.io.offset import Floats3
from gscodec.splats import Splats

NAMES = {  # attribute: what gsplat, the Inria code and we call it
    "positions": ("means", "xyz", "_xyz", "positions"),
    "scales": ("scales", "scaling", "_scaling"),
    "rotations": ("quats", "rotation", "_rotation", "rotations"),
    "opacities": ("opacities", "opacity", "_opacity"),
    "sh_dc": ("sh0", "features_dc", "_features_dc", "sh_dc"),
    "sh_rest": ("shN", "features_rest", "_features_rest", "sh_rest"),
}
SKEW = 0.02  # of a rotation times its transpose: how far from the identity


def to_splats(source: object) -> Splats:
    """`source` itself if it is `Splats`, or the splats of a mapping of arrays or tensors.

    The keys are those of gsplat: "means" (N, 3), "scales" (N, 3) logarithms, "quats" (N, 4) w first,
    "opacities" (N,) or (N, 1) logits, "sh0" (N, 1, 3) or (N, 3), "shN" (N, K, 3), which may be missing; or
    those of the Inria code: xyz, scaling, rotation, opacity, features_dc, features_rest, each with or without
    a leading underscore. Any other key whose value has N rows becomes an extra attribute. Tensors may be on
    any device and require gradients.

    Raises `UsageError`: "usage.splats", "splats.shape", "splats.sh".
    """
    if isinstance(source, Splats):
        return source
    if not (callable(getattr(source, "keys", None)) and hasattr(source, "__getitem__")):
        raise UsageError(
            "usage.splats",
            f"expected Splats or a mapping of arrays by name, such as means, not {type(source).__name__}",
        )
    given: Any = source
    keys = list(map(str, given.keys()))  # torch.nn.ParameterDict is no Mapping
    found: dict[str, str] = {}
    for attribute, names in NAMES.items():
        present = [name for name in names if name in keys]
        if len(present) > 1:
            raise UsageError("usage.splats", f"{' and '.join(present)} are the same attribute: give one")
        if present:
            found[attribute] = present[0]
        elif attribute != "sh_rest":
            raise UsageError(
                "usage.splats",
                f"no {names[0]} (nor {', '.join(names[1:])}) among {', '.join(keys) or 'none'}",
            )
    arrays = {attribute: _single(given[key], key) for attribute, key in found.items()}
    positions = arrays["positions"]
    n = len(positions) if positions.ndim else -1
    if arrays["opacities"].shape == (n, 1):
        arrays["opacities"] = arrays["opacities"][:, 0]
    if arrays["sh_dc"].shape == (n, 1, 3):
        arrays["sh_dc"] = arrays["sh_dc"][:, 0]
    arrays.setdefault("sh_rest", np.zeros((max(n, 0), 0, 3), np.float32))
    shapes = {"positions": "(N, 3)", "scales": "(N, 3)", "rotations": "(N, 4)", "opacities": "(N,)"}
    shapes |= {"sh_dc": "(N, 1, 3)", "sh_rest": "(N, K, 3)"}
    tails = {"positions": (3,), "scales": (3,), "rotations": (4,), "opacities": (), "sh_dc": (3,)}
    for attribute, array in arrays.items():
        tail = (*array.shape[1:2], 3) if attribute == "sh_rest" else tails[attribute]
        if array.shape != (n, *tail):
            key = found.get(attribute, attribute)
            wanted = f"{shapes[attribute]} with N = {n}, as {found['positions']} has" if n >= 0 else "(N, 3)"
            raise UsageError("usage.splats", f"{key} has the shape {array.shape}, expected {wanted}")
    further: dict[str, NDArray[Any]] = {}
    for key in keys:
        if key in found.values():
            continue
        array = array_of(given[key], key)
        if array.ndim and len(array) == n:
            further[key] = array
    return Splats(**arrays, extras=further)


def cameras_of(source: object) -> list[Camera]:
    """The cameras of a file or folder, or of a sequence, that an encoder may look through.

    Those marked "test" are never among them; where some are marked "train", only these are.

    Raises `UsageError` "usage.cameras" when none is left or one is no camera; `InputError` as
    `gscodec.read_cameras` does.
    """
    if isinstance(source, str | os.PathLike):
        if not os.fspath(source):
            raise UsageError("usage.cameras", "the path of the cameras is empty")
        cameras = read_cameras(source)
    elif isinstance(source, Sequence):
        cameras = list(source)
    else:
        raise UsageError(
            "usage.cameras", f"expected cameras or the path of a file of them, not {type(source).__name__}"
        )
    for number, camera in enumerate(cameras):
        if not isinstance(camera, Camera):
            raise UsageError("usage.cameras", f"number {number} of the cameras is a {type(camera).__name__}")
        if fault := fault_of(camera):
            raise UsageError("usage.cameras", f"camera {camera.name or number}: {fault}")
    if not cameras:
        raise UsageError("usage.cameras", "an empty list of cameras; None makes some up")
    kept = [camera for camera in cameras if camera.split == "train"]
    kept = kept or [camera for camera in cameras if camera.split != "test"]
    if not kept:
        raise UsageError("usage.cameras", "all cameras are marked as test: none is left to look through")
    return kept


def is_usable(camera: Camera) -> bool:
    """Whether a picture can be rendered from there."""
    return not fault_of(camera)


def fault_of(camera: Camera) -> str:
    """Why no picture can be rendered from there; nothing if one can."""
    for name in ("width", "height"):
        side = getattr(camera, name)
        if isinstance(side, bool) or not isinstance(side, Integral) or not 1 <= int(side) <= MAX_SIDE:
            return f"{name} is {side!r}, not a whole number from 1 to {MAX_SIDE}"
    lens = _finite([camera.fx, camera.fy, camera.cx, camera.cy], (4,))
    if lens is None or np.abs(lens).max() > MAX_NUMBER:
        return "fx, fy, cx and cy are not four finite numbers of sane size"
    if lens[:2].min() < MIN_FOCAL:
        return f"a focal length is under {MIN_FOCAL:g}"
    position, rotation = _finite(camera.position, (3,)), _finite(camera.rotation, (3, 3))
    if position is None or np.abs(position).max() > MAX_NUMBER:
        return "the position is not three finite numbers of sane size"
    if rotation is None or np.abs(rotation).max() > 2:
        return "the rotation is not orthonormal"
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > SKEW:
        return "the rotation is not orthonormal"
    return "" if np.linalg.det(rotation) > 0 else "the rotation is a reflection"


def _finite(values: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.shape == shape and np.isfinite(array).all() else None


def finite_rows(splats: Splats) -> NDArray[np.bool_]:
    """(N,) whether every value that is rendered is finite."""
    finite = np.isfinite(splats.opacities)
    for array in (splats.positions, splats.scales, splats.rotations, splats.sh_dc, splats.sh_rest):
        finite &= whole_rows(np.isfinite(array))
    return np.asarray(finite)


def moved_cameras(cameras: list[Camera] | None, moved: Floats3) -> list[Camera] | None:
    """Cameras that follow splats from whose positions `moved` was subtracted."""
    if cameras is None or not any(moved):
        return cameras
    return [replace(camera, position=camera.position - np.array(moved)) for camera in cameras]


def scene_header(
    splats: Splats,
    coordinate_system: int = coordinate_systems.UNSPECIFIED,
    rendering_model: int = rendering_models.CLASSIC,
) -> SceneHeader:
    """Of a file of `splats`. Raises `EncodeError` "encode.extra"."""
    found = []
    for number, (name, array) in enumerate(splats.extras.items()):
        dtype = array.dtype.newbyteorder("<")
        if dtype not in extras.TYPES:
            raise EncodeError("encode.extra", f"extra attribute {name!r} has type {array.dtype}")
        components = 1 if array.ndim == 1 else array.shape[1]
        if not 1 <= components <= 255:
            raise EncodeError("encode.extra", f"extra attribute {name!r} has {components} components")
        found.append(
            ExtraAttribute(
                id=FIRST_EXTRA_ID + number, name=name, type=extras.TYPES[dtype], components=components
            )
        )
    system = next(row for row in coordinate_systems.ROWS if row.value == coordinate_system)
    return SceneHeader(
        sh_degree=splats.sh_degree,
        coordinate_system=system.value,
        up_axis=system.up_axis,
        handedness=system.handedness,
        rendering_model=rendering_model,
        extras=tuple(found),
    )


def array_of(value: Any, key: str) -> NDArray[Any]:
    """An array, or what a tensor of any device holds: told by its methods, so that nothing imports torch."""
    for method in ("detach", "cpu", "numpy"):
        if callable(getattr(value, method, None)):
            try:
                value = getattr(value, method)()
            except (TypeError, RuntimeError) as error:
                raise UsageError("usage.splats", f"{key} cannot become an array: {error}") from error
    try:
        return np.asarray(value)
    except ValueError as error:
        raise UsageError("usage.splats", f"{key} is no array: {error}") from error


def _single(value: Any, key: str) -> NDArray[np.float32]:
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "float", None)):
        value = value.detach().float()  # numpy lacks some of the types that tensors have
    array = array_of(value, key)
    if array.dtype.kind not in "fiu":
        raise UsageError("usage.splats", f"{key} holds {array.dtype}, expected numbers")
    with np.errstate(over="ignore"):  # infinite then, and so treated as other infinite values are
        return np.ascontiguousarray(array, np.float32) if array.ndim else array.astype(np.float32)
