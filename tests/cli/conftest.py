"""Scenes that the tests of the commands share."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from commands import MADE, piece

import gscodec
from gscodec.io import read_ply

# A shell that starts tests in the background has them ignore SIGINT, and what they start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def scene_ply(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 splats."""
    return piece(tmp_path_factory.mktemp("scene") / "scene.ply", 500)


@pytest.fixture(scope="session")
def scene_gsc(scene_ply: Path) -> Path:
    """The same, encoded."""
    path = scene_ply.with_suffix(".gsc")
    path.write_bytes(gscodec.encode(gscodec.read(scene_ply), effort=1))
    return path


@pytest.fixture(scope="session")
def two_chunks_gsc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two far clusters of over 65,536 splats in all, which makes several chunks."""
    few = read_ply(MADE).splats
    many = few.take(np.arange(70_000) % len(few))
    noise = np.random.default_rng(1).normal(0, 0.2, many.positions.shape)
    many.positions[:] += noise.astype(np.float32)
    path = tmp_path_factory.mktemp("chunks") / "chunks.gsc"
    path.write_bytes(gscodec.encode(many, quality="tiny", effort=1))
    return path
