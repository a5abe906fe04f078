"""The facts about a .gsc that need no decoding of splats: what headers say, ready for JSON."""

from __future__ import annotations

import contextlib
import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gscodec._generated import (
    colour_spaces,
    coordinate_systems,
    extra_codings,
    extra_types,
    handedness,
    profiles,
    rendering_models,
    sh_conventions,
    up_axes,
)
from gscodec.chunk import chunk_reader, read_fields, read_lengths, stream_names
from gscodec.container import Chunk, ContainerReader, End, FileHeader, SceneHeader, Skipped
from gscodec.container import Parameters as ParametersEvent
from gscodec.container.header import HEADER_BYTES, VERSION
from gscodec.container.metadata import MetadataReader
from gscodec.container.section import SECTION_FRAME_BYTES, read_section_header
from gscodec.container.thumbnail import Thumbnail, read_thumbnail
from gscodec.dynamic.about import second_thumbnail
from gscodec.errors import InputError, StreamError
from gscodec.limits import LEVELS, Limits
from gscodec.parameters import (
    COLOUR,
    HARMONICS,
    OPACITY,
    ROTATION,
    SCALE,
    CodingParameters,
    Parameters,
    coding_bytes,
    read_parameters,
)

ATTRIBUTES = {
    "scale": SCALE,
    "rotation": ROTATION,
    "opacity": OPACITY,
    "colour": COLOUR,
    "harmonics": HARMONICS,
}
FURTHER = {b"META": "metadata", b"THMB": "thumbnail", b"PERM": "order", b"TENS": "tensors"}
PART_OF = {"groups": "harmonics", "coefficients": "harmonics"}


@dataclass(kw_only=True)
class Inspection:
    """`facts` ready for JSON, the fault that ended the reading, if any, and what `facts` only sums up."""

    facts: dict[str, Any]
    fault: StreamError | None
    texts: MetadataReader
    thumbnail: Thumbnail | None


@dataclass(kw_only=True)
class _Walk:
    """What was met so far."""

    header: FileHeader | None = None
    scene: SceneHeader | None = None
    end: End | None = None
    sets: dict[int, Parameters] = field(default_factory=dict)
    set_facts: list[dict[str, Any]] = field(default_factory=list)
    sections: list[dict[str, Any]] = field(default_factory=list)
    chunks: list[dict[str, Any]] = field(default_factory=list)
    streams: dict[str, int] = field(default_factory=dict)
    tensors: list[Skipped] = field(default_factory=list)
    tables: int = 0
    bases: int = 0
    settings: int = 0
    chunk_headers: int = 0
    further: dict[str, int] = field(default_factory=dict)
    texts: MetadataReader = field(default_factory=lambda: MetadataReader(Limits.of_level(LEVELS[-1])))
    thumbnail: Thumbnail | None = None
    problems: list[str] = field(default_factory=list)


def inspect(data: bytes) -> Inspection:
    """Everything about the file up to its end or its first fault."""
    walk, fault = _Walk(), None
    reader = ContainerReader()
    reader.feed(data)
    reader.close()
    view, offset = memoryview(data), HEADER_BYTES
    try:
        for event in reader.events():
            if isinstance(event, FileHeader):
                walk.header = event
                continue
            section = read_section_header(view[offset:], offset, len(data))
            walk.sections.append({"id": section.id.decode(), "offset": offset, "bytes": section.size})
            offset += section.size
            if isinstance(event, SceneHeader):
                walk.scene = event
            elif isinstance(event, ParametersEvent):
                _add_parameters(walk, event)
            elif isinstance(event, Chunk):
                _add_chunk(walk, event)
            elif isinstance(event, Skipped):
                _add_further(walk, event)
            elif isinstance(event, End):
                walk.end = event
    except StreamError as error:
        fault = error
    return Inspection(facts=_facts(walk, data), fault=fault, texts=walk.texts, thumbnail=walk.thumbnail)


