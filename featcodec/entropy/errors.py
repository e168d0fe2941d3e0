"""What is wrong with coded symbols."""

from ..errors import Damage


class SymbolError(Damage):
    """The bytes are no coded symbols, or not these."""
