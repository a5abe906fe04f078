"""What a valid file makes a decoder do, as a set of words; and a choice of seeds that covers all of it.

    python conformance/generators/features.py [SEEDS]

prints the seeds of streams.py that together cover what the first SEEDS (300) cover. Standard library only.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import checkout  # noqa: F401 (puts the package on the path)

from gscodec._generated import extra_types
from gscodec.reference.chunk import context_maps, read_header, read_lengths
from gscodec.reference.container import Container, read_container
from gscodec.reference.decode import LARGEST, DecodedChunk, Splat, decode_chunks, splat_from_integers
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields
from gscodec.reference.parameters import REC_BOUND, Parameters
from gscodec.reference.rotation import shape_from_scales

SMALLEST_NORMAL = 2.0**-126


def features(data: bytes) -> set[str]:
    """What decoding `data` exercises."""
    container = read_container(data)
    return set(_container(container)) | {word for words in _chunks(container) for word in words}


def _container(container: Container) -> Iterator[str]:
    scene = container.scene
    assert scene is not None
    yield f"SH degree {scene.sh_degree}"
    yield "stream mode" if container.header.stream_mode else "file mode"
    yield "several parameter sets" if len(container.parameters) > 1 else "one parameter set"
    yield f"{min(3, len(container.chunks))} or more chunks"
    for extra in scene.extras:
        yield f"extra {extra_types.NAMES[extra.type]}"
        yield f"extra of {extra.components} components"
        if extra.name == "nx":
            yield "extra normals"


def _chunks(container: Container) -> Iterator[Iterator[str]]:
    assert container.scene is not None
    for chunk, decoded in zip(container.chunks, decode_chunks(container), strict=True):
        yield _parameters(decoded.parameters)
        yield _lanes(chunk.payload, decoded.parameters, container)
        yield _integers(decoded)
        for i in range(decoded.header.count):
            yield _values(splat_from_integers(decoded, i, container.scene.extras))


def _parameters(p: Parameters) -> Iterator[str]:
    yield f"{p.classes} classes"
    yield f"{p.trees()} octrees"
    yield "dilation" if p.scale.dilation else "no dilation"
    for name, row in zip(("scale", "rotation", "opacity", "colour", "harmonics"), p.multipliers, strict=True):
        yield f"{name} step times up to {max(row) // 64}"
    for attribute in range(5):
        yield f"attribute {attribute} {'' if p.is_predicted(attribute) else 'not '}predicted"
    for number, settings in enumerate(p.sets):
        yield f"set {number} window {settings.window}"
        yield f"set {number} power {settings.power}"
        if 0 in settings.shrink:
            yield f"set {number} shrink 0"
    if p.harmonics:
        yield f"{len(p.harmonics.bounds)} groups of harmonics"
        yield "basis" if p.harmonics.basis else "no basis"
        yield f"harmonics exponent {p.harmonics.exponent}"
    yield f"colour exponent {p.colour.exponent}"
    yield f"{len(p.tables)} tables"
    for table in p.tables:
        yield f"resolution {table.resolution}"
        if table.is_constant():
            yield "constant table"
        if len(table.frequencies) == 256:
            yield "table of 256 symbols"
    yield f"cells {p.rotation.axis_cells} x {p.rotation.twist_cells}"


def _lanes(payload: bytes, parameters: Parameters, container: Container) -> Iterator[str]:
    fields = Fields(payload, Place("CHNK", 0), "chunk")
    maps = context_maps(read_header(fields, parameters), parameters)
    names = ["position", "importance", "scale", "rotation", "opacity", "colour"]
    for number, lanes in enumerate(read_lengths(fields, len(maps))):
        yield f"stream {min(number, len(names))} in {len(lanes)} lanes"
        if 0 in lanes and any(lanes):
            yield "an empty lane beside others"


def _integers(decoded: DecodedChunk) -> Iterator[str]:
    header, s, p = decoded.header, decoded.splats, decoded.parameters
    yield f"depth {header.depth}" if header.depth in (0, 20) else "some depth"
    yield f"exponent {header.exponent}" if header.exponent in (-200, 120) else "some exponent"
    if any(abs(o) == 1 << 35 for o in header.origin):
        yield "largest origin"
    if header.count == 1:
        yield "chunk of one splat"
    if 0 in header.tree_counts:
        yield "empty octree"
    if len(s.classes) < header.count:
        yield "duplicates"
    elif header.has_duplicates:
        yield "duplicates flag without duplicates"
    if len(set(s.positions)) < len(s.positions):
        yield "places that are shared"
    for name, values in [
        ("scale", [v for row in s.scales for v in row]),
        ("opacity", s.opacities),
        ("colour", [v for row in s.colours for v in row]),
    ]:
        if any(abs(v) > REC_BOUND - 8192 for v in values):
            yield f"{name} near its bound"
    if any(abs(v) > 65_535 - 8192 for row in s.coefficients for v in row):
        yield "coefficient near its bound"
    for scales, c in zip(s.scales, s.classes, strict=True):
        shape = shape_from_scales(scales, p.multipliers[1][c], p.rotation)
        yield "disc" if shape.is_disc else "needle"
        for kind, cells in (("axis", shape.axis_cells), ("twist", shape.twist_cells)):
            yield f"{kind} cells {'1' if cells == 1 else '2 to 127' if cells < 128 else '128 or more'}"


def _values(splat: Splat) -> Iterator[str]:
    for name in ("position", "colour", "harmonics", "opacity", "scale"):
        for value in getattr(splat, name).binary32():
            if abs(value) == LARGEST:
                yield f"{name} saturates"
            elif 0 < abs(value) < SMALLEST_NORMAL:
                yield f"{name} denormal"
            elif value == 0 and math.copysign(1, value) < 0:
                yield f"{name} minus zero"


def covering_seeds(seeds: int, most: int) -> tuple[list[int], set[str]]:
    """Few seeds whose files cover what all of them cover, by taking the best again and again."""
    import streams

    found = {}
    for seed in range(seeds):
        file = streams.file_from_seed(seed, most)
        if all(extra.type < 8 for extra in file.extras):  # PLY has no 64-bit integers
            found[seed] = (features(file.data), len(file.data))
    missing = set().union(*(words for words, _ in found.values()))
    chosen, all_ = [], set(missing)
    while missing:
        best = max(found, key=lambda s: len(found[s][0] & missing) / (400 + found[s][1]) ** 0.3)
        chosen.append(best)
        missing -= found[best][0]
    return chosen, all_


if __name__ == "__main__":
    chosen, words = covering_seeds(int(sys.argv[1]) if len(sys.argv) > 1 else 300, 40)
    print(f"{len(chosen)} seeds cover {len(words)} features: {sorted(chosen)}")
