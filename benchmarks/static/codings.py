"""Everything that codes a scene: our presets at each effort, and the other codecs' operating points."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.peers import Codec, unavailable, version_of

OURS = "gscodec"
PRESETS = ("near-lossless", "high", "default", "small", "tiny")
NUMBERS = ("0.9", "1.3", "2")  # qualities below the presets, where other codecs are
POINTS = {preset: f"--quality {preset}" for preset in (*PRESETS, *NUMBERS)}  # name -> arguments of gsenc
DEFAULT = "default"  # the name of the effort that gsenc has without --effort


@dataclass(frozen=True, kw_only=True)
class Coding:
    """A pair of commands. `identity` is what the result depends on besides the input."""

    codec: str
    encode: str
    decode: str
    suffix: str
    version: str
    identity: str
    family: str = ""
    point: str = ""
    effort: str = ""
    missing: str = ""

    @property
    def name(self) -> str:
        """The key of its row, and its files' name."""
        return f"{self.codec} {self.point} {self.effort}".rstrip()


@cache
def build_of_codec() -> str:
    """A short hash of the code that encodes and decodes (modules and native library)."""
    import gscodec

    root = Path(gscodec.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.suffix in {".py", ".so", ".pyd"} and inside.parts[0] not in {"reference", "cli"}:
            digest.update(f"{inside}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def ours(
    gsenc: str,
    gsdec: str,
    points: Mapping[str, str],
    efforts: Sequence[str],
    options: str = "",
    threads: int = 0,
    cameras: Path | None = None,
) -> list[Coding]:
    """Our points at each effort."""
    shared = f" --threads {threads}" if threads else ""
    seen = ""
    if cameras:
        shared += f" --cameras {shlex.quote(str(cameras))}"
        seen = hashlib.sha256(cameras.read_bytes()).hexdigest()
    codings = []
    for effort in efforts:
        extra = f"{'' if effort == DEFAULT else f' --effort {effort}'} {options}".rstrip()
        for point, arguments in points.items():
            codings.append(
                Coding(
                    codec=OURS,
                    family=OURS,
                    point=point,
                    effort=f"{effort} {options}".strip(),
                    encode=f"{gsenc} {{in}} -o {{out}} -q {arguments}{extra}{shared}",
                    decode=f"{gsdec} {{in}} -o {{out}} -q" + (f" --threads {threads}" if threads else ""),
                    suffix=".gsc",
                    version=build_of_codec(),
                    identity=f"{build_of_codec()} {arguments}{extra} {seen}",
                )
            )
    return codings


def of_peer(codec: Codec) -> Coding:
    """A peer; with the reason when it cannot be run."""
    missing = unavailable(codec.encode) or unavailable(codec.decode)
    version = "" if missing else version_of(codec)
    return Coding(
        codec=codec.name,
        family=codec.family or codec.name,
        encode=codec.encode,
        decode=codec.decode,
        suffix=codec.suffix,
        version=version,
        identity=f"{version} {codec.encode} {codec.decode}",
        missing=missing,
    )
