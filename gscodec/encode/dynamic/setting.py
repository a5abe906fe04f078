"""What some moments of a scene say of all of it: sizes, cameras, importance, balance of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gscodec.container import SceneHeader
from gscodec.encode.dynamic.body import Setting
from gscodec.encode.dynamic.wishes import Wishes
from gscodec.encode.effort import Effort
from gscodec.encode.encoder import RIG_SIZE, SMALLEST, Encoder
from gscodec.encode.inputs import is_usable
from gscodec.encode.shared import shared_of
from gscodec.encode.steps import Steps
from gscodec.errors import UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.rigs import make_rig
from gscodec.splats import Splats, joined

SAMPLE = 400_000  # splats of all moments, at most, from which sizes and made-up cameras come


def setting_of(
    moments: Sequence[Splats],
    scene: SceneHeader,
    steps: Steps,
    effort: Effort,
    given: tuple[Camera, ...] | None,
    wishes: Wishes,
    *,
    threads: int,
) -> Setting | None:
    """Of a scene that looks like `moments`, seen through `given` or made-up cameras; None without any splat.

    Raises `UsageError` for given cameras that see nothing.
    """
    every = max(-(-sum(map(len, moments)) // SAMPLE), 1)
    sample = joined([replace(each, extras={}).take(slice(None, None, every)) for each in moments])
    if not len(sample):
        return None
    shared = shared_of(sample, steps)
    is_large = shared.extent.span >= SMALLEST or shared.extent.span == 0
    if effort.views and given is None and is_large:
        with np.errstate(all="ignore"):
            made = make_rig(sample, wishes.rig, views=effort.views * 3 // 2, size=RIG_SIZE)
        shared = replace(shared, cameras=tuple(filter(is_usable, made)))
    looks = bool(effort.views) and is_large
    setting = Setting(
        scene=scene,
        shared=shared,
        steps=steps,
        effort=effort,
        cameras=(given or shared.cameras) if looks else (),
        given=given is not None,
        threads=threads,
    )
    if not setting.cameras:
        return setting
    encoder = Encoder(
        max(moments, key=len),
        effort=effort,
        cameras=None if given is None else list(given),
        threads=threads,
        shared=shared,
        scene=scene,
    )
    if encoder.sight is None or not encoder.sight.largest.any():
        if given is not None:
            raise UsageError("usage.cameras", "the cameras see nothing: are they of this scene?")
        return replace(setting, cameras=())
    return replace(setting, shared=encoder.calibrated(steps, tuple(wishes.steps or ())))
