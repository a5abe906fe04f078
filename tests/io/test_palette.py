"""Codebooks and palettes."""

from __future__ import annotations

import numpy as np
import pytest

from gscodec.io._palette import _along, codebook, palette


def test_few_numbers_stay() -> None:
    values = np.array([[3, -1], [2, 3]], np.float32)
    book, index = codebook(values)
    assert len(book) == 256
    assert (np.diff(book) >= 0).all()
    assert np.array_equal(book[index], values)
    assert codebook(np.zeros((0, 3), np.float32))[1].shape == (0, 3)


@pytest.mark.parametrize("kind", ["normal", "cauchy", "steps", "outlier"])
def test_codebook_is_about_as_good_as_it_can_be(kind: str) -> None:
    rng = np.random.default_rng(0)
    values = {
        "normal": rng.normal(0, 1, 20000),
        "cauchy": np.clip(rng.standard_cauchy(20000), -1e4, 1e4),
        "steps": rng.integers(0, 300, 20000) / 7,
        "outlier": np.r_[rng.normal(0, 1, 19999), 1e6],
    }[kind].astype(np.float32)
    book, index = codebook(values)
    assert np.isfinite(book).all()
    error = float(((book[index].astype(np.float64) - values) ** 2).mean())
    even = (float(values.max()) - float(values.min())) / 255
    assert error <= even**2 / 12
    if kind == "normal":  # the theory's: 2.72 s^2 / n^2
        assert error < 1.1 * 2.72 / 256**2
    nearest = np.abs(values[:500, None].astype(np.float64) - book).min(axis=1)
    np.testing.assert_allclose(
        np.abs(book[index[:500]].astype(np.float64) - values[:500]), nearest, atol=1e-6
    )


def test_few_vectors_stay() -> None:
    rng = np.random.default_rng(0)
    few = rng.normal(0, 1, (50, 9)).astype(np.float32)
    few[0, 0], few[1] = -0.0, few[0]
    rows = few[rng.integers(0, 50, 1000)]
    entries, labels = palette(rows, 64)
    assert len(entries) == 49
    assert np.array_equal(entries[labels], rows)
    assert palette(np.zeros((0, 9), np.float32), 1)[0].shape == (0, 9)


@pytest.mark.parametrize("size", [1, 7, 256, 700])
def test_palette(size: int) -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(0, 1, (3000, 9)) * rng.exponential(1, (3000, 1))).astype(np.float32)
    entries, labels = palette(rows, size)
    assert len(entries) <= size
    assert labels.min() >= 0
    assert labels.max() < len(entries)
    error = ((entries[labels] - rows) ** 2).sum()
    # Better than as many of the rows, drawn by chance.
    drawn = rows[rng.choice(3000, size, replace=False)]
    by_chance = ((rows[:, None] - drawn) ** 2).sum(axis=2).min(axis=1).sum()
    assert error < by_chance
    again = palette(rows, size)
    assert np.array_equal(again[0], entries)
    assert np.array_equal(again[1], labels)


def test_vectors_that_no_clustering_takes_apart() -> None:
    rows = np.zeros((5000, 3), np.float32)
    rows[:, 0] = np.repeat(np.float32(2.0) ** np.arange(-100, 25, 1, np.float32), 40)
    rows[:, 1] = np.tile(np.arange(40, dtype=np.float32) * 1e-30, 125)
    entries, labels = palette(rows, 1000)
    assert len(entries) <= 1000
    assert np.isfinite(entries).all()
    assert len(labels) == 5000
    entries, labels = _along(rows, 300)
    assert len(entries) == 300
    assert np.bincount(labels).max() <= 17
