"""Motion bases: NPZ files in and out, and how close the coded motion is to the blend in floats."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native_samples import apart, bases, by_number

import gscodec
from gscodec.dynamic.native import bases_scene
from gscodec.encode.dynamic.whole_native import encode_bases
from gscodec.errors import InputError, UsageError
from gscodec.io.bases_npz import BasesScene, bases_bytes, from_arrays, read_bases_npz

MOMENTS = 20


def encoded(scene: BasesScene, **options: Any) -> bytes:
    out = io.BytesIO()
    encode_bases(scene, out, **{"effort": 1, **options})
    return out.getvalue()


def arrays(count: int = 20, parts: int = 3, frames: int = 5) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(bases_bytes(bases(count, parts, frames)))) as found:
        return dict(found)


def packed(values: dict[str, Any]) -> io.BytesIO:
    out = io.BytesIO()
    np.savez(out, **values)
    out.seek(0)
    return out


@pytest.mark.parametrize(
    ("quality", "bounds"), [("near-lossless", (2e-4, 3e-3, 0.06)), ("default", (4e-4, 6e-3, 0.2))]
)
def test_values_are_near_to_the_blend(quality: str, bounds: tuple[float, float, float]) -> None:
    """Typical and greatest distance in parts of the scene, and the greatest difference of shapes."""
    scene = bases()
    size = float(np.ptp(scene.splats.positions, axis=0).max())
    data = encoded(scene, quality=quality)
    with gscodec.open(data) as opened:
        assert (opened.frame_count, opened.duration) == (scene.frames, scene.frames / 30)
        for moment in np.linspace(0, 0.999, MOMENTS):
            tick = round(moment * opened.duration_ticks)
            got, wanted = by_number(opened.at_tick(tick)), scene.at(tick / 240)
            far = np.linalg.norm(got.positions.astype(np.float64) - wanted.positions, axis=1) / size
            assert np.median(far) < bounds[0]
            assert far.max() < bounds[1]
            assert apart(got, wanted).max() < bounds[2]


def test_the_native_form_is_the_decoded_motion() -> None:
    scene = bases(600)
    with gscodec.open(encoded(scene)) as opened:
        back = bases_scene(opened)
        for tick in (0, 1000, 2879):
            got, again = opened.at_tick(tick), back.at(tick / 240)
            np.testing.assert_allclose(again.positions, got.positions, atol=1e-4)
            assert apart(again, got).max() < 2e-3
    again = read_bases_npz(io.BytesIO(bases_bytes(back)))
    np.testing.assert_allclose(again.weights, back.weights, atol=1e-5)
    np.testing.assert_allclose(again.rotations, back.rotations, atol=1e-6)
    assert again.fps == 30


def test_colours_and_shapes() -> None:
    values = arrays()
    colours = values | {"colors": np.full((20, 3), 0.5), "opacities": np.zeros((20, 1))}
    del colours["sh0"], colours["shN"], colours["fps"]
    found = from_arrays(colours)
    assert (found.splats.sh_degree, float(np.abs(found.splats.sh_dc).max())) == (0, 0.0)
    assert found.splats.opacities.shape == (20,)


@pytest.mark.parametrize("name", ["means", "quats", "motion_coefs", "rots", "transls", "sh0", "opacities"])
def test_missing_arrays(name: str) -> None:
    values = arrays()
    del values[name]
    with pytest.raises(InputError) as caught:
        read_bases_npz(packed(values))
    assert caught.value.code == "bases.missing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("means", np.zeros((20, 2))),
        ("means", np.zeros(())),
        ("means", np.full((20, 3), np.nan)),
        ("quats", np.zeros((19, 4))),
        ("rots", np.zeros((3, 5, 9))),
        ("rots", np.zeros((3, 0, 6))),
        ("rots", np.zeros((2, 5, 6))),
        ("transls", np.zeros((3, 4, 3))),
        ("motion_coefs", np.zeros((20, 65))),
        ("motion_coefs", np.zeros(20)),
        ("motion_coefs", np.full((20, 3), np.inf)),
        ("shN", np.zeros((20, 4, 3))),
        ("fps", np.zeros(())),
        ("fps", np.zeros(0)),
        ("fps", np.array(np.nan)),
    ],
)
def test_wrong_arrays(name: str, value: np.ndarray) -> None:
    with pytest.raises(InputError) as caught:
        read_bases_npz(packed(arrays() | {name: value}))
    assert caught.value.code == "bases.shape"


class Evil:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was read",))


def test_pickles_and_broken_files_are_refused(tmp_path: Path) -> None:
    whole = packed(arrays()).getvalue()
    evil = np.empty(1, object)
    evil[0] = Evil()
    bad = [packed(arrays() | {"means": evil}).getvalue(), pickle.dumps(Evil()), b"", whole[:-30], b"PK" * 99]
    long = io.BytesIO()
    with zipfile.ZipFile(long, "w") as archive:
        head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
        archive.writestr("means.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    bad.append(long.getvalue())
    rng = np.random.default_rng(1)
    for data in bad:
        with pytest.raises(InputError) as caught:
            read_bases_npz(io.BytesIO(data))
        assert caught.value.code == "bases.format"
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        with contextlib.suppress(InputError):
            read_bases_npz(io.BytesIO(bytes(data)))


def test_extreme_values() -> None:
    scene = bases(50)
    scene.rotations[0] = 0
    scene.translations[1] = 1e30
    scene.splats.positions[3] = np.nan
    out = io.BytesIO()
    report = encode_bases(scene, out, effort=1)
    assert report["dropped_nonfinite"] == 1
    with gscodec.open(out.getvalue()) as opened:
        for frame in opened.frames():
            assert np.isfinite(frame.splats.positions).all()


def test_other_motion_has_no_such_form() -> None:
    with (
        gscodec.open(gscodec.encode(bases(20).splats, effort=1)) as opened,
        pytest.raises(UsageError) as caught,
    ):
        bases_scene(opened)
    assert caught.value.code == "native.model"
