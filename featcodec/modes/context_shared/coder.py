"""Builds coders from models of profiles with context modelling."""

from ..context import reconstruction
from ..context.coder import ContextModeCoder


class SharedContextModeCoder(ContextModeCoder):
    """A model has the offsets of all quantisers."""

    def sets(self, dependent: bool) -> int:
        return reconstruction.SETS


CODER = SharedContextModeCoder()
