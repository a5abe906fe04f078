"""What gsenc says of an encoding."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gscodec.cli.common import Teller, counted

if TYPE_CHECKING:
    from gscodec.io.splat_file import SplatFile


def more(report: dict[str, object], has_aim: bool) -> str:
    """The rest of the last line: what was left out, found and measured."""
    pruned, psnr, found = report.get("pruned"), report.get("psnr"), report.get("quality")
    words = ""
    if isinstance(pruned, int) and pruned:
        words += f"; left out {counted(pruned, 'splat')} that no picture shows"
    if has_aim and isinstance(found, float):
        words += f"; quality {found:g}"
    if psnr == math.inf:
        words += "; all pictures are equal"
    elif isinstance(psnr, float):
        words += f"; {psnr:.2f} dB, at worst {report['psnr_worst']:.2f}"
    return words


def why_missed(aim: str, report: dict[str, object], size: int) -> str:
    """What became of a target that was not reached."""
    from gscodec.encode.steps import COARSEST_QUALITY, FINEST

    if not report["splats"]:
        return f"{aim} means nothing without splats"
    tries = report.get("encodings")
    if not isinstance(tries, int):
        return f"{aim} cannot be measured: no camera sees anything"
    if report["quality"] in (FINEST, COARSEST_QUALITY):
        return f"no quality reaches {aim}: this is the nearest"
    got = {"--target-size": f"{size} bytes", "--target-psnr": f"{report.get('psnr')} dB"}
    nearest = got.get(aim, str(report.get("max_error")))
    return f"closest to {aim} after {tries} {'try' if tries == 1 else 'tries'} is {nearest}"


def json_ready(value: object) -> object:
    """JSON knows no infinity."""
    return "inf" if value == math.inf else value


def warn(teller: Teller, scene: SplatFile, report: dict[str, object]) -> None:
    from gscodec.errors import UsageError
    from gscodec.io import ply_header

    dropped = report.get("dropped_nonfinite")
    if isinstance(dropped, int) and dropped:
        teller.warn(f"left out {counted(dropped, 'splat')} with NaN or infinite values")
    if widened := report.get("widened"):
        names = " and ".join(widened) if isinstance(widened, list) else ""
        teller.warn(f"{names}: coarser steps than asked for, as values would not fit into their range")
    for note in scene.notes:
        teller.warn(note)
    try:
        ply_header(scene.splats)
    except UsageError as error:
        teller.warn(f"gsdec cannot write this .gsc to a PLY file: {error.message}")
    if report.get("splats") == 0 and not dropped:
        teller.warn("the input has no splats")
