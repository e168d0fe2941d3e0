"""A task metric comes from a profile, which the race for a task SNR enters; nothing to search."""

from ...encoding.search.entries import TASK
from ...encoding.search.race import Race
from ..search import ModeSearch


class WeightedSearch(ModeSearch):
    """The errors of other modes are not those of a task: they do not race."""

    family = TASK
    trellis_gain = 0.95

    def enter(self, race: Race) -> None:
        """Enter nothing: fitting a metric needs gradients."""


SEARCH = WeightedSearch()
