"""gsplat_png.py encode IN.ply OUT.zip | decode IN.zip OUT.ply | version: PngCompression as a command.

Run by a Python that has gsplat, torch, imageio and PLAS (and, for scenes with spherical harmonics, torchpq
and cupy on a machine with CUDA: torchpq has no Manhattan distance for processors). The files that
PngCompression writes go into a zip without further compression.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

FIELDS = {  # of PngCompression, in the order of the PLY's properties
    "means": ("x", "y", "z"),
    "sh0": ("f_dc_0", "f_dc_1", "f_dc_2"),
    "opacities": ("opacity",),
    "scales": ("scale_0", "scale_1", "scale_2"),
    "quats": ("rot_0", "rot_1", "rot_2", "rot_3"),
}


def read(path):
    """The splats of a PLY of little-endian floats, as tensors."""
    import numpy as np
    import torch

    names = []
    with path.open("rb") as file:
        while (line := file.readline().decode("ascii").strip()) != "end_header":
            names += [line.split()[-1]] if line.startswith("property float") else []
        table = np.fromfile(file, "<f4").reshape(-1, len(names))
    columns = dict(zip(names, table.T, strict=True))
    splats = {key: np.stack([columns[name] for name in of], 1) for key, of in FIELDS.items()}
    splats["opacities"] = splats["opacities"][:, 0]
    splats["sh0"] = splats["sh0"][:, None]
    if rest := sorted((n for n in names if n.startswith("f_rest_")), key=lambda n: int(n[7:])):
        values = np.stack([columns[name] for name in rest], 1)
        splats["shN"] = values.reshape(len(table), 3, -1).transpose(0, 2, 1)
    return {key: torch.tensor(np.ascontiguousarray(value)) for key, value in splats.items()}


def write(path, splats):
    """The splats as a PLY of little-endian floats."""
    import numpy as np

    names, parts, count = [], [], len(splats["means"])
    for key, of in FIELDS.items():
        names += of
        parts.append(splats[key].numpy().reshape(count, -1))
        if key == "sh0" and "shN" in splats:
            parts.append(splats["shN"].numpy().transpose(0, 2, 1).reshape(count, -1))
            names += [f"f_rest_{k}" for k in range(parts[-1].shape[1])]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [*(f"property float {name}" for name in names), "end_header", ""]
    table = np.concatenate(parts, 1).astype("<f4")
    path.write_bytes("\n".join(header).encode() + table.tobytes())


def main(job, *files):
    """Do the job."""
    if job == "version":
        print("gsplat", version("gsplat"), "torch", version("torch"))
        return
    import torch
    from gsplat.compression import PngCompression

    source, output = map(Path, files)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        if job == "encode":
            splats = read(source)
            if "shN" in splats and not torch.cuda.is_available():
                sys.exit("scenes with SH need CUDA: torchpq has Manhattan K-means for CUDA only")
            PngCompression(verbose=False).compress(folder, splats)
            with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
                for path in sorted(Path(folder).iterdir()):
                    archive.write(path, path.name)
        else:
            with zipfile.ZipFile(source) as archive:
                archive.extractall(folder)
            write(output, PngCompression(verbose=False).decompress(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
