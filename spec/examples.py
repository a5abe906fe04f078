#!/usr/bin/env python3
"""Build the generated parts of spec/09-examples.md: one splat of a conformance vector, step by step.

    spec/examples.py            bring the page up to date
    spec/examples.py --check    change nothing; exit 1 when the page is stale

Every number comes from the functions of the reference decoder, and what they give together is compared with
what the reference decodes. Standard library only.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gscodec._generated import sin  # noqa: E402
from gscodec.reference import predictor, rotation  # noqa: E402
from gscodec.reference.chunk import Splats, context_maps, read_header, read_lengths, read_streams  # noqa: E402
from gscodec.reference.container import read_container  # noqa: E402
from gscodec.reference.entropy import Lane, Stream, signed_from_zigzag  # noqa: E402
from gscodec.reference.faults import Place  # noqa: E402
from gscodec.reference.fields import Fields  # noqa: E402
from gscodec.reference.parameters import (  # noqa: E402
    ROTATION,
    SCALE,
    Parameters,
    PredictorSet,
    read_parameters,
)

PAGE = ROOT / "spec/09-examples.md"
VECTOR = ROOT / "conformance/vectors/baseline/sh0.gsc"
SPLAT = 6  # has predecessors, and a rotation without escapes
STREAMS = ("position", "importance", "scale", "rotation", "opacity", "colour")
BLOCK = re.compile(r"(<!-- example: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)

Triples = Sequence[tuple[int, int, int]]


@dataclass
class Noted(Stream):
    """A stream that notes context and value of each number; a symbol inside a hybrid is overwritten by it."""

    notes: dict[int, tuple[int, int]] = field(default_factory=dict)

    def symbol(self, number: int, context: int, allowed: Container[int], code: str = "static.symbol") -> int:
        self.notes[number] = context, super().symbol(number, context, allowed, code)
        return self.notes[number][1]

    def hybrid(self, number: int, context: int, allowed: range) -> int:
        self.notes[number] = context, super().hybrid(number, context, allowed)
        return self.notes[number][1]

    def signed(self, number: int, context: int, allowed: range) -> int:
        self.notes[number] = context, super().signed(number, context, allowed)
        return self.notes[number][1]


@dataclass
class Case:
    """The vector, decoded, with what each stream gave."""

    parameters: Parameters
    distances: list[tuple[int, int]]  # of position, in S0, S1, S2
    splats: Splats
    streams: dict[str, Noted]


def case_from_vector(data: bytes) -> Case:
    container = read_container(data)
    assert container.scene is not None
    set_, (chunk,) = container.parameters[0], container.chunks
    parameters = read_parameters(set_.payload, Place("PARM", set_.offset), container.scene.sh_degree, [])
    fields = Fields(chunk.payload, Place("CHNK", chunk.offset), "chunk")
    header = read_header(fields, parameters)
    maps = context_maps(header, parameters)
    lengths = read_lengths(fields, len(maps))
    streams: list[Noted] = []

    def next_stream() -> Stream:
        number, here = len(streams), fields.place()
        lanes = [Lane(fields.words(length), here) for length in lengths[number]]
        streams.append(Noted(lanes, parameters.tables, maps[number], here))
        return streams[-1]

    splats = read_streams(header, parameters, [], next_stream)
    return Case(parameters, header.distances, splats, dict(zip(STREAMS, streams, strict=True)))


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def head(*names: str) -> list[str]:
    return [row(*names), "|" + " --- |" * len(names)]


def triple(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


# ------------------------------------------------------------ what goes in


def start(case: Case) -> list[str]:
    lines = head("splat", "class", "X, Y, Z (5.4)", "rec of scale (5.8)", "quaternion in Q24 (6.4)")
    for i in range(SPLAT + 1):
        s = case.splats
        here = i < SPLAT
        lines.append(
            row(
                i,
                s.classes[i],
                triple(s.positions[i]),
                triple(s.scales[i]) if here else "?",
                triple(s.rotations[i]) if here else "?",
            )
        )
    return lines


# ------------------------------------------------------------ predictor


def weights_table(
    names: Sequence[str],
    values: Sequence[Triples],
    factors: Sequence[tuple[int, int]],
    settings: PredictorSet,
) -> tuple[list[str], predictor.Neighbours]:
    """Distances, codes and weights of the predecessors of the splat."""
    parts = [f"{what} of {name}" for name in names for what in ("differences", "L", "l")]
    lines = head("j", *parts, "v", "e", "code", "u")
    codes, distances, details = [], [], []
    count = min(settings.window, SPLAT)
    for j in range(1, count + 1):
        cells: list[object] = []
        for attribute, factor in zip(values, factors, strict=True):
            a, b = attribute[SPLAT], attribute[SPLAT - j]
            cells.append(triple([abs(p - q) for p, q in zip(a, b, strict=True)]))
            cells.append(predictor.component_distance(a, b))
            cells.append(predictor.distance([attribute], [factor], SPLAT, SPLAT - j) - 8)
        distances.append(predictor.distance(values, factors, SPLAT, SPLAT - j))
        codes.append(predictor.logarithm(distances[-1]))
        details.append(cells)
    smallest = min(codes)
    raw = [predictor.weight(settings.power * (code - smallest)) for code in codes]
    for j in range(count):
        e = distances[j].bit_length() - 4
        lines.append(row(j + 1, *details[j], distances[j], e, codes[j], raw[j]))
    near = predictor.neighbours(codes, settings)
    scale = (settings.shrink[near.bucket] << 20) // sum(raw)
    weights = " and ".join(
        f"({u} {scale} + 32768) >> 16 = {w}" for u, w in zip(raw, near.weights, strict=True)
    )
    factor_text = "; ".join(f"{name} {k} and {s}" for name, (k, s) in zip(names, factors, strict=True))
    before = [
        f"Window {settings.window}, so j is 1 to {count}. Power {settings.power}. "
        f"Factor and shift: {factor_text}. Thresholds: {triple(settings.thresholds)}.",
        "",
    ]
    after = [
        "",
        f"The smallest code m is {smallest}: bucket {near.bucket}, nearest j = {near.nearest}. "
        f"With shrink {settings.shrink[near.bucket]} for this bucket, R = "
        f"({settings.shrink[near.bucket]} 2^20) // {sum(raw)} = {scale}; the weights w are {weights}.",
    ]
    return before + lines + after, near


def scale_near(case: Case) -> tuple[list[str], predictor.Neighbours]:
    assert case.parameters.is_predicted(SCALE)
    return weights_table(["position"], [case.splats.positions], [case.distances[0]], case.parameters.sets[0])


def scale(case: Case) -> list[str]:
    lines, near = scale_near(case)
    values, notes = case.splats.scales, case.streams["scale"].notes
    step = case.parameters.multipliers[SCALE][case.splats.classes[SPLAT]]
    lines += [
        "",
        f"Then, with m = {step}, the multiplier of scale in class {case.splats.classes[SPLAT]}:",
        "",
        *head("k", "sum of w rec", "prediction", "b", "context", "value", "q", "rec"),
    ]
    q = 0
    for k in range(3):
        total = sum(w * values[SPLAT - j][k] for j, w in enumerate(near.weights, 1))
        prediction = predictor.predict(values, k, SPLAT, near)
        base = predictor.rounded(prediction, step)
        context, value = notes[3 * SPLAT + k]
        q = base + value if k == 0 else q - value
        assert q * step == values[SPLAT][k]
        what = "signed" if k == 0 else "hybrid"
        lines.append(row(k, total, prediction, base, context, f"{what} {value}", q, q * step))
    return lines


# ------------------------------------------------------------ rotation


def turned(case: Case) -> list[str]:
    p, s = case.parameters, case.splats
    assert p.is_predicted(ROTATION)
    lines, near = weights_table(
        ["position", "scale"],
        [s.positions, s.scales],
        [case.distances[1], *p.sets[1].distances],
        p.sets[1],
    )
    assert near.nearest > 0
    step = p.multipliers[ROTATION][s.classes[SPLAT]]
    rec, settings = s.scales[SPLAT], p.rotation
    d, f = rec[0] - rec[1], rec[1] - rec[2]
    shape = rotation.shape_from_scales(rec, step, settings)
    n, t = shape.axis_cells, shape.twist_cells
    assert n > 1
    assert t > 1
    nearest = s.rotations[SPLAT - near.nearest]
    short = [(v + 2048) >> 12 for v in nearest]
    columns = rotation.columns(nearest)
    main, reference = (columns[2], columns[0]) if shape.is_disc else (columns[0], columns[1])
    up = rotation.upward(main)
    length = sum(map(abs, up))
    g1, g2 = rotation.predicted_cells(up, n)
    notes = case.streams["rotation"].notes
    symbols = [notes[3 * SPLAT + k] for k in range(3)]
    assert all(symbol != rotation.ESCAPE for _, symbol in symbols), "choose a splat without escapes"
    r1, r2, r3 = (signed_from_zigzag(symbol) for _, symbol in symbols)
    i1, i2 = g1 + r1, g2 + r2
    axis, ln = rotation.direction(i1, i2, n)
    g = rotation.predicted_twist(reference, axis, ln, t)
    twist = (g + r3) % t
    quaternion = rotation.quaternion_from_cells(axis, ln, twist, shape)
    assert quaternion == s.rotations[SPLAT]
    names = ("column 3", "column 1") if shape.is_disc else ("column 1", "column 2")
    lines += [
        "",
        "Only the nearest and the bucket serve the rotation. Its values, one after the other:",
        "",
        *head("what", "value"),
        row(
            "d = rec[0] - rec[1], f = rec[1] - rec[2]", f"{d}, {f}: a {'disc' if shape.is_disc else 'needle'}"
        ),
        row("m, A, B, axis_cells, twist_cells", triple([step, *vars(settings).values()])),
        row("n, t", f"{n}, {t}"),
        row("w, x, y, z of the nearest, in Q12", triple(short)),
        *(row(f"column {k + 1}, in Q14", triple(column)) for k, column in enumerate(columns)),
        row(f"main axis: {names[0]}{', negated' if up != main else ''}", triple(up)),
        row(f"reference: {names[1]}", triple(reference)),
        row("l", length),
        row("g1, g2", f"{g1}, {g2}"),
    ]
    for name, (context, symbol), residual, cell in (("i1", symbols[0], r1, i1), ("i2", symbols[1], r2, i2)):
        lines.append(
            row(f"context, symbol, r of {name}", f"{context}, {symbol}, {residual}: {name} = {cell}")
        )
    x, y, z = ((component << 22) // ln for component in axis)
    wz = 16384 + z
    ax, ay, az = reference
    k = (ax * x + ay * y >> 14) + (az * wz >> 14)
    fx, fy = ax * wz - x * k, ay * wz - y * k
    lines += [
        row("u, v", f"{2 * i1 + 1 - n}, {2 * i2 + 1 - n}"),
        row("dx, dy, dz", triple(axis)),
        row("Ln", ln),
        row("nx, ny, nz", triple([x, y, z])),
        row("wz, k", f"{wz}, {k}"),
        row("fx, fy", f"{fx}, {fy}"),
        row("a", rotation.angle(fx, fy)),
        row("g, the predicted twist", g),
        row(
            "context, symbol, r of the twist",
            f"{symbols[2][0]}, {symbols[2][1]}, {r3}: the twist is {twist}",
        ),
    ]
    return lines + quaternion_rows(axis, ln, twist, shape, quaternion)


def quaternion_rows(
    axis: predictor.Triple, length: int, twist: int, shape: rotation.Shape, result: rotation.Quaternion
) -> list[str]:
    """The steps of 6.4."""
    x, y, z = axis
    w, qx, qy = length + 256 * z, -256 * y, 256 * x
    half = (2 * twist + 1) * 4096 // (2 * shape.twist_cells)
    s, c = sin.VALUE[half], sin.VALUE[4096 - half]
    q = (w * c, qx * c + qy * s, qy * c - qx * s, w * s)
    lines = [
        row("w, qx, qy (6.4)", triple([w, qx, qy])),
        row("h, s, c", triple([half, s, c])),
        row("q", triple(q)),
        row("q, reduced", triple(rotation.reduced(q))),
    ]
    if not shape.is_disc:
        a, b, c, d = rotation.reduced(q)
        q = (a + b + c + d, -a + b - c + d, -a + b + c - d, -a - b + c + d)
        lines.append(row("axes of a needle, reduced", triple(rotation.reduced(q))))
    q = rotation.reduced(q)
    squares = sum(v * v for v in q)
    lines.append(row("sum of the squares, N", f"{squares}, {isqrt(squares)}"))
    lines.append(row("the quaternion, in Q24", triple(result)))
    return lines


# ------------------------------------------------------------ the page

PARTS: dict[str, Callable[[Case], list[str]]] = {"start": start, "scale": scale, "rotation": turned}


def page(text: str) -> str:
    """The page with its generated parts brought up to date."""
    case = case_from_vector(VECTOR.read_bytes())
    return BLOCK.sub(lambda m: m[1] + "\n" + "\n".join(PARTS[m[2]](case)) + "\n\n" + m[3], text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the generated parts of spec/09-examples.md.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the page is stale")
    check = parser.parse_args(arguments).check
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if new == old:
        return 0
    print("stale: spec/09-examples.md (run spec/examples.py)" if check else "built: spec/09-examples.md")
    if not check:
        PAGE.write_text(new, encoding="utf-8")
    return int(check)


if __name__ == "__main__":
    sys.exit(main())
