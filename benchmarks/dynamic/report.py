"""RESULTS.md and RESULTS.csv of the dynamic benchmark, from the figures of its sequences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.dynamic.judge import mean_psnr
from benchmarks.ratios import MARKS, bytes_at
from benchmarks.tables import markdown, write_csv

Row = dict[str, Any]
OURS = "gscodec"
TARGETS = {  # at most this share of our static codec's bytes, and of SOG's
    "sway": (1 / 6, 1 / 20), "twist": (1 / 6, 1 / 20), "wave": (1 / 6, 1 / 20),
    "still": (1 / 20, 1 / 60), "monkey": (1.0, None),
}  # fmt: skip
HEAD = """# Dynamic scenes

By `python -m benchmarks.dynamic`: sequences made by moving real static scenes, and two that are files (wave,
monkey). There is no real capture by many cameras among them. PSNR is that of pictures of every frame through
three fixed cameras, over the pixels that a splat covers; static codecs code every n-th frame. The noise that
was added to trajectories counts as part of the input. GOF auto: segments of at most 60 frames. Our bytes are
interpolated at the PSNR of the other; `>=`: that is below our lowest point; `~`: it is above our highest.
"""
OPEN = ("<= ", "~ ")  # marks of ratios that prove nothing
AROUND = 3  # frames on either side of a border: beside it
RATES = [
    ("sequence", "sequence", ""), ("codec", "codec", ""), ("point", "quality", ""), ("gof", "GOF", ""),
    ("kb", "kB/frame", ".2f"), ("mbps", "Mbit/s", ".2f"), ("psnr", "PSNR, dB", ".2f"),
    ("encode", "encode, CPU s/frame", ".2f"), ("decode", "decode, CPU s/frame", ".3f"),
    ("mb", "peak MB", ".0f"), ("missing", "missing", ""),
]  # fmt: skip
RATIOS = [
    ("sequence", "sequence", ""), ("gof", "our GOF", ""), ("peer", "frame by frame with", ""),
    ("psnr", "at PSNR, dB", ".2f"),
    ("theirs", "its kB/frame", ".2f"), ("ours", "our kB/frame", ".2f"), ("times", "times smaller", ""),
    ("wanted", "wanted", ".0f"), ("met", "met", ""),
]  # fmt: skip
BORDERS = [
    ("sequence", "sequence", ""), ("point", "quality", ""), ("gof", "GOF", ""), ("borders", "borders", "d"),
    ("largest", "beside", ".2f"), ("met", "at most 0.5", ""), ("single", "worst frame beside", ".2f"),
    ("inside", "anywhere else", ".2f"), ("anywhere", "worst frame anywhere", ".2f"),
]  # fmt: skip


def rate_rows(facts: Row) -> list[Row]:
    """Bytes a frame and PSNR of every coding of a sequence."""
    out = []
    for row in facts["rows"]:
        base = {
            "sequence": facts["name"],
            "codec": row["codec"],
            "point": row["point"],
            "gof": row.get("gof", ""),
        }
        if "missing" in row:
            out.append({**base, "missing": row["missing"]})
            continue
        each = row["bytes"] / row["frames"]
        out.append({
            **base, "kb": each / 1e3, "mbps": 8e-6 * each * facts["fps"], "psnr": row["psnr"],
            "encode": row["encode_cpu_s"] / row["frames"], "mb": row.get("encode_mb"),
            "decode": row["decode_cpu_s"] / row["frames"] if "decode_cpu_s" in row else None,
        })  # fmt: skip
    return out


def ratio_rows(facts: Row) -> list[Row]:
    """Our bytes a frame, for each GOF, at the PSNR of every point of others and of our static codec."""
    measured = [row for row in facts["rows"] if "missing" not in row]
    static_goal, sog_goal = TARGETS.get(facts["name"], (None, None))
    goals = {f"{OURS}, frame by frame": static_goal, "SOG": sog_goal}
    out = []
    for gof in dict.fromkeys(row["gof"] for row in measured if row["codec"] == OURS):
        ours = [
            (row["psnr"], row["bytes"] / row["frames"])
            for row in measured
            if row["codec"] == OURS and row["gof"] == gof
        ]
        for row in (row for row in measured if row["codec"] != OURS and len(ours) > 1):
            found = bytes_at(ours, row["psnr"])
            mark = MARKS[found.where].replace("<", ">")
            goal, theirs = goals.get(row["codec"]), row["bytes"] / row["frames"]
            name = f"{row['codec']} {row['point']}".strip()
            out.append(_ratio(facts, gof, name, row["psnr"], (theirs, found.bytes_per_splat), mark, goal))
    return out


def _ratio(
    facts: Row, gof: str, peer: str, psnr: float, sizes: tuple[float, float], mark: str, goal: float | None
) -> Row:
    theirs, ours = sizes
    met = ""
    if goal is not None and ours <= goal * theirs:
        met = "open" if mark in OPEN else "yes"
    elif goal is not None:
        met = "open" if mark else "no"
    return {
        "sequence": facts["name"], "gof": gof, "peer": peer, "psnr": psnr,
        "theirs": theirs / 1e3, "ours": ours / 1e3,
        "times": f"{mark}{theirs / ours:.1f}", "wanted": None if goal is None else 1 / goal, "met": met,
    }  # fmt: skip


def border_rows(facts: Row) -> list[Row]:
    """How far frames beside borders are under the mean of their segment, and as many elsewhere."""
    out = []
    for row in facts["rows"]:
        if row["codec"] != OURS or not row.get("segments") or len(row["by_frame"]) != row["frames"]:
            continue
        beside, single, inside, anywhere = list[float](), list[float](), list[float](), list[float]()
        per_frame = sum(duration for _, duration in row["segments"]) / row["frames"]
        first, last = row["segments"][0][0], len(row["segments"]) - 1
        for number, (start, duration) in enumerate(row["segments"]):
            begin, end = round((start - first) / per_frame), round((start + duration - first) / per_frame)
            values = row["by_frame"][begin:end]
            ends = [values[:AROUND] if number > 0 else [], values[-AROUND:] if number < last else []]
            for near in filter(None, ends):
                beside.append(mean_psnr(values) - mean_psnr(near))
                single.append(mean_psnr(values) - min(near))
            for here in range(AROUND, len(values) - 2 * AROUND + 1):
                inside.append(mean_psnr(values) - mean_psnr(values[here : here + AROUND]))
            anywhere.append(mean_psnr(values) - min(values))
        if beside:
            out.append({
                "sequence": facts["name"], "point": row["point"], "gof": row["gof"],
                "borders": last, "largest": max(beside), "single": max(single),
                "inside": max(inside, default=None), "anywhere": max(anywhere),
                "met": "yes" if max(beside) <= 0.5 else "no",
            })  # fmt: skip
    return out


def write_results(folder: Path) -> None:
    """RESULTS.md and RESULTS.csv from every JSON file of the folder."""
    every = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    rates = [row for facts in every for row in rate_rows(facts)]
    write_csv(folder / "RESULTS.csv", rates, [key for key, _, _ in RATES])
    parts: Sequence[tuple[str, str]] = [
        ("At equal PSNR", markdown([row for facts in every for row in ratio_rows(facts)], RATIOS)),
        (
            f"Borders of segments: dB under the mean of the segment, {AROUND} frames on each side",
            markdown([row for facts in every for row in border_rows(facts)], BORDERS),
        ),
        ("Every point", markdown(rates, RATES)),
    ]
    text = "\n".join([HEAD, *(f"## {title}\n\n{table}" for title, table in parts)])
    (folder / "RESULTS.md").write_text(text, encoding="utf-8")
