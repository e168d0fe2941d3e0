"""The step or the trade at which an error is met: bracketed root finding."""

import math
from collections.abc import Callable

LEAST_STEP, MOST_STEP = math.log(1e-9), math.log(1e4)  # in deviations
MOST_TRADE = 0.3
CLOSE_ERROR = 0.004  # of a logarithm: 0.017 dB


def solve_step(
    error: Callable[[float], float],
    target: float,
    start: float,
    precision: float = 0.005,
    rounds: int = 12,
) -> float:
    """Return the step whose error, which grows with it, comes closest to `target`.

    Secant steps in the logarithms, the bracket kept; stops within that factor of the target, or
    after so many rounds.
    """
    low, high = -math.inf, math.inf
    x, slope = math.log(start), 2.0
    previous: tuple[float, float] | None = None
    for _ in range(rounds):
        y = math.log(max(error(math.exp(x)), 1e-300) / target)
        if abs(y) < precision:
            break
        if y > 0:
            high = min(high, x)
        else:
            low = max(low, x)
        if previous is not None and x != previous[0]:
            slope = min(max((y - previous[1]) / (x - previous[0]), 0.3), 3.0)
        previous = (x, y)
        x = min(max(x - min(max(y / slope, -3), 3), LEAST_STEP), MOST_STEP)
        if not low < x < high and math.isfinite(low + high):
            x = (low + high) / 2
    return math.exp(x)


def solve_trade(error: Callable[[float], float], target: float) -> float:
    """Return the trade whose error, which grows with it, comes closest to `target` from below."""

    def excess(trade: float) -> float:
        return math.log(max(error(trade), 1e-300) / target)

    low, high = 0.0, MOST_TRADE
    above = excess(high)
    if above <= 0:
        return high
    below = excess(low)
    if below > 0:
        return low
    for _ in range(5):
        share = min(max(below / (below - above), 0.1), 0.9)
        trade = low + share * (high - low)
        found = excess(trade)
        if abs(found) < CLOSE_ERROR:
            return trade
        if found > 0:
            high, above = trade, found
        else:
            low, below = trade, found
    return low
