"""Static scenes: bytes, quality, time and memory of every preset, and the ratios to other codecs.

scenes.toml   the scenes and the cameras by which they are judged
scenes.py     reads it
passes.py     encodes, decodes and has the referee look at the result
report.py     RESULTS.csv, RATIOS.csv, RESULTS.md
plot.py       RESULTS.png
"""
