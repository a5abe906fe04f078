"""The few hot loops, in C++: pure functions on buffers, no policy, no input or output.

Each has a plain twin in `gscodec.reference`. They release the GIL, check every size before they
start, and cannot read or write outside their buffers whatever the stream says.
"""

from gscodec.kernels._kernels import *  # noqa: F403
