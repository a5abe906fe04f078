"""(5.5-5.13) Attributes: class, predictor, scale, rotation, opacity, colour, spherical harmonics, extras.

Each module has `read` (a stream to integers), `record` (wanted values to the steps that a writer codes,
and the integers that a reader will get) and `values` (integers to binary32).
"""
