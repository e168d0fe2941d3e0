"""What a candidate costs at an error: bits of all of a part, side information included."""

import math
from collections.abc import Callable, Sequence

from ...coding.parts.base import PartCoder
from ...container.wire import Builder
from ...entropy import fit
from ..fit import counting
from .candidate import Candidate
from .solve import ROUNDS, solve_lambda, solve_step

SLOPE = 6.02  # decibels per bit a value, at high rates
SCARCE_SLOPE = 0.44  # of the bits per decibel, at low ones
DIGEST_BYTES = 32  # of a profile, in the index
FAR = 0.3  # dB from the wanted error: too far to judge the bits there


def rough_step(candidate: Candidate, target: float, start: float, rounds: int = ROUNDS) -> float:
    """Return the step at which a candidate reaches a mean squared error on its sample.

    The nearest of so many, where tables leap with the step over that error.
    """

    left: dict[int, float] = {}  # by the correction, by octaves of steps: it changes slowly

    def error(step: float) -> float:
        coder = candidate.rough(step)
        found = counting.squared_error(coder, candidate.latents)
        octave = round(math.log2(step))
        if octave not in left:
            left[octave] = candidate.correction(coder).curved
        return found / candidate.size * left[octave]

    return solve_step(error, target, start, precision=0.02, rounds=rounds)


def common_step(candidates: Sequence[Candidate], target: float) -> float:
    """Return the step at which all parts together reach a mean squared error on their samples.

    In the metric of a task a few prefix tokens may have all of the energy.
    """
    size = sum(candidate.size for candidate in candidates)

    def error(step: float) -> float:
        return sum(counting.squared_error(c.rough(step), c.latents) for c in candidates) / size

    return solve_step(error, target, math.sqrt(12 * target), precision=0.02)


def total_bits(
    candidate: Candidate, target: float, start: float, rounds: int = ROUNDS
) -> tuple[float, float]:
    """Return the bits of the whole part at that error, side information included, and the step."""
    step = rough_step(candidate, target, start, rounds)
    bits, excess = bits_at(candidate, target, step)
    if abs(excess) > FAR:
        # Tables of the sample's own may leave far more as zeros than those before.
        step *= 10 ** min(max(-excess / 30, -1.0), 1.0)
        bits, _ = bits_at(candidate, target, step)
    return bits, step


def bits_at(
    candidate: Candidate, target: float, step: float, stays: bool = False
) -> tuple[float, float]:
    """Return the bits of the whole part at a step, corrected to the wanted error, and by how much.

    That is in decibels, of the squared error. Where the step stays, a lower error saves nothing.
    """
    coder, bits = candidate.tuned(step)
    counts = candidate.count(coder)
    error = counts.error / counts.total * candidate.correction(coder).curved
    excess = 10 * math.log10(max(error, 1e-300) / target)
    owed = max(excess, 0.0) if stays else excess
    bits += bits_of_error(owed, bits, counts.total / candidate.fraction)
    return bits + candidate.side_bits(), excess


def lambda_for(
    candidate: Candidate, step: float, target: float, coder: Callable[[float], PartCoder]
) -> float:
    """Return the lmbda at which a candidate has a mean squared error at a given step.

    `coder` is its coder at a step, rough or with tables: of few symbols those leave far more as
    zeros.
    """

    def error(lmbda: float) -> float:
        candidate.lmbda = lmbda
        return counting.squared_error(coder(step), candidate.latents) / candidate.size

    return solve_lambda(error, target, candidate.lmbda)


def stored_bits(candidate: Candidate, coder: PartCoder) -> float:
    """Return the bits of a part's symbols, as its tables code them, and of its description."""
    counts = candidate.count(coder)
    symbols = sum(fit.cost(h, coder.table(number)) for number, h in counts.histograms.items())
    part = Builder()
    candidate.part(coder).pack(part)
    profile = 0 if candidate.entry is None else 8 * DIGEST_BYTES
    return symbols / candidate.fraction + 8 * len(part) + profile


def bits_of_error(decibels: float, bits: float, values: float) -> float:
    """Return by how many more bits the squared error of so many values is so much less.

    Fitted to rates of the ten dumps that `tuning` names, from 0.01 to 4 bits a value.
    """
    if bits <= 0:
        return 0.0
    rate = 1 / (1 / SCARCE_SLOPE + SLOPE * bits / values)  # of the bits, per decibel
    # Where the error jumps to nothing, no more than an octave of steps could have been saved.
    return bits * math.expm1(rate * min(max(decibels, -SLOPE), SLOPE))


def lagrangian(candidate: Candidate, step: float, lmbda: float) -> float:
    """Return bits plus distortion in bits of a candidate at a given step."""
    coder, bits = candidate.tuned(step)
    error = counting.squared_error(coder, candidate.latents) / candidate.fraction
    return bits + candidate.side_bits() + error / (lmbda * step * step)
