"""What a file can hold besides splats, as a caller asks for it: steps of extras, order, texts, a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import extra_codings, extra_types
from gscodec.attributes import extras
from gscodec.container import ExtraAttribute, Metadata, SceneHeader, write_metadata
from gscodec.container.extra import STEP_EXPONENTS
from gscodec.container.scene import Floats3
from gscodec.container.tensors import Tensors, write_tensors
from gscodec.encode.inputs import NAMES, array_of, to_splats
from gscodec.errors import EncodeError, UsageError
from gscodec.geometry.permutation import write_permutation
from gscodec.io.offset import NOWHERE, Offset, auto_offset, checked_offset, relative
from gscodec.limits import Limits
from gscodec.splats import Splats

WILD = "*?["
Section = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """Wishes for a file.

    extra_errors  by name or pattern (`*`), how far values of an extra attribute may be off; 0 is lossless
    keep_order    store what restores the order of the input
    metadata      texts to store, and at most one file of tensors
    thumbnail     pixels along the longer side of a picture to store; None for no picture
    offset        the scene offset (2.6): what has been subtracted from the positions
    """

    extra_errors: Mapping[str, float] = field(default_factory=dict)
    keep_order: bool = False
    metadata: Sequence[Metadata | Tensors] = ()
    thumbnail: int | None = None
    offset: Floats3 = NOWHERE


def placed(source: object, offset: Offset | None) -> tuple[Splats, Floats3]:
    """`source` as splats relative to `offset`, and the offset; None leaves positions where they are.

    "auto" moves scenes whose positions come as float64 and are far away. Raises `UsageError`.
    """
    splats = to_splats(source)
    if offset is None:
        return splats, NOWHERE
    exact: NDArray[Any] = splats.positions
    if source is not splats:
        given: Any = source
        key = next(name for name in NAMES["positions"] if name in list(map(str, given.keys())))
        exact = array_of(given[key], key)
    if not isinstance(offset, str):
        found = checked_offset(offset)
    elif offset == "auto":
        found = auto_offset(exact) if exact.dtype == np.float64 else NOWHERE
    else:
        raise UsageError("usage.offset", f"offset {offset!r}: expected three numbers, or auto")
    return replace(splats, positions=relative(exact, found)), found


def metadata_sections(stored: Sequence[Metadata | Tensors]) -> list[Section]:
    """(2.12, 12.10) The META sections of some texts, then TENS. Raises `UsageError`, `EncodeError`."""
    limits = Limits.of_level(1)
    metadata = [each for each in stored if isinstance(each, Metadata)]
    tensors = [(b"TENS", write_tensors(each)) for each in stored if isinstance(each, Tensors)]
    if len(tensors) > 1:
        raise UsageError("usage.container", f"{len(tensors)} files of tensors: expected one")
    if len(metadata) > limits.meta_sections:
        raise EncodeError(
            "encode.metadata",
            f"{len(metadata)} pieces of metadata: a file holds at most {limits.meta_sections}",
        )
    found = [(b"META", write_metadata(each)) for each in metadata]
    if (size := sum(len(each.text.encode()) for each in metadata)) > limits.meta_bytes:
        most = f"a file holds at most {limits.meta_bytes:,}"
        raise EncodeError("encode.metadata", f"{size:,} bytes of metadata and comments: {most}")
    return found + tensors


def order_section(order: NDArray[np.int64]) -> Section:
    """(5.16) The PERM section of splats that had the numbers `order` in the input."""
    ranks = np.empty(len(order), np.int64)
    ranks[np.argsort(order)] = np.arange(len(order))
    return b"PERM", write_permutation(ranks)


def with_steps(
    scene: SceneHeader, splats: Splats, errors: Mapping[str, float]
) -> tuple[SceneHeader, dict[str, float | None]]:
    """The scene header with steps for the extra attributes that `errors` names, and these steps.

    An attribute for which no step keeps the error stays lossless, its step None: it has NaN or infinities, or
    values of more than 2^31 steps. Raises `UsageError` "usage.extra".
    """
    return _with_steps(
        scene, errors, lambda extra, bound: stepped_extra(extra, splats.extras[extra.name], bound)
    )


def with_safe_steps(
    scene: SceneHeader, largest: Mapping[str, float], errors: Mapping[str, float]
) -> tuple[SceneHeader, dict[str, float | None]]:
    """The same where only `largest_values` of the extras are known; steps may come out a little finer."""
    return _with_steps(
        scene, errors, lambda extra, bound: safe_step(extra, largest.get(extra.name, 0.0), bound)
    )


def _with_steps(
    scene: SceneHeader,
    errors: Mapping[str, float],
    step_of: Callable[[ExtraAttribute, float], ExtraAttribute | None],
) -> tuple[SceneHeader, dict[str, float | None]]:
    found, steps = [], dict[str, float | None]()
    for name, error in errors.items():
        if not 0 <= error < math.inf:
            raise UsageError("usage.extra", f"error {error!r} of {name!r}: expected a number from 0")
        check_name(name, [extra.name for extra in scene.extras])
    for extra in scene.extras:
        bound = bound_of(extra.name, errors)
        if bound and extra.type in STEP_EXPONENTS:
            stepped = step_of(extra, float(bound))
            steps[extra.name] = math.ldexp(stepped.mantissa, stepped.exponent) if stepped else None
            found.append(stepped or extra)
            continue
        if bound and extra.name in errors:
            kind = extra_types.NAMES[extra.type]
            raise UsageError("usage.extra", f"{extra.name!r} is {kind}, which is always kept as it is")
        found.append(extra)
    return replace(scene, extras=tuple(found)), steps


def without_extras(splats: Splats, patterns: Sequence[str]) -> Splats:
    """The splats without the extra attributes of these names or patterns. Raises `UsageError`."""
    for pattern in patterns:
        check_name(pattern, list(splats.extras))
    kept = {
        name: array
        for name, array in splats.extras.items()
        if not any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
    }
    return replace(splats, extras=kept)


def check_name(name: str, names: Sequence[str]) -> None:
    """Raises `UsageError` unless it is one of them, or a pattern, which may fit none."""
    if name not in names and not any(letter in WILD for letter in name):
        there = ", ".join(names) or "none"
        raise UsageError("usage.extra", f"no extra attribute {name!r}: there is {there}")


def bound_of(name: str, errors: Mapping[str, float]) -> float:
    """The error that an attribute may have: its own, or that of the first pattern that fits."""
    if name in errors:
        return errors[name]
    return next((error for pattern, error in errors.items() if fnmatchcase(name, pattern)), 0.0)


def stepped_extra(extra: ExtraAttribute, array: NDArray[Any], error: float) -> ExtraAttribute | None:
    """(2.6) The attribute with a step that keeps every value within `error`; None where none does."""
    if not np.isfinite(array).all():
        return None
    largest = float(np.abs(array).max()) if len(array) else 0.0
    with np.errstate(over="ignore"):  # above the largest float comes infinity: then no step is found
        rounding = float(np.spacing(np.float32(largest))) if extra.type == extra_types.F32 else 0.0
    for half in (error, error - rounding, error / 2):  # values are rounded once more, to their own type
        found = _with_step(extra, 2 * half) if half > 0 else None
        if found is None:
            return None
        step = math.ldexp(found.mantissa, found.exponent)
        if largest / step > 2**31 - 1:
            return None
        exact = np.asarray(array, np.float64).reshape(len(array), extra.components)
        decoded = extras.values(found, extras.to_words(found, array)).astype(np.float64)
        if (np.abs(decoded.reshape(exact.shape) - exact) <= error).all():
            return found
    return None


def safe_step(extra: ExtraAttribute, largest: float, error: float) -> ExtraAttribute | None:
    """(2.6) The attribute with a step that keeps any value up to `largest` within `error`; or None."""
    if not math.isfinite(largest):
        return None
    kind = np.float32 if extra.type == extra_types.F32 else np.float64
    with np.errstate(over="ignore"):
        half = error - 2 * float(np.spacing(kind(largest)))
    found = _with_step(extra, 2 * half) if half > 0 else None
    if found is None or largest / math.ldexp(found.mantissa, found.exponent) > 2**31 - 1:
        return None
    return found


def largest_values(splats: Splats) -> dict[str, float]:
    """The largest absolute value of each extra attribute of floating point; inf for NaN, too."""
    found = {}
    for name, array in splats.extras.items():
        if array.dtype.kind == "f" and array.size:
            largest = float(np.abs(array).max())
            found[name] = largest if math.isfinite(largest) else math.inf
    return found


def _with_step(extra: ExtraAttribute, step: float) -> ExtraAttribute | None:
    """The attribute with a step of 16 bits, not above `step`; None where it would be 0."""
    low, high = STEP_EXPONENTS[extra.type]
    fraction, power = math.frexp(min(step, math.ldexp(65_535, high)))
    mantissa, exponent = int(fraction * 65_536), power - 16
    if exponent < low:
        mantissa, exponent = mantissa >> min(low - exponent, 16), low
    if not mantissa:
        return None
    return replace(extra, coding=extra_codings.STEPPED, mantissa=mantissa, exponent=exponent)
