"""Tables of static scenes, from the records of passes.py."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratios import MARKS, Point, compare
from benchmarks.tables import markdown, read_csv, write_csv

Record = dict[str, Any]
PUBLISHED = Path(__file__).parents[1] / "published"
PEERS_REMARK = "measured earlier with the same referee and cameras, not in this run"

QUALITY = ("psnr", "psnr_min", "ssim", "ssim_min")
COSTS = ("wall_s", "cpu_s", "peak_mb")
OF_SCENE = ("scene", "source", "licence", "group", "splats", "sh_degree", "metric", "cameras")
OF_FILE = ("bytes", "sha256", "decoded_sha256", "decoded_splats", "build")
RESULT_COLUMNS = (
    *("scene", "source", "splats", "preset", "bytes", "bytes_per_splat", *QUALITY),
    *(f"{side}_{cost}" for cost in COSTS for side in ("encode", "decode")),
    *("licence", "sh_degree", "metric", "cameras", "decoded_splats", "sha256", "decoded_sha256", "build"),
)
RATIO_COLUMNS = (
    *("scene", "peer", "peer_bytes_per_splat", "psnr", "ssim", "ours_at_psnr", "psnr_ratio", "psnr_where"),
    *("ours_at_ssim", "ssim_ratio", "ssim_where", "ratio", "target", "met"),
)


def result_rows(records: Sequence[Record]) -> list[Record]:
    """One row a scene and preset that the referee has seen."""
    rows = []
    for record in records:
        for preset, row in record["presets"].items():
            if "quality" not in row:
                continue
            flat = {key: record[key] for key in OF_SCENE} | {key: row[key] for key in OF_FILE}
            flat |= {"preset": preset, "bytes_per_splat": round(row["bytes"] / record["splats"], 4)}
            flat |= {key: round(float(row["quality"][key]), 6) for key in QUALITY}
            flat |= {f"{side}_{cost}": row[side][cost] for side in ("encode", "decode") for cost in COSTS}
            rows.append(flat)
    return rows


def peers() -> list[dict[str, str]]:
    """The quoted figures of other codecs."""
    return read_csv(PUBLISHED / "peers_measured.csv")


def targets() -> dict[tuple[str, str], float]:
    """(group of scenes, peer) -> largest ratio wanted."""
    return {(row["group"], row["peer"]): float(row["ratio"]) for row in read_csv(PUBLISHED / "targets.csv")}


def curve_of(rows: Sequence[Record], scene: str) -> list[Point]:
    """Our presets of a scene."""
    return [
        Point(bytes_per_splat=row["bytes_per_splat"], psnr=row["psnr"], ssim=row["ssim"])
        for row in rows
        if row["scene"] == scene
    ]


def ratio_rows(
    rows: Sequence[Record],
    groups: Mapping[str, str],
    peer_rows: Sequence[Mapping[str, str]],
    wanted: Mapping[tuple[str, str], float],
) -> list[Record]:
    """One row for each peer's point of a scene of which at least two presets were measured."""
    out = []
    for peer in peer_rows:
        ours = curve_of(rows, peer["scene"])
        point = Point(
            bytes_per_splat=float(peer["bytes_per_splat"]), psnr=float(peer["psnr"]), ssim=float(peer["ssim"])
        )
        try:
            result = compare(ours, point)
        except ValueError:
            continue
        target = wanted.get((groups.get(peer["scene"], ""), peer["peer"]))
        out.append(
            {
                "scene": peer["scene"],
                "peer": peer["peer"],
                "peer_bytes_per_splat": point.bytes_per_splat,
                "psnr": point.psnr,
                "ssim": point.ssim,
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


def _marked(value: float, where: str, form: str) -> str:
    return MARKS[where] + format(value, form)


def ratio_table(rows: Sequence[Record]) -> str:
    """The ratios as Markdown."""
    cells = [
        row
        | {
            "ours_at_psnr": _marked(row["ours_at_psnr"], row["psnr_where"], ".2f"),
            "psnr_ratio": _marked(row["psnr_ratio"], row["psnr_where"], ".3f"),
            "ours_at_ssim": _marked(row["ours_at_ssim"], row["ssim_where"], ".2f"),
            "ssim_ratio": _marked(row["ssim_ratio"], row["ssim_where"], ".3f"),
            "ratio": f"**{_marked(row['ratio'], row['where'], '.3f')}**",
        }
        for row in rows
    ]
    columns = [
        ("scene", "scene", ""),
        ("peer", "peer", ""),
        ("peer_bytes_per_splat", "B/splat", ".2f"),
        ("psnr", "PSNR", ".2f"),
        ("ssim", "SSIM", ".4f"),
        ("ours_at_psnr", "ours at PSNR", ">"),
        ("psnr_ratio", "ratio", ">"),
        ("ours_at_ssim", "ours at SSIM", ">"),
        ("ssim_ratio", "ratio", ">"),
        ("ratio", "worse", ">"),
        ("target", "target", ".2f"),
        ("met", "met", ""),
    ]
    return markdown(cells, columns)


def check_rows(rows: Sequence[Record]) -> list[Record]:
    """What the presets promise: the default's quality (over 4,000 splats), and the range on SH3 scenes."""
    out = []
    for scene in dict.fromkeys(row["scene"] for row in rows):
        own = [row for row in rows if row["scene"] == scene]
        default = next((row for row in own if row["preset"] == "default"), None)
        if default and default["splats"] > 4000:
            good = default["psnr"] >= 38 and default["ssim"] >= 0.985
            got = f"{default['psnr']:.2f} dB, {default['ssim']:.4f}"
            out.append(
                {"scene": scene, "promise": "default >= 38 dB, SSIM >= .985", "measured": got, "met": good}
            )
        if own[0].get("group") == "sh3" and len(own) > 1:
            low, high = min(row["psnr"] for row in own), max(row["psnr"] for row in own)
            good = low <= 35 and high >= 56
            got = f"{low:.2f} .. {high:.2f} dB"
            out.append({"scene": scene, "promise": "presets cover 35 .. 56 dB", "measured": got, "met": good})
    return [row | {"met": "yes" if row["met"] else "no"} for row in out]


def results_table(rows: Sequence[Record]) -> str:
    """The results as Markdown."""
    columns = [
        ("scene", "scene", ""),
        ("splats", "splats", ",d"),
        ("preset", "preset", ""),
        ("bytes", "bytes", ",d"),
        ("bytes_per_splat", "B/splat", ".2f"),
        ("psnr", "PSNR", ".2f"),
        ("ssim", "SSIM", ".5f"),
        ("psnr_min", "PSNR min", ".2f"),
        ("encode_wall_s", "encode s", ".2f"),
        ("decode_wall_s", "decode s", ".2f"),
        ("encode_peak_mb", "encode MB", ".0f"),
        ("decode_peak_mb", "decode MB", ".0f"),
        ("decoded", "decoded SHA-256", ""),
    ]
    return markdown([row | {"decoded": f"`{row['decoded_sha256'][:12]}`"} for row in rows], columns)


def scenes_table(records: Sequence[Record]) -> str:
    """Where the scenes come from and how they were judged."""
    columns = [
        ("scene", "scene", ""),
        ("splats", "splats", ",d"),
        ("sh_degree", "SH", "d"),
        ("source", "source", ""),
        ("licence", "licence", ""),
        ("view", "cameras", ""),
        ("metric", "PSNR is", ""),
    ]
    rows = []
    for record in records:
        rig = f" ({record['rig']})" if record.get("rig") in {"orbit", "inside"} else ""
        rows.append(record | {"view": record["cameras"] + rig})
    return markdown(rows, columns)


def write_report(out: Path, records: Sequence[Record], *, plot: str | None = "RESULTS.png") -> list[Record]:
    """RESULTS.csv, RATIOS.csv and RESULTS.md in `out`. Returns the rows of RATIOS.csv."""
    out.mkdir(parents=True, exist_ok=True)
    groups = {record["scene"]: record["group"] for record in records}
    rows = result_rows(records)
    ratios = ratio_rows(rows, groups, peers(), targets())
    write_csv(out / "RESULTS.csv", rows, RESULT_COLUMNS)
    write_csv(out / "RATIOS.csv", ratios, RATIO_COLUMNS)
    machines = dict.fromkeys(
        f"{record['machine']['processor']}, {record['machine']['processors']} processors, "
        f"Python {record['machine']['python']}"
        for record in records
    )
    builds = dict.fromkeys(row["build"] for row in rows)
    remarks = [f"Written on {time.strftime('%Y-%m-%d', time.gmtime())}. Measured on {'; '.join(machines)}."]
    if len(builds) > 1:
        remarks.append(f"**The rows come from {len(builds)} builds of the codec** (see RESULTS.csv).")
    parts = [
        "# Static scenes",
        "Written by `python -m benchmarks.static`; do not edit. Seconds and peak memory are of the whole "
        "process, start of Python, reading and writing included. B/splat is whole files over input splats.",
        *remarks,
        results_table(rows),
        "Full hashes, processor seconds and cameras are in RESULTS.csv.",
    ]
    if plot:
        parts.append(f"![rate and distortion]({plot})")
    if checks := check_rows(rows):
        columns = [(key, key, "") for key in ("scene", "promise", "measured", "met")]
        parts += ["## Promises of the presets", markdown(checks, columns)]
    if ratios:
        parts += [
            "## Against other codecs",
            f"Their figures: {PEERS_REMARK}. Ratios are our bytes over theirs at equal PSNR and at equal "
            "SSIM, log bytes interpolated between our presets (against dB, and against -10 log10(1 - SSIM)). "
            "`<=`: the peer's quality is below our lowest preset, whose bytes are taken. `~`: it is above "
            "our best preset; the figure is extrapolated and proves nothing.",
            ratio_table(ratios),
        ]
    parts += ["## Scenes", scenes_table(records)]
    (out / "RESULTS.md").write_text("\n\n".join(part.rstrip("\n") for part in parts) + "\n", encoding="utf-8")
    return ratios
