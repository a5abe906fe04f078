"""Bytes by attribute of a file that changes with time: what chunks, their motion and parameters take."""

from __future__ import annotations

from collections import Counter

from gscodec.chunk import chunk_reader, read_fields, read_lengths, stream_names
from gscodec.cli.inspection import PART_OF, named
from gscodec.container import Chunk, Parameters, SceneHeader
from gscodec.dynamic.reader import Bases, Motion, Move
from gscodec.dynamic.timeline import SegmentHeader
from gscodec.motion.reading import stream_bytes
from gscodec.parameters import Parameters as ParameterSet
from gscodec.parameters import read_parameters


class TimelineParts:
    """Bytes of each part, as events come in."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._front: dict[int, ParameterSet] = {}
        self._sets = self._front
        self._coding: ParameterSet | None = None  # of the last chunk, or of what MOVE names
        self._static: list[ParameterSet] = []  # of chunks of the static layer
        self._is_static = True

    def add(self, event: object, scene: SceneHeader) -> None:
        """Count an event. Raises `StreamError` where what it holds does not say what its bytes are for."""
        if isinstance(event, SegmentHeader):
            self._sets, self._is_static = dict(self._front), False
        elif isinstance(event, Parameters):
            self._sets[event.id] = read_parameters(
                event.payload, event.offset, sh_degree=scene.sh_degree, extras=scene.extras
            )
            self._counts["parameters and tables"] += len(event.payload)
        elif isinstance(event, Bases):
            self._counts["motion bases"] += len(event.payload)
        elif isinstance(event, Chunk):
            self._add_chunk(event, scene)
        elif isinstance(event, Move):
            self._coding = self._static[event.chunk]
        elif isinstance(event, Motion) and self._coding is not None:
            sizes = stream_bytes(event.payload, event.offset, self._coding.coding)
            for name, size in sizes.items():
                self._counts[f"motion: {name}"] += size
            self._counts["motion: fields and tables"] += len(event.payload) - sum(sizes.values())

    def _add_chunk(self, event: Chunk, scene: SceneHeader) -> None:
        self._coding = self._sets[event.header.parameters_id]
        if self._is_static:
            self._static.append(self._coding)
        coding = self._coding.coding
        fields = chunk_reader(event.payload, event.offset)
        chunk = read_fields(fields, coding)
        lengths = read_lengths(fields, stream_names(coding, scene.extras, repeats=chunk.repeats))
        sizes = {name: 4 * sum(lanes) for name, lanes in lengths.items()}
        for name, size in sizes.items():
            self._counts[PART_OF.get(name, name)] += size
        self._counts["chunk headers"] += len(event.payload) - sum(sizes.values())

    def found(self, scene: SceneHeader | None) -> dict[str, int]:
        """Bytes by part: attributes, then their motion, then the rest."""
        names = sorted(self._counts, key=lambda name: (name.startswith("motion"), " and " in name))
        return named({name: self._counts[name] for name in names}, scene)
