#!/usr/bin/env python3
"""Fits the built-in bases, tables and context maps (3.10, 4.8) to example scenes.

    python spec/fit_tables.py SCENES            fit, and write the four CSV files of spec/tables
    python spec/fit_tables.py SCENES --keep F   keep what was counted in the file F, or go on from there

SCENES is a folder with the files of `EXAMPLES`. The committed CSV files are normative, not this script: it
says where the numbers come from. Then run spec/build.py and conformance/generators/build.py.

1. Bases: the principal directions of each degree's coefficients, over all examples that have them.
2. Counts: pieces of every example (cells of a k-d tree, 1,000 to 20,000 splats) are encoded at several
   qualities and efforts, and how often each symbol occurs in each context is noted: an observation.
3. Clusters: contexts of a stream whose symbols are spread alike at every quality are put together.
4. Tables: for every cluster and observation there is a histogram; tables are chosen such that all of these
   together cost least (k-means with the cost in bits as distance).
5. Sets: observations are put into groups likewise, by which table is best for each cluster.

All random choices are seeded.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import build  # noqa: E402

from gscodec import built_in  # noqa: E402
from gscodec.encode import passes  # noqa: E402
from gscodec.encode.clustering import choose_tables  # noqa: E402
from gscodec.encode.encoder import Encoder, choose_steps  # noqa: E402
from gscodec.encode.tables import Chosen  # noqa: E402
from gscodec.io.ply import read_ply  # noqa: E402
from gscodec.splats import Splats  # noqa: E402

EXAMPLES = (
    "yushima.ply",
    "playbot.ply",
    "scenesculpt.ply",
    "splatterscene_sh1.ply",
    "gs_player_20k.ply",
    "chair_gaussian.splat",
)
SIZES = (1_000, 5_000, 20_000)
QUALITIES = (0.05, 0.1, 0.16, 0.25, 0.42, 0.62)
EFFORT_5 = (0.16, 0.25, 0.42, 0.62)
COEFFICIENTS = (0, 3, 8, 15)
CLASSES = 5
PARTS = {  # of streams: contexts in a line, clusters, which tables
    "position 1": (15, 2, "halves 1"),
    "position 2": (15, 3, "halves 2"),
    "position 3": (15, 4, "halves 3"),
    "position 4": (15, 4, "halves 4"),
    "position 5": (15, 4, "halves 5"),
    "position 6": (15, 3, "halves 6"),
    "position 7": (15, 3, "halves 7"),
    "position more": (15, 10, "halves more"),
    "repeat": (1, 1, "repeat"),
    "class": (9, 8, "class"),
    "scale": (6, 16, "signed"),
    "second": (16, 20, "differences"),
    "third": (16, 20, "differences"),
    "axis 1": (16, 8, "cells"),
    "axis 2": (48, 14, "cells"),
    "twist": (48, 14, "cells"),
    "opacity": (6, 30, "signed"),
    "luma": (18, 14, "signed"),
    "chroma": (18, 18, "signed"),
    "groups 3": (3, 6, "groups 3"),
    "groups 8": (4, 8, "groups 8"),
    "groups 15": (6, 14, "groups 15"),
    "coefficients 3": (3, 12, "signed"),
    "coefficients 8": (8, 16, "signed"),
    "coefficients 15": (15, 24, "signed"),
}
FAMILIES = {  # of tables: how many, symbols that all of them have; -1: those that occur, and three more
    "halves 1": (3, 2),
    "halves 2": (3, 3),
    "halves 3": (4, 4),
    "halves 4": (4, 5),
    "halves 5": (4, 6),
    "halves 6": (4, 7),
    "halves 7": (4, 8),
    "halves more": (10, 18),
    "repeat": (0, 2),
    "class": (8, 5),
    "signed": (50, -1),
    "differences": (22, -1),
    "cells": (20, -1),
    "groups 3": (4, 3),
    "groups 8": (4, 4),
    "groups 15": (10, 6),
}
GIVEN = {  # tables that examples show too little of: scenes of pairs, in clumps, or with many duplicates
    "halves 2": tuple(((4096 - p) // 2, p, (4096 - p) // 2) for p in (64, 256, 512, 768, 1024, 1408)),
    "halves 3": ((1748, 300, 300, 1748), (1448, 600, 600, 1448)),
    "halves 4": ((1448, 400, 400, 400, 1448), (1024, 200, 1648, 200, 1024)),
    "repeat": ((4096,), (4000, 96), (2048, 2048), (96, 4000)),
}
ESCAPE = 255
SETS = 8
ROUNDS = 25
Observation = dict[str, tuple[NDArray[np.int64], ...]]  # by part: shape, nonzero places, counts
Floats = NDArray[np.float64]


# ------------------------------------------------------------ examples


def read_example(path: Path) -> Splats:
    """A PLY, or the .splat of web viewers: 32 bytes a splat."""
    if path.suffix == ".ply":
        return read_ply(path).splats
    kind = [("p", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("q", "u1", 4)]
    rows = np.fromfile(path, np.dtype(kind))
    dice = np.random.default_rng(3)  # a byte stands for a range of values
    loose = (rows["c"] + dice.uniform(0, 1, rows["c"].shape)) / 256
    turns = (rows["q"] - 128 + dice.uniform(-0.5, 0.5, rows["q"].shape)) / 128
    alpha = np.clip(loose[:, 3], 1 / 1024, 1 - 1 / 1024)
    return Splats(
        positions=rows["p"].astype(np.float32),
        scales=np.log(np.maximum(rows["s"], 1e-12)).astype(np.float32),
        rotations=turns.astype(np.float32),
        opacities=np.log(alpha / (1 - alpha)).astype(np.float32),
        sh_dc=((loose[:, :3] - 0.5) / 0.28209479177387814).astype(np.float32),
        sh_rest=np.zeros((len(rows), 0, 3), np.float32),
    )


def piece(splats: Splats, count: int, dice: np.random.Generator) -> Splats:
    """About `count` neighbours: a random cell of a k-d tree."""
    index = np.arange(len(splats))
    while len(index) >= 2 * count:
        index = index[_along(splats, index)]
        half = len(index) // 2
        index = index[:half] if dice.random() < 0.5 else index[half:]
    index = index[_along(splats, index)][:count]
    return splats.take(np.sort(index))


def _along(splats: Splats, index: NDArray[np.intp]) -> NDArray[np.intp]:
    places = splats.positions[index]
    spread = np.subtract(*np.quantile(places, (0.9, 0.1), axis=0))
    return np.argsort(places[:, int(np.argmax(spread))], kind="stable")


def pieces(name: str, splats: Splats) -> Iterator[Splats]:
    """Pieces of an example, some of them with fewer harmonics."""
    dice = np.random.default_rng(sum(name.encode()))
    for size in SIZES:
        if size > SIZES[0] and size > 1.5 * len(splats):
            continue
        part = piece(splats, size, dice)
        yield part
        for degree in range(1, splats.sh_degree):
            yield replace(part, sh_rest=np.ascontiguousarray(part.sh_rest[:, : COEFFICIENTS[degree]]))


# ------------------------------------------------------------ bases


def fit_bases(examples: Mapping[str, Splats]) -> None:
    """Write sh_basis.csv, and use it from here on."""
    rows: list[list[object]] = []
    covariance = {n: np.zeros((n, n)) for n in COEFFICIENTS[1:]}
    colours = np.zeros((3, 3))
    for splats in examples.values():
        pick = np.linspace(0, len(splats) - 1, min(len(splats), 65_536)).astype(np.intp)
        x = splats.sh_rest[pick].astype(np.float64)
        for n in COEFFICIENTS[1:]:
            if n <= x.shape[1]:
                part = x[:, :n].transpose(0, 2, 1).reshape(-1, n)
                moment = part.T @ part
                covariance[n] += moment / np.trace(moment)  # every example counts alike
        if x.shape[1]:
            moment = x.reshape(-1, 3).T @ x.reshape(-1, 3)
            colours += moment / np.trace(moment)
    shade = _directions(colours)
    rows.append(["colour", 3, _text(np.rint(shade * 16_384)), ""])
    for n in COEFFICIENTS[1:]:
        basis = _directions(covariance[n])
        whole = np.rint(basis.T * 8_192)
        excess = np.abs(whole).sum(0).max() / 32_767
        if excess > 1:
            whole = np.trunc(whole / excess)
        strength = np.diag(basis.T @ covariance[n] @ basis)
        spread = strength[:, None] * np.diag(shade.T @ colours @ shade)
        rows.append(
            [
                f"degree {COEFFICIENTS.index(n)}",
                n,
                _text(whole),
                _text(np.argsort(-spread.ravel(), kind="stable")),
            ]
        )
    _write("sh_basis.csv", ["name", "size", "matrix", "ordering"], rows)


def _directions(moment: Floats) -> Floats:
    """Principal directions as columns, the strongest first, the largest entry of each positive."""
    _, vectors = np.linalg.eigh(moment)
    vectors = vectors[:, ::-1]
    largest = np.abs(vectors).argmax(0)
    return np.asarray(vectors * np.sign(vectors[largest, np.arange(len(vectors))]))


def use_bases() -> None:
    """Encode with the bases just written."""
    build.main([])
    built_in.sh_basis = importlib.reload(built_in.sh_basis)
    built_in.basis_of.cache_clear()
    built_in.colour_directions.cache_clear()


# ------------------------------------------------------------ counts


def parts_of(counts: Mapping[str, NDArray[np.uint32]]) -> dict[str, NDArray[np.uint32]]:
    """The streams' contexts (contexts, 256), where it matters in parts."""
    scale, rotation, colour = counts["scale"], counts["rotation"], counts["colour"]
    first, luma = 6 * CLASSES, 18 * CLASSES
    parts = {name: counts[name] for name in ("repeat", "class", "opacity")}
    parts |= {f"position {m}": counts["position"][15 * m - 15 : 15 * m] for m in range(1, 8)}
    parts["position more"] = counts["position"][105:]
    parts |= {"scale": scale[:first], "second": scale[first : first + 256], "third": scale[first + 256 :]}
    parts |= {"axis 1": rotation[:96], "axis 2": rotation[96:384], "twist": rotation[384:]}
    parts |= {"luma": colour[:luma], "chroma": colour[luma:]}
    if "coefficients" in counts:
        n = {2: 3, 3: 8, 5: 15}[len(counts["groups"]) // (6 * CLASSES) - 1]
        parts |= {f"groups {n}": counts["groups"], f"coefficients {n}": counts["coefficients"]}
    return parts


def observe(splats: Splats, qualities: tuple[float, ...], effort: int) -> Iterator[Observation]:
    """Counts of all symbols, by quality."""
    encoder = Encoder(splats, effort=effort, threads=1)
    seen: list[Mapping[str, NDArray[np.uint32]]] = []

    def choose(counts: Mapping[str, NDArray[np.uint32]], _: object, *, most: int) -> Chosen:
        seen.append(counts)
        tables, maps = choose_tables(counts, most=most)
        return Chosen(tables=tables, maps=maps, choice=None)

    usual, passes.choose = passes.choose, choose
    try:
        for quality in qualities:
            encoder.encode(choose_steps(quality, None))
            yield {
                name: (np.array(part.shape), *np.nonzero(part), part[np.nonzero(part)].astype(np.int64))
                for name, part in parts_of(seen[-1]).items()
            }
    finally:
        passes.choose = usual


@dataclass(frozen=True)
class Observed:
    """An observation, its quality and its weight, which makes all of them count alike."""

    quality: float
    weight: float
    counts: Observation

    def part(self, name: str) -> Floats:
        """Weighted counts (contexts, 256) of a part."""
        shape, rows, symbols, counts = self.counts[name]
        out = np.zeros(tuple(shape))
        out[rows, symbols] = counts * self.weight
        return out


def observations(examples: Mapping[str, Splats]) -> list[Observed]:
    """All of them."""
    found = []
    for name, splats in examples.items():
        for part in pieces(name, splats):
            weight = 5_000 / len(part)
            plans = [(QUALITIES, 1)]
            if (
                len(part) >= min(len(splats), SIZES[1])
                and part.sh_degree == splats.sh_degree
                and weight >= 0.9
            ):
                plans.append((EFFORT_5, 5))
            for qualities, effort in plans:
                print(f"{name}: {len(part)} splats, SH degree {part.sh_degree}, effort {effort}", flush=True)
                both = zip(qualities, observe(part, qualities, effort), strict=True)
                found += [Observed(quality, weight, counts) for quality, counts in both]
    return found


# ------------------------------------------------------------ clusters and tables


def _share(rows: Floats) -> Floats:
    """Frequencies of histograms (..., symbols), no symbol of which is impossible."""
    smooth = rows + 1e-4 * rows.sum(-1, keepdims=True) / rows.shape[-1] + 1e-9
    return np.asarray(smooth / smooth.sum(-1, keepdims=True))


def cluster(levels: Floats, most: int) -> NDArray[np.intp]:
    """Which of `most` clusters each context is in; levels (contexts, qualities, symbols). -1: never used."""
    used = np.flatnonzero(levels.sum((1, 2)))
    rows = levels[used].reshape(len(used), -1)
    wide = levels.shape[1:]

    def cost(sums: Floats) -> Floats:
        return -(rows @ np.log2(_share(sums.reshape(-1, *wide))).reshape(len(sums), -1).T)

    centres = [int(np.argmax(rows.sum(1)))]
    own = np.array([cost(rows[i : i + 1])[i, 0] for i in range(len(rows))])
    while len(centres) < min(most, len(rows)):
        loss = (cost(rows[centres]) - own[:, None]).min(1)
        if loss.max() <= 1:
            break
        centres.append(int(np.argmax(loss)))
    label = cost(rows[centres]).argmin(1)
    for _ in range(ROUNDS):
        sums = np.array([rows[label == c].sum(0) for c in range(len(centres))])
        label = cost(sums).argmin(1)
    numbers = {c: i for i, c in enumerate(dict.fromkeys(label.tolist()))}
    out = np.full(len(levels), -1)
    out[used] = [numbers[c] for c in label.tolist()]
    return out


def fill(label: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    """Contexts that never occurred take their neighbour's cluster, if possible of their own line."""
    out = label.reshape(-1, rows).copy()
    for line in out:
        known = np.flatnonzero(line >= 0)
        if len(known):
            nearest = np.abs(np.arange(rows)[:, None] - known).argmin(1)
            line[:] = line[known[nearest]]
    known = np.flatnonzero((out >= 0).all(1))
    nearest = np.abs(np.arange(len(out))[:, None] - known).argmin(1)
    return np.asarray(out[known[nearest]].ravel())


def _bits(rows: Floats, tables: Floats) -> Floats:
    return -(rows @ np.log2(tables).T)


def fit_shapes(rows: Floats, most: int) -> tuple[NDArray[np.intp], Floats]:
    """Tables for histograms (rows, symbols), each by which one, and the tables' counts."""
    shares = _share(rows)
    own = -(rows * np.log2(shares)).sum(1)
    centres = [int(np.argmax(rows.sum(1)))]
    least = np.full(len(rows), np.inf)
    while len(centres) < most:
        least = np.minimum(least, _bits(rows, shares[centres[-1:]])[:, 0] - own)
        centres.append(int(np.argmax(least)))
    tables = shares[centres]
    for _ in range(ROUNDS):
        label = _bits(rows, tables).argmin(1)
        sums = np.zeros((most, rows.shape[1]))
        np.add.at(sums, label, rows)
        lost = _bits(rows, _share(sums))[np.arange(len(rows)), label] - own
        for empty in np.flatnonzero(sums.sum(1) == 0):  # put where it helps most
            worst = int(np.argmax(lost))
            sums[empty], lost[worst] = rows[worst], 0
        tables = _share(sums)
    return _bits(rows, tables).argmin(1), sums


# ------------------------------------------------------------ everything


def fit_tables(found: list[Observed]) -> None:
    """Write built_in_contexts.csv, built_in_tables.csv and built_in_sets.csv."""
    contexts: list[list[object]] = []
    names: list[str] = []
    histograms: list[Floats] = []  # of each cluster: (observations, 256)
    for part, (line, most, _) in PARTS.items():
        label = fill(cluster(_by_quality(part, found), most), line)
        first = len(names)
        for c in range(int(label.max()) + 1):
            names.append(part)
            table = np.zeros((len(found), 256))
            for i, o in enumerate(found):
                if part in o.counts:
                    table[i] = o.part(part)[label == c].sum(0)
            histograms.append(table)
        contexts.append([part, len(label), _runs(first + label)])
        print(f"{part}: {len(names) - first} clusters", flush=True)
    everything = np.array(histograms)  # (clusters, observations, symbols)
    tables: list[Floats] = []
    costs = np.full(
        (*everything.shape[:2], sum(count for count, _ in FAMILIES.values()) + sum(map(len, GIVEN.values()))),
        np.inf,
    )
    for family, (count, symbols) in FAMILIES.items():
        members = [i for i, name in enumerate(names) if PARTS[name][2] == family]
        rows = everything[members].reshape(-1, 256)
        made = _family(rows[rows.sum(1) >= 20], family, count, symbols)
        shares = np.log2(np.maximum(made, 2.0**-9) / 4096)
        costs[members, :, len(tables) : len(tables) + len(made)] = -(everything[members] @ shares.T)
        tables += list(made)
    sets = _sets(costs[:, :, : len(tables)], found)
    anything = np.concatenate([np.full(16, 24), np.full(112, 12), np.full(128, 1)])
    last = np.floor(anything * (4096 - 256) / anything.sum() + 1)
    last[0] += 4096 - last.sum()
    _write("built_in_contexts.csv", ["part", "contexts", "clusters"], contexts)
    written = [[i, _runs(np.trim_zeros(row, "b").astype(np.int64))] for i, row in enumerate([*tables, last])]
    _write("built_in_tables.csv", ["table", "frequencies"], written)
    header = ["cluster", "part", *(f"set_{s}" for s in range(len(sets)))]
    _write("built_in_sets.csv", header, [[b, names[b], *sets[:, b].tolist()] for b in range(len(names))])
    print(f"{len(names)} clusters, {len(written)} tables")


def _by_quality(part: str, found: list[Observed]) -> Floats:
    """Counts of all observations of a part (contexts, qualities, symbols)."""
    those = [o for o in found if part in o.counts]
    levels = sorted({o.quality for o in found})
    total = np.zeros((int(those[0].counts[part][0][0]), len(levels), 256))
    for o in those:
        total[:, levels.index(o.quality)] += o.part(part)
    if part == "repeat":
        total[0, :, :2] += 1
    return total[:, :, : int(np.flatnonzero(total.sum((0, 1)))[-1]) + 1]


def _family(rows: Floats, family: str, count: int, symbols: int) -> Floats:
    """Tables at resolution 12 for histograms (rows, symbols), in the order of their means."""
    out = [np.pad(np.array(values, np.float64), (0, 256 - len(values))) for values in GIVEN.get(family, ())]
    label, sums = fit_shapes(rows, count) if count else (np.zeros(0, np.intp), rows)
    for t in np.unique(label):
        counts = sums[t]
        plain = np.flatnonzero(counts[:ESCAPE])
        reach = symbols if symbols > 0 else min(int(plain[-1]) + 4, ESCAPE)
        row = np.zeros(256)
        row[:reach] = 1
        if family == "cells":
            row[ESCAPE] = 1
        row = np.maximum(row, np.rint(counts / counts.sum() * 4096))
        row[int(row.argmax())] += 4096 - row.sum()
        out.append(row)
    middle = symbols - 1 if family in ("halves 2", "halves 3", "halves 4") else 0  # there, by how even
    place = np.abs(np.arange(ESCAPE) - middle / 2)
    return np.array(sorted(out, key=lambda row: float((row[:ESCAPE] * place).sum() / row[:ESCAPE].sum())))


def _sets(costs: Floats, found: list[Observed]) -> NDArray[np.intp]:
    """The table of every cluster in every set, (sets, clusters): observations in groups that agree."""
    loss = costs - costs.min(2, keepdims=True)  # inf for tables of other families
    order = sorted(range(len(found)), key=lambda i: (found[i].quality, i))
    label = np.zeros(len(found), np.intp)
    label[order] = np.arange(len(found)) * SETS // len(found)
    for _ in range(ROUNDS):
        sums = np.array([loss[:, label == s].sum(1) for s in range(SETS)])  # (sets, clusters, tables)
        chosen = (sums + 1e-3 * sums.sum(0)).argmin(2)
        each = np.array([loss[np.arange(loss.shape[0]), :, row].sum(0) for row in chosen])
        label = each.argmin(0)
    return chosen


def _text(values: Floats) -> str:
    return " ".join(str(int(v)) for v in np.asarray(values).ravel())


def _runs(values: NDArray[np.int64]) -> str:
    """Numbers, those that repeat as COUNTxNUMBER."""
    out: list[list[int]] = []
    for value in values.tolist():
        if out and out[-1][1] == value:
            out[-1][0] += 1
        else:
            out.append([1, int(value)])
    return " ".join(f"{n}x{v}" if n > 1 else f"{v}" for n, v in out)


def _write(name: str, header: list[str], rows: list[list[object]]) -> None:
    with (ROOT / "spec/tables" / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main() -> int:
    """Fit everything."""
    parser = argparse.ArgumentParser(description="Fit the built-in bases, tables and context maps.")
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        found = pickle.loads(options.keep.read_bytes())
    else:
        examples = {name: read_example(options.scenes / name) for name in EXAMPLES}
        fit_bases(examples)
        use_bases()
        found = observations(examples)
        if options.keep:
            options.keep.write_bytes(pickle.dumps(found))
    fit_tables(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
