"""The error of coded symbols."""

from ..errors import Damage


class SymbolError(Damage):
    """The bytes are not the expected coded symbols."""
