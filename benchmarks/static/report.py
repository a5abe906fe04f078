"""Tables of static scenes, from the records of passes.py."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratios import MARKS
from benchmarks.static.cameras import DISTANCES
from benchmarks.static.codings import OURS
from benchmarks.static.comparisons import (
    BD_RANGE,
    CLOSER_LOSS,
    bd_rows,
    check_rows,
    closer_rows,
    earlier,
    ratio_rows,
    targets,
)
from benchmarks.tables import markdown, write_csv

Record = dict[str, Any]
EARLIER = "earlier measurement"
PACE = "L-GSC level 1"  # the encoder that ours is timed against

QUALITY = ("psnr", "psnr_min", "ssim", "ssim_min")
COSTS = tuple(f"{job}_{cost}" for cost in ("wall_s", "cpu_s", "peak_mb") for job in ("encode", "decode"))
OF_SCENE = ("scene", "source", "licence", "group", "splats", "sh_degree")
OF_FILE = ("bytes", "sha256", "decoded_sha256", "decoded_splats", "version", "run")
RESULT_COLUMNS = (
    *("scene", "views", "codec", "point", "effort", "origin", "remark", "splats", "bytes", "bytes_per_splat"),
    *QUALITY,
    *(f"{key}_{distance}" for distance in DISTANCES if distance != "full" for key in QUALITY),
    *COSTS,
    *("encode_over_lgsc", "decoded_splats", "version", "run", "sha256", "decoded_sha256", "cameras"),
    *("source", "licence", "sh_degree"),
)
RATIO_COLUMNS = (
    *("scene", "views", "effort", "peer", "origin", "peer_bytes_per_splat", "psnr", "ssim"),
    *("ours_at_psnr", "psnr_ratio", "psnr_where", "ours_at_ssim", "ssim_ratio", "ssim_where"),
    *("ratio", "target", "met"),
)
BD_COLUMNS = ("scene", "views", "effort", "against", "points", "low", "high", "bd_rate", "remark")
CLOSER_COLUMNS = ("scene", "views", "effort", "peer", "distance", "ours", "theirs", "difference", "met")
PHOTO_COLUMNS = (
    *("scene", "codec", "point", "effort", "bytes_per_splat", "photos", "reference_psnr", "psnr", "loss"),
    *("ms_ssim", "error_p99"),
)
ABOUT = f"""Written by `python -m benchmarks.static`; do not edit. Seconds and peak memory are of the whole
process, reading and writing included. B/splat is whole files over input splats. PSNR is of the pixels that a
splat covers, mean over views; *at 1/2* and *at 1/4*: the same cameras moved forward to half and a quarter of
their distance. */ {PACE}*: encoding seconds over that encoder's in the same run."""
ABOUT_RATIOS = f"""Our bytes over theirs at equal PSNR and at equal SSIM, log bytes interpolated between our
presets (against dB, and against -10 log10(1 - SSIM)). `<=`: the peer's quality is below our lowest preset,
whose bytes are taken. `~`: it is above our best preset; the figure is extrapolated and proves nothing.
*{EARLIER}*: not of this pass, and fox and bonsai with other cameras."""
ABOUT_RATES = f"""Mean difference of log bytes over {BD_RANGE[0]:g} to {BD_RANGE[1]:g} dB, as far as both
curves reach, in percent of theirs."""
ABOUT_CLOSER = f"""Our PSNR at the bytes where we equal the peer at full distance may be {CLOSER_LOSS:g} dB
under the peer's."""
ABOUT_PHOTOS = """Photographs that the scene was not trained on. *loss*: PSNR of the uncoded scene's views
against them, less that of the coded one's. MS-SSIM and the 99th percentile of errors (in 1/255) are against
the uncoded scene."""


def _pace(record: Record, row: Record) -> float | None:
    """Our encoding's seconds over L-GSC's, if both were measured in the same run."""
    other = record["rows"].get(PACE, {})
    same = row["codec"] == OURS and "encode" in other and other["run"] == row["run"]
    return round(row["encode"]["wall_s"] / other["encode"]["wall_s"], 3) if same else None


