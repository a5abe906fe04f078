"""A PLY file to a file of the lossless profile (11): where its rows are, how they are coded."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec._generated import extra_types
from gscodec.encode.clustering import choose_tables
from gscodec.encode.lossless_fit import choose_words, fit_weights
from gscodec.encode.lossless_text import find_notation
from gscodec.encode.repeats import find_repeats
from gscodec.errors import InputError
from gscodec.io.ply_bytes import PlyRows, find_rows
from gscodec.limits import Limits
from gscodec.lossless.description import BIG, LITTLE, MAX_WORDS, TEXT, Column, Description
from gscodec.lossless.file import write_lossless
from gscodec.lossless.model import KIND_CONTEXTS, NUMBER, NUMBER_CONTEXTS, Model, Words, plan_of
from gscodec.lossless.rows import LANES, MAX_ROWS, words_from_values, write_block

PACK = 9  # effort of zlib
SMALL = 1 << 20  # bytes of files that are packed as a whole, too, to see which is smaller
FEW_SAVED = 0.95  # ... as are larger ones of whose bytes so large a share is left
_FIRST_LINE = re.compile(rb"ply[ \t]*(?:[\r\n]|\Z)")
_TYPES = {f"{row.name[0]}{row.bytes}": row.value for row in extra_types.ROWS}
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LosslessResult:
    """The .gsc, and what happened: see `encode_ply`."""

    data: bytes
    report: dict[str, Any]


def encode_ply(data: bytes, *, smallest: bool = True, progress: Progress | None = None) -> LosslessResult:
    """The lossless .gsc of the bytes of a PLY file.

    What the codec cannot find its way in, such as a header with unknown types, is packed as a whole; with
    `smallest`, so is what that makes smaller.

    The report has "rows", "columns", "form" (little, big, text or packed), "packed_bytes" in and out (what
    zlib took), "text_packed" (whether rows of an ASCII file had to be packed as text), "whole_is_smaller",
    "note" (why rows could not be coded, or None) and "bytes" by section.

    Raises `InputError` for bytes that do not start as a PLY file, `EncodeError` for what exceeds the level.
    """
    tell = progress or (lambda _stage, _share: None)
    rows, note = _rows_of(data)
    values: list[NDArray[np.unsignedinteger]] = []
    whole = Description(
        file_bytes=len(data), row_count=0, head_bytes=len(data), tail_bytes=0, crc=zlib.crc32(data)
    )
    about = whole
    text_packed = whole_is_smaller = False
    if rows is not None and rows.is_text:
        if (found := find_notation(data, rows)) is not None:
            values, text = found
            about = replace(
                about, form=TEXT, notation=text.notation, digits=text.digits, line_end=text.line_end
            )
            about = _parts(about, rows, text.start, text.end)
        else:
            text_packed = True
            note = "the numbers of this ASCII file are not written in one usual way"
    elif rows is not None:
        stride = sum(dtype.itemsize for dtype in rows.dtypes)
        values = _values(data, rows)
        about = replace(about, form=BIG if rows.dtypes[0].str[0] == ">" or _is_big(rows) else LITTLE)
        about = _parts(about, rows, rows.start, rows.start + rows.count * stride)
    tell("packing", 0.0)
    head = about.head_bytes
    around = data[:head] + data[len(data) - about.tail_bytes :] if about.row_count else data
    about = replace(about, packed=zlib.compress(around, PACK))
    model: Model | None = None
    blocks: list[bytes] = []
    if about.row_count:
        model, blocks = _encode_rows(words_from_values(values), about, tell)
    out = _written(about, model, blocks)
    if smallest and blocks and (len(data) <= SMALL or len(out) > FEW_SAVED * len(data)):
        packed = replace(whole, packed=zlib.compress(data, PACK))
        if len(smaller := _written(packed, None, [])) < len(out):
            about, blocks, out, around = packed, [], smaller, data
            whole_is_smaller = True
    forms = {LITTLE: "little", BIG: "big", TEXT: "text"}
    report = {
        "rows": about.row_count,
        "columns": len(about.columns),
        "form": forms[about.form] if about.row_count else "packed",
        "packed_bytes": [len(around), len(about.packed)],
        "text_packed": text_packed,
        "whole_is_smaller": whole_is_smaller,
        "note": note,
        "bytes": {"rows": sum(map(len, blocks)), "packed": len(about.packed), "file": len(out)},
    }
    return LosslessResult(data=out, report=report)


def _rows_of(data: bytes) -> tuple[PlyRows | None, str | None]:
    """The rows that can be coded, or why there are none if that is odd. Raises `InputError`: no PLY file."""
    try:
        rows = find_rows(data)
    except InputError as error:
        if not _FIRST_LINE.match(data):
            raise
        return None, error.message
    if rows is not None and rows.count and _word_count(rows) > MAX_WORDS:
        return None, f"its rows have more than {MAX_WORDS} numbers"
    return (rows if rows is not None and rows.count else None), None


def _written(about: Description, model: Model | None, blocks: list[bytes]) -> bytes:
    """The file, of the first level that allows it."""
    small = Limits.of_level(1)
    fits = about.file_bytes <= small.decoded_bytes and about.row_count <= small.splats
    return write_lossless(about, model, blocks, level=1 if fits else 2)


def _word_count(rows: PlyRows) -> int:
    return sum(2 if dtype.itemsize == 8 else 1 for dtype in rows.dtypes)


def _is_big(rows: PlyRows) -> bool:
    return any(dtype.str[0] == ">" for dtype in rows.dtypes)


def _parts(about: Description, rows: PlyRows, start: int, end: int) -> Description:
    columns = tuple(Column(type=_TYPES[dtype.str[1:]]) for dtype in rows.dtypes)
    return replace(
        about, row_count=rows.count, head_bytes=start, tail_bytes=about.file_bytes - end, columns=columns
    )


def _values(data: bytes, rows: PlyRows) -> list[NDArray[np.unsignedinteger]]:
    """The bit patterns of each column, in this machine's byte order."""
    stride = sum(dtype.itemsize for dtype in rows.dtypes)
    out: list[NDArray[np.unsignedinteger]] = []
    at = rows.start
    for dtype in rows.dtypes:
        form = np.dtype(f"{'>' if dtype.str[0] == '>' else '<'}u{dtype.itemsize}")
        column: NDArray[np.unsignedinteger] = np.ndarray((rows.count,), form, data, at, (stride,))
        out.append(column.astype(f"u{dtype.itemsize}"))
        at += dtype.itemsize
    return out


