"""(2) The container: file header, sections, index, checksums. Payloads are opaque here.

`ContainerReader` turns bytes into events, `write_file_mode` and `StreamModeWriter` turn payloads into bytes.
"""

from gscodec.container.chunk import ChunkHeader, read_chunk_header, write_chunk_header
from gscodec.container.extra import ExtraAttribute
from gscodec.container.header import FileHeader
from gscodec.container.index import Index, IndexChunk, IndexEntry
from gscodec.container.metadata import Metadata, write_metadata
from gscodec.container.reader import Chunk, ContainerReader, End, Event, Parameters, Skipped
from gscodec.container.scene import SceneHeader
from gscodec.container.thumbnail import Thumbnail, write_thumbnail
from gscodec.container.writer import ChunkBounds, StreamModeWriter, file_mode_pieces, write_file_mode

__all__ = [
    "Chunk",
    "ChunkBounds",
    "ChunkHeader",
    "ContainerReader",
    "End",
    "Event",
    "ExtraAttribute",
    "FileHeader",
    "Index",
    "IndexChunk",
    "IndexEntry",
    "Metadata",
    "Parameters",
    "SceneHeader",
    "Skipped",
    "StreamModeWriter",
    "Thumbnail",
    "file_mode_pieces",
    "read_chunk_header",
    "write_chunk_header",
    "write_file_mode",
    "write_metadata",
    "write_thumbnail",
]
