"""(5.6) The importance class of each splat."""

from __future__ import annotations

from gscodec.reference.entropy import Stream
from gscodec.reference.parameters import Parameters


def classes_of(position_class: int, parameters: Parameters) -> list[int]:
    """(5.6) The classes whose splats are in an octree."""
    classes = range(parameters.classes)
    return [c for c in classes if parameters.position_class(c) == position_class]


def read_classes(stream: Stream, position_classes: list[int], parameters: Parameters) -> list[int]:
    """(5.6) The class of every distinct splat."""
    classes: list[int] = []
    previous = 8
    for i, p in enumerate(position_classes):
        previous = stream.symbol(i, p * 9 + previous, classes_of(p, parameters), "static.class")
        classes.append(previous)
    stream.end()
    return classes
