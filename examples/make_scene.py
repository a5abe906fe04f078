"""Make `made_scene.ply`: a small invented scene with the look of a trained one.

    python examples/make_scene.py [OUT.ply]

A round wooden table on tiles, on it glossy balls, a golden ring and a matt vase, around it a far backdrop
and some stray splats. As after training: flat discs on surfaces, sizes and opacities spread out,
quaternions of any length, view-dependent colour (gloss) in the harmonics with noise on top, no order.
Everything comes from one seed; another machine's sine may change last digits, no more.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.io import write_ply
from gscodec.splats import Splats

Array = NDArray[np.float64]

SEED = 20240229
LIGHT = np.array([0.45, -0.35, 0.82])  # towards the lamp; z is up while building
C0 = 0.28209479177387814  # value of the constant harmonic
GOLDEN = (5**0.5 - 1) / 2

TABLE_TOP = 0.75
RED_BALL, BLUE_BALL, PEARL = (-0.32, 0.22, 0.24), (0.38, 0.36, 0.17), (0.12, -0.46, 0.11)  # x, y, radius
RING_AT, RING_RADIUS, RING_TUBE = (0.3, -0.05), 0.24, 0.075
VASE_AT = (-0.12, 0.62)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Samples of one surface.

    points, normals, colours (N, 3); gloss (N,) strength of the highlight; area, of the whole surface, says
    how large the discs must be to cover it; flatness is thickness over width.
    """

    points: Array
    normals: Array
    colours: Array
    gloss: Array
    area: float
    flatness: float = 0.08
    glows: bool = False  # shows its colour whatever the lamp does
    faint: float = 0.12  # share of half-transparent splats


def lattice(count: int) -> tuple[Array, Array]:
    """Evenly spread points of the unit square."""
    i = np.arange(count, dtype=np.float64)
    return (i + 0.5) / count, (i * GOLDEN) % 1.0


def sphere(count: int, x: float, y: float, radius: float, colour: tuple[float, float, float]) -> Surface:
    """A glossy ball that lies on the table."""
    u, v = lattice(count)
    z, angle = 1 - 2 * u, 2 * np.pi * v
    level = np.sqrt(1 - z * z)
    normals = np.stack([level * np.cos(angle), level * np.sin(angle), z], 1)
    return Surface(
        points=np.array([x, y, TABLE_TOP + radius]) + radius * normals,
        normals=normals,
        colours=np.tile(colour, (count, 1)),
        gloss=np.full(count, 0.55),
        area=4 * np.pi * radius**2,
    )


def ring(count: int) -> Surface:
    """The golden ring, flat on the table: a torus."""
    u, v = lattice(count)
    around = 2 * np.pi * v
    # More samples on the outer side, where there is more surface.
    share = RING_TUBE / RING_RADIUS
    across = 2 * np.pi * u
    for _ in range(12):
        across = 2 * np.pi * u - share * np.sin(across)
    out = np.stack([np.cos(around), np.sin(around), np.zeros(count)], 1)
    normals = np.cos(across)[:, None] * out + np.sin(across)[:, None] * np.array([0.0, 0.0, 1.0])
    centre = np.array([*RING_AT, TABLE_TOP + RING_TUBE])
    return Surface(
        points=centre + RING_RADIUS * out + RING_TUBE * normals,
        normals=normals,
        colours=np.tile([0.83, 0.6, 0.2], (count, 1)),
        gloss=np.full(count, 0.7),
        area=4 * np.pi**2 * RING_RADIUS * RING_TUBE,
    )


def vase(count: int) -> Surface:
    """A matt, striped body of revolution."""
    height = 0.62
    u, v = lattice(count)
    angle = 2 * np.pi * v
    radius = 0.11 + 0.07 * np.sin(2 * np.pi * u * 0.85 + 0.2)
    slope = 0.07 * 2 * np.pi * 0.85 * np.cos(2 * np.pi * u * 0.85 + 0.2) / height
    out = np.stack([np.cos(angle), np.sin(angle), -slope], 1)
    x, y = VASE_AT
    points = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle), TABLE_TOP + height * u], 1)
    band = 0.5 + 0.5 * np.tanh(6 * np.sin(5 * np.pi * u))
    colours = band[:, None] * [0.86, 0.83, 0.74] + (1 - band)[:, None] * [0.13, 0.42, 0.4]
    return Surface(
        points=points,
        normals=out / np.linalg.norm(out, axis=1, keepdims=True),
        colours=colours,
        gloss=np.full(count, 0.12),
        area=2 * np.pi * 0.13 * height,
    )


