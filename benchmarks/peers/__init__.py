"""Other codecs as commands: how to find them, their versions, how to encode a PLY and decode to one."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).with_name("peers.toml")


@dataclass(frozen=True, kw_only=True)
class Codec:
    """An entry of peers.toml."""

    name: str
    encode: str = ""
    decode: str = ""
    suffix: str = ".bin"
    version: str = ""
    family: str = ""
    speed: bool = True
    time_encode: bool = True
    encode_limit: float | dict[str, float] | None = None
    decode_limit: float | dict[str, float] | None = None
    own_clock: str = ""

    def limit(self, job: str, scene: str) -> float | None:
        """What our seconds over theirs are to stay below."""
        limit = self.encode_limit if job == "encode" else self.decode_limit
        return limit.get(scene) if isinstance(limit, dict) else limit


def read_codecs(path: Path = PEERS) -> list[Codec]:
    """All entries of a commands file, in its order."""
    with path.open("rb") as file:
        return [Codec(name=name, **entry) for name, entry in tomllib.load(file).items()]


def words(template: str, values: Mapping[str, str] | None = None) -> list[str]:
    """The command of a template; its words are split before names of files go in."""
    parts = [os.path.expandvars(word) for word in shlex.split(template)]
    for key, value in {"{here}": str(PEERS.parent), **(values or {})}.items():
        parts = [part.replace(key, value) for part in parts]
    return parts


def fill(template: str, source: Path, output: Path, degree: int) -> list[str]:
    """The command of a template for these files."""
    return words(template, {"{in}": str(source), "{out}": str(output), "{degree}": str(degree)})


def unavailable(template: str) -> str:
    """Why a command cannot be run; empty when it can."""
    if not template:
        return "no command given"
    tool = words(template)[0]
    if tool.startswith("$"):
        return f"{tool[1:]} is not set"
    return "" if shutil.which(tool) else f"{tool} is not on the PATH"


def version_of(codec: Codec) -> str:
    """What a tool that is there calls its version, and eight digits of the executable's hash."""
    executable = Path(shutil.which(words(codec.encode)[0]) or "").resolve()
    told = []
    if codec.version:
        done = subprocess.run(words(codec.version), capture_output=True, text=True, check=False)
        told = (done.stdout.strip() or done.stderr.strip()).splitlines()[:1]
    return " ".join([*told, f"[{hashlib.sha256(executable.read_bytes()).hexdigest()[:8]}]"])
