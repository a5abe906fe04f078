"""Types of the native module. To compare with what the build exports, from the folder that holds the module:

    python -m nanobind.stubgen -m _kernels -o generated.pyi

This file is that output with names for arguments and types for the parts of tuples, which nanobind does
not know. Arrays are C-contiguous; a size that does not fit raises ValueError. Status 0 is success, others are
those of `gscodec.entropy.streams`. A test compares names and numbers of arguments with the module.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_U8: TypeAlias = NDArray[np.uint8]
_U16: TypeAlias = NDArray[np.uint16]
_U32: TypeAlias = NDArray[np.uint32]
_U64: TypeAlias = NDArray[np.uint64]
_I16: TypeAlias = NDArray[np.int16]
_I32: TypeAlias = NDArray[np.int32]
_I64: TypeAlias = NDArray[np.int64]
_F32: TypeAlias = NDArray[np.float32]
_F64: TypeAlias = NDArray[np.float64]

# ---- tables and streams

class Tables:
    def __init__(self, frequencies: _U32, resolutions: _U8, /) -> None: ...
    def __len__(self) -> int: ...

class Source:
    def __init__(self, tables: Tables, contexts: _U8, data: _U8, counts: _U32, /) -> None: ...

class Ops:
    def histogram(self, contexts: int, /) -> _U32: ...
    def raw_bits(self) -> float: ...
    def encode(self, tables: Tables, contexts: _U8, /) -> tuple[_U32, _U32]: ...
    def __len__(self) -> int: ...

class Similar:
    def __len__(self) -> int: ...

class Side:
    def __init__(self, classes_of: _U8, classes: int, multipliers: _I32, similar: Similar | None) -> None: ...

def trim_memory() -> None: ...
def make_ops(kinds: _U8, contexts: _U16, values: _U32, aux: _U32, lanes: int, /) -> Ops: ...
def run_ops(source: Source, kinds: _U8, contexts: _U16, aux: _U32, /) -> tuple[int, _U32]: ...
def read_tables(source: Source, count: int, sizes: Sequence[int], /) -> tuple[int, _U32, _U8, _U8]: ...
def read_choices(
    source: Source, own: int, known: int, sizes: Sequence[int], clusters: _U16, standard: _U8, /
) -> tuple[int, _U32, _U8, _U8, _U8]: ...
def decode_symbols(source: Source, count: int, contexts: _U16 | None = None) -> tuple[int, _U8]: ...

# ---- rows of the lossless profile

class RowPlan:
    def __len__(self) -> int: ...

class RecordedRows:
    def histogram(self) -> _U32: ...
    def low(self) -> _U8: ...
    def low_bits(self) -> _U64: ...
    def encode(self, tables: Tables, contexts: _U8, lanes: int, /) -> tuple[_U32, _U32]: ...

def make_plan(
    coding: _U8,
    width: _U8,
    constant: _U32,
    exponent: _I32,
    low: _U8,
    bias: _I32,
    spread: _I32,
    previous: _I16,
    weight: _I16,
    growth: _I16,
    /,
) -> RowPlan: ...
def read_rows(plan: RowPlan, source: Source, low: _U8, rows: int, /) -> tuple[int, _U32]: ...
def write_rows(plan: RowPlan, cells: _U32, sources: _I32, /) -> RecordedRows: ...

# ---- positions, repeats, classes

def read_positions(source: Source, depth: int, counts: _U32, /) -> tuple[int, _I32, _U8]: ...
def write_positions(cells: _I32, depth: int, counts: _U32, lanes: int, /) -> Ops: ...
def merge_trees(cells: _I32, counts: _U32, /) -> tuple[_I32, _U8]: ...
def read_repeats(source: Source, x: _I32, tree: _U8, /) -> tuple[int, _U8]: ...
def write_repeats(x: _I32, tree: _U8, repeat: _U8, lanes: int, /) -> Ops: ...
def read_classes(source: Source, tree: _U8, classes: int, cap: int, /) -> tuple[int, _U8]: ...
def write_classes(tree: _U8, klass: _U8, classes: int, cap: int, lanes: int, /) -> Ops: ...

# ---- attributes

def similar(
    terms: Sequence[tuple[_I32, int, int]], window: int, power: int, shrink: _U32, thresholds: _U32, /
) -> Similar: ...
def read_scale(source: Source, side: Side, floor: int, /) -> tuple[int, _I32]: ...
def write_scale(side: Side, floor: int, ideal: _F64, lanes: int, /) -> tuple[Ops, _I32]: ...
def read_rotation(
    source: Source,
    side: Side,
    axis_factor: int,
    twist_factor: int,
    axis_cells: int,
    twist_cells: int,
    scale: _I32,
    /,
) -> tuple[int, _I32]: ...
def write_rotation(
    side: Side,
    axis_factor: int,
    twist_factor: int,
    axis_cells: int,
    twist_cells: int,
    scale: _I32,
    frames: _F64,
    lanes: int,
    /,
) -> tuple[Ops, _I32]: ...
def read_opacity(source: Source, side: Side, /) -> tuple[int, _I32]: ...
def write_opacity(side: Side, ideal: _F64, lanes: int, /) -> tuple[Ops, _I32]: ...
def read_colour(source: Source, side: Side, /) -> tuple[int, _I32]: ...
def write_colour(side: Side, ideal: _F64, lanes: int, /) -> tuple[Ops, _I32]: ...
def read_groups(source: Source, side: Side, coefficients: int, bounds: _U8, /) -> tuple[int, _U8]: ...
def read_coefficients(
    source: Source, side: Side, coefficients: int, bounds: _U8, groups: _U8, /
) -> tuple[int, _I32]: ...
def write_harmonics(
    side: Side,
    coefficients: int,
    bounds: _U8,
    ideal: _F32,
    dead_zone: float,
    costs: tuple[_F32, _F32, float] | None,
    metric: tuple[_F32, _I64, _F32, _F32] | None,
    basis: _F32 | None,
    order: _U8 | None,
    lanes: int,
) -> tuple[Ops, Ops, _I32]: ...
def read_channel(source: Source, count: int, width: int, bits: int, /) -> tuple[int, _U32]: ...
def write_channel(words: _U32, bits: int, lanes: int, /) -> Ops: ...

# ---- motion: masks (keys, splats), lives (splats, 2), recs (keys, splats, width)

class Polynomial:
    def at(self, moment: int, /) -> tuple[_U32, _F32, _F32, _F32]: ...
    def __len__(self) -> int: ...

def make_polynomial(
    chunk: tuple[_I32, _U32, _I32, _I32],
    grid: tuple[_I64, int, int],
    opacity: tuple[int, int],
    mask: _U8,
    translation: tuple[_I32, int, int],
    rotation: tuple[_I32, int, int] | None,
    time: tuple[_I32, int, int, int, int] | None,
    reference: int,
    threshold: int,
) -> Polynomial: ...
def moved_positions(
    x: _I32,
    origin: _I64,
    mantissa: int,
    exponent: int,
    source: _U32,
    rec: _I32,
    factor: int,
    shift: int,
    out: _F32,
    /,
) -> None: ...
def turned_rotations(q: _I32, source: _U32, rec: _I32, factor: int, shift: int, out: _F32, /) -> None: ...
def read_lifespans(source: Source, splats: int, keys: int, /) -> tuple[int, _U16]: ...
def write_lifespans(lives: _U16, keys: int, lanes: int, /) -> Ops: ...
def read_masks(
    source: Source,
    similar: Similar | None,
    lives: _U16 | None,
    splats: int,
    keys: int,
    stop: int,
    allowed: int,
) -> tuple[int, _U8]: ...
def write_masks(
    similar: Similar | None, lives: _U16 | None, wanted: _U8, allowed: int, lanes: int
) -> Ops: ...
def read_channels(
    source: Source,
    side: Side,
    masks: _U8,
    keys: int,
    bit: int,
    groups: _U8,
    views: int,
    view: _U8 | None,
    start: _I32 | None,
    extrapolates: bool,
    limit: int,
) -> tuple[int, _I32]: ...
def write_channels(
    side: Side,
    masks: _U8,
    bit: int,
    groups: _U8,
    views: int,
    view: _U8 | None,
    start: _I32 | None,
    extrapolates: bool,
    limit: int,
    ideal: _F64,
    left: float,
    lanes: int,
    coarse: _I32 | None = None,
) -> tuple[Ops, _U8, _I32]: ...

class Mixture:
    def at(self, six: _I64, three: _I64, /) -> tuple[_F32, _F32]: ...
    def __len__(self) -> int: ...

def make_mixture(
    chunk: tuple[_I32, _U32, _I32],
    grid: tuple[_I64, int, int],
    mask: _U8,
    shares: _U16,
    levels: int,
    exponent: int,
    /,
) -> Mixture: ...
def read_trajectories(
    source: Source, keys: int, bases: int, width: int, bound: int, extrapolates: bool, /
) -> tuple[int, _I32]: ...
def write_trajectories(wanted: _I32, bound: int, extrapolates: bool, lanes: int, /) -> Ops: ...
def read_shares(source: Source, side: Side, mask: _U8, bases: int, levels: int, /) -> tuple[int, _U16]: ...
def write_shares(side: Side, mask: _U8, wanted: _U16, levels: int, lanes: int, /) -> Ops: ...
def read_fineness(source: Source, side: Side, /) -> tuple[int, _U8]: ...
def write_fineness(side: Side, wanted: _U8, lanes: int, /) -> Ops: ...
def read_residuals(
    source: Source, multiplier: _I32, lives: _U16 | None, groups: _U8, limit: int, keys: int, stop: int
) -> tuple[int, _I32]: ...
def write_residuals(
    multiplier: _I32,
    lives: _U16 | None,
    groups: _U8,
    limit: int,
    ideal: _F64,
    rounding: float,
    lanes: int,
) -> tuple[Ops, _I32]: ...
def function_recs(
    start: _I32 | None,
    coefficients: _I32 | None,
    functions: _I64,
    residuals: _I32 | None,
    limit: int,
    out: _I32,
) -> None: ...

# ---- values: `out` is filled

def position_values(x: _I32, origin: _I64, mantissa: int, exponent: int, out: _F32, /) -> None: ...
def scale_values(
    rec: _I32, source: _U32, step: int, offset: int, dilated: bool, ln_tau: int, out: _F32, /
) -> None: ...
def rotation_values(q: _I32, source: _U32, out: _F32, /) -> None: ...
def opacity_values(rec: _I32, source: _U32, step: int, offset: int, out: _F32, /) -> None: ...
def colour_values(
    rec: _I32, source: _U32, offset: _I64, mantissa: _I64, exponent: int, out: _F32, /
) -> None: ...
def harmonics_values(
    rec: _I32,
    source: _U32,
    basis: _I16 | None,
    perm: _U8 | None,
    colour: _I32,
    exponent: int,
    out: _F32,
) -> None: ...

# ---- the renderer

class RenderScene:
    def __init__(
        self,
        positions: _F32,
        scales: _F32,
        rotations: _F32,
        opacities: _F32,
        sh_dc: _F32,
        sh_rest: _F32,
        inria: bool,
        threads: int,
        /,
    ) -> None: ...

class RenderView:
    def __init__(self, scene: RenderScene, camera: _F64, width: int, height: int, /) -> None: ...
    def __len__(self) -> int: ...
    def visible(self) -> _I32: ...
    def colours(self) -> _F32: ...
    def draw(
        self,
        background: _F32,
        colours: _F32 | None,
        pixel_weight: _F32 | None,
        weight: _F64 | None,
        squared: _F64 | None,
        largest: _F32 | None,
        gram: _F32 | None,
    ) -> tuple[_F32, _F32, _F32]: ...
    def gather(self, gradient: _F32, out: _F32) -> None: ...
    def product(
        self, colours: _F32 | None, picture: _F32 | None, overlap: _F64 | None, out: _F32
    ) -> None: ...
