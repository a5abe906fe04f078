"""`make_rig`: cameras for a scene whose own are unknown; `closer`: cameras that step up to what they see.

The views are those of anyone who might look: around the scene from outside, from free places within it, and
close to its detail. They need only cover what can be seen, about as often as viewers see it; so everything
here works on a thinned scene and a coarse grid, and is the same for the same splats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.splats import Splats

Float64 = NDArray[np.float64]
Kind = Literal["auto", "all", "outside", "inside", "near"]

SAMPLE = 60_000  # splats that are looked at
CELLS = 64  # of the grid along its longest side
MARGIN = 0.3  # of the grid around the scene's box, in sizes of the scene: cameras stand there too
COVERED = 0.25  # a cell blocks the view when its splats would cover this share of one of its faces
GOLDEN = math.pi * (3 - math.sqrt(5))  # azimuths at this step never bunch, however many there are
ELEVATIONS = (20.0, 8.0, 48.0, -12.0, 34.0, 60.0, 14.0, 80.0, 27.0, -40.0)  # degrees above the horizon
FIELD = {"outside": 50.0, "inside": 75.0, "near": 55.0}  # degrees across the picture
PLACES = 800  # free places that are considered
CHOICE = 40  # places that are good enough
INSIDE = (0.06, 0.33)  # share of the views that are from inside, in a scene with no inside and in a room
NEAR = 0.33  # share of the views that are close to detail
LOOKS = 3  # views from one place inside


@dataclass(frozen=True, slots=True)
class _Scene:
    """A thinned scene: what the placing of cameras needs to know.

    points  (M, 3)  centres            mass    (M,)  opacities, times the splats that each stands for
    axes    (M, 2, 3)  the two longer half axes, scene units
    width   (M,)  geometric mean of those, at most the scene's size
    detail  (M,)    opacity per size: high where splats are small
    low high (3,)   the box of the middle 96 % of the opacity along each axis
    up      (3,)    unit vector
    """

    points: Float64
    mass: Float64
    axes: Float64
    width: Float64
    detail: Float64
    low: Float64
    high: Float64
    up: Float64

    def unevenness(self, eyes: Float64) -> Float64:
        """(P, 3) -> (P,): how much the angles differ under which splats appear from there, hidden ones too.

        Training makes splats the smaller the nearer the cameras come, so that from where they were all
        appear of much the same size; elsewhere, from afar too, they do not.
        """
        points, width = (array[:: -(-len(self.width) // 1500)] for array in (self.points, self.width))
        points, eyes = (points - self.centre) / self.size, (eyes - self.centre) / self.size
        squares = (eyes**2).sum(1)[:, None] + (points**2).sum(1) - 2 * eyes @ points.T
        return np.asarray((np.log(width) - np.log(np.maximum(squares, 1e-8)) / 2).std(axis=1))

    @property
    def centre(self) -> Float64:
        return (self.low + self.high) / 2

    @property
    def size(self) -> float:
        return float((self.high - self.low).max())


@dataclass(frozen=True, slots=True)
class _Grid:
    """Cells of one size over the scene's box and a margin.

    blocked  (x, y, z)  whether the cell hides what is behind it
    detail   (cells,)   the detail in it
    """

    origin: Float64
    cell: float
    blocked: NDArray[np.bool_]
    detail: Float64

    def march(self, starts: Float64, directions: Float64, reach: float) -> tuple[Float64, NDArray[np.intp]]:
        """The free distance from each start (R, 3) along its direction (R, 3).

        (R,) distances, `reach` where nothing is hit; (R,) the flat numbers of the cells hit, or -1.
        """
        free, hit = np.full(len(starts), reach), np.full(len(starts), -1, np.intp)
        rays = np.arange(len(starts))
        blocked = self.blocked.ravel()
        for step in np.arange(self.cell, reach, self.cell):
            cells, inside = _cells(self.origin, self.cell, self.blocked.shape, starts + step * directions)
            stopped = inside & blocked[cells]
            free[rays[stopped]], hit[rays[stopped]] = step, cells[stopped]
            going = inside & ~stopped  # a ray that has left the grid does not come back
            rays, starts, directions = rays[going], starts[going], directions[going]
        return free, hit


def _cells(
    origin: Float64, cell: float, shape: tuple[int, ...], points: Float64
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(N, 3) points -> (N,) flat cell numbers, 0 where outside, and which are inside."""
    at = np.floor((points - origin) / cell)
    inside = np.asarray(((at >= 0) & (at < shape)).all(1))
    at = np.where(inside[:, None], at, 0)
    return ((at[:, 0] * shape[1] + at[:, 1]) * shape[2] + at[:, 2]).astype(np.intp), inside


