"""What a batch has to do: its items, their names, and the options that they share."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gscodec import __version__
from gscodec.errors import InputError, UsageError
from gscodec.io.formats import FOLDER_FILES, FORMATS

MAGIC = frozenset("*?[")
SCENES_OF_FILES = (".json", ".gltf")  # names of others are in them: whatever is in their folder may be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is done to every item.

    command   "gsenc" or "gsdec"
    options   its options, as words
    suffix    how outputs end
    identity  of the command, its version and its options: outputs of another identity are made again
    folder    where outputs go, absolute
    """

    command: str
    options: tuple[str, ...]
    suffix: str
    identity: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file: `source`, absolute, becomes `name` below the folder of outputs. `size` in bytes."""

    source: str
    name: str
    size: int


def identity_of(command: str, values: Mapping[str, Any]) -> str:
    """A hash of what makes outputs what they are: the command, its version, the values of its options."""
    text = json.dumps([command, __version__, dict(values)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_state(path: str) -> tuple[int, int]:
    """Bytes, and nanoseconds of the last change; of a scene of several files or a folder, of them together.

    Raises `InputError` "io.read".
    """
    if path.lower().endswith(SCENES_OF_FILES):
        path = os.path.dirname(path) or "."
    try:
        if not os.path.isdir(path):
            found = os.stat(path)
            return found.st_size, found.st_mtime_ns
        inside = [each.stat() for each in Path(path).iterdir() if each.is_file()]
    except OSError as error:
        raise InputError("io.read", f"cannot read {path}: {error.strerror or error}") from error
    return sum(each.st_size for each in inside), max((each.st_mtime_ns for each in inside), default=0)


def hash_of(path: str) -> str | None:
    """The SHA-256 of a file; None of what is spread over several."""
    if path.lower().endswith(SCENES_OF_FILES):
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- which files


def items_of(
    patterns: Iterable[str], root: str | None, suffix: str, folder: str, ends: tuple[str, ...]
) -> list[Item]:
    """The files of patterns, folders (files with one of `ends`) and names, in order.

    Names of outputs are relative to `root`; without one, to the part of a pattern before its first wildcard,
    to a folder that is given, to the folder of a file that is given.

    Raises `UsageError` "batch.empty", "batch.names", "batch.root".
    """
    found: dict[str, Item] = {}
    taken: dict[str, str] = {}
    for pattern in patterns:
        base, sources = _expanded(pattern, ends)
        if not sources:
            raise UsageError("batch.empty", f"no file is called {pattern}")
        for source in sources:
            path = os.path.abspath(source)
            if path in found:
                continue
            name = _name(path, os.path.abspath(root or base), suffix)
            if name in taken:
                raise UsageError(
                    "batch.names",
                    f"{taken[name]} and {path} would both become {name}; --root keeps more of the names",
                )
            taken[name] = path
            found[path] = Item(source=path, name=name, size=file_state(path)[0])
    inputs = {os.path.realpath(path) for path in found}
    for name in taken:
        if os.path.realpath(os.path.join(folder, name)) in inputs:
            raise UsageError("batch.names", f"{name} is an input, and an output would take its place")
    return list(found.values())


def _below(path: str, folder: str) -> str:
    try:
        return os.path.relpath(path, folder).replace(os.sep, "/")
    except ValueError:  # of Windows: on another drive
        return path


def _expanded(pattern: str, ends: tuple[str, ...]) -> tuple[str, list[str]]:
    """What names are relative to, and the files."""
    if os.path.isdir(pattern):
        inside = glob.glob("**/*", root_dir=pattern, recursive=True)
        files = [os.path.join(pattern, each) for each in inside if each.lower().endswith(ends)]
        return pattern, sorted(filter(os.path.isfile, files))
    if os.path.exists(pattern) or not MAGIC & set(pattern):
        return os.path.dirname(pattern), [pattern] if os.path.exists(pattern) else []
    before = pattern[: min(at for at, letter in enumerate(pattern) if letter in MAGIC)]
    return os.path.dirname(before), sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))


def _name(path: str, root: str, suffix: str) -> str:
    name = _below(path, root)
    if name.startswith("../") or os.path.isabs(name):
        raise UsageError("batch.root", f"{path} is not below {root}")
    known = [end for each in FORMATS.values() for end in each.suffixes if end not in FOLDER_FILES]
    longest = max((end for end in [*known, ".gsc"] if name.lower().endswith(end)), key=len, default="")
    stem = name[: len(name) - len(longest)] if longest else os.path.splitext(name)[0]
    return stem + suffix
