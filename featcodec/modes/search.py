"""When an encoder tries a mode; the `search` module of each mode has one `SEARCH`."""

from typing import TYPE_CHECKING

from ..encoding.bounded.sample_domain import Sample, Way
from ..encoding.search.candidate import Candidate

if TYPE_CHECKING:
    from ..encoding.search.race import Race


class ModeSearch:
    """The candidates of a mode; the defaults are of a mode with a transform."""

    family = "linear"  # the option that asks for the mode
    candidate: type[Candidate] = Candidate
    least_blocks = 16  # in a sample, so that scales hold for the rest
    blurs_bounds = False  # values at a bound decode to values around it
    trellis_gain: float | None = (
        None  # part of the bits that remains under a trellis; None: not tried
    )
    certain_bits = 0  # from which on a trellis pays for its tables
    begins_with: str | None = None  # the mode whose candidates it goes on from
    quick = True  # is tried whatever the effort

    def enter(self, race: "Race") -> None:
        """Enter the recipes that may reach a wanted SNR into the race."""

    def ways(self, sample: Sample, step: float, sparse: bool) -> list[Way]:
        """Return ways to code a sample within a bound on the error, half a step."""
        return []
