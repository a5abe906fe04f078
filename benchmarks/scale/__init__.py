"""Time and memory from a tenth of a million splats to as many as there are: `python -m benchmarks.scale`."""
