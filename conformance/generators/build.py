#!/usr/bin/env python3
"""Build the conformance vectors, their manifest, and the generated parts of spec/07-hello.md.

    python conformance/generators/build.py             make what is missing or stale
    python conformance/generators/build.py --check     change nothing; exit 1 and list what is stale
    python conformance/generators/build.py --encode    also let today's encoder make the baseline files anew

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
from gscodec.reference.lossless import is_lossless, read_lossless
from gscodec.reference.lossless_ply import ply_from_lossless
from gscodec.reference.metadata import metadata_of, thumbnail_of

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
    try:
        container = read_container(data)
    except StreamError:
        return {}
    found: dict[str, Any] = {}
    ids = {section.id for section in container.skipped}
    if b"PERM" in ids:
        found["file_order"] = outcome(data, file_order=True)
    if b"META" in ids:
        found["metadata"] = texts(container)
    if b"THMB" in ids:
        found["thumbnail"] = picture(container)
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
    return {**facts, **outcome(vector.data), **about(vector.data)}


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


def manifest_text(found: list[Vector]) -> str:
    entries = [entry(vector) for vector in found]
    about = (
        "What a decoder has to make of each vector; see conformance/README.md. Built by generators/build.py."
    )
    return json.dumps({"about": about, "licence": "CC0-1.0", "vectors": entries}, indent=1) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Build or check everything."""
    parser = argparse.ArgumentParser(description="Build the conformance vectors and their manifest.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when anything is stale")
    parser.add_argument("--encode", action="store_true", help="make the encoder's files anew")
    options = parser.parse_args(arguments)
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
