"""Tables of results as CSV and Markdown. No measuring here."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def text_of(value: Any, form: str = "") -> str:
    """A cell: numbers by `form`, nothing for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return format(value, form) if form and not isinstance(value, str) else str(value)


def markdown(rows: Sequence[Row], columns: Sequence[tuple[str, str, str]]) -> str:
    """A Markdown table. Each column is (key of the row, heading, number format)."""
    numeric = [bool(form) for _, _, form in columns]
    lines = [
        "| " + " | ".join(heading for _, heading, _ in columns) + " |",
        "|" + "|".join("---:" if right else "---" for right in numeric) + "|",
    ]
    for row in rows:
        cells = (text_of(row.get(key), form).replace("|", "\\|") for key, _, form in columns)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_csv(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Rows as CSV with a heading; missing values stay empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([text_of(row.get(name)) for name in columns])


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV with a heading, as text. Lines that start with # are remarks."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))
