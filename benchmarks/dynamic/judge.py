"""Pictures of frames next to those of the input, by an independent renderer in a process of its own.

    python -m benchmarks.dynamic.judge CAMERAS.json VIEWS WxH

reads a line for each frame, the PLY files of the input and of what is compared with it, between tabs, and
answers with the PSNR of each in dB over all views. Needs rendereval on the PYTHONPATH.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Judge:
    """A running process; made by `judging`."""

    process: subprocess.Popen[str]

    def psnr(self, reference: Path, tests: Sequence[Path]) -> list[float]:
        """PSNR in dB of each test against the reference, over the pixels that a splat covers in any view."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("no pipes to the judge")
        print(reference, *tests, sep="\t", file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the judge has ended; is rendereval on the PYTHONPATH?")
        return [float(value) for value in answer.split()]


@contextmanager
def judging(cameras: Path, views: int, size: str) -> Iterator[Judge]:
    """A judge that looks through these cameras."""
    command = [sys.executable, "-m", "benchmarks.dynamic.judge", str(cameras), str(views), size]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Judge(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()


def mean_psnr(values: Sequence[float]) -> float:
    """PSNR of the mean squared error of frames of these PSNRs."""
    return -10 * math.log10(sum(10 ** (-value / 10) for value in values) / len(values))


def main() -> None:
    """Answer until the input ends."""
    import numpy as np
    from rendereval import cameras, metrics, raster, splats

    path, views, size = sys.argv[1], int(sys.argv[2]), tuple(map(int, sys.argv[3].split("x")))
    rig: list[cameras.Camera] = []
    for line in sys.stdin:
        scene, *tests = [splats.load(name) for name in line.rstrip("\n").split("\t")]
        prepared = raster.prepare(scene)
        rig = rig or cameras.make_rig(path, scene, prepared, views, size)[1]
        shots = [raster.render(prepared, camera, aux=True) for camera in rig]
        found = []
        for test in map(raster.prepare, tests):
            rows = []
            for camera, (picture, alpha, _) in zip(rig, shots, strict=True):
                other, also, _ = raster.render(test, camera, aux=True)
                rows.append(metrics.compare(picture, other, np.maximum(alpha, also) > 1 / 255))
            found.append(metrics.summarise(rows)["psnr_content"])
        print(*found, flush=True)


if __name__ == "__main__":
    main()
