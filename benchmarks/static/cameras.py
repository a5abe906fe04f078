"""python -m benchmarks.static.cameras REFERENCE.ply --rig RIG --views N --size WxH --out DIR

The cameras by which a scene is judged, as files for the referee: full.json (a rig of rendereval, or the test
cameras of a file), and half.json and quarter.json, the same cameras moved forward to half and a quarter of
their distance to what they look at. Prints what kind of rig it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gscodec.evaluate.camera_files import read_cameras, write_cameras
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.comparison import evenly, fitted
from gscodec.evaluate.rigs import closer, focus_depth

DISTANCES = {"full": 1.0, "half": 0.5, "quarter": 0.25}


def test_cameras(path: Path, count: int) -> list[Camera]:
    """At most `count` of a file's cameras marked test (of all when none is marked), evenly picked."""
    cameras = read_cameras(path)
    return evenly([camera for camera in cameras if camera.split == "test"] or cameras, count)


def rig_cameras(
    kind: str, reference: Path, count: int, size: tuple[int, int], file: Path
) -> tuple[str, list[Camera]]:
    """(what the rig turned out to be, its cameras), as rendereval makes them and writes them to `file`."""
    from rendereval import cameras, raster, splats

    scene = splats.load(reference)
    prepared = raster.prepare(scene)
    kind, chosen = cameras.make_rig(kind, scene, prepared, count, size)
    if kind == "inside":  # rendereval's own comparison drops views that show little
        chosen = [one for one in chosen if raster.render(prepared, one, aux=True)[1].mean() >= 0.5]
    cameras.save_cameras(file, chosen)
    return kind, read_cameras(file)


def write_all(folder: Path, cameras: Sequence[Camera], depths: Sequence[float]) -> None:
    """A file for each distance; `depths` says how far what each camera looks at is."""
    for name, share in DISTANCES.items():
        write_cameras(folder / f"{name}.json", closer(cameras, depths, share))


def main(argv: list[str] | None = None) -> int:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[1])
    add = parser.add_argument
    add("reference", type=Path)
    add("--rig", required=True)
    add("--views", type=int, default=12)
    add("--size", required=True, type=lambda text: tuple(map(int, text.split("x"))))
    add("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    import gscodec
    from gscodec.evaluate.renderer import Renderer

    options.out.mkdir(parents=True, exist_ok=True)
    if options.rig.endswith(".json"):
        kind, cameras = "test", test_cameras(Path(options.rig), options.views)
        cameras = [fitted(camera, options.size, may_grow=True) for camera in cameras]
    else:
        file = options.out / "full.json"
        kind, cameras = rig_cameras(options.rig, options.reference, options.views, options.size, file)
    renderer = Renderer(gscodec.read(options.reference))
    pictures = [renderer.render(camera) for camera in cameras]
    write_all(options.out, cameras, [focus_depth(picture.depth, picture.alpha) for picture in pictures])
    print(kind)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
