"""(3.10, 4.6) Built-in tables and bases: small files use them, large ones need not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gscodec import built_in
from gscodec.container import ContainerReader
from gscodec.container import Parameters as ParametersEvent
from gscodec.encode import tables
from gscodec.encode.basis import choose_basis
from gscodec.encode.encoder import Encoder
from gscodec.encode.steps import choose_steps
from gscodec.io import read_ply
from gscodec.parameters import Parameters, read_parameters, write_parameters
from gscodec.splats import Splats

ROOT = Path(__file__).resolve().parents[2]
SCENE = read_ply(ROOT / "examples/made_scene.ply").splats


def part(count: int, degree: int) -> Splats:
    splats = SCENE.take(np.linspace(0, len(SCENE) - 1, count).astype(np.intp))
    return replace(
        splats, sh_rest=np.ascontiguousarray(splats.sh_rest[:, : (0, 3, 8, 15)[degree]]), extras={}
    )


def written(splats: Splats, **steps: object) -> tuple[bytes, Parameters]:
    """A file and its parameter set."""
    data = Encoder(splats, effort=1, threads=1).encode(choose_steps("default", steps)).data
    reader = ContainerReader()
    reader.feed(data)
    reader.close()
    event = next(event for event in reader.events() if isinstance(event, ParametersEvent))
    return data, read_parameters(event.payload, event.offset, sh_degree=splats.sh_degree, extras=())


@pytest.mark.parametrize("classes", [1, 5, 8])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_small_files_have_no_tables(classes: int, degree: int) -> None:
    data, parameters = written(part(3, degree), classes=classes)
    assert parameters.choice is not None
    assert len(parameters.choice.own) == 0
    assert len(data) < 800


def test_a_parameter_set_is_written_as_it_was_read() -> None:
    for count in (3, 60, 400):
        _, parameters = written(part(count, 3))
        payload = write_parameters(parameters, ())
        again = read_parameters(memoryview(payload), 0, sh_degree=3, extras=())
        assert write_parameters(again, ()) == payload
        for name, contexts in parameters.maps.items():
            ours = parameters.tables.frequencies[contexts]
            assert np.array_equal(ours, again.tables.frequencies[again.maps[name]])


def test_tables_of_large_files_are_their_own() -> None:
    dice = np.random.default_rng(1)
    maps = {"position": built_in.clusters(5, (), ())["position"]}
    counts = {"position": np.zeros((165, 256), np.uint32)}
    counts["position"][:] = dice.integers(0, 3_000_000, 40) @ np.eye(40, 256, dtype=np.int64)
    assert tables.choose(counts, maps, most=64).choice is None


def test_symbols_that_no_table_of_a_set_has() -> None:
    maps = {"class": built_in.clusters(5, (), ())["class"]}
    counts = {"class": np.zeros((36, 256), np.uint32)}
    counts["class"][8, 200] = counts["class"][8, 17] = 1
    found = tables.choose(counts, maps, most=64)
    table = found.tables.frequencies[found.maps["class"][8]]
    assert table[200] > 0
    assert table[17] > 0


def test_built_in_tables_are_whole() -> None:
    found = built_in.frequencies()
    assert (found.sum(1) == 4096).all()
    assert (found[-1] > 0).all()
    for number in range(built_in.set_count()):
        assert max(built_in.tables_of_set(number)) < len(found)
    assert len(found) + 64 <= 256  # own ones come first, and a context's table is a byte


def test_clusters_for_any_parameters() -> None:
    for classes in range(1, 9):
        for bounds in ((), (3,), (1, 3), (2, 8), (1, 3, 8), (1, 2, 3, 4, 5, 6, 7, 15)):
            maps = built_in.clusters(classes, bounds, (1, 4))
            assert len(maps["scale"]) == 6 * classes + 512
            assert len(maps["colour"]) == 54 * classes
            assert len(maps["extra 1"]) == 4
            if bounds:
                assert len(maps["groups"]) == 6 * classes * (len(bounds) + 1)
                assert len(maps["coefficients"]) == len(bounds) * classes * bounds[-1]


def test_bases_are_nearly_orthogonal() -> None:
    for n in (3, 8, 15):
        matrix, order = built_in.basis_of(n)
        product = (matrix / 8192) @ (matrix / 8192).T
        assert np.abs(product - np.eye(n)).max() < 2e-3
        assert sorted(order.tolist()) == list(range(3 * n))
        assert np.abs(matrix.astype(int)).sum(0).max() <= 32_767
    colours = built_in.colour_directions() / 16_384
    assert np.abs(colours.T @ colours - np.eye(3)).max() < 2e-3


def test_a_basis_of_its_own_where_it_pays() -> None:
    dice = np.random.default_rng(2)
    strong = dice.normal(size=(3000, 1, 1)) * dice.normal(size=(1, 15, 3))
    rest = (strong + 0.001 * dice.normal(size=(3000, 15, 3))).astype(np.float32)
    weight = np.ones(3000)
    assert choose_basis(rest, weight, 0.01).basis is not None
    few = choose_basis(rest[:2], weight[:2], 0.01)
    assert few.built_in_step or few.basis is None
    assert choose_basis(np.zeros((9, 15, 3), np.float32), np.ones(9), 0.01).basis is None
