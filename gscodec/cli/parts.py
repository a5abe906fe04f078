"""gsdec of parts: the options that choose them, and the splats that they choose, from a file or a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gscodec.cli.gsc_file import read_gsc

if TYPE_CHECKING:
    from gscodec.partial import Box, PartialFile
    from gscodec.splats import Splats

START = 16  # bytes that say of which profile a file is
Function = TypeVar("Function", bound=Callable[..., Any])


def _box(_context: click.Context, _option: click.Parameter, value: str | None) -> Box | None:
    """X0,Y0,Z0,X1,Y1,Z1."""
    if value is None:
        return None
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(low <= high for low, high in zip(numbers[:3], numbers[3:], strict=False)):
        raise click.BadParameter("expected six numbers X0,Y0,Z0,X1,Y1,Z1, minimum before maximum")
    x0, y0, z0, x1, y1, z1 = numbers
    return x0, y0, z0, x1, y1, z1


def _chunks(_context: click.Context, _option: click.Parameter, value: str | None) -> list[int] | None:
    """0,3,5-8."""
    if value is None:
        return None
    found: list[int] = []
    for part in value.split(","):
        first, dash, last = part.partition("-")
        is_number = part.isascii() and first.isdigit() and (last.isdigit() or not dash)
        if not is_number or len(part) > 20:
            raise click.BadParameter("expected numbers and ranges, such as 0,3,5-8")
        if dash and not 0 <= int(last) - int(first) < 1 << 24:
            raise click.BadParameter(f"{part}: expected the smaller number first")
        found += range(int(first), int(last if dash else first) + 1)
    return found


BOX = "Only splats with centres in this box, in the units of the scene, before --world adds its offset."
MOST = "At most N splats: the first layers and, of the last, what shows most."


def part_options(
    function: Function, *, box: str = BOX, most: str = MOST, can_enlarge: bool = True
) -> Function:
    """--chunks, --box, --layers, --max-splats and --enlarge; what is said of two of them."""
    for option in reversed(
        [
            click.option("--chunks", callback=_chunks, metavar="LIST", help="Only these chunks: 0,3,5-8."),
            click.option(
                "--box",
                callback=_box,
                metavar="X0,Y0,Z0,X1,Y1,Z1",
                help=box,
            ),
            click.option(
                "--layers",
                type=click.IntRange(1),
                metavar="N",
                help="Only the first N layers of a layered file.",
            ),
            click.option(
                "--max-splats",
                type=click.IntRange(0),
                metavar="N",
                help=most,
            ),
            click.option(
                "--enlarge",
                is_flag=True,
                hidden=not can_enlarge,
                help="Make the splats of some layers larger, to cover for those left out: a preview.",
            ),
        ]
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of a file is wanted."""

    chunks: list[int] | None
    box: Box | None
    layers: int | None
    max_splats: int | None
    enlarge: bool

    @property
    def is_everything(self) -> bool:
        """Whether the file is wanted as it is."""
        return self == Choice(chunks=None, box=None, layers=None, max_splats=None, enlarge=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The splats that were chosen, and what it took to get them."""

    file: PartialFile
    blocks: list[Splats]
    chunks: list[int]
    bytes_read: int
    requests: int
    comments: list[tuple[bytes, int]]


def read_part(
    source: str,
    choice: Choice,
    degree: int | None,
    tell: Callable[[float], None],
    *,
    with_comments: bool = True,
) -> Part:
    """The chosen splats of a path, URL or "-". Raises `StreamError`, `InputError`, `UsageError`."""
    from gscodec.errors import Unsupported
    from gscodec.io.remote import RangeSource
    from gscodec.opening import check_static
    from gscodec.partial import PartialFile

    if source == "-":
        data = read_gsc(source)
        check_static(data[:START])
        file = PartialFile(lambda offset, count: data[offset : offset + count], len(data))
        found = _chosen(file, choice, degree, tell)
        comments = file.comment_sections() if with_comments else []
        return Part(file=file, **found, bytes_read=len(data), requests=0, comments=comments)
    with RangeSource(source) as ranges:
        try:
            file = PartialFile(ranges.read_at, ranges.size)
        except Unsupported:
            check_static(ranges.read_at(0, START))  # which says what to do
            raise
        found = _chosen(file, choice, degree, tell)
        comments = file.comment_sections() if with_comments else []
        count, requests = ranges.bytes_read, ranges.requests
        return Part(file=file, **found, bytes_read=count, requests=requests, comments=comments)


def _chosen(
    file: PartialFile, choice: Choice, degree: int | None, tell: Callable[[float], None]
) -> dict[str, Any]:
    from gscodec.partial import enlarged, inside

    numbers = file.select(chunks=choice.chunks, box=choice.box, layers=choice.layers)
    runs = [numbers] if choice.max_splats is None else _by_layer(file, numbers)
    blocks: list[Splats] = []
    read: list[int] = []
    found, left = 0, choice.max_splats
    for run in runs:
        if left is not None and left <= 0:
            break
        these: list[Splats] = []
        for block in file.chunks(run, sh_degree=degree):
            these.append(block if choice.box is None else inside(block, choice.box))
            tell((len(read) + len(these)) / len(numbers))
        read += run
        found += sum(map(len, these))
        if left is not None:
            these = _thinned(these, left)
            left -= sum(map(len, these))
        blocks += these
    if choice.enlarge:
        facts, everything = file.index.chunks, file.select(chunks=choice.chunks, box=choice.box)
        total = sum(facts[number].splat_count for number in everything)
        kept = sum(facts[number].splat_count for number in read)  # what is out of the box is not missing
        kept = kept * sum(map(len, blocks)) // max(found, 1)
        blocks = [enlarged(block, kept, total) for block in blocks]
    return {"blocks": [block for block in blocks if len(block)], "chunks": read}


def _by_layer(file: PartialFile, numbers: list[int]) -> list[list[int]]:
    """The chunks of each layer."""
    layers: dict[int, list[int]] = {}
    for number in numbers:
        layers.setdefault(file.index.chunks[number].layer, []).append(number)
    return [layers[layer] for layer in sorted(layers)]


def _thinned(blocks: list[Splats], most: int) -> list[Splats]:
    """The blocks of a layer if they fit, otherwise of each its share of what does."""
    from gscodec.partial import largest

    total, ends, before = sum(map(len, blocks)), 0, 0
    if total <= most:
        return blocks
    out = []
    for block in blocks:
        ends += len(block)
        share = most * ends // total
        out.append(largest(block, share - before))
        before = share
    return out