def disc(count: int, radius: float, height: float) -> tuple[Array, Array]:
    """Points of a level disc, and their upward normals."""
    u, v = lattice(count)
    r, angle = radius * np.sqrt(u), 2 * np.pi * v
    points = np.stack([r * np.cos(angle), r * np.sin(angle), np.full(count, height)], 1)
    return points, np.tile([0.0, 0.0, 1.0], (count, 1))


def table_top(count: int) -> Surface:
    points, normals = disc(count, 0.98, TABLE_TOP)
    x, y = points[:, 0], points[:, 1]
    grain = 0.5 + 0.5 * np.sin(21 * y + 2.5 * np.sin(2.2 * x) + 0.6 * np.sin(5 * x + 3 * y))
    colours = grain[:, None] * [0.72, 0.5, 0.29] + (1 - grain)[:, None] * [0.44, 0.25, 0.12]
    return Surface(
        points=points, normals=normals, colours=colours, gloss=np.full(count, 0.18), area=np.pi * 0.98**2
    )


def cylinder(count: int, x: float, y: float, radius: float, low: float, high: float) -> Surface:
    """The wooden rim of the table, or a leg."""
    u, v = lattice(count)
    angle = 2 * np.pi * v
    normals = np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], 1)
    points = np.array([x, y, low]) + radius * normals
    points[:, 2] += (high - low) * u
    return Surface(
        points=points,
        normals=normals,
        colours=np.tile([0.42, 0.25, 0.13], (count, 1)),
        gloss=np.full(count, 0.1),
        area=2 * np.pi * radius * (high - low),
    )


def floor(count: int) -> Surface:
    points, normals = disc(count, 2.6, 0.0)
    joint = np.minimum(np.abs(np.sin(np.pi * points[:, 0] / 0.9)), np.abs(np.sin(np.pi * points[:, 1] / 0.9)))
    tile = np.sin(np.pi * points[:, 0] / 0.9) * np.sin(np.pi * points[:, 1] / 0.9) > 0
    colours = np.where(tile[:, None], [0.66, 0.64, 0.6], [0.4, 0.43, 0.47])
    colours = colours * (0.75 + 0.25 * np.clip(3 * joint, 0, 1))[:, None]
    return Surface(
        points=points, normals=normals, colours=colours, gloss=np.full(count, 0.06), area=np.pi * 2.6**2
    )


def backdrop(count: int) -> Surface:
    """A far bowl: earth below, hills at the horizon, sky above."""
    u, v = lattice(count)
    z, angle = -0.25 + 1.25 * u, 2 * np.pi * v
    level = np.sqrt(1 - z * z)
    out = np.stack([level * np.cos(angle), level * np.sin(angle), z], 1)
    hill = 0.09 + 0.05 * np.sin(3 * angle) + 0.03 * np.sin(7 * angle + 1)
    sky = np.stack([0.74 - 0.45 * z, 0.82 - 0.3 * z, np.full(count, 0.92)], 1)
    ground = np.stack([0.3 + 0.1 * np.sin(5 * angle), np.full(count, 0.38), np.full(count, 0.24)], 1)
    colours = np.where((z > hill)[:, None], sky, ground)
    radius = 9.0
    return Surface(
        points=radius * out,
        normals=-out,
        colours=colours,
        gloss=np.zeros(count),
        area=2 * np.pi * radius**2 * 1.25,
        flatness=0.25,
        glows=True,
    )


