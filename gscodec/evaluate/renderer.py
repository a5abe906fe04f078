"""`Renderer`: classic 3DGS rasterisation on the processor, and what each splat gives to the pictures.

    renderer = Renderer(splats)
    view = renderer.view(camera)                   # projected, sorted, in lists of tiles
    picture = view.draw()                          # colours from the harmonics
    other = view.draw(colours=colours)             # the same splats in other colours: cheap
    slope = view.gather(2 * (picture.rgb - photo)) # derivative of a squared error by the colours
    steeper = view.product(colours)                # gather(draw(colours)), as solvers need it

Two modes, both with 0.3 pixels of dilation and without compensation for it:

* gsplat: nothing nearer than 0.01, alpha at most 0.999; a splat reaches every pixel where its alpha is 1/255
* inria:  nothing nearer than 0.2, alpha at most 0.99; squares of 3 sigma, rounded to tiles of 16 pixels

Pictures and statistics do not depend on the number of threads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.errors import UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.splats import Splats

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Shade = tuple[float, float, float]

MODES = ("gsplat", "inria")
MOST_THREADS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What a camera sees.

    rgb    (H, W, 3) float32  linear blend over the background; may exceed 1
    alpha  (H, W) float32     how much of the background is hidden, 0 to 1
    depth  (H, W) float32     mean camera z of what is seen, weighted as the colours are; 0 where nothing is
    """

    rgb: Float32
    alpha: Float32
    depth: Float32


@dataclass(slots=True, eq=False)
class Statistics:
    """What each of N splats gave to the pictures drawn so far; `View.draw` adds to it in place.

    With w = alpha * transmittance, the weight of the splat's colour in a pixel:

    weight   (N,) float64  sum of w over all pixels
    squared  (N,) float64  sum of w^2, each pixel times its `pixel_weight` where one is given
    largest  (N,) float32  greatest w
    gram     (N, K (K + 1) / 2) float32, or None: sum over views of `squared` in that view times y y^T, the
             upper triangle by rows; y are the K harmonics (constant included) at the view's direction, so
             that this is the squared change of the pictures by a change of the splat's coefficients
    """

    weight: Float64
    squared: Float64
    largest: Float32
    gram: Float32 | None = None

    @classmethod
    def zeros(cls, count: int, sh_degree: int | None = None) -> Statistics:
        """For `count` splats; with `gram` if a degree (0 to 3) is given."""
        if sh_degree is not None and sh_degree not in range(4):
            raise UsageError("usage.sh_degree", f"sh_degree {sh_degree}: expected 0 to 3")
        basis = 0 if sh_degree is None else (sh_degree + 1) ** 2
        gram = np.zeros((count, basis * (basis + 1) // 2), np.float32) if basis else None
        return cls(np.zeros(count), np.zeros(count), np.zeros(count, np.float32), gram)


class Renderer:
    """Splats made ready for many views. Splats with a value that is not finite are invisible.

    `mode` is "gsplat" or "inria"; `threads` 0 means one per processor.
    """

    def __init__(self, splats: Splats, *, mode: str = "gsplat", threads: int = 0) -> None:
        if mode not in MODES:
            raise ValueError(f"mode {mode!r}: expected one of {MODES}")
        if threads < 0:
            raise UsageError("usage.threads", f"threads {threads}: expected 0 or more")
        whole = np.ascontiguousarray
        self._scene = kernels.RenderScene(
            whole(splats.positions),
            whole(splats.scales),
            whole(splats.rotations),
            whole(splats.opacities),
            whole(splats.sh_dc),
            whole(splats.sh_rest),
            mode == "inria",
            min(threads or os.cpu_count() or 1, MOST_THREADS),
        )
        self._count = len(splats)

    def view(self, camera: Camera) -> View:
        """The splats as `camera` sees them, to be drawn one or more times.

        Raises `ValueError` for a camera that cannot be, `MemoryError` when the splats cover more tiles than
        can be listed.
        """
        return View(self._scene, self._count, camera)

    def render(
        self,
        camera: Camera,
        *,
        background: Shade = (0.0, 0.0, 0.0),
        colours: Float32 | None = None,
        statistics: Statistics | None = None,
        pixel_weight: Float32 | None = None,
    ) -> Picture:
        """`view` and `draw` at once."""
        return self.view(camera).draw(
            background=background, colours=colours, statistics=statistics, pixel_weight=pixel_weight
        )


class View:
    """What `Renderer.view` returns."""

    def __init__(self, scene: kernels.RenderScene, count: int, camera: Camera) -> None:
        numbers = np.concatenate(
            [
                [camera.fx, camera.fy, camera.cx, camera.cy],
                np.asarray(camera.position, np.float64).reshape(3),
                np.asarray(camera.rotation, np.float64).reshape(9),
            ]
        )
        self._view = kernels.RenderView(scene, numbers, camera.width, camera.height)
        self._count = count

    def __len__(self) -> int:
        return len(self._view)

    @property
    def visible(self) -> Int32:
        """(M,) int32: the splats drawn, by index, from front to back."""
        return self._view.visible()

    @property
    def colours(self) -> Float32:
        """(M, 3) float32: their colours from the harmonics, at least 0."""
        return self._view.colours()

    def draw(
        self,
        *,
        background: Shade = (0.0, 0.0, 0.0),
        colours: Float32 | None = None,
        statistics: Statistics | None = None,
        pixel_weight: Float32 | None = None,
    ) -> Picture:
        """The picture; also adds to `statistics`, which costs some time.

        colours       (N, 3) float32  linear colours in place of the harmonics, used as they are
        pixel_weight  (H, W) float32  importance of the pixels in `statistics.squared` and `.gram`
        """
        given = statistics
        rgb, alpha, depth = self._view.draw(
            np.asarray(background, np.float32),
            None if colours is None else np.ascontiguousarray(colours, np.float32),
            None if pixel_weight is None else np.ascontiguousarray(pixel_weight, np.float32),
            None if given is None else given.weight,
            None if given is None else given.squared,
            None if given is None else given.largest,
            None if given is None else given.gram,
        )
        return Picture(rgb, alpha, depth)

    def gather(self, gradient: Float32) -> Float32:
        """(N, 3) float32: for each splat the sum over pixels of w * gradient; adjoint of `draw` in `colours`.

        gradient  (H, W, 3) float32
        """
        out = np.zeros((self._count, 3), np.float32)
        self._view.gather(np.ascontiguousarray(gradient, np.float32), out)
        return out

    def product(
        self,
        colours: Float32 | None = None,
        *,
        picture: Float32 | None = None,
        overlap: Float64 | None = None,
    ) -> Float32:
        """(N, 3) float32: `gather` of what `draw` draws over black, in less time than the two.

        colours  (N, 3) float32     as in `draw`
        picture  (H, W, 3) float32  gathers what is missing to this picture instead
        overlap  (N,) float64       has added to it the sum over pixels of w * alpha of the picture, which is
                                    what a splat gathers when all splats are white
        """
        out = np.zeros((self._count, 3), np.float32)
        self._view.product(
            None if colours is None else np.ascontiguousarray(colours, np.float32),
            None if picture is None else np.ascontiguousarray(picture, np.float32),
            overlap,
            out,
        )
        return out
