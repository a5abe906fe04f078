"""python -m benchmarks.speed.entropy: symbols a second, against constriction's decoder of the same symbols.

Both decode in the same run, on one thread, the same symbols with the same 24-bit probabilities; with one lane
the words are the same too, which is checked. Ours reads 4 lanes into uint8, constriction one into int32.
Times are processor time of the thread, so that a busy machine disturbs them less.

One table: `AnsCoder.decode(model, n)`, its array decode.
48 tables: our symbols are interleaved, each with its context, as in a file. constriction offers two ways:
  grouped   the symbols sorted by table, `decode(model, n)` for each group: nothing is interleaved any more,
            but it is the fastest that it can do
  family    `decode(family, probabilities)` with a row of probabilities for each symbol, in the interleaved
            order; timed on a part of the symbols, and the rows are made before the clock starts
The ratio to each is given; the verdict takes the stricter one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import markdown, write_csv
from gscodec import kernels

RESOLUTION = 12
PRECISION = 24
TARGET = 4.0
AnsCoder = constriction.stream.stack.AnsCoder
Categorical = constriction.stream.model.Categorical
FAMILY_PART = 200_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """Symbols and the tables they were drawn from: frequencies (T, S) at resolution 12, none of them zero."""

    name: str
    frequencies: NDArray[np.int64]
    contexts: NDArray[np.uint16]
    symbols: NDArray[np.uint8]

    @property
    def entropy(self) -> float:
        """Bits per symbol under the tables."""
        p = self.frequencies / 2.0**RESOLUTION
        return float(-np.log2(p)[self.contexts, self.symbols].mean())


def laplace_table(width: float, symbols: int) -> NDArray[np.int64]:
    """Frequencies of zigzag-coded residuals whose mean size is `width`, every symbol possible."""
    magnitude = (np.arange(symbols) + 1) // 2
    weight = np.exp(-magnitude / width)
    room = (1 << RESOLUTION) - symbols
    frequencies = 1 + np.floor(weight / weight.sum() * room).astype(np.int64)
    frequencies[0] += (1 << RESOLUTION) - frequencies.sum()
    return frequencies


def draw(name: str, widths: Sequence[float], symbols: int, count: int, seed: int = 1) -> Source:
    """`count` symbols, each from a random one of the tables."""
    rng = np.random.default_rng(seed)
    frequencies = np.stack([laplace_table(width, symbols) for width in widths])
    look_up = np.stack([np.repeat(np.arange(symbols), row) for row in frequencies]).astype(np.uint8)
    contexts = rng.integers(0, len(widths), count).astype(np.uint16)
    drawn = look_up[contexts, rng.integers(0, 1 << RESOLUTION, count)]
    return Source(name=name, frequencies=frequencies, contexts=contexts, symbols=drawn)


def sources(count: int) -> list[Source]:
    """Narrow, middling and wide residuals with one table; all widths together with 48."""
    return [
        draw("1 table, narrow", [0.25], 16, count),
        draw("1 table, middling", [1.6], 32, count),
        draw("1 table, wide", [12.0], 64, count),
        draw("48 tables, narrow to middling", np.geomspace(0.15, 2.0, 48), 32, count),
        draw("48 tables, narrow to wide", np.geomspace(0.15, 12.0, 48), 64, count),
    ]


def fastest(work: Callable[[], Any], prepare: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """(seconds of the fastest, its result). `prepare` is not timed; its result goes to `work`."""
    best, answer = float("inf"), None
    for _ in range(repeat):
        ready = prepare()
        begin = time.thread_time()
        answer = work(ready)
        best = min(best, time.thread_time() - begin)
    return best, answer


def models(source: Source) -> list[Any]:
    """constriction's models with exactly our frequencies: it gives every symbol one slot of its own first."""
    scaled = source.frequencies.astype(np.float64) * 2 ** (PRECISION - RESOLUTION)
    return [Categorical((row - 1).astype(np.float32), perfect=False) for row in scaled]


def ours(source: Source, lanes: int) -> tuple[Any, NDArray[np.uint32], NDArray[np.uint16]]:
    """(kernel source, words, contexts) with the symbols coded in `lanes` lanes."""
    tables, n = len(source.frequencies), len(source.symbols)
    frequencies = np.zeros((tables, 256), np.uint32)
    frequencies[:, : source.frequencies.shape[1]] = source.frequencies
    kernel_tables = kernels.Tables(frequencies, np.full(tables, RESOLUTION, np.uint8))
    identity = np.arange(tables, dtype=np.uint8)
    zeros = np.zeros(n, np.uint32)
    kinds = np.zeros(n, np.uint8)
    ops = kernels.make_ops(kinds, source.contexts, source.symbols.astype(np.uint32), zeros, lanes)
    words, counts = ops.encode(kernel_tables, identity)
    return kernels.Source(kernel_tables, identity, words.view(np.uint8), counts), words, source.contexts


def time_ours(source: Source, repeat: int) -> float:
    """Seconds of the native decoder, 4 lanes."""
    kernel_source, _, contexts = ours(source, 4)
    given = contexts if len(source.frequencies) > 1 else None
    seconds, (status, out) = fastest(
        lambda coded: kernels.decode_symbols(coded, len(source.symbols), given), lambda: kernel_source, repeat
    )
    if status or not np.array_equal(out, source.symbols):
        raise RuntimeError("our decoder returned something else")
    return seconds


