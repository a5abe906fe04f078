"""Ours against theirs: ratios at equal quality, BD-rates, and views from closer. From the rows of report.py.

A curve is the points of one effort of ours, or of one family of a peer, on one scene and set of cameras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratios import ABOVE, Point, bd_rate, bytes_at, compare, quality_at
from benchmarks.static.codings import OURS
from benchmarks.tables import read_csv

Record = dict[str, Any]
PUBLISHED = Path(__file__).parents[1] / "published"
BD_RANGE = (38.0, 52.0)
CLOSER_LOSS = 1.0  # dB that we may be under a peer from closer, where we equal it at full distance


def earlier() -> dict[tuple[str, str], dict[str, str]]:
    """(scene, peer) -> the figures of an earlier measurement."""
    return {(row["scene"], row["peer"]): row for row in read_csv(PUBLISHED / "peers_measured.csv")}


def targets() -> dict[tuple[str, str], float]:
    """(group of scenes, peer) -> largest ratio wanted."""
    return {(row["group"], row["peer"]): float(row["ratio"]) for row in read_csv(PUBLISHED / "targets.csv")}


def curves(rows: Sequence[Record]) -> Iterator[tuple[Record, list[Record], list[Record]]]:
    """(scene, cameras and effort; our points; all points of the peers) of every curve of ours."""
    keys = ("scene", "views", "effort")
    for key in dict.fromkeys(tuple(row[k] for k in keys) for row in rows if row["codec"] == OURS):
        here = [
            row for row in rows if (row["scene"], row["views"]) == key[:2] and row.get("psnr") is not None
        ]
        own = [row for row in here if row["codec"] == OURS and row["effort"] == key[2]]
        yield dict(zip(keys, key, strict=True)), own, [row for row in here if row["codec"] != OURS]


def point_of(row: Mapping[str, Any]) -> Point:
    """Bytes and qualities of a row."""
    return Point(bytes_per_splat=row["bytes_per_splat"], psnr=row["psnr"], ssim=row["ssim"])


def of_psnr(rows: Sequence[Mapping[str, Any]], psnr: str = "psnr") -> list[tuple[float, float]]:
    """(PSNR, bytes) of the rows."""
    return [(row[psnr], row["bytes_per_splat"]) for row in rows if row.get(psnr) is not None]


def ratio_rows(rows: Sequence[Record], wanted: Mapping[tuple[str, str], float]) -> list[Record]:
    """One row for each peer's point and each curve of ours that has at least two points."""
    out = []
    for key, own, theirs in curves(rows):
        for peer in theirs:
            try:
                result = compare([point_of(row) for row in own], point_of(peer))
            except ValueError:
                continue
            target = wanted.get((peer["group"], peer["codec"]))
            out.append(
                key
                | {
                    "peer": peer["codec"],
                    "origin": peer["origin"],
                    "peer_bytes_per_splat": peer["bytes_per_splat"],
                    "psnr": peer["psnr"],
                    "ssim": peer["ssim"],
                    "ours_at_psnr": round(result.at_psnr.bytes_per_splat, 4),
                    "psnr_ratio": round(result.psnr_ratio, 4),
                    "psnr_where": result.at_psnr.where,
                    "ours_at_ssim": round(result.at_ssim.bytes_per_splat, 4),
                    "ssim_ratio": round(result.ssim_ratio, 4),
                    "ssim_where": result.at_ssim.where,
                    "ratio": round(result.ratio, 4),
                    "where": result.where,
                    "target": target,
                    "met": result.verdict(target),
                }
            )
    return out


def bd_rows(rows: Sequence[Record]) -> list[Record]:
    """Each curve of ours against each family of peers, and against our first curve of the scene."""
    out = []
    first: dict[tuple[str, str], tuple[str, list[Record]]] = {}
    for key, own, theirs in curves(rows):
        others = {
            family: [row for row in theirs if row["family"] == family]
            for family in dict.fromkeys(row["family"] for row in theirs)
        }
        effort, points = first.setdefault((key["scene"], key["views"]), (key["effort"], own))
        if points is not own:
            others[f"{OURS}, effort {effort}"] = points
        for name, other in others.items():
            row = key | {"against": name, "points": len(other), "remark": ""}
            if any(one["origin"] for one in other):
                row["remark"] = "earlier measurement"
            try:
                share, low, high = bd_rate(of_psnr(own), of_psnr(other), *BD_RANGE)
                row |= {"low": round(low, 2), "high": round(high, 2), "bd_rate": round(100 * share, 2)}
            except ValueError as error:
                row["remark"] = "one point" if len(other) < 2 else str(error)
            out.append(row)
    return out


def closer_rows(rows: Sequence[Record]) -> list[Record]:
    """From half and a quarter of the distance: the peer's PSNR, and ours at the bytes where we equal it."""
    out = []
    for key, own, theirs in curves(rows):
        for peer in theirs:
            for distance in ("half", "quarter"):
                column = f"psnr_{distance}"
                if peer.get(column) is None:
                    continue
                try:
                    at = bytes_at(of_psnr(own), peer["psnr"])
                    us = quality_at(of_psnr(own, column), at.bytes_per_splat)
                except ValueError:
                    continue
                good = us - peer[column] >= -CLOSER_LOSS
                row = key | {"peer": peer["codec"], "distance": distance, "ours": round(us, 3)}
                row |= {"theirs": peer[column], "difference": round(us - peer[column], 3)}
                row["met"] = "open" if at.where == ABOVE else "yes" if good else "no"
                out.append(row)
    return out


def check_rows(rows: Sequence[Record]) -> list[Record]:
    """What the presets promise: the default's quality (over 4,000 splats), and the range on SH3 scenes."""
    out = []
    for key, own, _ in curves(rows):
        default = next((row for row in own if row["point"] == "default"), None)
        if default and default["splats"] > 4000:
            good = default["psnr"] >= 38 and default["ssim"] >= 0.985
            got = f"{default['psnr']:.2f} dB, {default['ssim']:.4f}"
            out.append(key | {"promise": "default >= 38 dB, SSIM >= .985", "measured": got, "met": good})
        if len(own) > 1 and own[0]["group"] == "sh3":
            low, high = min(row["psnr"] for row in own), max(row["psnr"] for row in own)
            good = low <= 35 and high >= 56
            got = f"{low:.2f} .. {high:.2f} dB"
            out.append(key | {"promise": "presets cover 35 .. 56 dB", "measured": got, "met": good})
    return [row | {"met": "yes" if row["met"] else "no"} for row in out]
