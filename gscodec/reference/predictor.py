"""(5.7) The predictor: a weighted mean of the predecessors that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gscodec._generated import weights
from gscodec.reference.parameters import PredictorSet

Triple = tuple[int, int, int]
MAX_DISTANCE = (1 << 24) - 1
FAR = 5  # the bucket of splats without a predecessor that looks alike
LOGARITHM_CAP = 15


@dataclass(frozen=True)
class Neighbours:
    """(5.7) What a splat's predecessors say: the bucket, the nearest of them, and the weight of each."""

    bucket: int
    nearest: int  # 0: none; j: the splat j places before
    weights: tuple[int, ...]  # of the splats 1, 2, ... places before


UNPREDICTED = Neighbours(0, 0, ())
FIRST = Neighbours(FAR, 0, ())


def component_distance(a: Triple, b: Triple) -> int:
    """(5.7) The largest difference plus half the others."""
    differences = [abs(p - q) for p, q in zip(a, b, strict=True)]
    largest = max(differences)
    return largest + (sum(differences) - largest >> 1)


def distance(
    attributes: Sequence[Sequence[Triple]], factors: Sequence[tuple[int, int]], i: int, j: int
) -> int:
    """(5.7) How much splats i and j differ in the attributes of a set."""
    total = 8
    for values, (factor, shift) in zip(attributes, factors, strict=True):
        total += min(MAX_DISTANCE, component_distance(values[i], values[j]) * factor >> shift)
    return min(MAX_DISTANCE, total)


def logarithm(v: int) -> int:
    """(5.7) Eight codes to the octave, 0 for 8."""
    exponent = v.bit_length() - 4
    return exponent << 3 | v >> exponent & 7


def weight(steps: int) -> int:
    """(5.7) 4096 2^(-steps / 8), from the table."""
    return weights.VALUE[steps] if steps < len(weights.VALUE) else 0


def neighbours(codes: Sequence[int], settings: PredictorSet) -> Neighbours:
    """(5.7) Bucket and weights from the distance codes of the predecessors, the latest first."""
    smallest = min(codes)
    bucket = sum(threshold <= smallest for threshold in settings.thresholds)
    raw = [weight(settings.power * (code - smallest)) for code in codes]
    scale = (settings.shrink[bucket] << 20) // sum(raw)
    scaled = tuple(u * scale + 32768 >> 16 for u in raw)
    return Neighbours(bucket, codes.index(smallest) + 1, scaled)


def all_neighbours(
    attributes: Sequence[Sequence[Triple]], factors: Sequence[tuple[int, int]], settings: PredictorSet
) -> list[Neighbours]:
    """(5.7) The neighbours of every distinct splat for one predictor set."""
    if settings.window == 0:
        return [UNPREDICTED] * len(attributes[0])
    found = [FIRST]
    for i in range(1, len(attributes[0])):
        latest_first = range(i - 1, max(-1, i - 1 - settings.window), -1)
        codes = [logarithm(distance(attributes, factors, i, j)) for j in latest_first]
        found.append(neighbours(codes, settings))
    return found


def predict(values: Sequence[Sequence[int]], component: int, i: int, near: Neighbours) -> int:
    """(5.7) The prediction of a component of splat i from the values of the splats before."""
    total = sum(w * values[i - j][component] for j, w in enumerate(near.weights, 1))
    return 2048 + total >> 12


def rounded(prediction: int, step: int) -> int:
    """(5.7) The prediction in steps, to the nearest."""
    return (prediction + (step >> 1)) // step


def short_logarithm(v: int) -> int:
    """(5.7) Two codes to the octave, for contexts: 0, 1, 2, 3, 4, 4, 5, 5, 6 ... at most 15."""
    if v < 2:
        return v
    bits = v.bit_length()
    return min(LOGARITHM_CAP, 2 * (bits - 1) + (v >> (bits - 2) & 1))


def steps_within(bound: int, start: int, step: int) -> range:
    """(5.2) The numbers of steps that keep start + number * step within -bound .. bound."""
    return range(-((bound + start) // step), (bound - start) // step + 1)
