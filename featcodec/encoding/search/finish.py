"""The chosen candidate made ready: scales, tables, step and correction, on a larger sample."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...align.curve import Curve
from ...align.value import ValueAlignment
from ...coding.parts.base import PartCoder
from ...quantise.scalar import LAMBDA
from .. import tuning
from ..choice import Choice, Estimate, Quantiser
from ..fit import counting
from ..tensors.samples import Samples
from . import cost
from .candidate import Candidate
from .solve import solve_lambda, solve_step

CURVE_BITS = 8.0 * 32  # in the header
UNREACHED = 1.05  # of the error: more cannot be mended by the step alone
COARSE = 0.06  # of the variance, an error that may leave hardly any symbols
SMALLER, SMALLER_STEPS = 0.75, 8
AGREES = 0.02  # of the logarithm of the error: what so little of it does to tables is little
WRITTEN = 0.0025  # of the logarithm of the error: what is not fitted is written with the same one
ROUNDS = 5  # of tuning to the step that what was tuned needs


@dataclass(frozen=True)
class Tuned:
    """Coders of the parts with scales and tables, and the correction that goes with them."""

    coders: Mapping[bool, PartCoder]
    left: float = 1.0  # of the squared error, by the correction
    curve: Curve | None = None  # in normalised units
    errors: dict[tuple[float, float], float] = field(default_factory=dict)  # by step and lmbda
    bits: dict[tuple[float, float], float] = field(default_factory=dict)  # but for the curve's

    @property
    def step(self) -> float:
        return self.coders[False].step

    @property
    def lmbda(self) -> float:
        return self.coders[False].lmbda

    @property
    def step_scale(self) -> int:
        return self.coders[False].step_scale

    def at(self, step: float) -> "Tuned":
        """Return the same at another step."""
        coders = {p: replace(coder, step=step) for p, coder in self.coders.items()}
        return replace(self, coders=coders)

    def at_lambda(self, lmbda: float) -> "Tuned":
        """Return the same with another lmbda of the grid's quantiser."""
        return replace(
            self, coders={**self.coders, False: replace(self.coders[False], lmbda=lmbda)}
        )


