"""python -m benchmarks.dynamic.sequences NAME --scenes DIR --out DIR

Writes a sequence of PLY files, DIR/NAME/00000.ply and so on, and cameras.json: a real static scene, cut out
around its middle, that is moved in a known way. Splats keep their order, so that index is identity; those
that are not born yet, or dead, have an opacity of nearly 0. The same files for the same name.

`sway`   everything bends to and fro, more the higher it is, with noise of a tenth of the splat's size on
         every trajectory; some places fade, some splats are born or die
`twist`  everything turns about an axis, more the higher it is, there and back, with the same noise
`still`  nothing moves but a ball of splats in the middle, which turns and floats; no noise
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gscodec
from gscodec.evaluate.camera_files import read_cameras, write_cameras
from gscodec.splats import Splats

Floats = NDArray[np.float64]
Field = Callable[
    [Floats, float], Floats
]  # places (N, 3) in units of the scene's size, seconds -> moved places
GONE = -12.0  # logit of the opacity of what is not there
SEED = 6


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a sequence is made: of which scene, how many splats and frames; what moves how."""

    source: str
    keep: int
    frames: int
    fps: int = 30
    noise: float = 0.0  # of the geometric mean of a splat's axes, in every coordinate of every frame
    comes_and_goes: float = 0.0  # share of the splats that are born or die; as many fade in places
    field: Field
    moving: Callable[[Floats], NDArray[np.bool_]] | None = None  # of places; None: all


def sway(x: Floats, t: float) -> Floats:
    """Bends sideways, by up to 4 % of the size at the top, slower and faster places mixed."""
    height = np.clip(x[:, 1] + 0.5, 0, 1.5) ** 2
    phase = 2.0 * x[:, 0] + 1.5 * x[:, 2]
    side = 0.04 * height * np.sin(2 * np.pi * 0.35 * t + phase)
    deep = 0.02 * height * np.sin(2 * np.pi * 0.5 * t + 2 * phase + 1)
    return np.stack([x[:, 0] + side, x[:, 1], x[:, 2] + deep], 1)


def twist(x: Floats, t: float) -> Floats:
    """Turns about the second axis, by up to 20 degrees at the top, and back."""
    angle = np.radians(20) * (x[:, 1] + 0.5) * np.sin(2 * np.pi * 0.3 * t)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * x[:, 0] + s * x[:, 2], x[:, 1], c * x[:, 2] - s * x[:, 0]], 1)


def float_about(x: Floats, t: float) -> Floats:
    """Turns as a whole, and floats up and down."""
    angle = np.radians(25) * np.sin(2 * np.pi * 0.2 * t)
    c, s = np.cos(angle), np.sin(angle)
    up = 0.03 * np.sin(2 * np.pi * 0.25 * t)
    return np.stack([c * x[:, 0] + s * x[:, 2], x[:, 1] + up, c * x[:, 2] - s * x[:, 0]], 1)


RECIPES = {
    "sway": Recipe(source="fox", keep=40_000, frames=120, noise=0.1, comes_and_goes=0.03, field=sway),
    "twist": Recipe(source="ghost.ply", keep=60_000, frames=120, noise=0.1, field=twist),
    "still": Recipe(
        source="bonsai_long", keep=40_000, frames=300, field=float_about,
        moving=lambda x: np.asarray(np.linalg.norm(x, axis=1) < np.quantile(np.linalg.norm(x, axis=1), 0.08)),
    ),
}  # fmt: skip


def scene_of(recipe: Recipe, scenes: Path) -> Splats:
    """The splats nearest to the middle of the scene, in the scene's order."""
    path = scenes / "scenes" / recipe.source
    splats = gscodec.read(path if path.is_file() else path / "point_cloud.ply")
    away = np.linalg.norm(splats.positions - np.median(splats.positions, axis=0), axis=1)
    near = np.sort(np.argsort(away, kind="stable")[: recipe.keep])
    return splats.take(near)


def jacobian_turns(field: Field, x: Floats, t: float) -> Floats:
    """(N, 3, 3) the rotation of the motion from time 0 to t at each place."""
    step = 1e-4
    columns = []
    for axis in range(3):
        shift = np.zeros(3)
        shift[axis] = step
        columns.append((field(x + shift, t) - field(x - shift, t)) / (2 * step))
    u, _, v = np.linalg.svd(np.stack(columns, 2))
    return np.asarray(u @ v)


