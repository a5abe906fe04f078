"""`gsinfo --explain CODE`: what an error means and what to do about it."""

from __future__ import annotations

import difflib
from typing import Any

import click

from gscodec._generated import errors
from gscodec.cli.common import HINTS

BLAME = {
    "StreamError": "the .gsc file",
    "Truncated": "the .gsc file, which ends early",
    "Malformed": "the writer of the .gsc file",
    "Integrity": "the storage or transfer of the .gsc file",
    "Unsupported": "nobody: this decoder lacks what the file needs",
    "LimitError": "nobody: the file asks for more than is allowed",
    "InputError": "the other file, or the system",
    "EncodeError": "the splats, which cannot be encoded as asked",
    "UsageError": "the caller's arguments",
}


def explain(code: str) -> dict[str, Any]:
    """Everything that is known of an error code. Raises `click.UsageError` with the nearest codes."""
    for row in errors.ROWS:
        if row.code == code:
            return {
                "code": row.code,
                "error_class": row.error_class,
                "exit_code": row.exit_code,
                "clause": row.clause or None,
                "meaning": row.meaning,
                "cure": HINTS.get(row.code) or row.cure,
                "blame": BLAME.get(row.error_class, ""),
            }
    near = difflib.get_close_matches(code.lower().strip("[]"), codes(), 4, 0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "gsinfo --explain all lists them"
    raise click.UsageError(f"no error has the code {code!r}: {hint}")


def codes() -> list[str]:
    """Every code."""
    return [row.code for row in errors.ROWS]


def lines(facts: dict[str, Any]) -> list[str]:
    """For people."""
    clause = f", clause {facts['clause']} of the specification" if facts["clause"] else ""
    return [
        f"{facts['code']}: {facts['meaning']}",
        f"  to blame   {facts['blame']}",
        f"  what to do {facts['cure']}",
        f"  class      {facts['error_class']} (exit code {facts['exit_code']}){clause}",
    ]


def all_lines() -> list[str]:
    """Every code with its meaning."""
    return [f"{row.code:26} {row.meaning}" for row in errors.ROWS]
