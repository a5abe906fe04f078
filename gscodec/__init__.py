"""gscodec: the open bitstream codec for Gaussian splats.

    import gscodec
    splats = gscodec.read("scene.ply")
    data = gscodec.encode(splats, quality="default")
    again = gscodec.decode(data)
    gscodec.write("again.ply", again)

Names are imported when they are first used: decoding never loads the encoder.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gscodec.api import encode, encode_file, encode_sequence, read, read_cameras, write
    from gscodec.container.metadata import Metadata
    from gscodec.container.thumbnail import Thumbnail
    from gscodec.decoder import Decoder
    from gscodec.dynamic.about import metadata, scene_offset, thumbnail
    from gscodec.dynamic.scene import Scene, open
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
    from gscodec.evaluate.cameras import Camera
    from gscodec.opening import decode
    from gscodec.splats import Splats

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "Decoder",
    "EncodeError",
    "GscError",
    "InputError",
    "Integrity",
    "LimitError",
    "Malformed",
    "Metadata",
    "Scene",
    "Splats",
    "StreamError",
    "Thumbnail",
    "Truncated",
    "Unsupported",
    "UsageError",
    "decode",
    "encode",
    "encode_file",
    "encode_sequence",
    "metadata",
    "open",
    "read",
    "read_cameras",
    "scene_offset",
    "thumbnail",
    "weights",
    "write",
]

_MODULES = {
    "Camera": "evaluate.cameras",
    "Decoder": "decoder",
    "Metadata": "container.metadata",
    "Scene": "dynamic.scene",
    "Splats": "splats",
    "Thumbnail": "container.thumbnail",
    "decode": "opening",
    "encode": "api",
    "encode_file": "api",
    "encode_sequence": "api",
    "metadata": "dynamic.about",
    "open": "dynamic.scene",
    "read": "api",
    "read_cameras": "api",
    "scene_offset": "dynamic.about",
    "thumbnail": "dynamic.about",
    "weights": "dynamic.weights",
    "write": "api",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Package(ModuleType):
    """Python puts an imported subpackage into its parent under its name; here `encode` stays the function."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "encode" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
