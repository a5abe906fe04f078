"""python -m benchmarks.scale.piece SCENE.ply PIECE.ply N

A piece of about N splats: a box in the middle of the scene with about as many, thinned evenly to the count.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from gscodec.encode.regions import SEED, census, cuts, joined, regions_of
from gscodec.io import write_ply
from gscodec.io.blocks import SplatBlocks

ROWS = 1 << 17


def piece(source: Path, target: Path, count: int) -> int:
    """Write it, without harmonics and extras; how many splats."""
    with SplatBlocks(source) as blocks:
        found = census(blocks.blocks(ROWS))
        tree = cuts(found.sample.positions, max(found.count // count, 1))
        box = int(regions_of(np.median(found.sample.positions, 0)[None], tree)[0])
        kept = [
            block.take(np.flatnonzero(regions_of(block.positions, tree) == box))
            for block in blocks.blocks(ROWS)
        ]
    splats = joined(kept)
    order = np.sort(np.random.default_rng(SEED).permutation(len(splats))[:count])
    write_ply(target, splats.take(order), layout="compact")
    return len(order)


if __name__ == "__main__":
    piece(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