def _facts(walk: _Walk, data: bytes) -> dict[str, Any]:
    splats = sum(chunk["splats"] for chunk in walk.chunks)
    facts: dict[str, Any] = {
        "bytes": len(data),
        "splats": splats,
        "bits_per_splat": 8 * len(data) / splats if splats else None,
    }
    if walk.header is not None:
        facts["format"] = {
            "version": f"{VERSION[0]}.{VERSION[1]}",
            "profile": profiles.NAMES[walk.header.profile],
            "level": walk.header.level,
            "mode": "stream" if walk.header.stream_mode else "file",
        }
    if walk.scene is not None:
        facts["scene"] = scene_facts(walk.scene)
    parts = _parts(walk) if walk.header is not None else {}
    facts["parts"] = [
        {
            "part": name,
            "bytes": count,
            "share": count / len(data),
            "bits_per_splat": 8 * count / splats if splats else None,
        }
        for name, count in parts.items()
    ]
    facts["bytes_by_stream"] = named(walk.streams, walk.scene)
    overhead = {
        "headers": sum(parts.get(name, 0) for name in ("container", "chunk headers", "parameters")),
        "tables": walk.tables,
        "bases": walk.bases,
    }
    facts["overhead"] = {**overhead, "share": sum(overhead.values()) / max(len(data), 1)}
    facts["metadata"] = [{"kind": text.kind, "bytes": len(text.text.encode())} for text in walk.texts.found]
    picture = walk.thumbnail
    facts["thumbnail"] = picture and {
        "kind": picture.kind,
        "width": picture.width,
        "height": picture.height,
        "bytes": len(picture.data),
    }
    with contextlib.suppress(StreamError):  # which is a problem already
        facts["tensors"] = tensor_facts(walk.tensors[:1])
    facts["keeps_order"] = "order" in walk.further
    facts["problems"] = walk.problems
    facts["parameter_sets"] = walk.set_facts
    facts["sections"] = walk.sections
    facts["chunks"] = walk.chunks
    end = walk.end.sha256 if walk.end is not None else None
    facts["hashes"] = {
        "file": hashlib.sha256(data).hexdigest(),
        "end_mark": end.hex() if end is not None else None,
    }
    return facts


def _parts(walk: _Walk) -> dict[str, int]:
    """Bytes of each part; together they are all bytes of the sections that were met, and the file header."""
    parts: dict[str, int] = {}
    for name, count in walk.streams.items():
        part = PART_OF.get(name, name)
        parts[part] = parts.get(part, 0) + count
    parts = named(parts, walk.scene)
    parts |= {
        "chunk headers": walk.chunk_headers,
        "parameters": walk.settings,
        "bases": walk.bases,
        "tables": walk.tables,
        **walk.further,
    }
    whole = HEADER_BYTES + sum(section["bytes"] for section in walk.sections)
    parts["container"] = whole - sum(parts.values())
    return parts


def named(counts: dict[str, int], scene: SceneHeader | None) -> dict[str, int]:
    """Streams of extra attributes by the attribute's name."""
    extras = scene.extras if scene is not None else ()
    names = {f"extra {number}": f"extra {extra.name}" for number, extra in enumerate(extras)}
    return {names.get(name, name): count for name, count in counts.items()}


def scene_facts(scene: SceneHeader) -> dict[str, Any]:
    """What SCEN says, in words."""
    has_bounds = any(scene.bounds)
    return {
        "sh_degree": scene.sh_degree,
        "coordinate_system": coordinate_systems.NAMES[scene.coordinate_system],
        "up_axis": up_axes.NAMES[scene.up_axis],
        "handedness": handedness.NAMES[scene.handedness],
        "colour_space": colour_spaces.NAMES[scene.colour_space],
        "rendering_model": rendering_models.NAMES[scene.rendering_model],
        "sh_convention": sh_conventions.NAMES[scene.sh_convention],
        "metres_per_unit": scene.metres_per_unit or None,
        "offset": list(scene.offset),
        "bounds": list(scene.bounds) if has_bounds else None,
        "extras": [
            {
                "id": extra.id,
                "name": extra.name,
                "type": extra_types.NAMES[extra.type],
                "components": extra.components,
                "coding": extra_codings.NAMES[extra.coding],
                "step": math.ldexp(extra.mantissa, extra.exponent) if extra.is_stepped else None,
            }
            for extra in scene.extras
        ],
    }


def _add_further(walk: _Walk, event: Skipped) -> None:
    """(2.12, 2.13) What decoding can do without; faults there are no faults of the file."""
    if event.id not in FURTHER:
        return
    name = FURTHER[event.id]
    walk.further[name] = walk.further.get(name, 0) + len(event.payload)
    try:
        if event.id == b"META":
            walk.texts.add(event.payload, event.offset)
        elif event.id == b"THMB":
            if walk.thumbnail is not None:
                raise second_thumbnail(event)
            walk.thumbnail = read_thumbnail(event.payload, event.offset)
        elif event.id == b"TENS":
            walk.tensors.append(event)
            tensor_facts(walk.tensors)
    except StreamError as error:
        walk.problems.append(str(error))


