"""`SplatFile`: what a file of splats says, whatever its format.

Every format has a module with the same three functions, neighbours of each other:

    read_NAME(source, *, max_bytes=None) -> SplatFile
    lost_in_NAME(file) -> tuple[str, ...]    what the format cannot hold, a sentence each, without writing
    write_NAME(sink, file) -> int            bytes written

`source` and `sink` are paths or binary files; a path appears whole or not at all. Readers raise `InputError`
with codes "NAME.*" and never trust a number of the file for an allocation.
"""

from __future__ import annotations

from dataclasses import dataclass

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.io.offset import NOWHERE, Floats3
from gscodec.splats import Splats


@dataclass(frozen=True, slots=True, kw_only=True)
class SplatFile:
    """Splats, and what the file around them says.

    splats             in the coordinates of the file
    coordinate_system  of `gscodec._generated.coordinate_systems`: UNSPECIFIED where nothing says
    rendering_model    of `gscodec._generated.rendering_models`
    comments           lines of text
    offset             what has to be added to positions, in float64, to place them in a larger frame
    moved              what the reader subtracted from positions; what came with them has to follow
    notes              what the reader had to decide or leave out, a sentence each
    """

    splats: Splats
    coordinate_system: int = coordinate_systems.UNSPECIFIED
    rendering_model: int = rendering_models.CLASSIC
    comments: tuple[str, ...] = ()
    offset: Floats3 = NOWHERE
    moved: Floats3 = NOWHERE
    notes: tuple[str, ...] = ()
