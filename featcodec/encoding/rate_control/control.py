"""Which step, strictness or SNR to try next, from what those before came to."""

import math
from dataclasses import replace

from ...coding.row_group import FINE_ONE, FINE_PER_OCTAVE
from ..choice import Choice

MARGIN = 0.02  # dB above the wanted SNR, to aim at
DECIBELS = 1.5  # that the SNR falls by when strictness grows by one
FINE_MOST = 24  # a fifteenth of an octave's error at most, so that quality stays even


def fine_step(spent: float, budget: float, done: float, after: float, usual_fine: float) -> int:
    """Return the fine step of the row group between two shares of the slabs.

    It makes up for half of what the error spent so far is off its due, the last one for all.
    `usual_fine` is the mean of the fine steps at which that error was spent.
    """
    owed = 0.0 if after >= 1 else (budget * done - spent) / 2
    wanted = budget * min(after, 1.0) - spent - owed
    usual = spent * (after - done) / done
    ratio = min(max(wanted / usual, 0.5), 2.0) if usual > 0 else 1.0
    # The error grows with the square of the step at high rates, with less of it at low ones.
    change = round(usual_fine - FINE_ONE + FINE_PER_OCTAVE * math.log2(ratio) / 1.5)
    return FINE_ONE + min(max(change, -FINE_MOST), FINE_MOST)


def stricter(tried: list[tuple[Choice, float]], snr: float) -> Choice:
    """Return the next choice at one step, where the SNR is met by how strict thresholds are.

    Needed where the SNR jumps with the step, because many values fall on another symbol at once.
    """
    at_step = tried
    if not tried[-1][0].on_spike:
        best = min((p for p in tried if p[1] >= snr), key=lambda p: p[1])[0].step
        at_step = [p for p in tried if p[0].step == best]
    goal = snr + MARGIN
    points = [(choice.strictness, reached) for choice, reached in at_step]
    low = max((p for p in points if p[1] >= snr), default=None)
    high = min((p for p in points if p[1] < snr), default=None)
    x, y = points[-1]
    if low and high and low[0] < high[0]:
        share = (low[1] - goal) / (low[1] - high[1]) if len(points) % 2 == 0 else 0.5
        x = low[0] + min(max(share, 0.1), 0.9) * (high[0] - low[0])
    else:
        slope = -DECIBELS
        if len(points) > 1 and x != points[-2][0]:
            slope = min(max((y - points[-2][1]) / (x - points[-2][0]), -6.0), -0.2)
        x = min(max(x + (goal - y) / slope, x / 2), x + 0.5)
    return replace(at_step[-1][0], strictness=x)


def next_step(tried: list[tuple[float, float]], goal: float) -> float:
    """Return the step for an SNR from (log step, SNR) tried so far.

    Between steps on both sides of the goal: by line, then by halves. Else by the slope seen, or
    6 dB an octave.
    """
    above = max((t for t in tried if t[1] >= goal), default=None)
    below = min((t for t in tried if t[1] < goal), default=None)
    if above and below and above[0] < below[0]:
        share = (above[1] - goal) / (above[1] - below[1]) if len(tried) < 4 else 0.5
        if math.isfinite(share):
            return math.exp(above[0] + (below[0] - above[0]) * min(max(share, 0.1), 0.9))
    x, y = tried[-1]
    slope = -20 / math.log(10)
    if len(tried) > 1 and x != tried[-2][0] and math.isfinite(y):
        # At low rates most latents are zero whatever the step, and the SNR hardly follows it.
        slope = min(max((y - tried[-2][1]) / (x - tried[-2][0]), 1.5 * slope), slope / 10)
    change = (goal - min(y, 400.0)) / slope
    return math.exp(x + min(max(change, -3.0), 3.0))


def next_snr(
    low: tuple[float, float] | None, high: tuple[float, float] | None, goal: float
) -> float:
    """Return the SNR to try next from one below and one above the wanted rate."""
    if low and high:
        share = (goal - low[1]) / (high[1] - low[1])
        return low[0] + (high[0] - low[0]) * min(max(share, 0.05), 0.95)
    if low:
        return low[0] + max(6.02 * (goal - low[1]), 0.5)
    assert high is not None
    return max(high[0] - 6.02 * (high[1] - goal), high[0] / 3)
