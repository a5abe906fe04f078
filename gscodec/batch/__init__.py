"""Many files on Dask: what is to be done (`plan`), what was done (`journal`), doing it (`work`, `engine`).

Rule 1: an item is one run of gsenc or gsdec in a process of its own, on one thread: what takes too much
memory or crashes takes nothing else along, and an item is what the same command gives by hand.
Rule 2: an output is put into its place when it is complete, and noted in the journal after that.
Rule 3: Dask is imported in `engine` only, and only when there is something to do.
"""
