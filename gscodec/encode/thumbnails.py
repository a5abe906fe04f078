"""`leading_sections`: texts, and a small picture for those who list files without decoding them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscodec.container import Thumbnail, write_thumbnail
from gscodec.encode.further import Further, Section, metadata_sections
from gscodec.encode.inputs import finite_rows, is_usable
from gscodec.errors import UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.renderer import Renderer
from gscodec.evaluate.rigs import make_rig
from gscodec.splats import Splats

SIDES = (16, 2048)  # pixels of the longer side, at least and at most
FINER = 2  # rendered so many times as large, then averaged: small pictures of fine splats shimmer otherwise
QUALITY = 80  # of WebP


def leading_sections(
    further: Further, splats: Splats, cameras: Sequence[Camera] | None, threads: int
) -> list[Section]:
    """(2.12, 2.13) What stands behind the scene header: META and THMB. Raises `UsageError`, `EncodeError`."""
    found = metadata_sections(further.metadata)
    if further.thumbnail is not None:
        section = thumbnail_section(splats, cameras, further.thumbnail, threads=threads)
        found += [section] if section else []
    return found


def thumbnail_section(
    splats: Splats, cameras: Sequence[Camera] | None, side: int, *, threads: int = 0
) -> Section | None:
    """(2.13) THMB: what the first camera sees, or a view from outside; None where nothing can be seen.

    `side` is the longer one in pixels. Raises `UsageError` "usage.thumbnail".
    """
    if not SIDES[0] <= side <= SIDES[1]:
        raise UsageError("usage.thumbnail", f"thumbnail {side!r}: expected {SIDES[0]} to {SIDES[1]} pixels")
    splats = splats.take(finite_rows(splats))
    camera = _camera(splats, cameras, side)
    if camera is None:
        return None
    large = camera.resized(FINER * side / max(camera.width, camera.height))
    with np.errstate(all="ignore"):
        rgb = Renderer(splats, threads=threads).view(large).draw().rgb
    if not np.isfinite(rgb).all() or not rgb.any():
        return None
    size = (max(1, round(large.width / FINER)), max(1, round(large.height / FINER)))
    return b"THMB", write_thumbnail(picture_file(np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8), size))


def picture_file(rgb: NDArray[np.uint8], size: tuple[int, int]) -> Thumbnail:
    """(H, W, 3) reduced to `size`, as WebP where pillow can write it, otherwise as PNG."""
    from PIL import Image, features  # nothing else that encodes needs it

    image = Image.fromarray(rgb).resize(size, Image.Resampling.BOX)
    kind, options = ("webp", {"quality": QUALITY, "method": 6}) if features.check("webp") else ("png", {})
    data = io.BytesIO()
    image.save(data, kind.upper(), **options)
    return Thumbnail(kind=kind, width=image.width, height=image.height, data=data.getvalue())


def _camera(splats: Splats, cameras: Sequence[Camera] | None, side: int) -> Camera | None:
    """The first that can be used."""
    if cameras is None and len(splats):
        with np.errstate(all="ignore"):
            cameras = make_rig(splats, "outside", views=8, size=(side, max(1, side * 3 // 4)))
    return next((camera for camera in cameras or () if is_usable(camera)), None)
