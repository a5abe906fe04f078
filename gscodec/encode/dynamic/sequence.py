"""A sequence of frames: files in the order of their numbers, or splats in memory; read one at a time."""

from __future__ import annotations

import glob
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from math import gcd
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.encode.inputs import finite_rows, to_splats
from gscodec.errors import EncodeError, InputError, UsageError
from gscodec.io.formats import FORMATS, format_of, read_ply_file
from gscodec.io.offset import NOWHERE, Offset
from gscodec.io.splat_file import SplatFile
from gscodec.splats import SH_REST_COUNTS, Splats

DIGITS = re.compile(r"(\d+)")
WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Splats at one time.

    place    number of the frame on the time axis: larger than its index after a gap
    dropped  splats left out, as some of their values are not finite: their rows are kept, with an opacity
             that nobody sees, so that the index stays the identity
    """

    splats: Splats
    place: int
    dropped: int = 0


class FrameSequence:
    """Frames by index, and where each is on the time axis; nothing is kept of a frame that was read.

    sources  paths of files that `read_splats` knows, or splats (see `gscodec.encode`)
    places   (len,) ascending whole numbers from 0: the time of each, in frames
    axes     coordinate system of the first file; `model` its rendering model; `offset` and `moved` as in
             `SplatFile`: those of all frames. Known once a frame was read
    extras   names of extra attributes that were left out so far
    """

    def __init__(
        self,
        sources: Sequence[object],
        places: Sequence[int] | None = None,
        *,
        sh_degree: int | None = None,
        nonfinite: str = "drop",
        offset: Offset | None = None,
    ) -> None:
        """`sh_degree`: of all frames, higher ones lose harmonics; `offset` as in `read_ply`, of the first.

        Raises `UsageError` "usage.sequence".
        """
        if not len(sources):
            raise UsageError("usage.sequence", "a sequence without frames")
        if sh_degree is not None and sh_degree not in range(4):
            raise UsageError("usage.sh_degree", f"sh_degree {sh_degree}: expected 0 to 3")
        if nonfinite not in ("drop", "error"):
            raise UsageError("usage.nonfinite", f"nonfinite {nonfinite!r}: expected drop or error")
        self.sources = sources
        self.places = list(range(len(sources))) if places is None else list(places)
        self.sh_degree, self._drops = sh_degree, nonfinite == "drop"
        self._is_chosen = sh_degree is not None
        self._orders: dict[int, tuple[int, int]] = {}  # of frames: where in the file, and how many
        self._file: BinaryIO | None = None
        self.axes, self.model = coordinate_systems.UNSPECIFIED, rendering_models.CLASSIC
        self._wanted, self._is_begun = offset, False
        self.offset = self.moved = NOWHERE
        self.extras: set[str] = set()

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def span(self) -> int:
        """Frames that the time axis has: gaps count."""
        return self.places[-1] + 1

    def name(self, index: int) -> str:
        """For messages."""
        source = self.sources[index]
        return os.fspath(source) if isinstance(source, str | os.PathLike) else f"frame {index}"

    def read(self, index: int) -> Frame:
        """The frame without extra attributes.

        Raises `InputError`; `InputError` "sequence.sh_degree" for other harmonics than the first has, unless
        a degree was given, "sequence.axes"; `EncodeError` "encode.nonfinite".
        """
        if index and not self._is_begun:
            self.read(0)
        source = self.sources[index]
        is_file = isinstance(source, str | os.PathLike)
        splats = self._of_file(index, os.fspath(source)) if is_file else to_splats(source)  # type: ignore[call-overload]
        self.extras.update(splats.extras)
        splats = replace(splats, extras={})
        if index == 0:
            self._is_begun = True
            self.sh_degree = splats.sh_degree if self.sh_degree is None else self.sh_degree
        if splats.sh_degree != self.sh_degree:
            splats = self._with_degree(splats, index)
        finite = finite_rows(splats)
        dropped = int(len(splats) - np.count_nonzero(finite))
        if dropped:
            if not self._drops:
                raise EncodeError(
                    "encode.nonfinite",
                    f"{self.name(index)}: {dropped} splats have values that are not finite",
                )
            splats = hidden(splats, ~finite)
        if self._file is not None and index in self._orders:
            at, count = self._orders[index]
            self._file.seek(at)
            splats = splats.take(np.frombuffer(self._file.read(4 * count), np.int32))
        return Frame(splats, self.places[index], dropped)

    def is_reordered(self, index: int) -> bool:
        """Whether `read` gives the splats of a frame in another order than its file has."""
        return index in self._orders

    def reorder(self, index: int, order: NDArray[np.intp]) -> None:
        """Have `read` give the splats of a frame in another order, which is kept on disk."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix=".gscodec-")  # noqa: SIM115 - as long as this lives
        at = self._file.seek(0, os.SEEK_END)
        self._file.write(order.astype(np.int32).tobytes())
        self._orders[index] = at, len(order)

    def _of_file(self, index: int, path: str) -> Splats:
        """The splats of a file, in the axes and relative to the offset of the first one."""
        kind = format_of(path)
        if kind.name == "ply":
            wanted = self._wanted if index == 0 else self.offset if any(self.moved) else None
            file: SplatFile = read_ply_file(path, offset=wanted)
        else:
            file = kind.read(path)
        if index == 0:
            self.axes, self.model = file.coordinate_system, file.rendering_model
            self.offset, self.moved = file.offset, file.moved
        if (file.coordinate_system, file.rendering_model) != (self.axes, self.model):
            names = [
                f"{coordinate_systems.NAMES[system]}, {rendering_models.NAMES[model]}"
                for system, model in (
                    (file.coordinate_system, file.rendering_model),
                    (self.axes, self.model),
                )
            ]
            raise InputError(
                "sequence.axes",
                f"axes and rendering model of {path} are {names[0]}, of the first frame {names[1]}",
            )
        if file.offset == self.offset:
            return file.splats
        shift = np.array(file.offset) - np.array(self.offset)
        return replace(file.splats, positions=(file.splats.positions + shift).astype(np.float32))

    def _with_degree(self, splats: Splats, index: int) -> Splats:
        degree = 0 if self.sh_degree is None else self.sh_degree
        if splats.sh_degree < degree and len(splats):
            raise InputError(
                "sequence.sh_degree",
                f"{self.name(index)} has harmonics of degree {splats.sh_degree}, others of degree {degree}: "
                "give a degree that all have",
            )
        if splats.sh_degree > degree and not self._is_chosen:
            raise InputError(
                "sequence.sh_degree",
                f"{self.name(index)} has harmonics of degree {splats.sh_degree}, the first frame of degree "
                f"{degree}: give a degree that all have",
            )
        rest = np.zeros((len(splats), SH_REST_COUNTS[degree], 3), np.float32)
        kept = min(rest.shape[1], splats.sh_rest.shape[1])
        rest[:, :kept] = splats.sh_rest[:, :kept]
        return replace(splats, sh_rest=rest)


