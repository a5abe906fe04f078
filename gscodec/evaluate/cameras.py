"""`Camera`: a pinhole camera, as the renderer, the encoder and the comparison take it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """A pinhole camera in the convention of OpenCV and COLMAP: x right, y down, z forward.

    position  (3,)    of the eye, scene units
    rotation  (3, 3)  rows: the camera's right, down and forward axes in the scene
    fx fy     focal lengths, pixels          cx cy  principal point, pixels; (0, 0) is the picture's corner
    split     "train", "test", or "" where the source does not say
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    position: Float64
    rotation: Float64
    name: str = ""
    split: str = ""

    def resized(self, scale: float) -> Camera:
        """The same view with `scale` times as many pixels along each side, at least one."""
        width, height = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        x, y = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * x,
            fy=self.fy * y,
            cx=self.cx * x,
            cy=self.cy * y,
        )

    def advanced(self, distance: float) -> Camera:
        """The same camera, `distance` further along the direction it looks in."""
        return replace(self, position=self.position + distance * self.rotation[2])
