"""Lossless sizes of PLY files, ours and general-purpose compressors'."""
