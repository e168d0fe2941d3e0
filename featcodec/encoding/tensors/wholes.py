"""The tensors of a dump that the tensors of a group are, or are parts of."""

from ...coding.parts.base import Sizes
from .group import Group


def wholes(group: Group) -> list[tuple[str, Sizes]]:
    """Return names and shapes of those tensors, one for each tensor of the group."""
    if group.parts:
        return [(part.of, part.whole) for part in group.parts]
    return list(zip(group.names, group.shapes, strict=True))


def has_samples(group: Group) -> bool:
    """Return whether their first axis is that of samples."""
    return "N" in (group.cut_as or group.layout).axes[:1]
