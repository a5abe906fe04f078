"""Rate–distortion curves of all scenes as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratios import ssim_decibels
from benchmarks.static.codings import OURS

COLUMNS = 4
MARKERS = "sD^vP*X"
LINES = ("o-", "o--", "o:", "o-.")
LEVELS = {"psnr": float, "ssim": lambda value: ssim_decibels(float(value))}


def write_plot(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Two panels a scene and set of cameras, PSNR above SSIM, over bytes per splat (log).

    A line for each effort of ours, a mark for each point of a peer: hollow when it was measured earlier.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rows = [row for row in rows if row.get("psnr") is not None]
    scenes = list(dict.fromkeys((row["scene"], row["views"]) for row in rows))
    names = list(dict.fromkeys(row["codec"] for row in rows if row["codec"] != OURS))
    efforts = list(dict.fromkeys(row["effort"] for row in rows if row["codec"] == OURS))
    across = min(COLUMNS, len(scenes))
    down = -(-len(scenes) // across)
    figure, grid = plt.subplots(
        2 * down, across, figsize=(3.4 * across + 0.4, 5.2 * down + 0.9), squeeze=False, layout="constrained"
    )
    for axis in grid.flat:
        axis.set_visible(False)
    handles = {}
    for number, scene in enumerate(scenes):
        here = [row for row in rows if (row["scene"], row["views"]) == scene]
        for k, quality in enumerate(("psnr", "ssim")):
            axis = grid[2 * (number // across) + k][number % across]
            axis.set_visible(True)
            level = LEVELS[quality]
            for effort in efforts:
                own = [row for row in here if row["codec"] == OURS and row["effort"] == effort]
                own.sort(key=lambda row: row["bytes_per_splat"])
                sizes = [row["bytes_per_splat"] for row in own]
                style = LINES[efforts.index(effort) % len(LINES)]
                (line,) = axis.plot(
                    sizes, [level(row[quality]) for row in own], style, color="black", markersize=4
                )
                handles[f"{OURS}, effort {effort}"] = line
            for peer in (row for row in here if row["codec"] != OURS):
                marker = MARKERS[names.index(peer["codec"]) % len(MARKERS)]
                colour = f"C{names.index(peer['codec'])}"
                (dot,) = axis.plot(
                    [peer["bytes_per_splat"]],
                    [level(peer[quality])],
                    marker,
                    color=colour,
                    markerfacecolor="none" if peer["origin"] else colour,
                    markersize=6,
                    linestyle="none",
                )
                handles[peer["codec"] + (f" ({peer['origin']})" if peer["origin"] else "")] = dot
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
            axis.yaxis.set_major_locator(MaxNLocator(6))
            if quality == "ssim":
                axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{1 - 10 ** (-v / 10):.4g}"))
                axis.set_xlabel("bytes per splat")
            else:
                axis.set_title(", ".join(scene), fontsize=10)
            axis.set_ylabel("PSNR, dB" if quality == "psnr" else "SSIM")
            axis.tick_params(labelsize=8)
            axis.grid(alpha=0.3)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper center",
        ncols=min(len(handles), across),
        fontsize=8,
    )
    figure.savefig(path, dpi=100)
    plt.close(figure)
