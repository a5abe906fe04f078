"""A .gsc of any profile to `Splats`: the decoder of its profile, and for a lossless file the PLY reader."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from gscodec._generated import profiles
from gscodec.container.header import SIGNATURE
from gscodec.decoder import decode as decode_core
from gscodec.errors import LimitError, UsageError
from gscodec.limits import Limits

if TYPE_CHECKING:
    from gscodec.splats import Splats

SH_REST = (0, 3, 8, 15)  # coefficients beyond the first, by degree


def decode(
    data: bytes | memoryview,
    *,
    sh_degree: int | None = None,
    threads: int = 0,
    max_splats: int | None = None,
    max_bytes: int | None = None,
    file_order: bool = False,
) -> Splats:
    """The splats of a complete .gsc.

    Splats are in the order of the input where the file has it, unless `file_order`.
    `sh_degree` drops higher coefficients; `threads` 0 means one per processor and never changes the result;
    `max_splats` and `max_bytes` bound what is decoded. Raises `StreamError` with code, clause and offset, and
    `InputError` where a lossless file (11) holds a PLY file without splats, `UsageError` "usage.time" for a
    scene that changes with time (12).
    """
    check_static(data)
    from gscodec.lossless import is_lossless  # another profile's modules are loaded where they are needed

    if is_lossless(data):
        limits = Limits.of_caller(max_splats=max_splats, max_bytes=max_bytes)
        return _decode_lossless(data, limits, sh_degree)
    return decode_core(
        data,
        sh_degree=sh_degree,
        threads=threads,
        max_splats=max_splats,
        max_bytes=max_bytes,
        file_order=file_order,
    )


def check_static(start: bytes | memoryview) -> None:
    """Raise `UsageError` "usage.time" where a file that starts so changes with time."""
    if bytes(start[:8]) == SIGNATURE and len(start) > 10 and start[10] == profiles.DYNAMIC:
        raise UsageError(
            "usage.time",
            "this scene changes with time: state when, with --time, --tick or --frames of gsdec, or by"
            " gscodec.open",
        )


def _decode_lossless(data: bytes | memoryview, limits: Limits, sh_degree: int | None) -> Splats:
    from gscodec.io import read_ply
    from gscodec.lossless import read_lossless

    ply = b"".join(read_lossless(data, limits=limits).pieces())
    splats = read_ply(io.BytesIO(ply)).splats
    if len(splats) > limits.splats:  # rows of text that is packed are in no count of the container
        raise LimitError(
            "limit.splats", f"{len(splats)} splats; at most {limits.splats}", clause="1.7", offset=0
        )
    if sh_degree is None or sh_degree >= splats.sh_degree:
        return splats
    return replace(splats, sh_rest=splats.sh_rest[:, : SH_REST[sh_degree]].copy())
