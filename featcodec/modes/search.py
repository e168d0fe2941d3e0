"""What an encoder needs of a mode; each mode's `search` module has one `SEARCH`."""

from typing import TYPE_CHECKING

from ..encoding.bounded.sample_domain import Sample, Way
from ..encoding.search.candidate import Candidate

if TYPE_CHECKING:
    from ..encoding.search.race import Race


class ModeSearch:
    """The defaults are those of a mode that codes latents of a transform."""

    family = "linear"  # what may be asked for
    candidate: type[Candidate] = Candidate
    least_blocks = 16  # in a sample, so that scales hold for the rest
    blurs_bounds = False  # many values at a bound are decoded around it
    trellis_gain: float | None = None  # what a trellis leaves of the bits, about; None: not tried
    certain_bits = 0  # that a trellis surely pays with; fewer may not pay for its tables

    def enter(self, race: "Race") -> None:
        """Enter the recipes into the race that may serve a wanted SNR."""

    def ways(self, sample: Sample, step: float, sparse: bool) -> list[Way]:
        """Return ways to code a sample within a bound on the error, half a step."""
        return []
