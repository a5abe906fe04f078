"""Colours corrected on pictures: what else was lost, the constant terms make up for as well as they can."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.renderer import Renderer, View
from gscodec.splats import Splats

Float32 = NDArray[np.float32]
CONSTANT = 0.28209479177387814  # the harmonic of degree 0
STIFFNESS = 0.01  # of the mean row sum: keeps splats that no camera sees where they are


def pictures(splats: Splats, cameras: Sequence[Camera], threads: int) -> list[Float32]:
    """(H, W, 3) of each camera."""
    renderer = Renderer(splats, threads=threads)
    return [renderer.render(camera).rgb for camera in cameras]


def correction(
    splats: Splats,
    decoded: Splats,
    cameras: Sequence[Camera],
    *,
    steps: int,
    threads: int,
    tell: Callable[[float], None],
) -> Float32:
    """(N, 3) what to add to `decoded.sh_dc` (N) for pictures like those of `splats`: see `corrections`."""
    return corrections([(splats, decoded, cameras)], steps=steps, threads=threads, tell=tell)


def corrections(
    stages: Sequence[tuple[Splats, Splats, Sequence[Camera]]],
    *,
    steps: int,
    threads: int,
    tell: Callable[[float], None],
) -> Float32:
    """(N, 3) what to add to `sh_dc` of N splats that are decoded, for pictures nearer to those wanted.

    stages  splats as wanted, the N splats as they are at the same moment, cameras that look at both

    Least squares over all pixels by conjugate gradients; colours that the renderer clamps at 0 are treated as
    if they were not. The preconditioner is the row sums of the matrix, which is nowhere negative, in place of
    its diagonal: where many splats overlap, each then makes up for its share of the error, not for all of it.
    `tell` gets the share done.
    """
    n = len(stages[0][1])
    seen: list[tuple[Renderer, Camera]] = []
    overlap = np.zeros(n)
    rest = np.zeros((n, 3), np.float32)
    work, done = sum(len(cameras) for _, _, cameras in stages) * (steps + 1), 0

    def view_of(renderer: Renderer, camera: Camera) -> View:
        nonlocal done
        done += 1
        tell(done / work)
        return renderer.view(camera)

    for splats, decoded, cameras in stages:
        renderer, original = Renderer(decoded, threads=threads), Renderer(splats, threads=threads)
        for camera in cameras:
            picture = original.render(camera).rgb
            rest += view_of(renderer, camera).product(picture=picture, overlap=overlap)
            seen.append((renderer, camera))
        del original
    stiffness = np.float32(max(STIFFNESS * float(overlap.mean()), 1e-12))
    scale = (1 / (overlap + stiffness)).astype(np.float32)[:, None]
    out = np.zeros((n, 3), np.float32)
    direction = rest * scale
    product = _inner(rest, direction)
    for step in range(steps):
        if not product > 0:
            break
        if step == steps - 1:  # nothing follows that would need more than the length of this step
            curvature = float(stiffness) * _inner(direction, direction)
            for renderer, camera in seen:
                picture = view_of(renderer, camera).draw(colours=direction).rgb
                curvature += _inner(picture, picture)
            if curvature > 0:
                direction *= np.float32(product / curvature)
                out += direction
            break
        image = stiffness * direction
        for renderer, camera in seen:
            image += view_of(renderer, camera).product(direction)
        curvature = _inner(direction, image)
        if not curvature > 0:
            break
        share = np.float32(product / curvature)
        out += share * direction
        image *= share
        rest -= image
        np.multiply(rest, scale, out=image)
        product, last = _inner(rest, image), product
        direction *= np.float32(product / last)
        direction += image
    out /= np.float32(CONSTANT)
    return out


def shared(values: Float32, sources: Sequence[NDArray[np.uint32]]) -> Float32:
    """(N, 3) the mean over splats that repeat each other, which can have one value only."""
    bases = np.cumsum([0, *(int(source[-1]) + 1 for source in sources)])
    if bases[-1] == len(values):
        return values
    source = np.concatenate([s + base for s, base in zip(sources, bases, strict=False)])
    counts = np.bincount(source)
    means = np.stack([np.bincount(source, values[:, k]) / counts for k in range(3)], 1)
    return np.asarray(means[source], np.float32)


def _inner(a: Float32, b: Float32) -> float:
    """Without BLAS, whose sums depend on its number of threads."""
    return float(np.multiply(a, b, dtype=np.float64).sum())
