"""The step or the lmbda at which an error is met."""

import math
from collections.abc import Callable

from ..rate_control.bracket import Bracket

LEAST_STEP, MOST_STEP = math.log(1e-9), math.log(1e4)  # in deviations
MOST_LAMBDA = 0.3
CLOSE_ERROR = 0.004  # of a logarithm: 0.017 dB
ROUNDS, LAMBDA_ROUNDS = 12, 5


def solve_step(
    error: Callable[[float], float],
    target: float,
    start: float,
    precision: float = 0.005,
    rounds: int = ROUNDS,
) -> float:
    """Return the step whose error, which grows with it, comes closest to `target`.

    Stops within that factor of the target, or after so many rounds.
    """
    # The logarithm of the error grows twice as fast as that of the step at high rates.
    curve = Bracket(goal=0.0, slope=2.0, slopes=(0.3, 3.0), reach=3.0)
    step = start
    for _ in range(rounds):
        y = math.log(max(error(step), 1e-300) / target)
        if abs(y) < precision:
            break
        curve.add(math.log(step), y)
        step = math.exp(min(max(curve.next(), LEAST_STEP), MOST_STEP))
    return step


def solve_lambda(error: Callable[[float], float], target: float, start: float = 0.1) -> float:
    """Return the lmbda whose error, which grows with it, comes closest to `target` from below."""

    def excess(lmbda: float) -> float:
        return math.log(max(error(lmbda), 1e-300) / target)

    curve = Bracket(goal=0.0, slope=1.0, slopes=(0.0, math.inf), reach=MOST_LAMBDA)
    lmbda = start
    for _ in range(LAMBDA_ROUNDS):
        y = excess(lmbda)
        if abs(y) < CLOSE_ERROR:
            return lmbda
        curve.add(lmbda, y)
        if not math.isfinite(curve.width):
            end = MOST_LAMBDA if y < 0 else 0.0
            y = excess(end)
            if (y <= 0) == (end > 0):
                return end
            curve.add(end, y)
        lmbda = curve.next()
    assert curve.low is not None
    return curve.low[0]
