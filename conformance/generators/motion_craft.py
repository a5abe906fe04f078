"""(12.5) Writes MOTN and MBAS: the reference decoder asks for its values, and scripts or chance give them.

As in craft.py and streams.py. The multipliers of models hold exponents and caps until they are written.
Standard library only.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from craft import Recipe, Scripted, payloads
from fixup import section
from rans import LaneWriter, draft_table, write_context_map, write_table
from streams import Event, Recorder, coded_symbol, lane_words

from gscodec.reference import bases, functions, keyframes, motion, polynomial
from gscodec.reference.bases import Bases, Mixture
from gscodec.reference.channels import Ground, ground_of
from gscodec.reference.chunk import ChunkHeader, Splats, read_chunk
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.decode import DecodedChunk
from gscodec.reference.entropy import Stream
from gscodec.reference.faults import Place
from gscodec.reference.functions import Functions
from gscodec.reference.keyframes import Keyframes
from gscodec.reference.parameters import MULTIPLIERS, Parameters, read_parameters
from gscodec.reference.polynomial import Polynomial

Model = Polynomial | Mixture | Keyframes | Functions
Script = Mapping[str, Sequence[int | None]]
Change = Callable[[list[list[Event]]], None]
NOWHERE = Place("MOTN", 0)

LINE = Polynomial(
    flags=0, degree=1, translation_multipliers=[0, 0], rotation_multipliers=[0, 0], reference=0,
    translation=(1, 0), rotation=(1, 0), centre_step=1, centre_offset=0, width_step=1, width_offset=0,
    threshold=0,
)  # fmt: skip
STEPS = Keyframes(
    flags=0, attributes=1, extrapolated=0, keys=1, interval=10, position_multipliers=[0, 0],
    rotation_multipliers=[0, 0], position=(1, 0), rotation=(1, 0),
)  # fmt: skip
PULSE = Bases(id=4, flags=bases.HOLDS_FUNCTIONS, count=1, keys=3, interval=30, exponent=0, step=4096)
WAVES = Functions(
    flags=0, bases=PULSE, attributes=1, residual=0, follows={"position": (0, 1)},
    position_multipliers=[0, 0], rotation_multipliers=[0, 0], position=(1, 0), rotation=(1, 0),
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """A chunk that motion can be written for."""

    parameter_payload: bytes
    chunk_payload: bytes
    parameters: Parameters
    header: ChunkHeader
    splats: Splats
    sh_degree: int = 0
    extras: list[ExtraAttribute] = field(default_factory=list)

    def chunk(self) -> DecodedChunk:
        return DecodedChunk(self.header, self.parameters, self.splats)

    def sections(self) -> bytes:
        return section(b"PARM", self.parameter_payload) + section(b"CHNK", self.chunk_payload)


def stage_of(
    parameter_payload: bytes, chunk_payload: bytes, sh_degree: int = 0, extras: Sequence[ExtraAttribute] = ()
) -> Stage:
    """A chunk with its parameters, decoded."""
    of_parameters, of_chunk = Place("PARM", 0), Place("CHNK", 0)
    parameters = read_parameters(parameter_payload, of_parameters, sh_degree, extras)
    header, splats = read_chunk(chunk_payload, of_chunk, parameters, extras)
    return Stage(parameter_payload, chunk_payload, parameters, header, splats, sh_degree, list(extras))


def stage(recipe: Recipe) -> Stage:
    """The chunk of a recipe."""
    return stage_of(*payloads(recipe), recipe.sh_degree, recipe.extras)


# ------------------------------------------------------------ fields


def pair(exponent_and_cap: Sequence[int]) -> bytes:
    return bytes(exponent_and_cap)


def factor_bytes(factor: tuple[int, int]) -> bytes:
    return struct.pack("<IB", *factor)


def polynomial_fields(m: Polynomial) -> bytes:
    """(12.6)"""
    out = bytes([m.degree]) + pair(m.translation_multipliers) + pair(m.rotation_multipliers)
    out += struct.pack("<I", m.reference) + factor_bytes(m.translation) + factor_bytes(m.rotation)
    return out + struct.pack(
        "<IiIiH", m.centre_step, m.centre_offset, m.width_step, m.width_offset, m.threshold
    )


def keyframes_fields(m: Keyframes) -> bytes:
    """(12.8)"""
    out = struct.pack("<BBHI", m.attributes, m.extrapolated, m.keys, m.interval)
    out += pair(m.position_multipliers) + pair(m.rotation_multipliers)
    return out + factor_bytes(m.position) + factor_bytes(m.rotation)


def functions_fields(m: Functions) -> bytes:
    """(12.11)"""
    out = bytes([m.bases.id, m.attributes, m.residual])
    out += b"".join(pair(m.follows[name]) for name in functions.names_of(m.attributes))
    out += pair(m.position_multipliers) + pair(m.rotation_multipliers)
    return out + factor_bytes(m.position) + factor_bytes(m.rotation)


def model_fields(m: Model) -> bytes:
    if isinstance(m, Polynomial):
        return polynomial_fields(m)
    if isinstance(m, Keyframes):
        return keyframes_fields(m)
    if isinstance(m, Functions):
        return functions_fields(m)
    return struct.pack("<BH", m.bases.id, m.levels)


def bases_fields(b: Bases) -> bytes:
    """(12.7) The fields of MBAS."""
    fixed = b.id, b.flags, b.count, b.keys, b.interval, b.exponent, b.step
    return struct.pack("<BBBHIhH", *fixed)


def model_number(m: Model) -> int:
    kinds: list[type] = [type(None), Polynomial, Mixture, Keyframes, Functions]
    return kinds.index(type(m))


def start_bytes(model: int, flags: int, first: int, until: int) -> bytes:
    """(12.5) The fields of every model."""
    return struct.pack("<BBHII", model, flags, 0, first, until)


# ------------------------------------------------------------ streams


def multiplied(stated: Sequence[int], classes: int) -> list[int]:
    """(4.3) Exponent and cap as multipliers."""
    exponent, cap = stated
    return [MULTIPLIERS[exponent][min(c, cap)] for c in range(classes)]


def decoded_form(m: Model, classes: int) -> Model:
    """A model as a decoder has it before the streams."""
    if isinstance(m, Polynomial):
        return replace(
            m,
            translation_multipliers=multiplied(m.translation_multipliers, classes),
            rotation_multipliers=multiplied(m.rotation_multipliers, classes),
        )
    if isinstance(m, Keyframes | Functions):
        return replace(
            m,
            position_multipliers=multiplied(m.position_multipliers, classes),
            rotation_multipliers=multiplied(m.rotation_multipliers, classes),
        )
    return replace(m)


def is_predicted(m: Model) -> bool:
    bit = {
        Polynomial: polynomial.PREDICTED,
        Mixture: bases.PREDICTED,
        Keyframes: keyframes.PREDICTED,
        Functions: functions.PREDICTED,
    }
    return m.flags & bit[type(m)] > 0


def read_model(m: Model, stage: Stage, ground: Ground, next_stream: Callable[[], Stream]) -> None:
    """(12.5) The streams of a model."""
    if isinstance(m, Polynomial):
        polynomial.read_polynomial_streams(m, ground, next_stream)
    elif isinstance(m, Mixture):
        bases.read_mixture_streams(m, ground, next_stream)
    elif isinstance(m, Functions):
        functions.read_functions_streams(m, ground, stage.parameters, next_stream)
    else:
        keyframes.read_keyframes_streams(m, ground, stage.parameters, stage.splats, next_stream)


def stream_names(m: Model, stage: Stage) -> list[str]:
    """The names of the streams for scripts."""
    if isinstance(m, Polynomial):
        names = {
            polynomial.TEMPORAL: "time",
            polynomial.TRANSLATED: "position",
            polynomial.ROTATED: "rotation",
        }
        return ["masks", *(names[bit] for bit in m.channels(1))]
    if isinstance(m, Mixture):
        return ["masks", "shares"]
    lives = ["lives"] if m.flags & keyframes.HAS_LIVES else []  # functions have the same flag
    if isinstance(m, Functions):
        masks = ["masks"] if m.attributes else []
        residuals = [(f"{a}_fineness", f"{a}_residuals") for a in functions.names_of(m.residual)]
        names = functions.names_of(m.attributes)
        return [*lives, *masks, *names, *(name for both in residuals for name in both)]
    return [*lives, "masks", *keyframes.keyframes_channels(m, stage.parameters)]


def model_contexts(m: Model, parameters: Parameters) -> list[int]:
    if isinstance(m, Polynomial):
        return polynomial.polynomial_contexts(m, parameters.classes)
    if isinstance(m, Mixture):
        return bases.mixture_contexts(parameters.classes)
    if isinstance(m, Functions):
        return functions.functions_contexts(m, parameters)
    return keyframes.keyframes_contexts(m, parameters)


@dataclass
class Source:
    """Where the values of streams come from: scripts, by the names of the streams, or chance."""

    script: Script = field(default_factory=dict)
    rng: random.Random | None = None
    spread: float | None = None  # how far values drawn by chance go; None: that is drawn, too

    def recorder(self, name: str) -> Recorder:
        if self.rng is None:
            script = list(self.script.get(name, ()))
            return Scripted([], [], [], NOWHERE, random.Random(0), script=script)
        if self.spread is not None and name not in self.script:
            return Recorder([], [], [], NOWHERE, random.Random(self.rng.random()), self.spread)
        if self.spread is not None:
            script = list(self.script[name])
            return Scripted([], [], [], NOWHERE, random.Random(0), script=script)
        spread = self.rng.choice([0.1, 1.0, 4.0, 30.0, 3000.0])
        wild = self.rng.choice([0, 0, 0.001, 0.02])
        return Recorder([], [], [], NOWHERE, random.Random(self.rng.random()), spread, wild)


def recorded(
    names: Sequence[str], source: Source, run: Callable[[Callable[[], Stream]], None]
) -> list[list[Event]]:
    """Run a function of the reference decoder that reads so many streams; what it asked for."""
    recorders: list[Recorder] = []

    def next_stream() -> Stream:
        recorders.append(source.recorder(names[len(recorders)]))
        return recorders[-1]

    run(next_stream)
    for name, recorder in zip(names, recorders, strict=True):
        if isinstance(recorder, Scripted) and recorder.script:
            raise ValueError(f"stream {name}: {len(recorder.script)} values left over")
    return [recorder.events for recorder in recorders]


def coder_bytes(
    events: list[list[Event]],
    contexts: Sequence[int],
    rng: random.Random | None = None,
    tables: int = 1,
    lanes: int | None = None,
) -> bytes:
    """(12.5) The coder part. Contexts share the tables at random."""
    draw = rng or random.Random(0)
    maps = [[draw.randrange(tables) for _ in range(size)] for size in contexts]
    counts: list[dict[int, int]] = [{} for _ in range(tables)]
    for stream, chosen in zip(events, maps, strict=True):
        for event in stream:
            if (symbol := coded_symbol(event)) is not None:
                table = counts[chosen[event[2]]]
                table[symbol] = table.get(symbol, 0) + 1
    resolutions = [draw.choice([10, 11, 12]) for _ in counts]
    drafts = [draft_table(c or {0: 1}, r) for c, r in zip(counts, resolutions, strict=True)]
    lane = LaneWriter()
    for draft in drafts:
        write_table(lane, draft)
    for chosen in maps:
        write_context_map(lane, chosen, tables, draw)
    words = lane.words()
    out = struct.pack(f"<BI{len(words)}I", tables, len(words), *words)
    behind = b""
    for stream, chosen in zip(events, maps, strict=True):
        count = lanes or (rng.choice([1, 2, 4]) if rng else 1)
        coded = lane_words(stream, count, [draft.table for draft in drafts], chosen)
        out += struct.pack(f"<B{count}I", count, *map(len, coded))
        behind += b"".join(struct.pack(f"<{len(w)}I", *w) for w in coded)
    return out + behind


# ------------------------------------------------------------ payloads


def coded_motion(
    stage: Stage,
    model: Model,
    source: Source,
    span: tuple[int, int],
    tables: int = 1,
    change: Change = lambda events: None,
    lanes: int | None = None,
) -> tuple[bytes, motion.Motion]:
    """(12.5) The payload of MOTN, and what is in it. `change` sees what is coded and may replace it."""
    told = decoded_form(model, stage.parameters.classes)
    ground = ground_of(stage.header, stage.parameters, stage.splats, is_predicted(model))
    names = stream_names(model, stage)
    events = recorded(names, source, lambda next_stream: read_model(told, stage, ground, next_stream))
    change(events)
    contexts = model_contexts(told, stage.parameters)
    start = start_bytes(model_number(model), model.flags, *span) + model_fields(model)
    return start + coder_bytes(events, contexts, source.rng, tables, lanes), motion.Motion(*span, told)


def bases_payload(
    told: Bases, source: Source, tables: int = 1, change: Change = lambda events: None
) -> bytes:
    """(12.7) The payload of MBAS."""
    names = ["functions"] if told.has_functions() else ["rotation", "translation"]
    events = recorded(names, source, lambda next_stream: bases.read_bases_streams(told, next_stream))
    change(events)
    return bases_fields(told) + coder_bytes(events, bases.bases_contexts(told), source.rng, tables)


def decoded_motion(stage: Stage, payload: bytes, duration: int, known: Mapping[int, Bases]) -> motion.Motion:
    """What the reference decoder makes of a payload of MOTN."""
    return motion.read_motion(payload, NOWHERE, stage.header, stage.parameters, stage.splats, duration, known)