def time_grouped(source: Source, repeat: int) -> float:
    """Seconds of constriction, one array decode a table."""
    concrete = models(source)
    order = np.argsort(source.contexts, kind="stable")
    groups = np.split(source.symbols[order].astype(np.int32), np.cumsum(np.bincount(source.contexts))[:-1])
    coded = []
    for model, group in zip(concrete, groups, strict=True):
        coder = AnsCoder()
        coder.encode_reverse(group, model)
        coded.append(coder.get_compressed())

    def work(coders: list[Any]) -> list[Any]:
        return [c.decode(m, len(g)) for c, m, g in zip(coders, concrete, groups, strict=True)]

    seconds, out = fastest(work, lambda: [AnsCoder(words) for words in coded], repeat)
    if not all(np.array_equal(a, b) for a, b in zip(out, groups, strict=True)):
        raise RuntimeError("constriction returned something else")
    return seconds


def time_family(source: Source, repeat: int) -> float:
    """Seconds of constriction for the first symbols in their own order, a row of probabilities for each."""
    part = source.symbols[:FAMILY_PART].astype(np.int32)
    scaled = source.frequencies.astype(np.float64) * 2 ** (PRECISION - RESOLUTION) - 1
    rows = scaled.astype(np.float32)[source.contexts[:FAMILY_PART]]
    family = Categorical(perfect=False)
    coder = AnsCoder()
    coder.encode_reverse(part, family, rows)
    words = coder.get_compressed()
    seconds, out = fastest(lambda c: c.decode(family, rows), lambda: AnsCoder(words), repeat)
    if not np.array_equal(out, part):
        raise RuntimeError("constriction returned something else")
    return seconds / len(part)


def same_words(source: Source) -> bool:
    """Whether one lane of ours and constriction's coder give the same words for the first symbols."""
    n = min(len(source.symbols), FAMILY_PART)
    head = Source(
        name="", frequencies=source.frequencies, contexts=source.contexts[:n], symbols=source.symbols[:n]
    )
    _, words, _ = ours(head, 1)
    coder = AnsCoder()
    if len(source.frequencies) == 1:
        coder.encode_reverse(head.symbols.astype(np.int32), models(source)[0])
    else:
        scaled = head.frequencies.astype(np.float64) * 2 ** (PRECISION - RESOLUTION) - 1
        rows = scaled.astype(np.float32)[head.contexts]
        coder.encode_reverse(head.symbols.astype(np.int32), Categorical(perfect=False), rows)
    return bool(np.array_equal(coder.get_compressed()[::-1], words))


def measure(source: Source, repeat: int) -> dict[str, Any]:
    """One row of the table."""
    n = len(source.symbols)
    many = len(source.frequencies) > 1
    row = {
        "source": source.name,
        "symbols": source.frequencies.shape[1],
        "entropy": source.entropy,
        "ours": time_ours(source, repeat) / n * 1e9,
        "constriction": time_grouped(source, repeat) / n * 1e9,
        "family": time_family(source, 1) * 1e9 if many else None,
        "same": "yes" if same_words(source) else "NO",
    }
    row["rate"] = 1e3 / row["ours"]
    row["ratio"] = row["constriction"] / row["ours"]
    row["family_ratio"] = row["family"] / row["ours"] if many else None
    row["met"] = "yes" if row["ratio"] >= TARGET else "no"
    return row


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.entropy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=10_000_000, metavar="N", help="symbols")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="the fastest of N decodes counts")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write entropy.csv and entropy.md there")
    options = parser.parse_args(argv)
    rows = [measure(source, options.repeat) for source in sources(options.count)]
    columns = [
        ("source", "distribution", ""),
        ("symbols", "alphabet", "d"),
        ("entropy", "bits/symbol", ".2f"),
        ("ours", "ours, ns", ".2f"),
        ("rate", "ours, M/s", ".0f"),
        ("constriction", "constriction (grouped), ns", ".2f"),
        ("ratio", "ratio", ".1f"),
        ("family", "constriction (family), ns", ".0f"),
        ("family_ratio", "ratio", ".1f"),
        ("same", "same words", ""),
        ("met", f"at least {TARGET:g}", ""),
    ]
    table = markdown(rows, columns)
    ratios = [row["ratio"] for row in rows]
    text = (
        f"{options.count:,} symbols, one thread, 4 lanes, fastest of {options.repeat}; "
        f"ratios {min(ratios):.1f} to {max(ratios):.1f}, median {statistics.median(ratios):.1f}.\n\n{table}"
    )
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write_csv(options.out / "entropy.csv", rows, [key for key, _, _ in columns])
        about = (__doc__ or "").split("\n\n", 1)[1]
        (options.out / "entropy.md").write_text(
            f"# Entropy decoder\n\nWritten by `python -m benchmarks.speed.entropy`; do not edit.\n\n{text}\n"
            f"How it is measured:\n\n```\n{about.strip()}\n```\n",
            encoding="utf-8",
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
