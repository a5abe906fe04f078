"""(2) The container: file header, sections, index, checksums. Payloads are opaque here.

`ContainerReader` turns bytes into events, `write_file_mode` and `StreamModeWriter` turn payloads into bytes.
"""

from gscodec.container.chunk import ChunkHeader, read_chunk_header, write_chunk_header
from gscodec.container.header import FileHeader
from gscodec.container.index import Index, IndexChunk, IndexEntry
from gscodec.container.reader import Chunk, ContainerReader, End, Event, Parameters, Skipped
from gscodec.container.scene import ExtraAttribute, SceneHeader
from gscodec.container.writer import ChunkBounds, StreamModeWriter, write_file_mode

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
    "Parameters",
    "SceneHeader",
    "Skipped",
    "StreamModeWriter",
    "read_chunk_header",
    "write_chunk_header",
    "write_file_mode",
]
