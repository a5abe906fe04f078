#!/usr/bin/env python3
"""Build the conformance vectors, their manifest, and the generated parts of spec/07-hello.md.

    python conformance/generators/build.py             make what is missing or stale
    python conformance/generators/build.py --check     change nothing; exit 1 and list what is stale
    python conformance/generators/build.py --encode    also let today's encoder make the baseline files anew
    python conformance/generators/build.py --only dynamic_   only vectors whose name starts so; others stay

Vectors from integers (uncommon, faulty, regress, hello.gsc) come out the same on every machine and are
compared byte for byte. The other baseline files come from the real encoder, which decides in floating point:
those committed are normative, and only their entries in the manifest are checked. What a file decodes to is
what the reference decoder says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import checkout
import faulty
import further
import hello
import moving
import uncommon

from gscodec.errors import StreamError
from gscodec.reference.container import Container, SceneHeader, read_container
from gscodec.reference.decode import (
    Splat,
    columns,
    decode_chunks,
    in_input_order,
    ply,
    splat_from_integers,
)
from gscodec.reference.dynamic import is_dynamic, read_timeline, splats_at
from gscodec.reference.lossless import is_lossless, read_lossless
from gscodec.reference.lossless_ply import ply_from_lossless
from gscodec.reference.metadata import metadata_of, thumbnail_of
from gscodec.reference.tensors import tensors_of
from gscodec.reference.timeline import scene_of

ROOT = checkout.ROOT
CONFORMANCE = ROOT / "conformance"
VECTORS, MANIFEST = CONFORMANCE / "vectors", CONFORMANCE / "manifest.json"
PAGE = ROOT / "spec/07-hello.md"


@dataclass(frozen=True)
class Vector:
    """A file of the manifest."""

    group: str
    name: str
    proves: str
    data: bytes
    is_exact: bool = True  # whether every machine makes these bytes
    ticks: tuple[int, ...] = (0,)  # at which a file of the dynamic profile is looked at

    @property
    def path(self) -> Path:
        return path_of(self.group, self.name)


def path_of(group: str, name: str) -> Path:
    return VECTORS / group / f"{name}.gsc"


def decoded(data: bytes, file_order: bool) -> tuple[SceneHeader, list[Splat]]:
    """What the reference decoder's command does (6.9)."""
    container = read_container(data)
    scene = container.scene
    assert scene is not None
    columns(scene)
    chunks = decode_chunks(container)
    splats = [splat_from_integers(c, i, scene.extras) for c in chunks for i in range(c.header.count)]
    return scene, splats if file_order else in_input_order(container, splats)


def faults_of(error: StreamError) -> dict[str, Any]:
    kind = type(error).__name__
    return {"error": {"class": kind, "code": error.code, "clause": error.clause, "offset": error.offset}}


def about(data: bytes) -> dict[str, Any]:
    """What there is besides splats: what one gets who skips the permutation, or who reads metadata."""
    found: dict[str, Any] = {}
    try:
        if is_dynamic(data):
            timeline = read_timeline(data)
            container = Container(timeline.static.header, skipped=timeline.skipped)
        else:
            container = read_container(data)
    except StreamError:
        return {}
    ids = {section.id for section in container.skipped}
    if b"PERM" in ids:
        found["file_order"] = outcome(data, file_order=True)
    if b"META" in ids:
        found["metadata"] = texts(container)
    if b"THMB" in ids:
        found["thumbnail"] = picture(container)
    if b"TENS" in ids:
        found["tensors"] = tensors(container)
    return found


def texts(container: Container) -> Any:
    try:
        return [[kind, hashlib.sha256(text.encode()).hexdigest()] for kind, text in metadata_of(container)]
    except StreamError as error:
        return faults_of(error)


def picture(container: Container) -> Any:
    try:
        found = thumbnail_of(container)
    except StreamError as error:
        return faults_of(error)
    assert found is not None
    sha256 = hashlib.sha256(found.image).hexdigest()
    return {"kind": found.kind, "width": found.width, "height": found.height, "sha256": sha256}


def tensors(container: Container) -> Any:
    try:
        found = tensors_of(container.skipped, container.header)
    except StreamError as error:
        return faults_of(error)
    assert found is not None
    return {"kind": found[0], "sha256": hashlib.sha256(found[1]).hexdigest()}


def outcome_at(data: bytes, tick: int) -> dict[str, Any]:
    """(12.9) What a decoder has to make of a dynamic file at a tick."""
    try:
        timeline = read_timeline(data)
        scene = scene_of(timeline.static)
        columns(scene)
        splats = splats_at(timeline, tick)
    except StreamError as error:
        return faults_of(error)
    return {"splats": len(splats), "ply_sha256": hashlib.sha256(ply(scene, splats)).hexdigest()}


def outcomes(data: bytes, ticks: tuple[int, ...]) -> dict[str, Any]:
    """The same at several ticks; for a file that is wrong at the first of them, its error there."""
    found = [{"tick": tick, **outcome_at(data, tick)} for tick in ticks]
    profile = {"profile": "dynamic"}
    return {**profile, **found[0]} if "error" in found[0] else {**profile, "ticks": found}