def make_rig(
    splats: Splats, kind: Kind = "auto", *, views: int = 48, size: tuple[int, int] = (400, 300)
) -> list[Camera]:
    """`views` cameras of `size` (width, height) pixels that together see what viewers of the scene may see.

    kind  "outside": around the whole scene, at the distance where it fits and at half of that
          "inside": from free places within it, in several directions
          "near": towards spots of detail, at 1/2 to 1/4 of twice the extent of all detail, where that is free
          "auto", "all": all three, more of them inside where there is an inside

    The cameras depend on the splats alone. Splats that are not finite are passed over; a scene without any
    others gets cameras around the origin. Raises `UsageError` "usage.rig".
    """
    if kind not in get_args(Kind):
        raise UsageError("usage.rig", f"unknown kind of rig {kind!r}; expected one of {get_args(Kind)}")
    if views < 1 or min(size) < 1:
        raise UsageError("usage.rig", f"{views} views of {size[0]} x {size[1]} pixels: at least 1 of each")
    scene = _scene(splats)
    grid = _grid(scene)
    eyes = _Eyes(scene, grid)
    inner, near = round(views * (INSIDE[0] + (INSIDE[1] - INSIDE[0]) * eyes.inside)), round(views * NEAR)
    if kind in ("outside", "inside", "near"):
        inner, near = views * (kind == "inside"), views * (kind == "near")
    outer = _outside(scene, views - inner - near, size)
    return [*outer, *_inside(scene, eyes, inner, size), *_near(scene, grid, eyes, near, size)]


def closer(cameras: Sequence[Camera], depths: Sequence[float], share: float) -> list[Camera]:
    """The cameras at `share` (0 to 1) of their distances `depths`, scene units, to what they look at.

    Raises `UsageError` "usage.rig".
    """
    if len(depths) != len(cameras) or not 0 < share <= 1 or not all(map(math.isfinite, depths)):
        raise UsageError("usage.rig", "closer needs one finite depth for each camera, and a share of 0 to 1")
    return [camera.advanced((1 - share) * depth) for camera, depth in zip(cameras, depths, strict=True)]