def _row(record: Record, views: str, row: Record) -> Record:
    flat = {key: record[key] for key in OF_SCENE} | {key: row.get(key) for key in OF_FILE}
    flat |= {key: row[key] for key in ("codec", "family", "point", "effort")}
    flat |= {"views": views, "cameras": record["sets"][views]["cameras"], "origin": "", "remark": ""}
    if "bytes" not in row:
        return flat | {"remark": row["failed"]}
    flat |= {"bytes_per_splat": round(row["bytes"] / record["splats"], 4)}
    flat |= {f"{job}_{key}": value for job in ("encode", "decode") for key, value in row[job].items()}
    flat["encode_over_lgsc"] = _pace(record, row)
    for distance in DISTANCES:
        figures = row.get("quality", {}).get(f"{views} {distance}", {})
        end = "" if distance == "full" else f"_{distance}"
        flat |= {f"{key}{end}": round(float(figures[key]), 6) for key in QUALITY if key in figures}
    return flat


def result_rows(records: Sequence[Record]) -> list[Record]:
    """A row for every set of cameras and coding. An earlier measurement stands in for a peer that failed."""
    rows, before = [], earlier()
    sets = dict.fromkeys((record["scene"], views) for record in records for views in record["sets"])
    for record in records:
        for number, views in enumerate(record["sets"]):
            for row in record["rows"].values():
                flat = _row(record, views, row)
                old = before.get((record["scene"], row["codec"]))
                if "bytes" not in row and old and not number:
                    flat |= {key: float(old[key]) for key in ("bytes_per_splat", "psnr", "ssim")}
                    flat["origin"] = EARLIER
                rows.append(flat)
    return sorted(
        rows, key=lambda row: (list(sets).index((row["scene"], row["views"])), row["codec"] != OURS)
    )


def photo_rows(records: Sequence[Record]) -> list[Record]:
    """What coding costs against photographs."""
    rows = []
    for record in records:
        for row in record["rows"].values():
            if figures := row.get("quality", {}).get("photos"):
                flat = {key: row[key] for key in ("codec", "point", "effort")} | {"scene": record["scene"]}
                flat["bytes_per_splat"] = round(row["bytes"] / record["splats"], 4)
                numbers = {k: round(v, 6) for k, v in figures.items() if isinstance(v, int | float)}
                rows.append(flat | numbers)
    return rows