HIDDEN = -20.0  # logit of an opacity that no renderer draws


def hidden(splats: Splats, rows: NDArray[np.bool_]) -> Splats:
    """The splats with those of `rows` (N,) unseen, and all values finite."""
    found: dict[str, Any] = {}
    for name in ("positions", "scales", "rotations", "sh_dc", "sh_rest"):
        array = getattr(splats, name).copy()
        array[rows] = np.where(np.isfinite(array[rows]), array[rows], np.float32(0))
        found[name] = array
    opacities = splats.opacities.copy()
    opacities[rows] = HIDDEN
    found["rotations"][rows, 0] += np.float32((found["rotations"][rows] == 0).all(1))
    return replace(splats, opacities=opacities, **found)


# ---- which files


def open_sequence(
    sources: object,
    *,
    allow_gaps: bool = False,
    sh_degree: int | None = None,
    nonfinite: str = "drop",
    offset: Offset | None = None,
) -> FrameSequence:
    """The sequence of a pattern ("frames/*.ply"), a folder, or a list of files or of splats.

    Files of a pattern or folder are in the natural order of the numbers in their names; the last number that
    differs is that of the frame. Where one is missing, `allow_gaps` has the frame before stay for its time.

    Raises `UsageError` "usage.sequence", `InputError` "sequence.gap", "io.read".
    """
    if isinstance(sources, str | os.PathLike):
        sources = files_of(sources)
    elif isinstance(sources, Mapping) or not isinstance(sources, Sequence):
        raise UsageError(
            "usage.sequence",
            f"expected a pattern, a folder or a list of frames, not {type(sources).__name__}",
        )
    places = None
    if len(sources) > 1 and all(isinstance(each, str | os.PathLike) for each in sources):
        places = places_of([os.fspath(each) for each in sources], allow_gaps=allow_gaps)
    return FrameSequence(sources, places, sh_degree=sh_degree, nonfinite=nonfinite, offset=offset)


def files_of(place: str | os.PathLike[str]) -> list[str]:
    """The files of a pattern or a folder, in natural order; a file alone. Raises `InputError` "io.read"."""
    name = os.fspath(place)
    if os.path.isdir(name) and not (Path(name) / "meta.json").is_file():
        ends = tuple(end for each in FORMATS.values() for end in each.suffixes)
        found = [str(path) for path in Path(name).iterdir() if path.name.lower().endswith(ends)]
        if not found:
            raise InputError("io.read", f"the folder {name} has no files of splats")
    elif os.path.exists(name):
        return [name]
    else:
        found = glob.glob(name)
        if not found:
            what = "no file fits" if WILD.search(name) else "there is no"
            raise InputError("io.read", f"{what} {name}")
    return sorted(found, key=natural)


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts frame_2 before frame_10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in DIGITS.split(name))


def places_of(names: Sequence[str], *, allow_gaps: bool) -> list[int] | None:
    """Times of files by the last number in which their names differ; None where there is no such number.

    Raises `InputError` "sequence.gap" where numbers are missing and that is not allowed.
    """
    parts = [DIGITS.split(os.path.basename(name.rstrip("/"))) for name in names]
    if len({(len(each), *each[::2]) for each in parts}) > 1:
        return None  # other words between the numbers: the order is all that is known
    columns = [k for k in range(1, len(parts[0]), 2) if len({each[k] for each in parts}) > 1]
    if not columns:
        return None
    numbers = [int(each[columns[-1]]) for each in parts]
    changes = [b - a for a, b in pairwise(numbers)]
    if min(changes) <= 0:
        return None  # the caller's order, or several numbers at once
    step = reduce(gcd, changes)
    places = [(number - numbers[0]) // step for number in numbers]
    if places[-1] != len(names) - 1:
        index = next(k for k, change in enumerate(changes) if change != step)
        lost = places[-1] + 1 - len(names)
        if not allow_gaps:
            raise InputError(
                "sequence.gap",
                f"{lost} frame{'s are' if lost > 1 else ' is'} missing, the first after "
                f"{os.path.basename(names[index])}: allow gaps if that is meant, and the frame before stays",
            )
    return places
