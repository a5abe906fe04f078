"""python -m benchmarks.dynamic --scenes DIR --sequences DIR

Makes the sequences, codes them as segments and, for comparison, frame by frame with our static codec and with
other codecs, and compares pictures of every frame through fixed cameras. Files of frames are large: each is
deleted as soon as it has been looked at. Static codecs code every n-th frame (--every); the mean of these
stands for all.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.dynamic.judge import Judge, judging, mean_psnr
from benchmarks.dynamic.report import write_results
from benchmarks.dynamic.sequences import RECIPES, write
from benchmarks.measure import CommandError, run
from benchmarks.peers import Codec, fill, read_codecs, unavailable

ROOT = Path(__file__).parents[2]
GIVEN = {"wave": 30, "monkey": 30}  # sequences that are files already, and their frames a second
QUALITIES = ("near-lossless", "0.1", "default", "tiny", "1.2")
PEERS = ("SPZ v4", "SOG")
GSENC = [sys.executable, "-m", "gscodec.cli.gsenc"]
GSDEC = [sys.executable, "-m", "gscodec.cli.gsdec"]
BATCH = 10  # decoded frames that are on disk at a time


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dynamic", description=__doc__)
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help="folder that holds scenes/ and dynamic/")
    add("--sequences", type=Path, required=True, metavar="DIR", help="where the sequences are made")
    add("--sequence", action="append", choices=[*RECIPES, *GIVEN], help="only these; repeatable")
    add("--quality", action="append", metavar="Q", help=f"{' '.join(QUALITIES)}; repeatable")
    add("--effort", type=int, default=5)
    add("--gof", action="append", metavar="N", help="frames of a segment  [gsenc's own choice]; repeatable")
    add("--peer", action="append", metavar="NAME", help=f"{', '.join(PEERS)}; none for none; repeatable")
    add("--every", type=int, default=40, metavar="N", help="frames between those that static codecs code")
    add("--views", type=int, default=3)
    add("--size", default="320x240", metavar="WxH")
    add("--look", type=int, default=1, metavar="N", help="compare pictures of every N-th frame  [1: all]")
    add("--limit", type=float, default=900, metavar="S", help="seconds for one file of another codec")
    add("--skip-static", action="store_true", help="only our segments")
    add("--only-peers", action="store_true", help="only other codecs")
    add("--out", type=Path, default=ROOT / "benchmarks/results/dynamic", metavar="DIR")
    return parser.parse_args()


def frames_of(name: str, options: argparse.Namespace) -> tuple[list[Path], int, Path]:
    """(PLY files, frames a second, cameras) of a sequence, made unless it is there."""
    if name in RECIPES:
        folder = write(name, options.scenes, options.sequences)
        return sorted(folder.glob("*.ply")), RECIPES[name].fps, folder / "cameras.json"
    import gscodec
    from gscodec.evaluate.camera_files import write_cameras
    from gscodec.evaluate.rigs import make_rig

    folder = options.sequences / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, source in enumerate(sorted((options.scenes / "dynamic" / name).glob("*.sog"))):
        if not (path := folder / f"{number:05d}.ply").is_file():
            gscodec.write(path, gscodec.read(source))
    files = sorted(folder.glob("*.ply"))
    write_cameras(
        folder / "cameras.json", make_rig(gscodec.read(files[0]), "outside", views=3, size=(400, 300))
    )
    return files, GIVEN[name], folder / "cameras.json"


def segments(
    files: Sequence[Path], fps: int, judge: Judge, options: argparse.Namespace, work: Path
) -> list[dict[str, Any]]:
    """For each GOF and quality one file of all frames: its bytes, times, and the PSNR of every frame."""
    rows: list[dict[str, Any]] = []
    for gof in options.gof or [""]:
        for quality in options.quality or QUALITIES:
            rows.append(segments_of(files, fps, quality, gof, options, work / f"{len(rows)}.gsc"))
            print({**rows[-1], "by_frame": "..."}, file=sys.stderr, flush=True)
    for start in range(0, len(files), BATCH):
        stop, folders = min(start + BATCH, len(files)), []
        for number, row in enumerate(rows):
            folders.append(work / str(number))
            folders[-1].mkdir()
            pattern = str(folders[-1] / "%05d.ply")
            decode = [
                *GSDEC,
                str(work / f"{number}.gsc"),
                "--frames",
                f"{start}:{stop}",
                "-o",
                pattern,
                "--quiet",
            ]
            row["decode_cpu_s"] += run(decode).cpu_s
        for number in range(start, stop, options.look):
            found = judge.psnr(files[number], [folder / f"{number:05d}.ply" for folder in folders])
            for row, psnr in zip(rows, found, strict=True):
                row["by_frame"].append(psnr)
        for folder in folders:
            shutil.rmtree(folder)
    for row in rows:
        row["psnr"] = mean_psnr(row["by_frame"])
    return rows


def segments_of(
    files: Sequence[Path], fps: int, quality: str, gof: str, options: argparse.Namespace, packed: Path
) -> dict[str, Any]:
    """One file of all frames, not looked at yet."""
    command = [*GSENC, *map(str, files), "--fps", str(fps), "-o", str(packed), "--quality", quality]
    command += ["--effort", str(options.effort), "--quiet", *(["--gof", gof, "--fixed-gof"] if gof else [])]
    encoded = run(command)
    inspect = [sys.executable, "-m", "gscodec.cli.gsinfo", str(packed), "--json"]
    info = json.loads(subprocess.run(inspect, check=True, capture_output=True, text=True).stdout)
    return {
        "codec": "gscodec", "point": quality, "gof": gof or "auto", "bytes": packed.stat().st_size,
        "frames": len(files), "encode_cpu_s": encoded.cpu_s, "encode_mb": encoded.peak_mb,
        "decode_cpu_s": 0.0, "by_frame": [],
        "segments": [[segment["start"], segment["duration"]] for segment in info.get("segments", [])],
    }  # fmt: skip


def one_by_one(
    codec: str, point: str, encode: list[str], decode: list[str], suffix: str, picked: Sequence[Path],
    judge: Judge, options: argparse.Namespace, work: Path,
) -> dict[str, Any]:  # fmt: skip
    """Some frames, each a file of its own."""
    size, psnr, cpu_s = 0, list[float](), 0.0
    for source in picked:
        coded, back = work / f"frame{suffix}", work / "frame.ply"
        names = {"{in}": str(source), "{out}": str(coded)}
        cpu_s += run([names.get(word, word) for word in encode], options.limit).cpu_s
        names = {"{in}": str(coded), "{out}": str(back)}
        run([names.get(word, word) for word in decode], options.limit)
        size += coded.stat().st_size
        psnr += judge.psnr(source, [back])
    return {
        "codec": codec, "point": point, "bytes": size, "frames": len(picked), "psnr": mean_psnr(psnr),
        "encode_cpu_s": cpu_s, "by_frame": psnr,
    }  # fmt: skip


def static_rows(
    files: Sequence[Path], judge: Judge, options: argparse.Namespace, work: Path
) -> list[dict[str, Any]]:
    """Our static codec and the others, on every n-th frame."""
    picked, rows = files[options.every // 2 :: options.every] or files[:1], []
    gsdec = [*GSDEC, "{in}", "-o", "{out}", "--quiet"]
    for quality in () if options.only_peers else options.quality or QUALITIES:
        encode = [*GSENC, "{in}", "-o", "{out}", "--quality", quality]
        encode += ["--effort", str(options.effort), "--quiet"]
        rows.append(
            one_by_one(
                "gscodec, frame by frame", quality, encode, gsdec, ".gsc", picked, judge, options, work
            )
        )
        print(rows[-1], file=sys.stderr, flush=True)
    named = options.peer or list(PEERS)
    for codec in (each for each in read_codecs() if each.name in named):
        rows.append(_peer(codec, picked, judge, options, work))
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _peer(
    codec: Codec, picked: Sequence[Path], judge: Judge, options: argparse.Namespace, work: Path
) -> dict[str, Any]:
    if reason := unavailable(codec.encode):
        return {"codec": codec.name, "point": "", "missing": reason}
    import gscodec

    degree = gscodec.read(picked[0]).sh_degree
    encode, decode = (
        fill(each, Path("{in}"), Path("{out}"), degree) for each in (codec.encode, codec.decode)
    )
    try:
        return one_by_one(codec.name, "", encode, decode, codec.suffix, picked, judge, options, work)
    except CommandError as error:
        return {"codec": codec.name, "point": "", "missing": error.reason}


def main() -> None:
    """Measure, and write what was found after every sequence."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sequence or [*RECIPES, *GIVEN]:
        files, fps, cameras = frames_of(name, options)
        kept = options.out / f"{name}.json"
        found = json.loads(kept.read_text())["rows"] if kept.is_file() else []
        temporary = tempfile.TemporaryDirectory(dir=options.sequences)
        with temporary as folder, judging(cameras, options.views, options.size) as judge:
            new = [] if options.skip_static else static_rows(files, judge, options, Path(folder))
            new += [] if options.only_peers else segments(files, fps, judge, options, Path(folder))
        keys = {(row["codec"], row["point"], row.get("gof", "")) for row in new}
        rows = [row for row in found if (row["codec"], row["point"], row.get("gof", "")) not in keys] + new
        facts = {"name": name, "fps": fps, "frames": len(files), "effort": options.effort, "rows": rows}
        kept.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        write_results(options.out)


if __name__ == "__main__":
    main()