def _encode_rows(cells: NDArray[np.uint32], about: Description, tell: Progress) -> tuple[Model, list[bytes]]:
    """The model of all rows, and the blocks coded with it."""
    tell("fitting", 0.0)
    words = choose_words(cells, about.widths, about.number_words)
    weights = fit_weights(cells, words)
    plan = plan_of(words, weights)
    recorded: list[tuple[int, kernels.RecordedRows]] = []
    for start in range(0, len(cells), MAX_ROWS):
        tell("coding", start / len(cells))
        block = np.ascontiguousarray(cells[start : start + MAX_ROWS])
        recorded.append((len(block), kernels.write_rows(plan, block, find_repeats(block, words.numbers))))
    tell("choosing tables", 0.0)
    counts = np.stack([each.histogram() for _, each in recorded]).sum(0, dtype=np.uint32)
    kinds = _streams(words)
    tables, maps = choose_tables(
        {name: counts[kinds == k] for k, name in enumerate(("kinds", "values", "rest"))}
    )
    chosen = np.zeros(len(kinds), np.uint8)
    for k, name in enumerate(("kinds", "values", "rest")):
        chosen[kinds == k] = maps[name]
    model = Model(words=words, weights=weights, tables=tables, map=chosen)
    blocks = []
    for done, (rows, each) in enumerate(recorded):
        tell("writing", done / len(recorded))
        coded, lengths = each.encode(tables.kernel, chosen, LANES)
        blocks.append(write_block(rows, coded, lengths, each.low()))
    return model, blocks


def _streams(words: Words) -> NDArray[np.uint8]:
    """(contexts,) Which contexts are alike: 0 kinds and repeats, 1 values of numbers, 2 other words."""
    kinds = [np.zeros(2, np.uint8)]
    for coding, count in zip(words.coding.tolist(), words.context_counts(), strict=True):
        part = np.full(count, 2, np.uint8)
        if coding == NUMBER:
            part = (np.arange(NUMBER_CONTEXTS) >= KIND_CONTEXTS).astype(np.uint8)
        kinds.append(part)
    return np.concatenate(kinds)
