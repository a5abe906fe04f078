"""(12.5) MOTN: how the splats of the chunk before it move, and the splats of a chunk at a tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gscodec.reference import bases, functions, keyframes, polynomial
from gscodec.reference.bases import Bases, Mixture
from gscodec.reference.channels import ground_of, read_coder
from gscodec.reference.chunk import ChunkHeader, Splats
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.decode import DecodedChunk, Splat, splat_from_integers
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields
from gscodec.reference.functions import Functions
from gscodec.reference.keyframes import Keyframes
from gscodec.reference.parameters import Parameters
from gscodec.reference.polynomial import Polynomial

STILL, POLYNOMIAL, MIXTURE, KEYFRAMES, FUNCTIONS = range(5)  # models
FLAGS = {STILL: 0, POLYNOMIAL: 7, MIXTURE: 1, KEYFRAMES: 3, FUNCTIONS: 3}  # that each has


@dataclass(frozen=True)
class Motion:
    """(12.5) When a chunk is shown, and how it moves; None: as it is."""

    first: int  # ticks of the segment
    until: int
    model: Polynomial | Mixture | Keyframes | Functions | None


def read_start(fields: Fields, duration: int) -> tuple[int, int, int, int]:
    """(12.5) Model, flags and the ticks from and until which the chunk is shown."""
    place = fields.place()
    if (model := fields.integer("u8")) not in FLAGS:
        raise place.unsupported("motion.model", f"model {model}")
    place = fields.place()
    if (flags := fields.integer("u8")) & ~FLAGS[model]:
        raise place.unsupported("motion.flags", f"flags {flags:#x}")
    place = fields.place()
    if fields.integer("u16"):
        raise place.unsupported("container.reserved", "a reserved field is not zero")
    first = fields.integer("u32", 0, duration - 1)
    return model, flags, first, fields.integer("u32", first + 1, duration)


def read_motion(
    payload: bytes,
    place: Place,
    header: ChunkHeader,
    parameters: Parameters,
    splats: Splats,
    duration: int,
    known: Mapping[int, Bases],
) -> Motion:
    """(12.5) The payload of MOTN; `known` are the bases before it in the segment of so many ticks."""
    fields = Fields(payload, place, "motion")
    model, flags, first, until = read_start(fields, duration)
    k = parameters.classes
    if model == POLYNOMIAL:
        polynomials = polynomial.read_polynomial(fields, flags, k)
        next_stream = read_coder(fields, polynomial.polynomial_contexts(polynomials, k))
        ground = ground_of(header, parameters, splats, flags & polynomial.PREDICTED > 0)
        polynomial.read_polynomial_streams(polynomials, ground, next_stream)
        return Motion(first, until, polynomials)
    if model == MIXTURE:
        mixture = bases.read_mixture(fields, flags, known)
        next_stream = read_coder(fields, bases.mixture_contexts(k))
        ground = ground_of(header, parameters, splats, flags & bases.PREDICTED > 0)
        bases.read_mixture_streams(mixture, ground, next_stream)
        return Motion(first, until, mixture)
    if model == KEYFRAMES:
        keys = keyframes.read_keyframes(fields, flags, parameters)
        keyframes.check_keyframes_symbols(fields, keys, parameters, header.count)
        next_stream = read_coder(fields, keyframes.keyframes_contexts(keys, parameters))
        ground = ground_of(header, parameters, splats, flags & keyframes.PREDICTED > 0)
        keyframes.read_keyframes_streams(keys, ground, parameters, splats, next_stream)
        return Motion(first, until, keys)
    if model == FUNCTIONS:
        of_time = functions.read_functions(fields, flags, parameters, known)
        functions.check_functions_symbols(fields, of_time, parameters, header.count)
        next_stream = read_coder(fields, functions.functions_contexts(of_time, parameters))
        ground = ground_of(header, parameters, splats, flags & functions.PREDICTED > 0)
        functions.read_functions_streams(of_time, ground, parameters, next_stream)
        return Motion(first, until, of_time)
    if fields.position != len(payload):
        raise fields.wrong_length()
    return Motion(first, until, None)


def moved(
    motion: Motion | None,
    chunk: DecodedChunk,
    tick: int,
    duration: int,
    attributes: list[ExtraAttribute],
) -> list[Splat]:
    """(12.5) The splats of a chunk that are shown at a tick of its segment, in order."""
    if motion is not None and not motion.first <= tick < motion.until:
        return []
    splats = [splat_from_integers(chunk, i, attributes) for i in range(chunk.header.count)]
    model = motion.model if motion is not None else None
    if isinstance(model, Polynomial):
        return polynomial.polynomial_splats(model, chunk, splats, tick, duration)
    if isinstance(model, Mixture):
        return bases.mixture_splats(model, chunk, splats, tick)
    if motion is not None and isinstance(model, Keyframes):
        return keyframes.keyframes_splats(model, chunk, splats, tick - motion.first)
    if isinstance(model, Functions):
        return functions.functions_splats(model, chunk, splats, tick)
    return splats
