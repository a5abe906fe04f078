"""spec/build.py: what is generated is fresh, and staleness is found."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_build() -> Any:
    spec = importlib.util.spec_from_file_location("spec_build", ROOT / "spec/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["spec_build"] = module
    spec.loader.exec_module(module)
    return module


build = load_build()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A little repository with a table, a module and a chapter."""
    for folder in ("spec/tables", "gscodec/_generated", "gscodec/reference"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "spec/tables/shapes.csv").write_text("value,name,meaning\n0,round,no corners\n1,flat,a | b\n")
    (tmp_path / "spec/tables/powers.csv").write_text("power\n2^0\n2^4 - 1\n0x10\n-3\n")
    (tmp_path / "gscodec/reference/thing.py").write_text(
        "X = 1\n\n\nclass Thing:\n    @property\n    def twice(self):\n        return 2\n\n\n"
        "def f(x):\n    return x\n"
    )
    (tmp_path / "spec/01-x.md").write_text(
        "# X\n\n<!-- listing: gscodec/reference/thing.py:X,f -->\n\nText.\n\n"
        "<!-- listing: gscodec/reference/thing.py:Thing.twice -->\n```python\nold\n```\n"
        "<!-- table: shapes.csv rows: name=fl value=1 columns: name meaning -->\nMore.\n"
    )
    return tmp_path


def test_the_repository_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--check"]) == 0, capsys.readouterr()


def test_builds_and_then_has_nothing_to_do(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--check"], tree) == 1
    assert "stale: gscodec/_generated/shapes.py" in capsys.readouterr().out
    assert build.main([], tree) == 0
    assert build.main(["--check"], tree) == 0
    assert (tree / "spec/01-x.md").read_text() == (
        "# X\n\n<!-- listing: gscodec/reference/thing.py:X,f -->\n\n"
        "```python\nX = 1\n\n\ndef f(x):\n    return x\n```\n\nText.\n\n"
        "<!-- listing: gscodec/reference/thing.py:Thing.twice -->\n\n"
        "```python\n@property\ndef twice(self):\n    return 2\n```\n\n"
        "<!-- table: shapes.csv rows: name=fl value=1 columns: name meaning -->\n\n"
        "| name | meaning |\n| --- | --- |\n| flat | a \\| b |\n\nMore.\n"
    )
    shapes: dict[str, Any] = {"__name__": "spec_build"}
    exec((tree / "gscodec/_generated/shapes.py").read_text(), shapes)
    assert (shapes["FLAT"], shapes["NAMES"]) == (1, {0: "round", 1: "flat"})
    powers: dict[str, Any] = {}
    exec((tree / "gscodec/_generated/powers.py").read_text(), powers)
    assert powers["POWER"] == (1, 15, 16, -3)


def test_a_removed_table_and_a_changed_function_are_stale(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.main([], tree)
    capsys.readouterr()
    (tree / "spec/tables/powers.csv").unlink()
    source = tree / "gscodec/reference/thing.py"
    source.write_text(source.read_text().replace("return x", "return x + 1"))
    assert build.main(["--check"], tree) == 1
    out = capsys.readouterr().out
    assert "powers.py (its table is gone)" in out
    assert "spec/01-x.md" in out


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("spec/02-y.md", "<!-- listing: gscodec/reference/thing.py:missing -->\n"),
        ("spec/02-y.md", "<!-- listing: nowhere.py:f -->\n"),
        ("spec/02-y.md", "<!-- table: missing.csv -->\n"),
        ("spec/tables/bad.csv", "a,b\n1\n"),
        ("spec/tables/bad.csv", "not a name\n1\n"),
        ("spec/tables/bad.csv", "class\n1\n"),
    ],
)
def test_says_what_it_cannot_build(
    tree: Path, capsys: pytest.CaptureFixture[str], file: str, text: str
) -> None:
    (tree / file).write_text(text)
    assert build.main([], tree) == 1
    assert "cannot build" in capsys.readouterr().err
