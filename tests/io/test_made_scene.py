"""The example scene is what its generator makes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from gscodec.io import read_ply
from gscodec.splats import Splats

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def generated(monkeypatch: pytest.MonkeyPatch) -> Splats:
    spec = importlib.util.spec_from_file_location("make_scene", EXAMPLES / "make_scene.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    scene = module.make_scene()
    assert isinstance(scene, Splats)
    return scene


def test_made_scene_is_reproduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the last digits, in which the mathematical functions of two machines may differ."""
    committed = read_ply(EXAMPLES / "made_scene.ply")
    made = generated(monkeypatch)
    assert len(committed.splats) == len(made) == 4000
    assert committed.splats.sh_degree == 3
    assert not committed.splats.extras
    assert not committed.trailing_bytes
    for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
        np.testing.assert_allclose(getattr(committed.splats, name), getattr(made, name), rtol=1e-5, atol=1e-6)
