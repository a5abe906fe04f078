"""python -m benchmarks.static.photos REFERENCE.ply TEST.ply... --cameras FILE --photos DIR --json FILE

What coding costs against photographs that the scene was not trained on: PSNR of the reference's views against
the photographs, less that of each test's; and each test against the reference: MS-SSIM, and the 99th
percentile, over all pixels of all views, of the error of a pixel's worst channel, in units of 1/255. Views
and sizes are those of the photographs. Needs rendereval.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.evaluate.metrics import ms_ssim, pixel_errors, psnr

Image = NDArray[np.float32]


def figures(photos: Sequence[Image], reference: Sequence[Image], test: Sequence[Image]) -> dict[str, Any]:
    """The row of one test; each argument has one image a view."""
    of_reference = float(np.mean([psnr(p, r) for p, r in zip(photos, reference, strict=True)]))
    of_test = float(np.mean([psnr(p, t) for p, t in zip(photos, test, strict=True)]))
    pairs = list(zip(reference, test, strict=True))
    errors = np.concatenate([pixel_errors(r, t).ravel() for r, t in pairs])
    return {
        "photos": len(photos),
        "reference_psnr": of_reference,
        "psnr": of_test,
        "loss": of_reference - of_test,
        "ms_ssim": float(np.mean([ms_ssim(r, t) for r, t in pairs])),
        "error_p99": float(np.percentile(errors, 99)),
    }


def cameras_of(entries: Sequence[Mapping[str, Any]], folder: Path) -> list[tuple[Mapping[str, Any], Path]]:
    """The cameras that have a photograph in the folder."""
    files = {path.stem: path for path in sorted(folder.glob("*.png"))}
    named = ((entry, Path(str(entry["img_name"])).stem) for entry in entries)
    return [(entry, files[name]) for entry, name in named if name in files]


def main(argv: list[str] | None = None) -> int:
    """Write the rows of all tests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[1])
    add = parser.add_argument
    add("reference", type=Path)
    add("tests", type=Path, nargs="+")
    add("--cameras", type=Path, required=True)
    add("--photos", type=Path, required=True)
    add("--views", type=int, metavar="N", help="only N of them, for a quick look")
    add("--json", type=Path, required=True)
    options = parser.parse_args(argv)
    from PIL import Image as Picture
    from rendereval import cameras, raster, splats

    found = cameras_of(json.loads(options.cameras.read_text(encoding="utf-8")), options.photos)[
        : options.views
    ]
    if not found:
        parser.error("no camera of the file has a photograph")
    photos = []
    for _, path in found:
        with Picture.open(path) as picture:
            photos.append(np.asarray(picture.convert("RGB"), np.float32) / 255)
    chosen = options.json.with_suffix(".cameras.json")
    chosen.write_text(json.dumps([entry for entry, _ in found]), encoding="utf-8")
    rig = [
        camera.resized(photo.shape[1])
        for camera, photo in zip(cameras.load_cameras(chosen), photos, strict=True)
    ]

    def views(path: Path) -> list[Image]:
        prepared = raster.prepare(splats.load(path))
        return [np.clip(raster.render(prepared, camera), 0, 1) for camera in rig]

    reference = views(options.reference)
    rows = [figures(photos, reference, views(test)) for test in options.tests]
    options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
