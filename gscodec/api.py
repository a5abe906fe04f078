"""The public functions: arrays in, bytes out, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, overload

import numpy as np
from numpy.typing import NDArray

from gscodec.io import write_ply
from gscodec.io.axes import USUAL, in_axes
from gscodec.io.formats import by_suffix, read_splats, write_splats
from gscodec.io.splat_file import SplatFile
from gscodec.opening import decode
from gscodec.splats import Splats

if TYPE_CHECKING:
    from gscodec.container import Metadata
    from gscodec.container.tensors import Tensors
    from gscodec.evaluate.cameras import Camera
    from gscodec.io.offset import Offset

__all__ = ["decode", "encode", "encode_file", "encode_sequence", "read", "read_cameras", "write"]


@overload
def encode(
    splats: Splats | Mapping[str, Any],
    *,
    quality: str | float | None = ...,
    effort: int = ...,
    cameras: Sequence[Camera] | str | PathLike[str] | None = ...,
    target_psnr: float | None = ...,
    target_size: float | str | None = ...,
    max_error: float | None = ...,
    steps: Mapping[str, Any] | None = ...,
    importance: NDArray[np.floating] | None = ...,
    nonfinite: str = ...,
    layers: int = ...,
    stream: bool = ...,
    threads: int = ...,
    measure: bool = ...,
    progress: Callable[[str, float], None] | None = ...,
    report: MutableMapping[str, Any] | None = ...,
    extra_errors: Mapping[str, float] | None = ...,
    keep_order: bool = ...,
    metadata: Sequence[Metadata | Tensors] = ...,
    thumbnail: int | None = ...,
    offset: Offset | None = ...,
    return_order: Literal[False] = ...,
) -> bytes: ...
@overload
def encode(
    splats: Splats | Mapping[str, Any],
    *,
    quality: str | float | None = ...,
    effort: int = ...,
    cameras: Sequence[Camera] | str | PathLike[str] | None = ...,
    target_psnr: float | None = ...,
    target_size: float | str | None = ...,
    max_error: float | None = ...,
    steps: Mapping[str, Any] | None = ...,
    importance: NDArray[np.floating] | None = ...,
    nonfinite: str = ...,
    layers: int = ...,
    stream: bool = ...,
    threads: int = ...,
    measure: bool = ...,
    progress: Callable[[str, float], None] | None = ...,
    report: MutableMapping[str, Any] | None = ...,
    extra_errors: Mapping[str, float] | None = ...,
    keep_order: bool = ...,
    metadata: Sequence[Metadata | Tensors] = ...,
    thumbnail: int | None = ...,
    offset: Offset | None = ...,
    return_order: Literal[True],
) -> tuple[bytes, NDArray[np.int64]]: ...
def encode(
    splats: Splats | Mapping[str, Any],
    *,
    quality: str | float | None = None,
    effort: int = 5,
    cameras: Sequence[Camera] | str | PathLike[str] | None = None,
    target_psnr: float | None = None,
    target_size: float | str | None = None,
    max_error: float | None = None,
    steps: Mapping[str, Any] | None = None,
    importance: NDArray[np.floating] | None = None,
    nonfinite: str = "drop",
    layers: int = 1,
    stream: bool = False,
    threads: int = 0,
    measure: bool = False,
    progress: Callable[[str, float], None] | None = None,
    report: MutableMapping[str, Any] | None = None,
    extra_errors: Mapping[str, float] | None = None,
    keep_order: bool = False,
    metadata: Sequence[Metadata | Tensors] = (),
    thumbnail: int | None = None,
    offset: Offset | None = None,
    return_order: bool = False,
) -> bytes | tuple[bytes, NDArray[np.int64]]:
    """The .gsc of `splats`.

    splats        `Splats`, or a mapping of arrays or tensors under the names of gsplat's parameters (means,
                  scales, quats, opacities, sh0, shN) or the Inria code's (xyz, scaling, rotation, ...)
    quality       near-lossless, high, default (where nothing is said), small or tiny, which are .07, .16,
                  .25, .42 and .62; or such a number, 0.05 to 32: twice the number is twice as coarse
    effort        1 to 9: how long to look for what matters. 1 renders nothing; from 2 on, splats that no
                  picture shows are left out, which steps={"prune": 0} prevents
    cameras       where viewers will look from: `Camera`s, or a file or folder for `read_cameras`; only those
                  marked "train" where some are, never those marked "test". Without: made up for the scene
    target_psnr   dB that pictures from (at most 16 of) the cameras shall have: within 0.2 dB
    target_size   bytes the file shall have, as a number or "12MB", "1.5MiB", "3.5B/splat": at most 1 % below
    max_error     of 255, that at most one pixel in a thousand of any such picture may exceed
    steps         overrides single steps, by name: see `gscodec.encode.steps.Steps`
    importance    (N,) numbers >= 0: how much each splat matters; without it, pictures decide
    nonfinite     what to do with splats that have NaN or infinite values: drop or error
    layers        1 to 16: more than one put the most important splats first, so that the start of the file
                  shows the whole scene; costs some percent of the bytes
    stream        stream mode: no counts in front and no hash at the end, so that it may be cut and spliced
    threads       0: one per processor; never changes the result
    measure       also compare pictures of the result with the input's, for the report
    progress      called with a stage and the share of it that is done
    report        filled in with what happened: bytes by stream, "pruned", "quality" (the number); with a
                  target "target_reached"; where pictures were compared "psnr", "psnr_worst" (dB, inf
                  where all pictures are equal), "max_error"
    extra_errors  by name or pattern ("*"), how far values of extra attributes may be off; without, and for
                  integers and where values are NaN or infinite: lossless
    keep_order    store what restores the order of the input: about log2(N) bits for each splat
    metadata      texts to store, for `gscodec.metadata`, and tensors, for `gscodec.weights`
    thumbnail     pixels along the longer side of a picture to store, for `gscodec.thumbnail`
    offset        three numbers to subtract from the positions and to state in the file; "auto" does so where
                  positions come as float64 and are far from 0. What is given as cameras is relative, too
    return_order  also return (M,) the number in the input of each decoded splat

    Quality and the three targets exclude each other. A target that no quality reaches gives the nearest file.
    The order of splats (unless kept), the order of axes (scales come out largest first) and the sign of
    quaternions change.
    Raises `EncodeError` and `UsageError`, `InputError` for a camera file.
    """
    from gscodec.encode.further import Further, placed  # reading and writing need no encoder
    from gscodec.encode.whole import encode_splats

    here, origin = placed(splats, offset)
    result = encode_splats(
        here,
        quality=quality,
        effort=effort,
        cameras=cameras,
        target_psnr=target_psnr,
        target_size=target_size,
        max_error=max_error,
        steps=steps,
        importance=importance,
        nonfinite=nonfinite,
        layers=layers,
        stream=stream,
        threads=threads,
        measure=measure,
        progress=progress,
        further=Further(
            extra_errors=extra_errors or {},
            keep_order=keep_order,
            metadata=metadata,
            thumbnail=thumbnail,
            offset=origin,
        ),
    )
    if report is not None:
        report.update(result.report)
    return (result.data, result.order) if return_order else result.data


def encode_file(
    source: str | PathLike[str] | BinaryIO,
    target: str | PathLike[str] | BinaryIO,
    *,
    max_memory: int | str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The .gsc of a file of splats that may be larger than the memory; the report.

    source      a path, or a binary file or pipe with a PLY file in it
    target      a path, where the file appears whole or not at all; or a binary file
    max_memory  bytes to take at most, as a number or "2GiB": a scene that needs more is encoded in regions,
                one after the other. Without it, that is so from 2,097,152 splats on, with 4 GiB
    options     as for `encode`, but `importance`, `report` and `return_order`. The `offset` "auto" moves a
                PLY file that states none and has doubles as positions, and cameras along; in regions it
                is decided from the first splats. None keeps what the file states

    What compares pictures of the whole scene, weighs its size or needs all splats (targets, `measure`,
    `thumbnail`, `keep_order`) takes no `max_memory`, and the memory that it takes. All regions are looked at
    through the same cameras, as if the others were not there. The order of splats is not reported. Temporary
    files are about as large as the splats; they are in TMPDIR, or else beside `target`. The result depends on
    the input and these arguments, not on the machine.

    Raises as `encode`, and `InputError` of the format, "io.write"; `UsageError` "usage.memory" and
    `EncodeError` "encode.memory" for memory that is too little.
    """
    from gscodec.encode import file

    return file.encode_file(source, target, max_memory=max_memory, **options)


