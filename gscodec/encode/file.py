"""`encode_blocks` and `encode_file`: a file of splats in, a .gsc out, of any size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from gscodec.encode.further import Further, without_extras
from gscodec.encode.inputs import cameras_of, moved_cameras
from gscodec.encode.large import LargeEncoder, spill_folder
from gscodec.encode.regions import WHOLE, memory_of
from gscodec.encode.whole import encode_splats
from gscodec.errors import UsageError
from gscodec.io.blocks import SplatBlocks
from gscodec.io.output import atomic_output

AIMS = ("target_psnr", "target_size", "max_error")
WHOLE_ONLY = ("importance", "measure", *AIMS)  # what is about the whole scene
STORED = ("extra_errors", "keep_order", "metadata", "thumbnail")


def encode_file(
    source: str | os.PathLike[str] | BinaryIO,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    max_memory: int | str | None = None,
    **options: Any,
) -> dict[str, object]:
    """See `gscodec.encode_file`."""
    options = {name: value for name, value in options.items() if value is not None}
    offset = options.pop("offset", None)
    options["further"] = Further(**{name: options.pop(name) for name in STORED if name in options})
    folder = spill_folder(target if isinstance(target, (str, os.PathLike)) else None)
    with SplatBlocks(source, offset=offset) as blocks:
        if isinstance(target, (str, os.PathLike)):
            with atomic_output(target) as file:
                return encode_blocks(blocks, writer_to(file), max_memory=max_memory, folder=folder, **options)
        return encode_blocks(blocks, writer_to(target), max_memory=max_memory, folder=folder, **options)


def encode_blocks(
    blocks: SplatBlocks,
    emit: Callable[[bytes], object],
    *,
    max_memory: int | str | None = None,
    folder: str | None = None,
    further: Further | None = None,
    drop_extra: Sequence[str] = (),
    **options: Any,
) -> dict[str, object]:
    """The same from an open file to a function that takes pieces of bytes.

    drop_extra  names or patterns of extra attributes that are left out
    further     what else to store; the scene offset is that of the file
    """
    further = further or Further()
    if in_regions(blocks.count, max_memory, options, further):
        options = {name: value for name, value in options.items() if name not in WHOLE_ONLY}
        return LargeEncoder(
            blocks,
            memory=memory_of(max_memory),
            folder=folder,
            further=further,
            drop_extra=drop_extra,
            **options,
        ).encode(emit)
    file = blocks.whole()
    if options.get("cameras") is not None and any(file.moved):
        options["cameras"] = moved_cameras(cameras_of(options["cameras"]), file.moved)
    encoded = encode_splats(
        without_extras(file.splats, drop_extra),
        further=replace(further, offset=file.offset),
        coordinate_system=file.coordinate_system,
        rendering_model=file.rendering_model,
        **options,
    )
    emit(encoded.data)
    return {**encoded.report, "kept": len(encoded.order)}


def in_regions(count: int, max_memory: int | str | None, options: dict[str, Any], further: Further) -> bool:
    """Whether so many splats are encoded in bounded memory. Raises `UsageError` "usage.memory"."""
    needs_all = [name for name in WHOLE_ONLY if options.get(name) not in (None, False)]
    needs_all += [name for name in ("keep_order", "thumbnail") if getattr(further, name) not in (None, False)]
    if max_memory is None:
        return count > WHOLE and not needs_all
    memory_of(max_memory)
    if needs_all:
        raise UsageError(
            "usage.memory", f"{needs_all[0]} is about the whole scene, which max_memory is there to cut"
        )
    return True


def writer_to(file: BinaryIO) -> Callable[[bytes], None]:
    """Writes all of what it gets, also to a file that takes only some at a time."""

    def write(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[file.write(left) or 0 :]

    return write
