"""`encode_splats`: splats in, a file out, in one call."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.encode.effort import DEFAULT, Effort
from gscodec.encode.encoder import Encoder, score_facts
from gscodec.encode.further import Further
from gscodec.encode.inputs import to_splats
from gscodec.encode.progress import Progress
from gscodec.encode.result import Encoded
from gscodec.encode.steps import choose_steps, quality_of
from gscodec.encode.targets import target_of
from gscodec.errors import UsageError
from gscodec.evaluate.rigs import Kind


def encode_splats(
    splats: object,
    *,
    quality: str | float | None = None,
    steps: Mapping[str, object] | None = None,
    effort: int | Effort = DEFAULT,
    cameras: object = None,
    rig: Kind = "auto",
    target_psnr: float | None = None,
    target_size: float | str | None = None,
    max_error: float | None = None,
    measure: bool = False,
    importance: NDArray[np.floating] | None = None,
    nonfinite: str = "drop",
    layers: int = 1,
    stream: bool = False,
    threads: int = 0,
    coordinate_system: int = coordinate_systems.UNSPECIFIED,
    rendering_model: int = rendering_models.CLASSIC,
    progress: Progress | None = None,
    further: Further | None = None,
) -> Encoded:
    """A complete .gsc of `splats`; arguments as in `gscodec.encode`.

    rig                                 where to put cameras when none are given: see `make_rig`
    further                             what else to store
    coordinate_system, rendering_model  what the scene header says of the splats; nothing is changed for it

    Raises `EncodeError`, `InputError`, `UsageError`.
    """
    splats = to_splats(splats)
    target = target_of(target_psnr, target_size, max_error, {"splat": len(splats)})
    if target is not None and quality is not None:
        raise UsageError("usage.target", "a quality and a target exclude each other: give one")
    chosen = choose_steps("default" if quality is None else quality, steps)
    encoder = Encoder(
        splats,
        effort=effort,
        cameras=cameras,
        rig=rig,
        importance=importance,
        nonfinite=nonfinite,
        layers=layers,
        stream=stream,
        threads=threads,
        coordinate_system=coordinate_system,
        rendering_model=rendering_model,
        progress=progress,
        further=further,
    )
    if target is not None and len(encoder.splats) and (target.kind == "size" or encoder.ruler):
        encoded = encoder.reach(target, steps)
    else:
        encoded = encoder.encode(chosen, steps or ())
        number = quality_of(quality or "default")
        encoded.report["quality"] = number
        if target is not None:
            encoded.report["target_reached"] = False
    if measure and "psnr" not in encoded.report:
        encoder.tell("measuring", 0.0)
        encoded.report.update(score_facts(encoder.measure(encoded)))
    return encoded