def encode_sequence(
    frames: str | PathLike[str] | Sequence[Any],
    target: str | PathLike[str] | BinaryIO | None = None,
    *,
    fps: float | str = 30,
    gof: int = 60,
    fixed_gof: bool = False,
    tracked: bool | None = None,
    static_layer: bool = True,
    allow_gaps: bool = False,
    sh_degree: int | None = None,
    report: MutableMapping[str, Any] | None = None,
    **options: Any,
) -> bytes:
    """The .gsc of a scene that moves; b"" where it was written to `target`.

    frames        a pattern ("frames/*.ply"), a folder, or a list of files or of splats (see `encode`), in
                  order; each is read two or three times, with a target as often for every attempt,
                  and no more are held than a segment has
    target        a path, where the file appears whole or not at all, or a binary file
    fps           frames a second: a number, or a fraction such as "30000/1001"
    gof           frames of a segment at most. Segments end where the scene changes at once, and where shorter
                  ones take fewer bytes; `fixed_gof`: only where it changes
    tracked       whether splat i of a frame is splat i of the next one; None finds out
    static_layer  store splats that never change once for all segments
    allow_gaps    a missing number among the files is meant: the frame before it stays
    sh_degree     leave out higher harmonics: for frames of different degrees
    report        filled in with what happened: "segments", "static_splats", "functions", ...
    options       quality, steps, target_psnr, target_size, max_error, measure, effort, cameras, nonfinite,
                  stream, threads, progress, metadata and thumbnail of `encode`, offset of `encode_file`. A
                  size may also be "20kB/frame" or "4Mbps". With a target all is encoded up to ten times, and
                  pictures of up to five frames are compared. A stream is written segment by segment if
                  there is neither a target nor anything to measure

    How much of the noise of trajectories is kept depends on the quality. Extra attributes are left out.
    Raises `EncodeError`, `InputError` "sequence.gap", "sequence.sh_degree", "sequence.axes" and those of
    the formats, `UsageError`.
    """
    from gscodec.encode.dynamic import whole

    options |= {"fps": fps, "gof": gof, "fixed_gof": fixed_gof, "tracked": tracked}
    options |= {"static_layer": static_layer, "allow_gaps": allow_gaps, "sh_degree": sh_degree}
    if target is None:
        data, facts = whole.encode_frames_to_bytes(frames, **options)
    else:
        data, facts = b"", whole.encode_frames(frames, target, **options)
    if report is not None:
        report.update(facts)
    return data


def read_cameras(path: str | PathLike[str]) -> list[Camera]:
    """The cameras of cameras.json, transforms.json or a COLMAP model; at least one.

    Raises `InputError`, `UsageError`.
    """
    from gscodec.evaluate import camera_files

    return camera_files.read_cameras(path)


def read(path: str | PathLike[str]) -> Splats:
    """The splats of a file of any format of `gscodec convert --help` but .gsc, in the axes of PLY files.

    Raises `InputError`.
    """
    return in_axes(read_splats(path), USUAL).splats


def write(path: str | PathLike[str], splats: Splats) -> None:
    """Write `splats`, in the axes of PLY files, whole or not at all, in the format that the path ends with.

    That is the Inria layout of PLY where it ends with no known one. What the format cannot hold is left out.
    Raises `InputError`, and `UsageError` for extras that PLY cannot have.
    """
    if (kind := by_suffix(path)) is None or kind.name == "ply":
        write_ply(path, splats)
    else:
        write_splats(path, SplatFile(splats=splats, coordinate_system=USUAL), name=kind.name)