def turned(rotations: NDArray[np.float32], turns: Floats) -> NDArray[np.float32]:
    """(N, 4) quaternions, turned by rotation matrices of less than half a turn."""
    w = np.sqrt(np.maximum(1 + turns[:, 0, 0] + turns[:, 1, 1] + turns[:, 2, 2], 1e-9)) / 2
    x, y, z = ((turns[:, i, j] - turns[:, j, i]) / (4 * w) for i, j in ((2, 1), (0, 2), (1, 0)))
    a, b, c, d = rotations.astype(np.float64).T
    product = [
        w * a - x * b - y * c - z * d,
        w * b + x * a + y * d - z * c,
        w * c - x * d + y * a + z * b,
        w * d + x * c - y * b + z * a,
    ]
    return np.stack(product, 1).astype(np.float32)


def opacities_over_time(splats: Splats, x: Floats, recipe: Recipe, rng: np.random.Generator) -> Floats:
    """(frames, N) logits: births, deaths, and two places that fade out and in again."""
    out = np.repeat(splats.opacities[None].astype(np.float64), recipe.frames, 0)
    if not recipe.comes_and_goes:
        return out
    some = np.flatnonzero(rng.random(len(splats)) < recipe.comes_and_goes)
    times = rng.uniform(0.1, 0.9, len(some)) * recipe.frames
    frame = np.arange(recipe.frames)[:, None]
    is_there = np.where(rng.random(len(some)) < 0.5, frame >= times, frame < times)
    out[:, some] = np.where(is_there, out[:, some], GONE)
    places = x[rng.integers(0, len(x), 2)]
    for number, place in enumerate(places):
        away = np.linalg.norm(x - place, axis=1)
        near = np.argsort(away)[: round(recipe.comes_and_goes * len(x))]
        middle, width = (0.3 + 0.4 * number) * recipe.frames, 0.15 * recipe.frames
        share = 1 - 0.9 * np.exp(-(((frame[:, 0] - middle) / width) ** 2))
        shown = share[:, None] / (1 + np.exp(-out[:, near]))
        out[:, near] = np.log(shown / (1 - shown))
    return out


def frames(recipe: Recipe, splats: Splats) -> Iterator[Splats]:
    """The sequence, frame after frame."""
    rng = np.random.default_rng(SEED)
    middle = np.median(splats.positions, axis=0).astype(np.float64)
    size = np.ptp(np.quantile(splats.positions, (0.05, 0.95), axis=0), axis=0).max()
    x = (splats.positions - middle) / size
    moving = np.ones(len(x), bool) if recipe.moving is None else recipe.moving(x)
    start = recipe.field(x[moving], 0.0)
    opacities = opacities_over_time(splats, x, recipe, rng)
    mean_axis = np.exp(splats.scales.mean(1, dtype=np.float64))[moving, None]
    for number in range(recipe.frames):
        t = number / recipe.fps
        positions = splats.positions.astype(np.float64)
        rotations = splats.rotations.copy()
        moved = x[moving] + recipe.field(x[moving], t) - start
        noise = recipe.noise * mean_axis * rng.standard_normal((np.count_nonzero(moving), 3))
        positions[moving] = middle + size * moved + noise
        if number:
            first = jacobian_turns(recipe.field, x[moving], 0.0)
            turns = jacobian_turns(recipe.field, x[moving], t) @ first.transpose(0, 2, 1)
            rotations[moving] = turned(rotations[moving], turns)
        yield replace(
            splats,
            positions=positions.astype(np.float32),
            rotations=rotations,
            opacities=opacities[number].astype(np.float32),
        )


def cameras_for(recipe: Recipe, scenes: Path, reference: Path, out: Path) -> None:
    """Three cameras of the scene's own that are marked test, or around it."""
    own = scenes / "scenes" / recipe.source / "cameras.json"
    if own.is_file():
        test = [camera for camera in read_cameras(own) if camera.split == "test"]
        write_cameras(out, test[:: max(1, len(test) // 3)][:3])
        return
    from gscodec.evaluate.rigs import make_rig

    write_cameras(out, make_rig(gscodec.read(reference), "outside", views=3, size=(400, 300)))


def write(name: str, scenes: Path, out: Path) -> Path:
    """The sequence as files, unless they are there. Its folder."""
    recipe, folder = RECIPES[name], out / name
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "cameras.json").is_file():
        return folder
    for number, frame in enumerate(frames(recipe, scene_of(recipe, scenes))):
        gscodec.write(folder / f"{number:05d}.ply", frame)
    cameras_for(recipe, scenes, folder / "00000.ply", folder / "cameras.json")
    return folder


def main() -> None:
    """Write one sequence."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dynamic.sequences", description=__doc__)
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(write(options.name, options.scenes, options.out))


if __name__ == "__main__":
    main()
