"""(12.10) Tensors that a .gsc of any profile carries: `weights`, `tensors_in`."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gscodec.container.feed import Bytes
from gscodec.container.reader import Skipped
from gscodec.container.tensors import Tensors, find_tensors
from gscodec.dynamic.about import any_events
from gscodec.errors import UsageError
from gscodec.io.safetensors import arrays_of
from gscodec.limits import LEVELS, Limits


def weights(data: Bytes) -> dict[str, NDArray[Any]] | None:
    """The tensors of a .gsc, such as the weights of a feature decoder: name -> array; None without any.

    BF16 comes as float32, without loss. The whole container is checked. Raises `StreamError`, `InputError`
    "safetensors.format".
    """
    found = tensors_in(data)
    return None if found is None else arrays_of(found.data)


def tensors_in(data: Bytes) -> Tensors | None:
    """The safetensors file in a .gsc. Raises `StreamError`."""
    skipped = [event for event in any_events(data) if isinstance(event, Skipped)]
    return find_tensors(skipped, Limits.of_level(LEVELS[-1]))


def no_weights() -> UsageError:
    """The error for a file without tensors where they are wanted."""
    return UsageError("usage.weights", "the file carries no tensors")