@cache
def outcome(data: bytes, file_order: bool = False) -> dict[str, Any]:
    """What a decoder has to make of a file."""
    try:
        if is_lossless(data):
            found = read_lossless(data)
            ply_sha256 = hashlib.sha256(ply_from_lossless(found)).hexdigest()
            return {"rows": found.description.rows, "ply_sha256": ply_sha256}
        scene, splats = decoded(data, file_order)
    except StreamError as error:
        return faults_of(error)
    return {"splats": len(splats), "ply_sha256": hashlib.sha256(ply(scene, splats)).hexdigest()}


def entry(vector: Vector) -> dict[str, Any]:
    """A vector in the manifest."""
    facts = {
        "name": vector.name,
        "group": vector.group,
        "proves": vector.proves,
        "bytes": len(vector.data),
        "sha256": hashlib.sha256(vector.data).hexdigest(),
    }
    made = outcomes(vector.data, vector.ticks) if is_dynamic(vector.data) else outcome(vector.data)
    return {**facts, **made, **about(vector.data)}


def vectors(encode: bool) -> Iterator[Vector]:
    """All vectors, in the order of the manifest."""
    import baseline  # needs numpy and the encoder

    for valid in baseline.baselines():
        path, is_exact = path_of("baseline", valid.name), valid.make is hello.hello
        keep = path.exists() and not encode and not is_exact
        data = path.read_bytes() if keep else valid.make()
        yield Vector("baseline", valid.name, valid.proves, data, is_exact)
    codes = {name: code for name, code, _, _ in further.wrong()}
    for made in uncommon.uncommon():
        if made.name in codes:
            found = next(iter(about(made.data).values()))["error"]["code"]
            if found != codes[made.name]:
                raise SystemExit(f"uncommon/{made.name}: expected {codes[made.name]}, but it is {found}")
        yield Vector("uncommon", made.name, made.proves, made.data)
    for fault in faulty.faults():
        vector = Vector("faulty", fault.name, fault.proves, fault.data)
        found = outcome(fault.data).get("error", {}).get("code")
        if found != fault.code:
            raise SystemExit(
                f"faulty/{fault.name}: expected {fault.code}, the reference decoder says {found}"
            )
        yield vector
    for made in uncommon.regress():
        yield Vector("regress", made.name, made.proves, made.data)
    yield from dynamic_vectors()


def dynamic_vectors() -> Iterator[Vector]:
    """(12) Those of the dynamic profile, checked against what they were made for."""
    for group, case in moving.all_cases():
        vector = Vector(group, case.name, case.proves, case.data, ticks=case.ticks)
        found = entry(vector)
        error = found.get("error") or found.get("tensors", {}).get("error") or {}
        if error.get("code", "") != case.code:
            raise SystemExit(f"{group}/{case.name}: expected {case.code or 'no error'}, but it is {error}")
        yield vector


def manifest_text(found: list[Vector]) -> str:
    entries = [entry(vector) for vector in found]
    about = (
        "What a decoder has to make of each vector; see conformance/README.md. Built by generators/build.py."
    )
    return json.dumps({"about": about, "licence": "CC0-1.0", "vectors": entries}, indent=1) + "\n"


def build_only(prefix: str) -> int:
    """Make the vectors of the dynamic profile whose name starts with `prefix`, and their entries."""
    every = list(dynamic_vectors())
    found = [vector for vector in every if vector.name.startswith(prefix)]
    for vector in found:
        vector.path.parent.mkdir(parents=True, exist_ok=True)
        vector.path.write_bytes(vector.data)
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    others = [each for each in manifest["vectors"] if not each["name"].startswith(prefix)]
    made = [entry(vector) for vector in found]
    entries = {(each["group"], each["name"]): each for each in [*others, *made]}
    last = [entries.pop(at) for vector in every if (at := (vector.group, vector.name)) in entries]
    manifest["vectors"] = [*entries.values(), *last]
    MANIFEST.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    print(f"{len(found)} vectors, {sum(len(vector.data) for vector in found):,} bytes")
    return 0 if found else 1


def main(arguments: list[str] | None = None) -> int:
    """Build or check everything."""
    parser = argparse.ArgumentParser(description="Build the conformance vectors and their manifest.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when anything is stale")
    parser.add_argument("--encode", action="store_true", help="make the encoder's files anew")
    parser.add_argument(
        "--only", metavar="PREFIX", help="make only vectors of the dynamic profile whose name starts so"
    )
    options = parser.parse_args(arguments)
    if options.only:
        return build_only(options.only)
    found = list(vectors(options.encode and not options.check))
    wanted = {vector.path: vector.data for vector in found}
    wanted[MANIFEST] = manifest_text(found).encode()
    wanted[PAGE] = hello.page(PAGE.read_text(encoding="utf-8")).encode()
    stale = [path for path, data in wanted.items() if not path.exists() or path.read_bytes() != data]
    orphans = [path for path in VECTORS.rglob("*.gsc") if path not in wanted]
    for path in [*stale, *orphans]:
        print(f"{'stale' if options.check else 'built'}: {path.relative_to(ROOT).as_posix()}")
    if options.check:
        return 1 if stale or orphans else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted[path])
    for path in orphans:
        path.unlink()
    total = sum(len(vector.data) for vector in found)
    print(f"{len(found)} vectors, {total:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
