"""Whether other formats are read and written as their own tools do: `python -m benchmarks.formats`."""
