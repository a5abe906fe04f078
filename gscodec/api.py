"""The public functions: arrays in, bytes out, and back."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from gscodec.decoder import decode
from gscodec.io import read_ply, write_ply
from gscodec.splats import Splats

__all__ = ["decode", "encode", "read", "write"]


@overload
def encode(
    splats: Splats,
    *,
    quality: str = ...,
    steps: Mapping[str, Any] | None = ...,
    importance: NDArray[np.floating] | None = ...,
    nonfinite: str = ...,
    threads: int = ...,
    return_order: Literal[False] = ...,
) -> bytes: ...
@overload
def encode(
    splats: Splats,
    *,
    quality: str = ...,
    steps: Mapping[str, Any] | None = ...,
    importance: NDArray[np.floating] | None = ...,
    nonfinite: str = ...,
    threads: int = ...,
    return_order: Literal[True],
) -> tuple[bytes, NDArray[np.int64]]: ...
def encode(
    splats: Splats,
    *,
    quality: str = "default",
    steps: Mapping[str, Any] | None = None,
    importance: NDArray[np.floating] | None = None,
    nonfinite: str = "drop",
    threads: int = 0,
    return_order: bool = False,
) -> bytes | tuple[bytes, NDArray[np.int64]]:
    """The .gsc of `splats`.

    quality       near-lossless, high, default, small or tiny
    steps         overrides single steps, by name: see `gscodec.encode.steps.Steps`
    importance    (N,) numbers >= 0: how much each splat matters; without it, opacity and size decide
    nonfinite     what to do with splats that have NaN or infinite values: drop or error
    threads       0: one per processor; never changes the result
    return_order  also return (M,) the number in the input of each decoded splat

    The order of splats, the order of axes (scales come out largest first) and the sign of quaternions change.
    Raises `EncodeError` and `UsageError`.
    """
    from gscodec.encode.encoder import encode_splats  # reading and writing need no encoder

    result = encode_splats(
        splats, quality=quality, steps=steps, importance=importance, nonfinite=nonfinite, threads=threads
    )
    return (result.data, result.order) if return_order else result.data


def read(path: str | PathLike[str]) -> Splats:
    """The splats of a .ply file. Raises `InputError`."""
    return read_ply(path).splats


def write(path: str | PathLike[str], splats: Splats) -> None:
    """Write `splats` as a .ply file in the Inria layout, whole or not at all. Raises `InputError`."""
    write_ply(path, splats)
