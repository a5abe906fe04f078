"""(9) The worked examples of the specification are those of the reference decoder."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_examples_is_fresh() -> None:
    found = importlib.util.spec_from_file_location("spec_examples", ROOT / "spec/examples.py")
    assert found is not None
    assert found.loader is not None
    examples = importlib.util.module_from_spec(found)
    import sys

    sys.modules["spec_examples"] = examples
    found.loader.exec_module(examples)
    text = examples.PAGE.read_text(encoding="utf-8")
    assert examples.page(text) == text, "run spec/examples.py"
    assert all(f"<!-- example: {name} -->" in text for name in examples.PARTS)
