"""Whether other formats are read and written as their own tools do: see `python -m benchmarks.formats --help`."""