def strays(count: int, random: np.random.RandomState) -> Surface:
    """Floaters: faint, anywhere, of any shape."""
    out = random.normal(size=(count, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    points = out * (0.8 + 2.2 * random.uniform(size=(count, 1)))
    points[:, 2] = 0.2 + np.abs(points[:, 2])
    return Surface(
        points=points,
        normals=out[::-1].copy(),
        colours=0.35 + 0.4 * random.uniform(size=(count, 3)),
        gloss=np.zeros(count),
        area=0.004 * count,
        flatness=0.4,
        faint=0.9,
    )


def shade(surface: Surface) -> Array:
    """Colours under the lamp, with soft shadows on what lies below the objects."""
    light = LIGHT / np.linalg.norm(LIGHT)
    lit = np.clip(surface.normals @ light, 0, None)
    for x, y, radius in (RED_BALL, BLUE_BALL, PEARL, (*RING_AT, RING_RADIUS * 0.9), (*VASE_AT, 0.15)):
        lit *= 1 - 0.75 * shadow(surface.points, np.array([x, y, TABLE_TOP + radius]), radius, light)
    lit *= 1 - 0.8 * shadow(surface.points, np.array([0, 0, TABLE_TOP]), 0.98, light)
    if surface.glows:
        return surface.colours
    below = np.clip(0.5 + 0.5 * surface.normals[:, 2], 0, 1)
    brightness: Array = 0.32 + 0.16 * below + 0.68 * lit
    return surface.colours * brightness[:, None]


def shadow(points: Array, centre: Array, radius: float, light: Array) -> Array:
    """0 to 1: how far a ball hides the lamp; only for points that are clearly behind it."""
    along = (points - centre) @ light
    beside = np.linalg.norm(points - centre - along[:, None] * light, axis=1)
    behind = np.clip((-along / radius - 0.35) * 4, 0, 1)
    hidden: Array = behind / (1 + np.exp(np.clip((beside / radius - 0.95) * 14, -40, 40)))
    return hidden


def harmonics(directions: Array) -> Array:
    """(N, 15) real spherical harmonics of degree 1 to 3, in the sign convention of the training code."""
    x, y, z = directions.T
    xx, yy, zz = x * x, y * y, z * z
    basis = [
        *(-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x),
        *(1.0925484305920792 * x * y, -1.0925484305920792 * y * z, 0.31539156525252005 * (2 * zz - xx - yy)),
        *(-1.0925484305920792 * x * z, 0.5462742152960396 * (xx - yy)),
        -0.5900435899266435 * y * (3 * xx - yy),
        2.890611442640554 * x * y * z,
        -0.4570457994644658 * y * (4 * zz - xx - yy),
        0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
        -0.4570457994644658 * x * (4 * zz - xx - yy),
        1.445305721320277 * z * (xx - yy),
        -0.5900435899266435 * x * (xx - 3 * yy),
    ]
    return np.stack(basis, 1)


def gloss(points: Array, normals: Array, strength: Array, light: Array) -> tuple[Array, Array]:
    """Highlights as harmonics: (N,) for the constant one, (N, 15) for the others.

    A lobe around the mirrored lamp, cut at degree 3. The training code looks from the camera to the
    splat, against the direction of the reflected light: odd degrees change sign.
    """
    mirrored = 2 * (normals @ light)[:, None] * normals - light
    facing = np.clip(4 * (normals @ light), 0, 1) * strength
    window = np.repeat([-0.85, 0.6, -0.33], [3, 5, 7])
    rim = harmonics(normals) * np.repeat([0.0, 0.1, 0.0], [3, 5, 7])
    rest = facing[:, None] * harmonics(mirrored) * window + 0.3 * strength[:, None] * rim
    wobble = 1 + 0.15 * np.sin(9 * points @ np.array([1.0, 0.7, -0.4]))
    return facing * C0 * wobble, rest * wobble[:, None]


def smooth_noise(points: Array, columns: int, random: np.random.RandomState) -> Array:
    """(N, columns) about unit variance, alike for neighbours: a few waves of random direction."""
    waves = random.normal(scale=3.0, size=(3, 12))
    phases = np.sin(points @ waves + random.uniform(0, 2 * np.pi, 12))
    return phases @ random.normal(size=(12, columns)) / 6**0.5


def quaternions(normals: Array, spin: Array) -> Array:
    """(N, 4) w first: spins a disc around its z axis, then turns that to the normal or against it."""
    up = np.where(normals[:, 2:] < 0, -normals, normals)
    half = np.stack([1 + up[:, 2], -up[:, 1], up[:, 0], np.zeros(len(up))], 1)
    w, x, y, _ = (half / np.linalg.norm(half, axis=1, keepdims=True)).T
    c, s = np.cos(spin / 2), np.sin(spin / 2)
    return np.stack([w * c, x * c + y * s, y * c - x * s, w * s], 1)


def y_down(vectors: Array) -> Array:
    """From z up to the frame of most trained scenes."""
    return np.stack([vectors[:, 0], -vectors[:, 2], vectors[:, 1]], 1)


def make_scene() -> Splats:
    """4,000 splats of SH degree 3; always the same ones."""
    # RandomState, unlike the newer generators, promises the same numbers in every version of numpy.
    random = np.random.RandomState(SEED)
    legs = [cylinder(36, x, y, 0.05, 0.0, 0.7) for x, y in ((0.6, 0.4), (-0.6, 0.4), (0.0, -0.7))]
    surfaces = [
        sphere(430, *RED_BALL, (0.75, 0.1, 0.08)),
        sphere(270, *BLUE_BALL, (0.1, 0.25, 0.72)),
        sphere(150, *PEARL, (0.85, 0.84, 0.8)),
        ring(520),
        vase(390),
        table_top(920),
        cylinder(190, 0.0, 0.0, 0.96, TABLE_TOP - 0.06, TABLE_TOP - 0.01),
        *legs,
        floor(742),
        backdrop(240),
        strays(40, random),
    ]
    parts = [as_splats(surface, random) for surface in surfaces]
    order = random.permutation(sum(len(part["positions"]) for part in parts))
    joined = {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
    arrays: dict[str, Any] = {name: values.astype(np.float32) for name, values in joined.items()}
    return Splats(**arrays)


def as_splats(surface: Surface, random: np.random.RandomState) -> dict[str, Array]:
    """The arrays of `Splats`, in float64."""
    count = len(surface.points)
    width = np.sqrt(surface.area / count)
    points, normals = y_down(surface.points), y_down(surface.normals)
    tilted = normals + random.normal(scale=0.04, size=(count, 3))
    tilted /= np.linalg.norm(tilted, axis=1, keepdims=True)

    sizes = np.log(0.62 * width) + random.normal(scale=0.22, size=(count, 1))
    sizes = sizes + random.normal(scale=0.18, size=(count, 3))
    sizes[:, 2] += np.log(surface.flatness) + random.normal(scale=0.5, size=count)

    faint = random.uniform(size=count) < surface.faint
    opacity = np.where(faint, random.normal(-0.6, 1.3, count), random.normal(4.6, 1.3, count))

    light = y_down(LIGHT[None] / np.linalg.norm(LIGHT))[0]
    glow, lobe = gloss(points, normals, surface.gloss, light)
    fade = np.repeat([1.0, 0.7, 0.5], [3, 5, 7])[:, None]
    rest = lobe[:, :, None] * np.array([1.0, 0.97, 0.9])
    rest = rest + 0.02 * fade * smooth_noise(points, 45, random).reshape(count, 15, 3)
    rest = rest + 0.012 * fade * random.normal(size=(count, 15, 3))
    colour = shade(surface) + glow[:, None] * C0 + random.normal(scale=0.012, size=(count, 3))

    spin = random.uniform(0, 2 * np.pi, count)
    length = np.exp(random.normal(scale=0.3, size=(count, 1)))
    jitter = random.normal(size=(count, 3)) * width * 0.1
    jitter -= (jitter * normals).sum(1, keepdims=True) * normals * 0.9
    return {
        "positions": points + jitter,
        "scales": sizes,
        "rotations": quaternions(tilted, spin) * length,
        "opacities": np.clip(opacity, -5.2, 12.0),
        "sh_dc": (colour - 0.5) / C0,
        "sh_rest": rest,
    }


def main() -> None:
    here = Path(__file__).resolve().parent
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else here / "made_scene.ply"
    scene = make_scene()
    write_ply(path, scene)
    print(f"{path}: {len(scene)} splats")


if __name__ == "__main__":
    main()
