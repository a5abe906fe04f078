"""(2.8 to 2.10) The rules that span sections: what has come so far, kept by reader and writer alike."""

from __future__ import annotations

from gscodec.container.chunk import ChunkHeader, read_chunk_header, read_parameters_id
from gscodec.container.end import EndMark
from gscodec.container.scene import SceneHeader, check_decoded_bytes
from gscodec.errors import LimitError, Malformed
from gscodec.limits import Limits


class Ledger:
    """Counts of one file: sections, chunks, splats, and the parameter sets that chunks may use."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.scene: SceneHeader | None = None
        self.parameters: set[int] = set()
        self.sections = 0
        self.chunks = 0
        self.splats = 0

    def check_section_count(self, offset: int) -> None:
        """(2.5) One more section than so far is allowed."""
        if self.sections >= self.limits.sections:
            raise LimitError(
                "limit.sections",
                f"at most {self.limits.sections} sections are allowed",
                clause="2.5",
                offset=offset,
            )

    def add_parameters(self, payload: memoryview, at: int) -> int:
        """(2.8) Note a parameter set; ids do not repeat."""
        id = read_parameters_id(payload, at)
        if id in self.parameters:
            raise Malformed(
                "container.parameters",
                f"parameter set {id} is given twice",
                clause="2.8",
                section="PARM",
                offset=at,
            )
        self.parameters.add(id)
        return id

    def add_chunk(self, payload: memoryview, at: int, scene: SceneHeader) -> ChunkHeader:
        """(2.9) Note a chunk; the counts stay within the limits and the scene header."""
        header = read_chunk_header(payload, at, self.parameters)
        limits, total = self.limits, self.splats + header.splat_count
        if header.splat_count > limits.chunk_splats:
            raise LimitError(
                "limit.chunk_splats",
                f"{header.splat_count} splats in a chunk; at most {limits.chunk_splats} are allowed",
                clause="2.9",
                section="CHNK",
                offset=at + 4,
            )
        if total > limits.splats:
            raise LimitError(
                "limit.splats",
                f"{total} splats so far; at most {limits.splats} are allowed",
                clause="2.9",
                section="CHNK",
                offset=at + 4,
            )
        check_decoded_bytes(scene, total, at + 4, "CHNK", limits)
        is_too_many = scene.splat_count is not None and total > scene.splat_count
        if is_too_many or (scene.chunk_count is not None and self.chunks >= scene.chunk_count):
            raise Malformed(
                "container.count",
                "more splats or chunks than the scene header says",
                clause="2.9",
                section="CHNK",
                offset=at + 4,
            )
        self.chunks += 1
        self.splats = total
        return header

    def check_end(self, mark: EndMark, at: int, scene: SceneHeader) -> None:
        """(2.10) End mark, chunks and scene header agree."""
        is_right = (
            mark.splat_count == self.splats
            and scene.splat_count in (None, self.splats)
            and scene.chunk_count in (None, self.chunks)
        )
        if not is_right:
            raise Malformed(
                "container.count",
                f"the chunks hold {self.splats} splats; scene header or end mark say otherwise",
                clause="2.10",
                section="ENDM",
                offset=at,
            )
