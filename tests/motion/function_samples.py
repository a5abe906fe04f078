"""Functions of time, and splats that follow them, for the tests of motion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.bases_recording import record_functions_bases
from gscodec.encode.dynamic.function_recording import Functions, FunctionsSettings, record_functions
from gscodec.encode.dynamic.recording import RecordedMotion
from gscodec.motion import read_motion
from gscodec.motion.bases import AnyBases, TimeFunctions
from gscodec.motion.functions import FunctionsIntegers
from gscodec.motion.reading import Motion
from tests.motion.both import OFFSET
from tests.motion.made import DURATION, Made

F64 = NDArray[np.float64]
ID, KEYS = 5, 9
INTERVAL = DURATION // KEYS
SPAN = (0, DURATION)
SETTINGS = FunctionsSettings(position=0.002, rotation=0.004)
FINE = 6  # of residuals: 45 recs
ARRAYS = ("positions", "rotations", "opacities", "scales", "sh_dc", "sh_rest")


def waves(keys: int = KEYS) -> F64:
    """(Q, 4) functions that are 0 at first."""
    t = np.linspace(0, 1, keys)
    return np.stack([np.sin(3 * t), np.cos(5 * t) - 1, t**2, np.sin(9 * t) / 2], 1)


def recorded_waves(keys: int = KEYS) -> RecordedMotion[TimeFunctions]:
    return record_functions_bases(ID, waves(keys), INTERVAL, 2.0**-16)


def wishes(chunk: Made, functions: TimeFunctions, seed: int = 1, noise: float = 0.0) -> Functions:
    """All attributes of most splats follow functions; targets are what comes of them, and noise."""
    rng, count = np.random.default_rng(seed), chunk.distinct
    first = np.diff(chunk.integers.source, prepend=np.uint32(0xFFFFFFFF)) != 0
    chunk_splats = chunk.splats.take(np.flatnonzero(first))
    shape = chunk_splats.sh_rest.shape[1:]
    sizes = {
        "position": (0, 3, (3,), 0.3),
        "rotation": (1, 2, (3,), 0.1),
        "scale": (2, 2, (3,), 0.1),
        "opacity": (3, 1, (), 0.05),
        "colour": (0, 4, (3,), 0.1),
        "harmonics": (1, 1, shape, 0.05),
    }
    if not chunk_splats.sh_rest.size:
        del sizes["harmonics"]
    coefficients = {
        name: (start, rng.normal(0, size, (count, functions_, *each)))
        for name, (start, functions_, each, size) in sizes.items()
    }
    uses = {name: rng.random(count) < 0.8 for name in sizes}
    values = functions.values / 2**20

    def moved(name: str) -> F64:
        start, rows = coefficients[name]
        used = rows * uses[name].reshape(count, *[1] * (rows.ndim - 1))
        return np.asarray(np.tensordot(values[:, start : start + rows.shape[1]], used, (1, 1)))

    targets = {"position": moved("position") + rng.normal(0, noise, (len(values), count, 3))}
    u = moved("rotation")
    targets["rotation"] = np.concatenate([np.ones((*u.shape[:2], 1)), u + rng.normal(0, noise, u.shape)], 2)
    targets["colour"] = moved("colour") + chunk_splats.sh_dc + rng.normal(0, noise, (len(values), count, 3))
    return Functions(
        functions=functions,
        coefficients=coefficients,
        uses=uses,
        targets=targets,
        fineness={name: np.where(rng.random(count) < 0.7, FINE, 0).astype(np.uint8) for name in targets},
        alive=lifespans(count, len(values), rng),
    )


def lifespans(count: int, keys: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    births = np.minimum(rng.geometric(0.6, count) - 1, keys - 1)
    deaths = np.maximum(births + 1, keys + 1 - rng.geometric(0.5, count))
    at = np.arange(keys)[:, None]
    return np.asarray((births <= at) & (at < deaths))


def recorded(
    chunk: Made, motion: Functions, settings: FunctionsSettings = SETTINGS
) -> RecordedMotion[FunctionsIntegers]:
    return record_functions(chunk.fields, chunk.integers, chunk.coding, motion, settings, SPAN)


def read(
    chunk: Made, payload: bytes, known: Mapping[int, AnyBases], last: int | None = None, most: int = 1 << 24
) -> Motion:
    arguments = OFFSET, chunk.fields, chunk.integers, chunk.coding, DURATION, known
    return read_motion(memoryview(payload), *arguments, last=last, max_symbols=most)
