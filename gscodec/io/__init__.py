"""Splat files of other formats, in and out; and files that appear whole or not at all."""

from gscodec.io._ply_rows import PlyScene
from gscodec.io.output import atomic_output
from gscodec.io.ply import read_ply, read_ply_blocks
from gscodec.io.ply_writing import ply_header, ply_rows, write_ply

__all__ = ["PlyScene", "atomic_output", "ply_header", "ply_rows", "read_ply", "read_ply_blocks", "write_ply"]
