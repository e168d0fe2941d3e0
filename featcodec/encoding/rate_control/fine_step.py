"""Rate control within a group: the fine step of the next row group."""

import math

from ...coding.row_group import FINE_ONE, FINE_PER_OCTAVE

FINE_MOST = 24  # of 256 an octave: at most 6.7 % of the step, so that quality stays even
RESPONSE = 1.5  # octaves that the error grows by an octave of the step: 2 at high rates


def fine_step(spent: float, budget: float, done: float, after: float, usual_fine: float) -> int:
    """Return the fine step of the row group between two shares of the slabs.

    It corrects half of the deviation from the error budget so far, the last one all of it.
    `usual_fine` is the mean of the fine steps at which the error so far was spent.
    """
    owed = 0.0 if after >= 1 else (budget * done - spent) / 2
    wanted = budget * min(after, 1.0) - spent - owed
    usual = spent * (after - done) / done
    ratio = min(max(wanted / usual, 0.5), 2.0) if usual > 0 else 1.0
    change = round(usual_fine - FINE_ONE + FINE_PER_OCTAVE * math.log2(ratio) / RESPONSE)
    return FINE_ONE + min(max(change, -FINE_MOST), FINE_MOST)
