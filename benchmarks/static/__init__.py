"""Static scenes: bytes, quality, time and memory of our presets and of other codecs, and how they compare.

scenes.toml     the scenes and the cameras by which they are judged
scenes.py       reads it
cameras.py      makes the camera files, at full, half and quarter distance
codings.py      the commands of everybody that codes a scene
passes.py       encodes, decodes and has the referee look at the results
photos.py       what coding costs against photographs
comparisons.py  ratios, BD-rates and the rule for close views, from the rows
report.py       RESULTS.csv, RATIOS.csv, BDRATE.csv, PHOTOS.csv, RESULTS.md
plot.py         RESULTS.png
ablation.py     what each part of the encoder is worth
"""
