"""Made-up chunks and motion for the tests of motion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gscodec
from gscodec.chunk import ChunkFields, ChunkIntegers, read_chunk
from gscodec.container import Chunk, ContainerReader, Parameters, SceneHeader
from gscodec.decoder import empty_splats, write_values
from gscodec.parameters import CodingParameters, read_parameters
from gscodec.reference.container import read_container
from gscodec.reference.decode import DecodedChunk, decode_chunks
from gscodec.splats import Splats

DURATION = 48_000


@dataclass(frozen=True, kw_only=True)
class Made:
    """A chunk of a file: its integers, its splats as a reader has them, and all that the reference has."""

    fields: ChunkFields
    integers: ChunkIntegers
    coding: CodingParameters
    splats: Splats
    plain: DecodedChunk
    extras: tuple[Any, ...] = ()  # as the reference has them

    @property
    def distinct(self) -> int:
        return len(self.integers.classes)


def made_splats(count: int, seed: int = 1, degree: int = 1, repeats: int = 0) -> Splats:
    """A ball of splats, the last `repeats` of which are there twice."""
    rng = np.random.default_rng(seed)
    count -= repeats
    splats = Splats(
        positions=rng.normal(0, 2, (count, 3)).astype(np.float32),
        scales=rng.normal(-4, 0.7, (count, 3)).astype(np.float32),
        rotations=rng.normal(0, 1, (count, 4)).astype(np.float32),
        opacities=rng.normal(1, 2, count).astype(np.float32),
        sh_dc=rng.normal(0, 1, (count, 3)).astype(np.float32),
        sh_rest=rng.normal(0, 0.2, (count, (0, 3, 8, 15)[degree], 3)).astype(np.float32),
    )
    rows = np.concatenate([np.arange(count), np.arange(count - repeats, count)])
    return splats.take(rows)


@lru_cache(maxsize=8)
def made(count: int = 600, seed: int = 1, degree: int = 1, repeats: int = 0, quality: float = 0.5) -> Made:
    """The only chunk of an encoded ball."""
    return chunks_of(gscodec.encode(made_splats(count, seed, degree, repeats), quality=quality, effort=1))[0]


def chunks_of(data: bytes) -> list[Made]:
    """The chunks of a file."""
    reader, found = ContainerReader(), []
    plain = decode_chunks(read_container(data))
    reader.feed(data)
    reader.close()
    for event in reader.events():
        if isinstance(event, SceneHeader):
            scene = event
        elif isinstance(event, Parameters):
            parameters = read_parameters(
                event.payload, event.offset, sh_degree=scene.sh_degree, extras=scene.extras
            )
        elif isinstance(event, Chunk):
            fields, integers = read_chunk(event.payload, event.offset, parameters, scene.extras)
            splats = empty_splats(scene, fields.count, scene.sh_degree)
            write_values(fields, integers, parameters.coding, scene, splats)
            coding = parameters.coding
            found.append(
                Made(fields=fields, integers=integers, coding=coding, splats=splats, plain=next(plain))
            )
    return found


def product(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """The products of quaternions (..., 4)."""
    a, b, c, d = np.moveaxis(np.asarray(p, np.float64), -1, 0)
    w, x, y, z = np.moveaxis(np.asarray(q, np.float64), -1, 0)
    rows = [
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    ]
    return np.stack(rows, -1)


def between(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """Radians that turn one unit quaternion (..., 4) into the other."""
    dot = np.abs((p * q).sum(-1)) / np.linalg.norm(p, axis=-1) / np.linalg.norm(q, axis=-1)
    return np.asarray(2 * np.arccos(np.clip(dot, 0, 1)))