def missing_lines(records: Sequence[Record]) -> list[str]:
    """Who could not be measured, and why."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for row in record["rows"].values():
            if "failed" in row:
                reasons.setdefault((row["codec"], row["failed"]), []).append(record["scene"])
    return [f"- {codec} ({', '.join(scenes)}): {why}" for (codec, why), scenes in reasons.items()]


def _marked(value: float, where: str, form: str) -> str:
    return MARKS[where] + format(value, form)


def ratio_table(rows: Sequence[Record]) -> str:
    """The ratios as Markdown."""
    cells = [
        row
        | {
            "peer": row["peer"] + (f" ({EARLIER})" if row["origin"] else ""),
            "ours_at_psnr": _marked(row["ours_at_psnr"], row["psnr_where"], ".2f"),
            "psnr_ratio": _marked(row["psnr_ratio"], row["psnr_where"], ".3f"),
            "ours_at_ssim": _marked(row["ours_at_ssim"], row["ssim_where"], ".2f"),
            "ssim_ratio": _marked(row["ssim_ratio"], row["ssim_where"], ".3f"),
            "ratio": f"**{_marked(row['ratio'], row['where'], '.3f')}**",
            "met": {"yes": "met", "no": "not met"}.get(row["met"], row["met"]),
        }
        for row in rows
    ]
    columns = [
        ("scene", "scene", ""),
        ("views", "views", ""),
        ("effort", "effort", ""),
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
        ("met", "", ""),
    ]
    return markdown(cells, columns)


def results_table(rows: Sequence[Record]) -> str:
    """The results as Markdown."""
    columns = [
        ("scene", "scene", ""),
        ("views", "views", ""),
        ("codec", "codec", ""),
        ("point", "point", ""),
        ("effort", "effort", ""),
        ("bytes_per_splat", "B/splat", ".2f"),
        ("psnr", "PSNR", ".2f"),
        ("ssim", "SSIM", ".5f"),
        ("psnr_min", "worst view", ".2f"),
        ("psnr_half", "PSNR at 1/2", ".2f"),
        ("psnr_quarter", "at 1/4", ".2f"),
        ("encode_wall_s", "encode s", ".2f"),
        ("encode_over_lgsc", f"/ {PACE}", ".2f"),
        ("decode_wall_s", "decode s", ".2f"),
        ("encode_peak_mb", "encode MB", ".0f"),
        ("decode_peak_mb", "decode MB", ".0f"),
        ("remark", "remark", ""),
    ]
    return markdown(
        [row | {"remark": "; ".join(filter(None, [row["remark"], row["origin"]]))} for row in rows], columns
    )


def scenes_table(records: Sequence[Record]) -> str:
    """Where the scenes come from and how they were judged."""
    keys = (
        ("scene", ""),
        ("splats", ",d"),
        ("sh_degree", "d"),
        ("source", ""),
        ("licence", ""),
        ("cameras", ""),
    )
    rows = [
        record | {"cameras": "; ".join(one["cameras"] for one in record["sets"].values())}
        for record in records
    ]
    return markdown(rows, [(key, key.replace("sh_degree", "SH"), form) for key, form in keys])


def plain_table(rows: Sequence[Record], columns: Sequence[str], **forms: str) -> str:
    """A table headed by the names of its columns."""
    return markdown(rows, [(key, key.replace("_", " "), forms.get(key, "")) for key in columns])


def _remarks(records: Sequence[Record], rows: Sequence[Record]) -> list[str]:
    machines = dict.fromkeys(
        f"{record['machine']['processor']}, {record['machine']['processors']} processors, "
        f"Python {record['machine']['python']}"
        for record in records
    )
    remarks = [f"Written on {time.strftime('%Y-%m-%d', time.gmtime())}. Measured on {'; '.join(machines)}."]
    builds = {row["version"] for row in rows if row["codec"] == OURS}
    if len(builds) > 1:
        remarks.append(f"**Our rows come from {len(builds)} builds of the codec** (see RESULTS.csv).")
    tools = dict.fromkeys(
        f"{row['family']}: {row['version']}" for row in rows if row["codec"] != OURS and row["bytes"]
    )
    return [*remarks, f"Tools: {'; '.join(tools) or 'none'}."]


def write_report(out: Path, records: Sequence[Record]) -> tuple[str, list[Record]]:
    """All tables in `out`. Returns what is worth printing, and the rows of RESULTS.csv."""
    out.mkdir(parents=True, exist_ok=True)
    rows, photos = result_rows(records), photo_rows(records)
    ratios, rates, closer = ratio_rows(rows, targets()), bd_rows(rows), closer_rows(rows)
    write_csv(out / "RESULTS.csv", rows, RESULT_COLUMNS)
    write_csv(out / "RATIOS.csv", ratios, RATIO_COLUMNS)
    write_csv(out / "BDRATE.csv", rates, BD_COLUMNS)
    write_csv(out / "CLOSER.csv", closer, CLOSER_COLUMNS)
    write_csv(out / "PHOTOS.csv", photos, PHOTO_COLUMNS)
    missing = missing_lines(records)
    rate = plain_table(rates, BD_COLUMNS, points="d", low=".1f", high=".1f", bd_rate="+.1f")
    near = plain_table(closer, CLOSER_COLUMNS, ours=".2f", theirs=".2f", difference="+.2f")
    forms = {"bytes_per_splat": ".2f", "photos": "d", "reference_psnr": ".3f", "psnr": ".3f"}
    forms |= {"loss": "+.3f", "ms_ssim": ".5f", "error_p99": ".2f"}
    checks = plain_table(check_rows(rows), ("scene", "views", "effort", "promise", "measured", "met"))
    parts = ["# Static scenes", ABOUT, *_remarks(records, rows), results_table(rows)]
    parts += [
        "![rate and distortion](RESULTS.png)",
        "## Against other codecs",
        ABOUT_RATIOS,
        ratio_table(ratios),
    ]
    parts += ["Missing:\n\n" + "\n".join(missing)] if missing else []
    parts += ["## BD-rate", ABOUT_RATES, rate, "## From closer", ABOUT_CLOSER, near]
    parts += (
        ["## Against photographs", ABOUT_PHOTOS, plain_table(photos, PHOTO_COLUMNS, **forms)]
        if photos
        else []
    )
    parts += ["## Promises of the presets", checks, "## Scenes", scenes_table(records)]
    (out / "RESULTS.md").write_text("\n\n".join(part.rstrip("\n") for part in parts) + "\n", encoding="utf-8")
    return "\n".join([ratio_table(ratios), rate, near, *missing]), rows
