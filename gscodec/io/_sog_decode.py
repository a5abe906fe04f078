"""One SOG data set, version 1 or 2, out of its files: `decode_sog`.

Pixel i of each image, row by row, is splat i:

    means_l, means_u   low and high bytes of three numbers of 16 bits, between "mins" and "maxs"; n stands for
                       the coordinate sign(n) (exp(|n|) - 1)
    quats              the three smaller parts of the quaternion, -sqrt(1/2) to sqrt(1/2); alpha 252 + which
                       of w x y z is left out
    scales             log scales
    sh0                sh_dc, and the opacity in alpha
    shN_labels         red + 256 green: the palette's entry
    shN_centroids      the palette: 64 entries in a row, 3, 8 or 15 pixels each, the harmonics

Version 2 has a "codebook" of 256 numbers for what the bytes of log scales, sh_dc and the palette stand for,
and its opacity is one (255 is 1). Version 1 has the ends of a linear scale instead, and its opacity is a
logit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import rendering_models
from gscodec.errors import InputError
from gscodec.io._quantise import LARGEST, LOGITS, from_smallest_three
from gscodec.io._sog_files import Budget, Files, Pixels, decode_image, image_limit, inside
from gscodec.io.splat_file import SplatFile
from gscodec.splats import SH_REST_COUNTS, Float32, Splats

MOST_SPLATS = 16383 * 16383  # of WebP images
PER_ROW = 64  # entries of a palette
PALETTE = 1 << 16


def decode_sog(meta: dict[str, Any], files: Files, folder: str, budget: Budget) -> SplatFile:
    """The splats that the JSON object says; the names in it are relative to `folder` of `files`.

    Raises `InputError` "sog.*" and "io.limit".
    """
    version = meta.get("version", 1)
    if version not in (1, 2) or isinstance(version, (bool, float)):
        raise InputError("sog.version", f"version {str(version)[:20]} of SOG; known are 1 and 2")
    return _Decoder(meta, files, folder, budget, version).decode()


class _Decoder:
    def __init__(self, meta: dict[str, Any], files: Files, folder: str, budget: Budget, version: int) -> None:
        self.meta, self.files, self.folder, self.budget = meta, files, folder, budget
        self.version = version
        self.notes: list[str] = []
        self.count = self._count()

    def decode(self) -> SplatFile:
        names = {key: self._names(key, 2 if key in ("means", "shN") else 1) for key in self._keys()}
        for group in names.values():
            for name in group:
                self.budget.read(name, self.files.stored(name))
        self.budget.claim(self.count)
        rotations = self._rotations(self._splat_pixels(names["quats"][0]))
        scale_pixels = self._splat_pixels(names["scales"][0])[:, :3]
        colours = self._splat_pixels(names["sh0"][0])
        if self.version == 2:
            scales = self._by_codebook("scales", scale_pixels)
            sh_dc, opacities = self._by_codebook("sh0", colours[:, :3]), LOGITS[colours[:, 3]]
        else:
            scales = self._by_ends("scales", scale_pixels, 3)
            both = self._by_ends("sh0", colours, 4)
            sh_dc, opacities = both[:, :3].copy(), both[:, 3].copy()
        splats = Splats(
            positions=self._positions(*names["means"]),
            scales=scales,
            rotations=rotations,
            opacities=opacities,
            sh_dc=sh_dc,
            sh_rest=self._harmonics(*names["shN"])
            if "shN" in names
            else np.zeros((self.count, 0, 3), np.float32),
        )
        antialiased = self.meta.get("antialias") is True
        return SplatFile(
            splats=splats,
            rendering_model=rendering_models.ANTIALIASED if antialiased else rendering_models.CLASSIC,
            notes=tuple(self.notes),
        )

    # ---- the JSON object

    def _count(self) -> int:
        count = self.meta.get("count")
        if self.version == 1:
            shape = self._entry("means").get("shape")
            count = shape[0] if isinstance(shape, list) and shape else None
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST_SPLATS:
            raise InputError("sog.meta", f"the number of splats is {str(count)[:20]}")
        return count

    def _keys(self) -> list[str]:
        keys = ["means", "scales", "quats", "sh0"]
        return [*keys, "shN"] if self.meta.get("shN") is not None else keys

    def _entry(self, key: str) -> dict[str, Any]:
        entry = self.meta.get(key)
        if not isinstance(entry, dict):
            raise InputError("sog.meta", f"there is no object {key!r}")
        return entry

    def _names(self, key: str, number: int) -> list[str]:
        names = self._entry(key).get("files")
        if not isinstance(names, list) or len(names) < number:
            raise InputError("sog.meta", f"{key!r} needs {number} files")
        found = [inside(name, self.folder) for name in names[:number]]
        # The published description has these two in either order, the writers in one.
        if key == "shN" and "label" in found[0].rpartition("/")[2]:
            found.reverse()
        return found

    def _numbers(self, key: str, field: str, number: int) -> NDArray[np.float64]:
        found = self._entry(key).get(field)
        values = found if isinstance(found, list) else [found] * number
        if len(values) < number:
            raise InputError("sog.meta", f"{field!r} of {key!r} needs {number} numbers")
        return np.array([self._number(value, f"{field!r} of {key!r}") for value in values[:number]])

    def _number(self, value: Any, what: str) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if abs(number) <= LARGEST:
                return number
        raise InputError("sog.meta", f"{what} has {str(value)[:20]} where a number is needed")

    def _codebook(self, key: str) -> Float32:
        values = self._entry(key).get("codebook")
        if not isinstance(values, list) or not 1 <= len(values) <= 256:
            raise InputError("sog.meta", f"{key!r} needs a codebook of up to 256 numbers")
        if values[0] is None and len(values) == 256:
            # Files of an early writer lack the first number; the players put it a step below the second.
            ends = [self._number(values[i], f"the codebook of {key!r}") for i in (1, 255)]
            values = [ends[0] + (ends[0] - ends[1]) / 255, *values[1:]]
            self.notes.append(f"the first number of the codebook of {key} is missing and was made up")
        return np.array([self._number(v, f"the codebook of {key!r}") for v in values], np.float32)

    # ---- the images

    def _image(self, name: str, pixels: int) -> Pixels:
        return decode_image(self.files.read(name, image_limit(pixels)), name, pixels)

    def _splat_pixels(self, name: str) -> Pixels:
        """(count, 4): the pixels of the splats."""
        # Sides are rounded up to multiples of 4 by the tools, to a power of two at most.
        image = self._image(name, 4 * self.count + (1 << 16)).reshape(-1, 4)
        if len(image) < self.count:
            raise InputError("sog.image", f"{name!r} has {len(image):,} pixels for {self.count:,} splats")
        return image[: self.count]

    def _positions(self, low_name: str, high_name: str) -> Float32:
        low, high = self._splat_pixels(low_name), self._splat_pixels(high_name)
        mins, maxs = self._numbers("means", "mins", 3), self._numbers("means", "maxs", 3)
        positions = np.empty((self.count, 3), np.float32)
        for axis in range(3):
            t = (low[:, axis].astype(np.uint16) | high[:, axis].astype(np.uint16) << 8) / 65535
            n = mins[axis] + (maxs[axis] - mins[axis]) * t
            with np.errstate(over="ignore"):
                size = np.minimum(np.expm1(np.abs(n)), LARGEST)
            positions[:, axis] = np.copysign(size, n)
        return positions

    def _rotations(self, pixels: Pixels) -> Float32:
        which = pixels[:, 3].astype(np.int64) - 252
        bad = which < 0
        rotations = from_smallest_three(np.where(bad, 0, which), pixels[:, :3], 255)
        if count := int(bad.sum()):
            rotations[bad] = [1, 0, 0, 0]
            self.notes.append(f"{count:,} rotations are none and were taken for no rotation")
        return rotations

    def _by_codebook(self, key: str, pixels: Pixels) -> Float32:
        book = self._codebook(key)
        if pixels.size and int(pixels.max()) >= len(book):
            raise InputError(
                "sog.meta", f"the codebook of {key!r} has {len(book)} numbers; its image uses more"
            )
        return book[pixels]

    def _by_ends(self, key: str, pixels: Pixels, number: int) -> Float32:
        mins, maxs = self._numbers(key, "mins", number), self._numbers(key, "maxs", number)
        table = mins + (maxs - mins) * (np.arange(256)[:, None] / 255)
        return np.stack([table[pixels[:, i], i] for i in range(number)], axis=1).astype(np.float32)

    def _harmonics(self, centroids_name: str, labels_name: str) -> Float32:
        image = self._image(centroids_name, PER_ROW * SH_REST_COUNTS[3] * PALETTE // PER_ROW)
        k = image.shape[1] // PER_ROW
        bands = self._entry("shN").get("bands") if self.version == 2 else None
        if bands is not None and (bands not in (1, 2, 3) or SH_REST_COUNTS[int(bands)] != k):
            raise InputError(
                "sog.meta", f"{str(bands)[:20]} bands of harmonics; the palette has {k} coefficients"
            )
        if k not in SH_REST_COUNTS[1:] or image.shape[1] != PER_ROW * k:
            raise InputError(
                "sog.image", f"{centroids_name!r} is {image.shape[1]} pixels wide, for no degree"
            )
        entries = image[:, :, :3].reshape(-1, k, 3)
        if self.version == 2:
            palette = self._by_codebook("shN", entries)
            known = self._entry("shN").get("count", len(entries))
            known = min(known, len(entries)) if isinstance(known, int) else len(entries)
        else:
            ends = self._numbers("shN", "mins", 1)[0], self._numbers("shN", "maxs", 1)[0]
            palette = (ends[0] + (ends[1] - ends[0]) * (np.arange(256) / 255)).astype(np.float32)[entries]
            known = len(entries)
        pixels = self._splat_pixels(labels_name)
        labels = pixels[:, 0].astype(np.int64) | pixels[:, 1].astype(np.int64) << 8
        bad = labels >= known
        if count := int(bad.sum()):
            self.notes.append(f"{count:,} splats have harmonics that are not in the palette; they are 0")
        harmonics = palette[np.where(bad, 0, labels)]
        harmonics[bad] = 0
        return harmonics