def tensor_facts(sections: list[Skipped]) -> dict[str, Any] | None:
    """(12.10) What stands in the first TENS; None without one. Raises `StreamError`."""
    from gscodec.container.tensors import find_tensors
    from gscodec.io.safetensors import checked

    found = find_tensors(sections, Limits.of_level(LEVELS[-1]))
    if found is None:
        return None
    facts: dict[str, Any] = {"kind": found.kind, "bytes": len(found.data), "tensors": [], "problem": None}
    try:
        for each in checked(found.data):
            name = each.name if each.name.isprintable() else ascii(each.name)[1:-1]
            facts["tensors"].append({"name": name, "type": each.type, "shape": list(each.shape)})
    except InputError as error:
        facts["problem"] = error.message
    return facts


def _add_parameters(walk: _Walk, event: ParametersEvent) -> None:
    scene = walk.scene
    if scene is None:
        raise RuntimeError("a section before SCEN")
    read = read_parameters(event.payload, event.offset, sh_degree=scene.sh_degree, extras=scene.extras)
    coding = read.coding
    size = len(event.payload)
    own, basis = coding_bytes(coding), 0
    if (sh := coding.harmonics) is not None and not sh.built_in_step:
        basis = own - coding_bytes(replace(coding, harmonics=replace(sh, basis=None, order=None)))
    walk.sets[event.id] = read
    walk.bases += basis
    walk.settings += own - basis
    walk.tables += size - own
    walk.set_facts.append(
        {
            "id": event.id,
            "bytes": size,
            "classes": coding.classes,
            "tables": len(read.tables),
            "built_in_tables": _choice_in_words(read),
            "contexts": sum(len(contexts) for contexts in read.maps.values()),
            "steps": _steps(coding),
            "class_multipliers": {
                name: (coding.multipliers(number)[: coding.classes] / 64).tolist()
                for name, number in ATTRIBUTES.items()
                if name != "harmonics" or coding.harmonics is not None
            },
            "predicted": [name for name, number in ATTRIBUTES.items() if coding.is_predicted(number)],
            "harmonics_basis": _basis_in_words(coding),
        }
    )


def _steps(coding: CodingParameters) -> dict[str, tuple[float | list[float], str]]:
    """Steps of class 0 with their units. That of positions is the chunks'."""
    scale = coding.scale.step / 2**26
    steps: dict[str, tuple[float | list[float], str]] = {
        "scale": (scale, "(natural logarithm)"),
        "rotation": (
            math.pi * 256 * scale / coding.rotation.twist_factor,
            "rad of twist where two axes differ by a factor e",
        ),
        "opacity": (coding.opacity.step / 2**26, "octaves of opacity + 1/16"),
        "colour": ([m * 2.0**coding.colour.exponent for m in coding.colour.mantissas], "Y, Co, Cg"),
    }
    if coding.harmonics is not None:
        columns = coding.harmonics.colour.astype(np.float64) * 2.0**coding.harmonics.exponent
        steps["harmonics"] = (np.linalg.norm(columns, axis=0).tolist(), "along the three colour axes")
    return steps


def _choice_in_words(parameters: Parameters) -> str | None:
    if (choice := parameters.choice) is None:
        return None
    apart = f"; maps of their own: {', '.join(choice.maps)}" if choice.maps else ""
    return f"set {choice.set}, {len(choice.own)} tables added{apart}"


def _basis_in_words(coding: CodingParameters) -> str | None:
    if coding.harmonics is None:
        return None
    kind = "fitted to the scene" if coding.harmonics.basis is not None else "none"
    kind = "built in" if coding.harmonics.built_in_step else kind
    return f"{kind}; groups end at {' '.join(map(str, coding.harmonics.bounds))}"


def _add_chunk(walk: _Walk, event: Chunk) -> None:
    scene = walk.scene
    if scene is None:
        raise RuntimeError("a section before SCEN")
    coding = walk.sets[event.header.parameters_id].coding
    fields = chunk_reader(event.payload, event.offset)
    chunk = read_fields(fields, coding)
    lengths = read_lengths(fields, stream_names(coding, scene.extras, repeats=chunk.repeats))
    sizes = {name: 4 * sum(lanes) for name, lanes in lengths.items()}
    for name, size in sizes.items():
        walk.streams[name] = walk.streams.get(name, 0) + size
    walk.chunk_headers += len(event.payload) - sum(sizes.values())
    walk.chunks.append(
        {
            "number": event.number,
            "offset": event.offset,
            "bytes": len(event.payload) + SECTION_FRAME_BYTES,
            "first_splat": event.first_splat,
            "splats": chunk.count,
            "layer": event.header.layer,
            "parameters": event.header.parameters_id,
            "repeats": chunk.repeats,
            "lanes": max((len(lanes) for lanes in lengths.values()), default=0),
            "depth": chunk.grid.depth,
            "cell": 2.0 * coding.position_mantissa * 2.0**chunk.grid.exponent,
            "trees": list(chunk.tree_counts),
            "bytes_by_stream": named(sizes, scene),
        }
    )
