"""The results in Markdown and CSV: `write`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.formats.checks import OTHERS
from benchmarks.formats.differences import ATTRIBUTES
from benchmarks.tables import Row, markdown, write_csv

ABOUT = Path(__file__).with_name("about.md")
COLUMNS = [
    ("format", "format", ""),
    ("written", "written by", ""),
    ("compared", "read by", ""),
    ("splats", "splats", ",d"),
    ("bytes", "bytes", ",d"),
    *((name, name, ".2g") for name in ATTRIBUTES),
    ("note", "note", ""),
]


def write(rows: Sequence[Row], folder: Path) -> None:
    """FORMATS.md, a table for each scene and one for files that were found, and FORMATS.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "FORMATS.csv", rows, ["scene", *(key for key, _, _ in COLUMNS)])
    parts = [ABOUT.read_text(encoding="utf-8")]
    made = [row for row in rows if row["written"] != OTHERS]
    for scene in dict.fromkeys(row["scene"] for row in made):
        parts.append(f"## {scene}\n\n{markdown([row for row in made if row['scene'] == scene], COLUMNS)}")
    if found := [row for row in rows if row["written"] == OTHERS]:
        columns = [COLUMNS[0], ("scene", "file", ""), *COLUMNS[2:]]
        parts.append(f"## Files that others made\n\n{markdown(found, columns)}")
    (folder / "FORMATS.md").write_text("\n".join(parts), encoding="utf-8")
