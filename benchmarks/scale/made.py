"""python -m benchmarks.scale.made N [--sh-degree D] > SCENE.ply

A made-up scene of N splats as a PLY file on stdout, a block at a time: surfaces of many sizes, scattered over
a plane, whose colours change slowly; rows come in no order that means anything. The same for the same N.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from gscodec.io import write_ply
from gscodec.splats import SH_REST_COUNTS, Splats

BLOCK = 1 << 17
PATCHES = 4000  # flat surfaces
SEED = 13


def blocks(count: int, sh_degree: int = 0) -> Iterator[Splats]:
    """The scene in blocks."""
    rng = np.random.default_rng(SEED)
    centres = np.column_stack([rng.uniform(-200, 200, (PATCHES, 2)), rng.gamma(2, 4, PATCHES)])
    frames, _ = np.linalg.qr(rng.normal(size=(PATCHES, 3, 3)))
    reach = rng.gamma(2, 3, (PATCHES, 2))
    colours = rng.normal(0, 0.8, (PATCHES, 3))
    spacing = np.log(np.sqrt(reach.prod(1) * PATCHES / max(count, 1)))
    for start in range(0, count, BLOCK):
        n = min(BLOCK, count - start)
        patch = rng.integers(0, PATCHES, n)
        flat = rng.uniform(-1, 1, (n, 2)).astype(np.float32)
        place = np.column_stack([flat * reach[patch], rng.normal(0, 0.02, n)])
        single = rng.standard_normal((n, 11), np.float32)
        rest = rng.standard_normal((n, SH_REST_COUNTS[sh_degree], 3), np.float32)
        shade = 0.3 * np.sin(4 * flat.sum(1) + patch)[:, None]
        yield Splats(
            positions=(centres[patch] + np.einsum("nij,nj->ni", frames[patch], place)).astype(np.float32),
            scales=(spacing[patch][:, None] + [0, -0.3, -3] + 0.3 * single[:, :3]).astype(np.float32),
            rotations=single[:, 3:7].copy(),
            opacities=2 + 2 * single[:, 7],
            sh_dc=(colours[patch] + shade + 0.05 * single[:, 8:]).astype(np.float32),
            sh_rest=0.05 * rest,
        )


def main() -> None:
    """Writes the scene."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.made")
    parser.add_argument("count", type=int, metavar="N")
    parser.add_argument("--sh-degree", type=int, default=0, choices=range(4), metavar="D")
    options = parser.parse_args()
    made = blocks(options.count, options.sh_degree)
    write_ply(sys.stdout.buffer, made, count=options.count, sh_degree=options.sh_degree, layout="compact")


if __name__ == "__main__":
    main()
