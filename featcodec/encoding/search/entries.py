"""Which entries of a profile may serve a group."""

from collections.abc import Sequence

from ... import modes
from ...container.model import ProfileEntry
from ..tensors.samples import Samples

MOST = 8  # entries that are tried
TASK = "task"  # family of the modes whose errors are those of a task; no option asks for it


def matching(
    samples: Samples, entries: Sequence[tuple[int, ProfileEntry]], family: str, prefix: bool
) -> list[tuple[int, ProfileEntry]]:
    """Return the entries of a profile that may serve, only those of the group's names if any."""
    axes = len(samples.ones)
    found = [
        (i, e)
        for i, e in entries
        if e.channels == samples.channels
        and e.prefix == prefix
        and (prefix or len(e.model.block) == axes)
        and family in ("auto", modes.search_of(e.model.transform).family)
    ]
    names = (samples.group.label, samples.group.told)
    named = [(i, e) for i, e in found if e.name in names]
    return (named or found)[:MOST]
