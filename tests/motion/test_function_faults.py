"""(12.7, 12.11) Functions of time that are wrong, and wishes that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from gscodec import kernels
from gscodec.encode.dynamic.bases_recording import TrajectoriesSettings, record_bases, record_mixture
from gscodec.encode.dynamic.function_recording import Functions, record_functions
from gscodec.errors import LimitError, StreamError
from gscodec.motion import read_bases
from gscodec.motion.bases import AnyBases, Bases
from tests.motion.both import OFFSET, facts
from tests.motion.function_samples import ID, KEYS, SETTINGS, SPAN, read, recorded, recorded_waves, wishes
from tests.motion.made import Made, made
from tests.motion.test_bases import smooth


def fault(chunk: Made, payload: bytes, known: Mapping[int, AnyBases]) -> tuple[str, int | None]:
    with pytest.raises(StreamError) as error:
        read(chunk, payload, known)
    return error.value.code, error.value.offset


def test_faulty_functions() -> None:
    payload = bytearray(recorded_waves().payload())

    def code(at: int, value: int) -> tuple[str, int | None]:
        data = payload.copy()
        data[at] = value
        with pytest.raises(StreamError) as error:
            read_bases(memoryview(bytes(data)), OFFSET, {})
        return error.value.code, error.value.offset

    assert code(1, payload[1] | 1) == ("motion.flags", OFFSET + 1)
    assert code(1, payload[1] | 8) == ("motion.flags", OFFSET + 1)
    assert code(9, 1) == ("motion.range", OFFSET + 9)  # exponent
    assert code(2, 65) == ("motion.range", OFFSET + 2)
    assert code(12, 255)[0] == "motion.value"  # a step with which values are out of bounds
    with pytest.raises(StreamError) as error:
        read_bases(memoryview(bytes(payload)), OFFSET, {ID: recorded_waves().decoded})
    assert facts(error.value)[1] == "motion.bases"


def test_bases_are_functions_where_they_have_to_be() -> None:
    chunk = made(50, degree=0)
    functions = recorded_waves().decoded
    rigid = record_bases(ID, smooth(), TrajectoriesSettings()).decoded
    payload = recorded(chunk, wishes(chunk, functions)).payload()
    for known in ({}, {ID: rigid}):
        assert fault(chunk, payload, known) == ("motion.bases", OFFSET + 12)
    assert isinstance(rigid, Bases)
    mask, weights = np.ones(chunk.distinct, np.uint8), np.ones((chunk.distinct, 4))
    mixture = record_mixture(
        chunk.fields, chunk.integers, chunk.coding, (rigid, mask, weights), 7, SPAN
    ).payload()
    assert fault(chunk, mixture, {ID: functions}) == ("motion.bases", OFFSET + 12)


def test_fields_out_of_range() -> None:
    chunk = made(50, degree=0)
    functions = recorded_waves().decoded
    payload = bytearray(recorded(chunk, wishes(chunk, functions)).payload())

    def code(at: int, value: int) -> tuple[str, int | None]:
        data = payload.copy()
        data[at] = value
        return fault(chunk, bytes(data), {ID: functions})

    assert code(1, 4) == ("motion.flags", OFFSET + 1)
    for at, value in ((13, 32), (14, 32), (15, 4), (16, 0), (16, 5), (16, 17), (18, 4), (25, 4), (26, 8)):
        assert code(at, value) == ("motion.range", OFFSET + at), at
    assert code(len(payload) - 1, payload[-1] ^ 1)[0] in ("entropy.end", "motion.value", "entropy.first_word")
    assert fault(chunk, bytes(payload[:-1]), {ID: functions})[0] == "motion.length"


def test_too_many_values() -> None:
    chunk = made(300, degree=0)
    functions, count = recorded_waves().decoded, 300
    motion = wishes(chunk, functions, noise=0.1)
    payload = recorded(chunk, motion).payload()
    read(chunk, payload, {ID: functions}, most=count * 3 * KEYS)
    with pytest.raises(LimitError) as error:
        read(chunk, payload, {ID: functions}, most=count * 3 * KEYS - 1)
    assert (error.value.code, error.value.offset) == ("limit.stream_symbols", OFFSET)
    only = replace(motion, targets={}, fineness={})
    payload = recorded(chunk, only).payload()
    read(chunk, payload, {ID: functions}, most=count * 12)
    with pytest.raises(LimitError):
        read(chunk, payload, {ID: functions}, most=count * 12 - 1)


def test_values_out_of_bounds() -> None:
    chunk = made(50, degree=0)
    functions, count = recorded_waves().decoded, chunk.distinct
    far = np.full((KEYS, count, 3), 1e9)
    motion = Functions(
        functions=functions,
        targets={"position": far},
        fineness={"position": np.full(count, 1, np.uint8)},
    )
    found = recorded(chunk, motion)
    shown = read(chunk, found.payload(), {ID: functions}).at(0)
    assert shown.positions is not None
    fields, integers, coding = chunk.fields, chunk.integers, chunk.coding
    coarse = record_functions(
        fields, integers, coding, replace(motion, fineness={"position": np.full(count, 24, np.uint8)}),
        SETTINGS, SPAN,
    )  # fmt: skip
    swapped = {**found.ops, "position fineness": coarse.ops["position fineness"]}
    code, _ = fault(chunk, replace(found, ops=swapped).payload(), {ID: functions})
    assert code == "motion.value"
    symbols = np.full(count, 25, np.uint32)
    wrong = kernels.make_ops(
        np.zeros(count, np.uint8), np.zeros(count, np.uint16), symbols, np.zeros(count, np.uint32), 1
    )
    code, _ = fault(
        chunk, replace(found, ops={**found.ops, "position fineness": wrong}).payload(), {ID: functions}
    )
    assert code == "motion.symbol"


def test_kernels_refuse_what_does_not_fit() -> None:
    none, two = np.zeros((2, 3), np.int32), np.zeros(2, np.int64)
    groups, lone = np.zeros(3, np.uint8), np.zeros(2, np.int32)
    for call in (
        lambda: kernels.function_recs(None, None, two, None, 0, none),
        lambda: kernels.function_recs(None, none, two, None, 5, none),
        lambda: kernels.function_recs(None, None, two + (1 << 23), None, 5, none),
        lambda: kernels.function_recs(none[:1], None, two, None, 5, none),
        lambda: kernels.write_residuals(lone - 1, None, groups, 5, np.zeros((1, 2, 3)), 0.5, 1),
        lambda: kernels.write_residuals(lone, None, groups, 5, np.zeros((1, 2, 2)), 0.5, 1),
        lambda: kernels.write_residuals(lone, None, groups + 3, 5, np.zeros((1, 2, 3)), 0.5, 1),
        lambda: kernels.write_residuals(lone, None, groups, 5, np.full((1, 2, 3), np.nan), 0.5, 1),
        lambda: kernels.write_residuals(lone, None, groups, 5, np.zeros((1, 2, 3)), 1.5, 1),
    ):
        with pytest.raises(ValueError, match=r"residuals|functions"):
            call()


def test_wishes_that_cannot_be() -> None:
    chunk = made(50, degree=0)
    functions, count = recorded_waves().decoded, chunk.distinct
    positions = np.zeros((KEYS, count, 3))
    for motion in (
        Functions(functions=functions, coefficients={"position": (2, np.zeros((count, 3, 3)))}),
        Functions(functions=functions, coefficients={"harmonics": (0, np.zeros((count, 1, 3, 3)))}),
        Functions(functions=functions, targets={"position": positions}),
        Functions(
            functions=functions,
            targets={"position": positions[1:]},
            fineness={"position": np.ones(count, np.uint8)},
        ),
        Functions(functions=functions, alive=np.zeros((KEYS, count), bool)),
    ):
        with pytest.raises(ValueError, match=r"functions|motion"):
            recorded(chunk, motion)
