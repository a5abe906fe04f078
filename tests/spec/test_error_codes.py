"""(1.6) Every error code of the package is in spec/tables/errors.csv, with its class, and vice versa."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from pathlib import Path

from gscodec import errors
from gscodec.reference import faults

ROOT = Path(__file__).resolve().parents[2]
FILE_ENDS = (".json", ".ply", ".gsc", ".bin", ".txt")
CLASSES = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.GscError)
}


def table() -> dict[str, dict[str, str]]:
    with (ROOT / "spec/tables/errors.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["code"] for row in rows}) == len(rows), "a code is listed twice"
    return {row["code"]: row for row in rows}


def raised() -> Iterator[tuple[str, int, str, str]]:
    """(file, line, class, code) of every error made with a literal code."""
    for path in sorted((ROOT / "gscodec").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            is_ours = not ast.unparse(node.func).startswith("click.")
            code = node.args[0]
            if name in CLASSES and is_ours and isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield path.relative_to(ROOT).as_posix(), node.lineno, name, code.value


def test_every_raised_code_is_listed_with_its_class() -> None:
    known = table()
    problems = [
        f"{file}:{line}: {cls} {code}"
        for file, line, cls, code in raised()
        if code not in known or known[code]["error_class"] != cls
    ]
    assert problems == []


def test_every_listed_code_is_raised() -> None:
    codes = {code for _, _, _, code in raised()} | set(faults.CLAUSES)  # raised by way of `Place`
    assert set(table()) - codes == set()


def test_exit_codes_are_those_of_the_classes() -> None:
    for code, row in table().items():
        assert row["error_class"] in CLASSES, code
        assert int(row["exit_code"]) == getattr(errors, row["error_class"]).exit_code, code


def written() -> Iterator[tuple[str, int, str]]:
    """(file, line, text) of every literal that looks like a code, wherever it may be handed on."""
    kinds = "|".join(sorted({code.partition(".")[0] for code in table()}))
    like_a_code = re.compile(rf"(?:{kinds})\.[a-z_]+")
    for path in sorted((ROOT / "gscodec").rglob("*.py")):
        if "_generated" in path.parts or (path.parent.name == "gscodec" and path.name == "__init__.py"):
            continue  # which names modules
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and like_a_code.fullmatch(text) and not text.endswith(FILE_ENDS):
                yield path.relative_to(ROOT).as_posix(), node.lineno, text


def test_codes_that_are_handed_on_are_listed_too() -> None:
    known = table()
    assert [place for place in written() if place[2] not in known] == []
    codes = {code for _, _, code in written()}
    assert {"container.crc", "io.changed", "parm.table"} <= codes  # found at all


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    for code, row in table().items():
        assert row["meaning"].strip(), code
        assert row["cure"].strip(), code
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", code), code
