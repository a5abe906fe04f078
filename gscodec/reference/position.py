"""(5.3, 5.4) Positions: octrees of counts, one for each position class, merged by Morton order."""

from __future__ import annotations

from dataclasses import dataclass

from gscodec.reference.entropy import Stream

Cell = tuple[int, int, int]
ALL = 17  # the split symbol for "all on the low side"
LONGEST_JOINT = 8  # the most bits of an axis that are coded together with those of the others


@dataclass
class Tree:
    """(5.3) One octree being read; `number` counts the values of the stream over all trees."""

    stream: Stream
    number: int
    cells: list[Cell]

    def next_number(self) -> int:
        """The number of the value that is read next."""
        self.number += 1
        return self.number - 1


def count_class(n: int) -> int:
    """(5.3) Eleven classes of counts: 1, 2, ... 7, then 8, 16, 64, 512 and more."""
    if n <= 7:
        return n - 1
    return 7 + (n >= 16) + (n >= 64) + (n >= 512)


def interval_start(symbol: int, n: int) -> int:
    """(5.3) Where the counts of split symbol 1 .. 16 start: sixteen parts of 1 .. n - 1."""
    return 1 + ((symbol - 1) * (n - 1) + 15 >> 4)


def split_symbols(n: int) -> list[int]:
    """(5.3) The split symbols that stand for at least one count."""
    parts = [s for s in range(1, ALL) if interval_start(s, n) < interval_start(s + 1, n)]
    return [0, *parts, ALL]


def split(tree: Tree, n: int, axis: int, sibling: int) -> int:
    """(5.3) How many of n points lie on the low side of an axis."""
    number = tree.next_number()
    context = (count_class(n) * 3 + axis) * 5 + sibling
    if n <= 7:
        return tree.stream.symbol(number, context, range(n + 1))
    symbol = tree.stream.symbol(number, context, split_symbols(n))
    if symbol == 0:
        return 0
    if symbol == ALL:
        return n
    start = interval_start(symbol, n)
    return start + tree.stream.uniform(number, interval_start(symbol + 1, n) - start)


def sibling_state(low: int, total: int) -> int:
    """(5.3) What the halves read before say: 0 nothing, 1 all high, 2 all low, 3 both."""
    if total == 0:
        return 0
    return 1 if low == 0 else 2 if low == total else 3


def octant_counts(tree: Tree, n: int) -> list[int]:
    """(5.3) The points in each octant 4 hx + 2 hy + hz of a node of n points."""
    counts = [0] * 8
    low_x = split(tree, n, 0, 0)
    low_y = low_z = total_z = 0
    for hx, half in enumerate((low_x, n - low_x)):
        if half == 0:
            continue
        sibling = 0 if hx == 0 else 4 if low_x == 0 else sibling_state(low_y, low_x)
        low_y = split(tree, half, 1, sibling)
        for hy, quarter in enumerate((low_y, half - low_y)):
            if quarter == 0:
                continue
            z = split(tree, quarter, 2, sibling_state(low_z, total_z))
            low_z, total_z = low_z + z, total_z + quarter
            counts[4 * hx + 2 * hy : 4 * hx + 2 * hy + 2] = [z, quarter - z]
    return counts


def read_single(tree: Tree, cell: Cell, depth: int) -> Cell:
    """(5.3) The finest cell of a point that is alone in a cell `depth` levels above."""
    x, y, z = cell
    if depth == 0:
        return cell
    if depth <= LONGEST_JOINT:
        bits, mask = tree.stream.bits(tree.next_number(), 3 * depth), (1 << depth) - 1
        bx, by, bz = bits >> 2 * depth, bits >> depth & mask, bits & mask
    else:
        bx, by, bz = (tree.stream.bits(tree.next_number(), depth) for _ in range(3))
    return x << depth | bx, y << depth | by, z << depth | bz


def visit(tree: Tree, cell: Cell, depth: int, n: int) -> None:
    """(5.3) The n points of a cell, `depth` levels above the finest."""
    if n == 1:
        tree.cells.append(read_single(tree, cell, depth))
    elif depth == 0:
        tree.cells += [cell] * n
    else:
        x, y, z = cell
        for octant, count in enumerate(octant_counts(tree, n)):
            if count > 0:
                child = (2 * x + (octant >> 2), 2 * y + (octant >> 1 & 1), 2 * z + (octant & 1))
                visit(tree, child, depth - 1, count)


def morton(point: Cell) -> int:
    """(5.4) The bits of x, y and z interleaved, x first."""
    code = 0
    for bit in reversed(range(21)):
        for coordinate in point:
            code = code << 1 | coordinate >> bit & 1
    return code


def read_positions(stream: Stream, depth: int, counts: list[int]) -> tuple[list[Cell], list[int]]:
    """(5.4) Position, in half finest cells, and position class of every splat, in the order of the chunk."""
    points: list[tuple[Cell, int]] = []
    number = 0
    for p, count in enumerate(counts):
        if count > 0:
            tree = Tree(stream, number, [])
            visit(tree, (0, 0, 0), depth - p, count)
            number = tree.number
            points += [((2 * x + 1 << p, 2 * y + 1 << p, 2 * z + 1 << p), p) for x, y, z in tree.cells]
    stream.end()
    points.sort(key=lambda point: morton(point[0]))  # a stable sort: ties keep their order
    return [point for point, _ in points], [p for _, p in points]


def read_duplicates(stream: Stream, positions: list[Cell]) -> list[bool]:
    """(5.5) Whether each splat repeats the attributes of the one before."""
    repeats = [False] * len(positions)
    number = 0
    for i in range(1, len(positions)):
        if positions[i] == positions[i - 1]:
            repeats[i] = stream.symbol(number, 0, range(2)) == 1
            number += 1
    stream.end()
    return repeats
