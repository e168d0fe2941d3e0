"""A model with context modelling comes from a profile, whose entries race; nothing to search."""

from ...encoding.search.race import Race
from ..context.search import ContextSearch
from .candidate import SharedCandidate


class SharedContextSearch(ContextSearch):
    """Entries of profiles with context modelling."""

    candidate = SharedCandidate
    begins_with = None

    def enter(self, race: Race) -> None:
        """Enter nothing: what an entry has is learned from many dumps."""


SEARCH = SharedContextSearch()
