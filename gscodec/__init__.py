"""gscodec: the open bitstream codec for Gaussian splats.

    import gscodec
    splats = gscodec.read("scene.ply")
    data = gscodec.encode(splats, quality="default")
    again = gscodec.decode(data)
    gscodec.write("again.ply", again)
"""

from gscodec.api import decode, encode, read, write
from gscodec.decoder import Decoder
from gscodec.errors import (
    EncodeError,
    GscError,
    InputError,
    Integrity,
    LimitError,
    Malformed,
    StreamError,
    Truncated,
    Unsupported,
    UsageError,
)
from gscodec.splats import Splats

__version__ = "0.1.0"

__all__ = [
    "Decoder",
    "EncodeError",
    "GscError",
    "InputError",
    "Integrity",
    "LimitError",
    "Malformed",
    "Splats",
    "StreamError",
    "Truncated",
    "Unsupported",
    "UsageError",
    "decode",
    "encode",
    "read",
    "write",
]
