"""What a file of any profile says of itself besides its splats: `metadata`, `thumbnail`, `scene_offset`.

The whole container is checked, but nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator

from gscodec.container.feed import Bytes
from gscodec.container.metadata import Metadata, MetadataReader
from gscodec.container.reader import ContainerReader, Event, Skipped
from gscodec.container.scene import Floats3, SceneHeader
from gscodec.container.thumbnail import Thumbnail, read_thumbnail
from gscodec.dynamic.reader import Event as TimelineEvent
from gscodec.dynamic.reader import events_of, is_dynamic
from gscodec.errors import Malformed, StreamError
from gscodec.limits import LEVELS, Limits


def metadata(data: Bytes) -> list[Metadata]:
    """(2.12) The texts in the META sections of a .gsc, in order. Raises `StreamError`."""
    reader = MetadataReader(Limits.of_level(LEVELS[-1]))
    for section in _sections(data, b"META"):
        reader.add(section.payload, section.offset)
    return reader.found


def thumbnail(data: Bytes) -> Thumbnail | None:
    """(2.13) The picture in the THMB section of a .gsc, if there is one. Raises `StreamError`."""
    found: Thumbnail | None = None
    for section in _sections(data, b"THMB"):
        if found is not None:
            raise second_thumbnail(section)
        found = read_thumbnail(section.payload, section.offset)
    return found


def scene_offset(data: Bytes) -> Floats3:
    """(2.6) What to add, in float64, to positions to place them in the larger frame. Raises `StreamError`."""
    return next(event.offset for event in any_events(data) if isinstance(event, SceneHeader))


def second_thumbnail(section: Skipped) -> StreamError:
    """(2.13) The error for a THMB section where there was one before."""
    return Malformed(
        "thmb.repeated", "a second thumbnail", clause="2.13", section="THMB", offset=section.offset - 16
    )


def _sections(data: Bytes, id: bytes) -> Iterator[Skipped]:
    return (event for event in any_events(data) if isinstance(event, Skipped) and event.id == id)


def any_events(data: Bytes) -> list[Event | TimelineEvent]:
    """The events of a complete file of any profile. Raises `StreamError`."""
    if is_dynamic(memoryview(data)[:16]):
        return list(events_of([memoryview(data)]))
    reader = ContainerReader()
    reader.feed(data)
    reader.close()
    return list(reader.events())