@dataclass
class Finish:
    """The candidates of the parts of a group, to be made a choice of."""

    samples: Samples
    values: ValueAlignment
    candidates: Mapping[bool, Candidate]
    goal: float  # mean squared error
    on_saturation: bool  # the step is to stay
    clamp: bool = False
    curved: bool = False

    @property
    def grid(self) -> Candidate:
        return self.candidates[False]

    @property
    def _variance(self) -> float:
        """Return the variance of aligned values."""
        return (self.samples.std / self.values.std) ** 2

    def choice(self, step: float) -> Choice:
        """Return the choice that reaches the goal, from a step near that."""
        if self.on_saturation:
            self.grid.lmbda = cost.lambda_for(self.grid, step, self.goal, self.grid.rough)
        if self.grid.bounds is not None:
            self._judge(step)
        if self.on_saturation:
            found = self._strict(self._tune(step))
        else:
            found = self._at_once(step) or self._agreeing(step)
            if self._error(found) > UNREACHED * self.goal > COARSE * self._variance:
                found = self._reaching(step)
        missed = self._error(found) / self.goal
        # A lower error is none: the bits say what it costs.
        miss = max(10 * math.log10(max(missed, 1e-300)), 0.0)
        bits = self._bits(found)
        bits += cost.bits_of_error(miss, bits, self.samples.group.values)
        if self.on_saturation and found.lmbda < tuning.LEAST_LAMBDA and missed > 1:
            miss = math.inf  # thresholds have nothing left to give
        curve = found.curve
        if curve is not None:
            curve = curve._replace(width=curve.width * self.values.std)
        return Choice(
            stats=self.samples.stats,
            values=self.values,
            parts={p: (self.candidates[p].part(coder), coder) for p, coder in found.coders.items()},
            block=self.grid.model.block,
            quantiser=Quantiser(
                found.step, found.step_scale, self.grid.dependent, self.on_saturation
            ),
            clamp=self.clamp,
            uses_profile=any(c.entry is not None for c in self.candidates.values()),
            compute_dtype=self.samples.group.compute_dtype,
            curve=curve,
            estimate=Estimate(bits, miss),
        )

    def _judge(self, step: float) -> None:
        """Decide whether values are clamped, and whether a curve pays."""
        coder, bits = self.grid.tuned(step)
        found = self.grid.correction(coder)
        gain = 10 * math.log10(found.clamped / found.curved)
        self.curved = cost.bits_of_error(gain, bits, self.samples.group.values) > CURVE_BITS
        self.clamp = self.curved or found.clamped < tuning.CLAMP_PAYS
        if not self.curved:
            self.grid.lmbda = LAMBDA

    def _at_once(self, step: float) -> Tuned | None:
        """Return what is tuned at a step, where that is to do: not for few symbols.

        Where nothing is fitted, it is the same at any step.
        """
        if not any(candidate.fitted for candidate in self.candidates.values()):
            return self._settle(self._tune(step), precision=WRITTEN, goal=(1 - WRITTEN) * self.goal)
        if self.samples.search.thorough:
            return None
        found = self._settle(self._tune(step))
        enough = self._bits(found) > tuning.SCARCE * self.samples.group.values
        return found if enough else None

    def _agreeing(self, step: float) -> Tuned:
        """Return the best that was tuned on the way to the step that reaches the goal.

        The error of what is tuned at a step follows it more steeply than that of one tuning at
        other steps. Scales and tables follow in leaps, with the step in half octaves: there may be
        no step that they agree with. Of few symbols tables leap at any step, and any may be best.
        """
        tried: list[Tuned] = []

        def error(step: float) -> float:
            tried.append(self._tune(step))
            return self._error(tried[-1])

        solve_step(error, self.goal, step, precision=AGREES, rounds=ROUNDS)
        tried.sort(key=lambda found: abs(math.log(max(self._error(found), 1e-300) / self.goal)))
        if self._bits(tried[0]) > tuning.SCARCE * self.samples.group.values:
            nearest: dict[int, Tuned] = {}
            for found in tried:
                nearest.setdefault(found.step_scale, found)
            tried = list(nearest.values())
        settled = [self._settle(found) for found in tried]
        if self.clamp:
            settled = [self._settle(self._correct(found)) for found in settled]
        settled = [s for s in settled if self._error(s) < UNREACHED * self.goal] or settled[:1]
        return settled[0] if len(settled) == 1 else min(settled, key=self._bits)

    def _tune(self, step: float) -> Tuned:
        """Fit scales, tables and correction at a step."""
        coders = {prefix: c.tuned(step)[0] for prefix, c in self.candidates.items()}
        return self._correct(Tuned(coders)) if self.clamp else Tuned(coders)

    def _correct(self, tuned: Tuned) -> Tuned:
        """Fit the correction alone."""
        found = self.grid.correction(tuned.coders[False], self.samples.sizes.fit)
        if self.curved:
            return replace(tuned, left=found.curved, curve=found.curve)
        return replace(tuned, left=found.clamped)

    def _reaching(self, step: float) -> Tuned:
        """Return what is tuned at the largest step tried whose tables reach the goal.

        Tables of hardly any symbols may leave what is not zero without a code, at any step.
        """
        found = self._tune(step)
        for _ in range(SMALLER_STEPS):
            if self._error(found) <= self.goal:
                break
            step *= SMALLER
            found = self._tune(step)
        return found

    def _settle(self, found: Tuned, precision: float = 0.005, goal: float | None = None) -> Tuned:
        """Return the same at the step that reaches the goal."""
        error = lambda step: self._error(found.at(step))  # noqa: E731
        return found.at(solve_step(error, goal or self.goal, found.step, precision))

    def _strict(self, found: Tuned) -> Tuned:
        """Return the same with the lmbda that reaches the goal."""
        error = lambda lmbda: self._error(found.at_lambda(lmbda))  # noqa: E731
        return found.at_lambda(solve_lambda(error, self.goal, found.lmbda))

    def _error(self, found: Tuned) -> float:
        """Return the mean squared error of the sample."""
        key = (found.step, found.lmbda)
        if key not in found.errors:
            parts = [(found.coders[prefix], c.latents) for prefix, c in self.candidates.items()]
            total = sum(candidate.size for candidate in self.candidates.values())
            found.errors[key] = sum(counting.squared_error(*part) for part in parts) / total
        return found.errors[key] * found.left

    def _bits(self, found: Tuned) -> float:
        key = (found.step, found.lmbda)
        if key not in found.bits:
            each = (cost.stored_bits(self.candidates[p], c) for p, c in found.coders.items())
            found.bits[key] = sum(each)
        return found.bits[key] + CURVE_BITS * (found.curve is not None)
