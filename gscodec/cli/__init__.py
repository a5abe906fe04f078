"""The commands gsenc, gsdec and gsinfo.

Rule 1: a command reads, calls the package and writes; it knows nothing about the bitstream itself.
Rule 2: stdout carries data or a report, never both; everything else is said on stderr.
Rule 3: numpy and the codec are imported within functions, so that --help and usage errors are instant.
"""
