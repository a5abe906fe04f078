"""Tensors that files carry: safetensors in and out, NPZ converted, everything carried exactly."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from typing import Any

import numpy as np
import pytest

import gscodec
from gscodec.container.tensors import Tensors
from gscodec.errors import InputError, UsageError
from gscodec.io.safetensors import arrays_of, checked, read_weights, safetensors_of

ARRAYS: dict[str, np.ndarray] = {
    "mlp.0.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "mlp.0.bias": np.array([1.5, -2], np.float16),
    "count": np.array(7, np.int64),
    "none": np.zeros((0, 3), np.uint8),
    "flags": np.array([True, False]),
}


def file(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_round_trip() -> None:
    data = safetensors_of(ARRAYS)
    found = arrays_of(data)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert read_weights(io.BytesIO(data)) == data
    npz = io.BytesIO()
    np.savez(npz, **ARRAYS)  # type: ignore[arg-type]
    npz.seek(0)
    np.testing.assert_array_equal(arrays_of(read_weights(npz))["mlp.0.weight"], ARRAYS["mlp.0.weight"])


def test_types_that_numpy_lacks() -> None:
    about = {
        "__metadata__": {"a": "b"},
        "x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
        "y": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [4, 5]},
    }
    found = arrays_of(file(about, b"\x80\x3f\x00\xc0\x07"))
    assert found["x"].tolist() == [1.0, -2.0]
    assert found["y"].tolist() == [7]


def tensor(**changes: Any) -> dict[str, Any]:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 1 << 60) + b"{}",
        file(b"\xff"),
        file(b"[" * 10_000),
        file([]),
        file({"x": 3}),
        file(tensor(dtype="F31"), bytes(8)),
        file(tensor(dtype=[]), bytes(8)),
        file(tensor(shape=[3]), bytes(8)),
        file(tensor(shape=[True, 2]), bytes(8)),
        file(tensor(shape=[-2]), bytes(8)),
        file(tensor(shape=[1 << 59, 1 << 59]), bytes(8)),
        file(tensor(data_offsets=[0]), bytes(8)),
        file(tensor(data_offsets=[8, 0]), bytes(8)),
        file(tensor(data_offsets=[1, 9]), bytes(9)),
        file(tensor(), bytes(7)),
        file(tensor(), bytes(9)),
        file(tensor() | {"y": tensor()["x"]}, bytes(8)),
    ],
)
def test_broken_files(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        checked(data)
    assert caught.value.code == "safetensors.format"


def test_damage_is_an_error_or_nothing() -> None:
    whole, rng = safetensors_of(ARRAYS), np.random.default_rng(1)
    for _ in range(500):
        data = bytearray(whole)
        data[rng.integers(len(data))] = rng.integers(256)
        with contextlib.suppress(InputError):
            arrays_of(bytes(data))


def test_pickles_are_refused() -> None:
    npz = io.BytesIO()
    np.savez(npz, x=np.array([{}], object))
    npz.seek(0)
    with pytest.raises(InputError) as caught:
        read_weights(npz)
    assert caught.value.code == "safetensors.format"


def test_of_a_gsc() -> None:
    splats = gscodec.Splats(
        positions=np.zeros((1, 3), np.float32),
        scales=np.zeros((1, 3), np.float32),
        rotations=np.ones((1, 4), np.float32),
        opacities=np.zeros(1, np.float32),
        sh_dc=np.zeros((1, 3), np.float32),
        sh_rest=np.zeros((1, 0, 3), np.float32),
    )
    tensors = Tensors(kind="feature_decoder", data=safetensors_of(ARRAYS))
    data = gscodec.encode(splats, effort=1, metadata=[tensors])
    found = gscodec.weights(data)
    assert found is not None
    np.testing.assert_array_equal(found["mlp.0.bias"], ARRAYS["mlp.0.bias"])
    assert len(gscodec.decode(data)) == 1
    assert gscodec.weights(gscodec.encode(splats, effort=1)) is None
    with pytest.raises(UsageError):
        gscodec.encode(splats, effort=1, metadata=[tensors, tensors])
