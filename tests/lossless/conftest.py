"""The generators and the two decoders are found beside the tests that also use them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "conformance/generators"), str(ROOT / "tests/parity")]
