"""gsdec of parts: the options that choose them, and the splats that they choose, from a file or a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gscodec.cli.common import read_gsc

if TYPE_CHECKING:
    from gscodec.partial import Box, PartialFile
    from gscodec.splats import Splats

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
        if not first.isdigit() or (dash and not last.isdigit()) or len(part) > 20:
            raise click.BadParameter("expected numbers and ranges, such as 0,3,5-8")
        if dash and not 0 <= int(last) - int(first) < 1 << 24:
            raise click.BadParameter(f"{part}: expected the smaller number first")
        found += range(int(first), int(last if dash else first) + 1)
    return found


def part_options(function: Function) -> Function:
    """--chunks, --box, --layers, --max-splats and --enlarge."""
    for option in reversed(
        [
            click.option("--chunks", callback=_chunks, metavar="LIST", help="Only these chunks: 0,3,5-8."),
            click.option(
                "--box",
                callback=_box,
                metavar="X0,Y0,Z0,X1,Y1,Z1",
                help="Only splats with centres in this box, in the units of the scene.",
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
                help="At most N splats: the first layers and, of the last, what shows most.",
            ),
            click.option(
                "--enlarge",
                is_flag=True,
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


def read_part(source: str, choice: Choice, degree: int | None, tell: Callable[[float], None]) -> Part:
    """The chosen splats of a path, URL or "-". Raises `StreamError`, `InputError`, `UsageError`."""
    from gscodec.io.remote import RangeSource
    from gscodec.partial import PartialFile

    if source == "-":
        data = read_gsc(source)
        file = PartialFile(lambda offset, count: data[offset : offset + count], len(data))
        return Part(file=file, **_chosen(file, choice, degree, tell), bytes_read=len(data), requests=0)
    with RangeSource(source) as ranges:
        file = PartialFile(ranges.read_at, ranges.size)
        found = _chosen(file, choice, degree, tell)
        return Part(file=file, **found, bytes_read=ranges.bytes_read, requests=ranges.requests)


def _chosen(
    file: PartialFile, choice: Choice, degree: int | None, tell: Callable[[float], None]
) -> dict[str, Any]:
    from gscodec.partial import enlarged, inside

    numbers = file.select(
        chunks=choice.chunks, box=choice.box, layers=choice.layers, max_splats=choice.max_splats
    )
    blocks: list[Splats] = []
    layers: list[int] = []
    for done, block in enumerate(file.chunks(numbers, sh_degree=degree), 1):
        blocks.append(block if choice.box is None else inside(block, choice.box))
        layers.append(file.index.chunks[numbers[done - 1]].layer)
        tell(done / len(numbers))
    if choice.max_splats is not None:
        blocks = _thinned(blocks, layers, choice.max_splats)
    if choice.enlarge:
        kept = sum(map(len, blocks))
        everything = file.select(chunks=choice.chunks, box=choice.box)
        total = sum(file.index.chunks[number].splat_count for number in everything)
        blocks = [enlarged(block, kept, total) for block in blocks]
    return {"blocks": blocks, "chunks": numbers}


def _thinned(blocks: list[Splats], layers: list[int], most: int) -> list[Splats]:
    """Whole layers while they fit; of the next, each chunk's share of what is left."""
    from gscodec.partial import largest

    out: list[Splats] = []
    left = most
    for layer in sorted(set(layers)):
        these = [block for block, number in zip(blocks, layers, strict=True) if number == layer]
        total = sum(map(len, these))
        if total <= left:
            out += these
        else:
            ends, before = 0, 0
            for block in these:
                ends += len(block)
                share = left * ends // total
                out.append(largest(block, share - before))
                before = share
        left = max(0, left - total)
    return [block for block in out if len(block)]