def focus_depth(depth: NDArray[Any], alpha: NDArray[Any]) -> float:
    """The median, weighted by alpha, of the depth in the middle third of a picture; 0 where it is empty.

    depth, alpha  (H, W): distances along the camera's axis, scene units; opacities 0 to 1
    """
    height, width = depth.shape
    middle = (slice(height // 3, height - height // 3), slice(width // 3, width - width // 3))
    depths, weights = (
        np.asarray(depth[middle], np.float64).ravel(),
        np.asarray(alpha[middle], np.float64).ravel(),
    )
    good = np.isfinite(depths) & (weights > 0)
    return float(_quantiles(depths[good], weights[good], 0.5)) if good.any() else 0.0


# ---- the scene --------------------------------------------------------------------------------------------


def _quantiles(values: Float64, weights: Float64, share: float) -> float:
    """The value below which `share` of the weight lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, share * total[-1])]])


def _scene(splats: Splats) -> _Scene:
    step = max(1, -(-len(splats) // SAMPLE))
    points, scales = splats.positions[::step].astype(np.float64), splats.scales[::step].astype(np.float64)
    turns, logits = splats.rotations[::step].astype(np.float64), splats.opacities[::step].astype(np.float64)
    good = np.isfinite(points).all(1) & np.isfinite(scales).all(1) & np.isfinite(turns).all(1)
    good &= ~np.isnan(logits) & (logits > -5)  # less is invisible: below 1/255 wherever it is seen
    points, scales, turns, logits = points[good], scales[good], turns[good], logits[good]
    if not len(points):
        points, scales = np.zeros((1, 3)), np.zeros((1, 3))
        turns, logits = np.array([[1.0, 0, 0, 0]]), np.zeros(1)
    mass = step / (1 + np.exp(-np.clip(logits, -50, 50)))
    low, high = (np.array([_quantiles(axis, mass, q) for axis in points.T]) for q in (0.02, 0.98))
    # One extent at least, for a point or a plane: that of the splats themselves.
    sigma = np.exp(np.clip(np.sort(scales, axis=1), -80, 80))
    own = max(3 * float(np.median(sigma[:, 2])), 1e-5 * float(np.median(np.abs(points))), 1e-9)
    pad = np.maximum(0, max(own, 0.02 * float((high - low).max())) - (high - low) / 2)
    low, high = low - pad, high + pad
    size = float((high - low).max())
    order = np.argsort(scales, axis=1, kind="stable")
    frames = _frames(turns)
    rows = np.arange(len(points))
    axes = np.stack([frames[rows, order[:, i]] * np.minimum(sigma[:, i], size)[:, None] for i in (1, 2)], 1)
    # The smallest tenth count alike: those far below any pixel are not the more detail for it.
    width = np.sqrt(np.clip(sigma[:, 1] * sigma[:, 2], (1e-9 * size) ** 2, size**2))
    detail = mass / np.maximum(width, max(float(np.quantile(width, 0.1)), 1e-4 * size))
    up = _up(frames[rows, order[:, 0]], mass * (sigma[:, 0] < 0.3 * sigma[:, 1]))
    return _Scene(points, mass, axes, width, detail, low, high, up)


def _frames(turns: Float64) -> Float64:
    """(M, 3, 3) own axes, as rows, of the splats with the quaternions (M, 4)."""
    w, x, y, z = (turns / np.maximum(np.linalg.norm(turns, axis=1, keepdims=True), 1e-30)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
        [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
        [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _up(normals: Float64, weights: Float64) -> Float64:
    """-y, as in COLMAP's scenes, or +z where floors lie that way; tilted to where the normals agree."""
    guess = np.array([0.0, -1.0, 0.0])
    along = np.abs(normals) > math.cos(math.radians(15))
    level = (along * weights[:, None]).sum(0)
    if level[2] > 2 * level[1]:
        guess = np.array([0.0, 0.0, 1.0])
    upright = normals @ guess
    near = np.abs(upright) > math.cos(math.radians(25))
    total = (normals * (np.sign(upright) * weights * near)[:, None]).sum(0) + 1e-9 * guess
    return np.asarray(total / np.linalg.norm(total))


def _grid(scene: _Scene) -> _Grid:
    cell = (1 + 2 * MARGIN) * scene.size / CELLS
    sides = scene.high - scene.low + 2 * MARGIN * scene.size
    shape = tuple(math.ceil(float(side) / cell) for side in sides)
    origin = scene.centre - np.array(shape, np.float64) * (cell / 2)
    # A large splat is spread over the cells that it crosses: nine points of it, to 1.5 sigma.
    length = np.linalg.norm(scene.axes, axis=2)
    area = scene.mass * math.pi * length[:, 0] * length[:, 1]
    large = length[:, 1] > cell / 3
    spread = [(u, v) for u in (-1.5, 0.0, 1.5) for v in (-1.5, 0.0, 1.5)]
    across = [u * scene.axes[large, 0] + v * scene.axes[large, 1] for u, v in spread]
    points = np.concatenate([scene.points[~large], *(scene.points[large] + offset for offset in across)])
    areas = np.concatenate([area[~large], *[area[large] / len(spread)] * len(spread)])
    cells, inside = _cells(origin, cell, shape, points)
    count = math.prod(shape)
    blocked = np.bincount(cells[inside], areas[inside], count) > COVERED * cell**2
    cells, inside = _cells(origin, cell, shape, scene.points)
    detail = np.bincount(cells[inside], scene.detail[inside], count).astype(np.float64)
    return _Grid(origin, cell, blocked.reshape(shape), detail)


# ---- the cameras ------------------------------------------------------------------------------------------


def _look(
    eye: Float64, target: Float64, up: Float64, field: float, size: tuple[int, int], name: str
) -> Camera:
    """A camera at `eye` that looks at `target` and sees `field` degrees across."""
    forward = target - eye
    length = float(np.linalg.norm(forward))
    forward = forward / length if length > 0 else _sideways(up)
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-3:
        right = np.cross(forward, _sideways(up))
    right /= np.linalg.norm(right)
    focal, (x, y) = size[0] / 2 / math.tan(math.radians(field) / 2), size
    axes = np.stack([right, np.cross(forward, right), forward])
    lens: dict[str, Any] = {"fx": focal, "fy": focal, "cx": x / 2, "cy": y / 2}
    return Camera(width=x, height=y, position=eye, rotation=axes, name=name, **lens)


def _sideways(up: Float64) -> Float64:
    """A unit vector at right angles to `up`."""
    side = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    return np.asarray(side / np.linalg.norm(side))


def _direction(up: Float64, azimuth: Any, elevation: Any) -> Float64:
    """(..., 3) unit vectors at angles in radians around and above the plane across `up`."""
    first = _sideways(up)
    second = np.cross(up, first)
    azimuth, elevation = np.asarray(azimuth)[..., None], np.asarray(elevation)[..., None]
    level = np.cos(azimuth) * first + np.sin(azimuth) * second
    return np.asarray(np.cos(elevation) * level + np.sin(elevation) * up)


def _fit(scene: _Scene, towards: Float64, size: tuple[int, int]) -> float:
    """How far from the centre, on the side `towards`, an eye has 99 % of the opacity in its picture."""
    camera = _look(scene.centre + towards, scene.centre, scene.up, FIELD["outside"], size, "")
    step = -(-len(scene.points) // 5000)
    local = (scene.points[::step] - scene.centre) @ camera.rotation.T
    need = np.abs(local[:, :2]) / (np.array(size) / 2 / camera.fx)
    return max(_quantiles(need.max(1) - local[:, 2], scene.mass[::step], 0.99), 0.6 * scene.size)


def _outside(scene: _Scene, views: int, size: tuple[int, int]) -> list[Camera]:
    cameras = []
    for number in range(views):
        elevation = math.radians(ELEVATIONS[number // 2 % len(ELEVATIONS)])
        towards = _direction(scene.up, number * GOLDEN, elevation)
        distance = _fit(scene, towards, size) * (1.0, 0.5)[number % 2]
        eye = scene.centre + distance * towards
        cameras.append(_look(eye, scene.centre, scene.up, FIELD["outside"], size, f"outside{number:03d}"))
    return cameras


def _spread(points: Float64, weights: Float64, count: int) -> NDArray[np.intp]:
    """`count` of the points: the heaviest, then ever that with the most weight times squared distance."""
    chosen = [int(weights.argmax())]
    far = np.full(len(points), np.inf)
    while len(chosen) < count:
        far = np.minimum(far, ((points - points[chosen[-1]]) ** 2).sum(1))
        worth = weights * far
        chosen.append(int(worth.argmax()) if worth.max() > 0 else chosen[len(chosen) % len(points)])
    return np.array(chosen[:count], np.intp)


def _near(scene: _Scene, grid: _Grid, eyes: _Eyes, views: int, size: tuple[int, int]) -> list[Camera]:
    """Towards the middles of the cells with detail, each from a direction from which it is not hidden."""
    cells, inside = _cells(grid.origin, grid.cell, grid.blocked.shape, scene.points)
    cells, points, weights = cells[inside], scene.points[inside], scene.detail[inside]
    total = np.bincount(cells, weights).astype(np.float64)
    used = np.flatnonzero(total)
    middles = np.stack([np.bincount(cells, weights * axis)[used] / total[used] for axis in points.T], 1)
    spots = middles[_spread(middles, total[used], views)]
    box = [_quantiles(axis, weights, q) for axis in points.T for q in (0.1, 0.9)]
    whole = 2 * max(*np.diff(box)[::2], 0.1 * scene.size)
    ring = np.arange(24)
    around = _direction(scene.up, ring * GOLDEN, np.radians(np.array([10.0, 35.0, -10.0, 60.0])[ring % 4]))
    cameras = []
    for number, spot in enumerate(spots):
        distance = whole * (0.5, 0.25)[number % 2]
        turned = np.roll(around, -5 * number, axis=0)  # of equally free ways another one every time
        free, _ = grid.march(
            spot + 2 * grid.cell * turned, turned, distance
        )  # the spot itself is no obstacle
        steps = np.maximum(0.8 * free, min(distance, 3 * grid.cell))
        stands = spot + turned * steps[:, None]
        # Both sides of a surface are free where it is hollow: that of an object is seen from outside.
        outward = turned @ (spot - scene.centre) / max(float(np.linalg.norm(spot - scene.centre)), 1e-30)
        worth = free / distance * np.exp(0.5 * outward * (1 - 2 * eyes.inside))
        worth *= np.exp(-8 * eyes.even * scene.unevenness(stands))
        eye = stands[int(np.argmax(np.round(worth / worth.max(), 1)))]
        cameras.append(_look(eye, spot, scene.up, FIELD["near"], size, f"near{number:03d}"))
    return cameras


class _Eyes:
    """Free places in and about a scene, and what is seen from there.

    places (P, 3)   score (P,)  how likely a viewer stands there
    rays   (R, 3)   detail (P, R)  where they end
    inside  0 to 1: whether the scene has an inside at all, as a room has and a hollow object has not
    """

    def __init__(self, scene: _Scene, grid: _Grid) -> None:
        ring = np.arange(32)
        heights = np.arcsin(1 - (2 * ring + 1) / len(ring))  # evenly over the sphere
        self.rays = _direction(scene.up, ring * GOLDEN, heights)
        places = grid.origin + (np.argwhere(~grid.blocked) + 0.5) * grid.cell
        places = places[:: max(1, len(places) // PLACES)] if len(places) else scene.centre[None]
        shape = len(places), len(ring)
        starts, rays = np.repeat(places, shape[1], axis=0), np.tile(self.rays, (shape[0], 1))
        distance, hit = (found.reshape(shape) for found in grid.march(starts, rays, 1.5 * scene.size))
        enclosed = (hit >= 0).mean(1)
        near, clear = (np.quantile(distance, share, axis=1) / scene.size for share in (0.1, 0.5))
        # Free places with something all around, but not close by, are rare in and about objects.
        within = ((places >= scene.low) & (places <= scene.high)).all(1)
        room = float((within & (enclosed > 0.7) & (clear > 0.1)).sum() / max(1, within.sum()))
        uneven = scene.unevenness(places)
        even = 1 - (float(uneven.min()) + 1e-9) / (float(np.log(scene.width).std()) + 1e-9)
        room, self.even = min(1.0, room / 0.2), min(1.0, max(0.0, (even - 0.08) / 0.04))
        self.inside = max(room, self.even)
        score = np.exp((2 + 6 * self.even) * (uneven.min() - uneven)) * np.minimum(near / 0.1, 1)
        score *= (0.2 + enclosed) ** (3 * room * (1 - self.even) + self.inside - 0.75)
        good = score >= np.sort(score)[-min(len(score), CHOICE)]
        self.places, self.score = places[good], score[good]
        self.detail = np.where(hit >= 0, np.sqrt(grid.detail[hit]), 0)[good]


def _inside(scene: _Scene, eyes: _Eyes, views: int, size: tuple[int, int]) -> list[Camera]:
    azimuths = np.arange(12) * (math.tau / 12)
    looks = np.concatenate([_direction(scene.up, azimuths, math.radians(pitch)) for pitch in (0, -25, 15)])
    seen = (looks @ eyes.rays.T > math.cos(math.radians(35))).astype(np.float64)
    cameras: list[Camera] = []
    places = _spread(eyes.places, eyes.score**2 + 1e-9, -(-views // LOOKS))
    for place in places:
        worth = eyes.detail[place] @ seen.T + 1e-9 * np.arange(len(looks))[::-1]
        for _ in range(LOOKS):
            look = looks[int(worth.argmax())]
            # Not the same again, and rather something else; but not away from all there is to see.
            facing = looks @ look
            worth *= np.where(facing > math.cos(math.radians(20)), 0.0, np.where(facing > 0.6, 0.3, 1.0))
            eye, name = eyes.places[place], f"inside{len(cameras):03d}"
            cameras.append(_look(eye, eye + look * scene.size, scene.up, FIELD["inside"], size, name))
    return cameras[:views]
