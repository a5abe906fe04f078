"""The two decoders behind one face: from the bytes of a .gsc to a PLY or an error."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import gscodec
from gscodec.cli.decoding import check_output, survey
from gscodec.errors import StreamError
from gscodec.io import write_ply
from gscodec.lossless import is_lossless, read_lossless
from gscodec.reference import lossless
from gscodec.reference.container import read_container
from gscodec.reference.decode import columns, decode_chunks, in_input_order, ply, splat_from_integers
from gscodec.reference.lossless_ply import ply_from_lossless

ROOT = Path(__file__).resolve().parents[2]
Error = tuple[str, str, str, int | None]


def facts(error: StreamError) -> Error:
    return type(error).__name__, error.code, error.clause, error.offset


def reference(data: bytes, *, file_order: bool = False, verify: bool = True) -> bytes | Error:
    """What the reference decoder makes of it; `verify` is for lossless files.

    Anything but a `StreamError` is a bug and gets through.
    """
    try:
        if is_lossless(data):
            return ply_from_lossless(lossless.read_lossless(data, verify=verify), verify=verify)
        container = read_container(data)
        scene = container.scene
        assert scene is not None
        columns(scene)
        chunks = list(decode_chunks(container))
        splats = [splat_from_integers(c, i, scene.extras) for c in chunks for i in range(c.header.count)]
        if not file_order:
            splats = in_input_order(container, splats)
    except StreamError as error:
        return facts(error)
    return ply(scene, splats)


def fast(data: bytes, threads: int = 1, *, file_order: bool = False, verify: bool = True) -> bytes | Error:
    """What gsdec makes of it."""
    out = io.BytesIO()
    try:
        if is_lossless(data):
            return b"".join(read_lossless(data, verify=verify).pieces())
        found = survey(data)
        if found.fault is not None:
            raise found.fault
        assert found.scene is not None
        check_output(found.scene, "inria")
        write_ply(out, gscodec.decode(data, threads=threads, file_order=file_order))
    except StreamError as error:
        return facts(error)
    return out.getvalue()


def incremental(data: bytes, step: int) -> list[gscodec.Splats] | Error:
    """What a decoder makes of it that gets the bytes in pieces."""
    decoder, found = gscodec.Decoder(threads=2), []
    try:
        for start in range(0, len(data), step):
            decoder.feed(data[start : start + step])
            found += [chunk.splats for chunk in decoder.chunks()]
        decoder.close()
        found += [chunk.splats for chunk in decoder.chunks()]
    except StreamError as error:
        return facts(error)
    return found


@lru_cache
def vectors() -> tuple[dict[str, Any], ...]:
    """The manifest, without files that change with time: those are looked at in tests/dynamic."""
    text = (ROOT / "conformance/manifest.json").read_text(encoding="utf-8")
    return tuple(each for each in json.loads(text)["vectors"] if each.get("profile") != "dynamic")


def data_of(vector: dict[str, Any]) -> bytes:
    return (ROOT / f"conformance/vectors/{vector['group']}/{vector['name']}.gsc").read_bytes()


def vector_data(group: str, name: str) -> bytes:
    return data_of({"group": group, "name": name})


def title(vector: dict[str, Any]) -> str:
    return f"{vector['group']}/{vector['name']}"
