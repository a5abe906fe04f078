"""Makes the generators of conformance vectors importable."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "conformance/generators"))
