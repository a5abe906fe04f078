"""Splat files of other formats, in and out; and files that appear whole or not at all."""

from gscodec.io.output import atomic_output
from gscodec.io.ply import PlyScene, read_ply
from gscodec.io.ply_writing import ply_header, ply_rows, write_ply

__all__ = ["PlyScene", "atomic_output", "ply_header", "ply_rows", "read_ply", "write_ply"]
