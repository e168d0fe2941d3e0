"""Rate control of a group at an SNR: which choice is written next."""

import math
from dataclasses import dataclass, field

from ..choice import Choice
from .bracket import Bracket

TOLERANCE = 0.05  # dB above the wanted SNR
AIM = TOLERANCE / 3  # dB above it, of steps
LAMBDA_AIM = 0.02  # the same of lambda
STEPS, ATTEMPTS = 5, 12  # attempts at the step, and in all
LEAP = 2.0  # times the tolerance: nothing is looked for between two that are so near
SHRINK = 0.7  # of a step, where hardly any latent is coded and the SNR follows the step in leaps
OCTAVE = 20 / math.log(10)  # dB that the SNR falls by as the logarithm of the step grows by one
LAMBDA_SLOPE = 1.5  # the same as the scale of lambda does


@dataclass
class SnrControl:
    """Looks for the step first; then, or where the step is to stay, for lambda at one step.

    Lambda meets an SNR that jumps with the step, because many values fall on another symbol at
    once. Call `accepts` with what a choice reached, and `next` when it does not.
    """

    choice: Choice
    snr: float
    tolerance: float = TOLERANCE
    tried: list[tuple[Choice, float]] = field(default_factory=list)
    leapt: bool = False  # hardly anything lies between two that were tried
    steps: Bracket = field(init=False)  # logarithms of what row groups had on average

    def __post_init__(self) -> None:
        # At low rates most latents are zero whatever the step, and the SNR hardly follows it.
        slopes = (OCTAVE / 10, 1.5 * OCTAVE)
        self.steps = Bracket(self.snr + self.aim, -OCTAVE, slopes, reach=3.0)

    @property
    def aim(self) -> float:
        """The dB above the SNR that steps are to have."""
        return min(AIM, self.tolerance / 2)

    @property
    def last(self) -> bool:
        """Whether the choice is the last that may be tried."""
        return self.leapt or len(self.tried) == ATTEMPTS - 1

    def accepts(self, reached: float) -> bool:
        """Return whether what the choice reached is what is wanted, or the nearest to it."""
        if reached < self.snr:
            return False
        most = max(self.snr + self.tolerance, self._short + LEAP * self.tolerance)
        return reached <= most or self.last or self.choice.coarsest

    def next(self, reached: float, mean_step: float) -> Choice | None:
        """Return the choice to try next, None when none is left."""
        self.tried.append((self.choice, reached))
        self.steps.add(math.log(mean_step), reached)
        enough = [pair for pair in self.tried if pair[1] >= self.snr]
        if len(self.tried) == ATTEMPTS:
            return None
        least = min((found for _, found in enough), default=math.inf)
        self.leapt = least - self._short <= LEAP * self.tolerance
        if len(self.tried) >= STEPS and not enough:
            step = self.choice.quantiser.step * SHRINK
            self.choice = self.choice.at_step(step)
        elif enough and self.last:
            self.choice = min(enough, key=lambda pair: pair[1])[0]
        elif self.choice.quantiser.on_saturation or (
            len(self.tried) >= STEPS and self.choice.picture is None
        ):
            self.choice = self._by_lambda(enough)
        else:
            self.choice = self.choice.at_step(math.exp(self.steps.next()))
        return self.choice

    @property
    def _short(self) -> float:
        """The SNR nearest to the wanted one of those that lack something, once lambda is tried."""
        tried = self.tried if len(self.tried) >= STEPS else ()
        return max((found for _, found in tried if found < self.snr), default=-math.inf)

    def _by_lambda(self, enough: list[tuple[Choice, float]]) -> Choice:
        """Return the next choice at the step that came nearest from above."""
        step = self.choice.quantiser.step
        if not self.choice.quantiser.on_saturation:
            step = min(enough, key=lambda pair: pair[1])[0].quantiser.step
        mine = [pair for pair in self.tried if pair[0].quantiser.step == step]
        aim = min(LAMBDA_AIM, self.tolerance / 2)
        curve = Bracket(self.snr + aim, -LAMBDA_SLOPE, (0.2, 6.0), reach=0.5)
        for choice, reached in mine:
            curve.add(choice.quantiser.lambda_scale, reached)
        least = min(choice.quantiser.lambda_scale for choice, _ in mine) / 2
        return mine[-1][0].at_lambda_scale(max(curve.next(), least))
