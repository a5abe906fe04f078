"""Rate–distortion curves of all scenes as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratios import ssim_decibels

COLUMNS = 4
MARKERS = "sD^vP*X"
LEVELS = {"psnr": float, "ssim": lambda value: ssim_decibels(float(value))}


def write_plot(path: Path, rows: Sequence[Mapping[str, Any]], peers: Sequence[Mapping[str, str]]) -> None:
    """Two panels a scene, PSNR above SSIM, over bytes per splat (log), the peers' points beside our curve."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    scenes = list(dict.fromkeys(row["scene"] for row in rows))
    names = list(dict.fromkeys(peer["peer"] for peer in peers))
    across = min(COLUMNS, len(scenes))
    down = -(-len(scenes) // across)
    figure, grid = plt.subplots(
        2 * down, across, figsize=(3.4 * across + 0.4, 5.2 * down + 0.9), squeeze=False, layout="constrained"
    )
    for axis in grid.flat:
        axis.set_visible(False)
    handles = {}
    for number, scene in enumerate(scenes):
        own = sorted((row for row in rows if row["scene"] == scene), key=lambda row: row["bytes_per_splat"])
        theirs = [peer for peer in peers if peer["scene"] == scene]
        for k, quality in enumerate(("psnr", "ssim")):
            axis = grid[2 * (number // across) + k][number % across]
            axis.set_visible(True)
            level = LEVELS[quality]
            sizes = [row["bytes_per_splat"] for row in own]
            levels = [level(row[quality]) for row in own]
            (line,) = axis.plot(sizes, levels, "o-", color="black", markersize=4)
            handles["gscodec"] = line
            for peer in theirs:
                marker = MARKERS[names.index(peer["peer"]) % len(MARKERS)]
                colour = f"C{names.index(peer['peer'])}"
                x, y = float(peer["bytes_per_splat"]), level(peer[quality])
                (dot,) = axis.plot([x], [y], marker, color=colour, markersize=6, linestyle="none")
                handles[f"{peer['peer']} (earlier)"] = dot
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
            axis.yaxis.set_major_locator(MaxNLocator(6))
            if quality == "ssim":
                axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{1 - 10 ** (-v / 10):.4g}"))
                axis.set_xlabel("bytes per splat")
            else:
                axis.set_title(scene, fontsize=10)
            axis.set_ylabel("PSNR, dB" if quality == "psnr" else "SSIM")
            axis.tick_params(labelsize=8)
            axis.grid(alpha=0.3)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper center",
        ncols=min(len(handles), 2 * across),
        fontsize=8,
    )
    figure.savefig(path, dpi=100)
    plt.close(figure)
