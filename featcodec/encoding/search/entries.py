"""Which entries of a profile may serve a group."""

from collections.abc import Sequence

from ... import modes
from ...container.model import ProfileEntry
from ..tensors.samples import Samples

MOST = 8  # entries that are tried
FAR = 1e9  # deviations of an entry: single precision holds squares, and steps are not finer
TASK = "task"  # family of the modes whose errors are those of a task; no option asks for it


def matching(
    samples: Samples, entries: Sequence[tuple[int, ProfileEntry]], family: str, prefix: bool
) -> list[tuple[int, ProfileEntry]]:
    """Return the entries of a profile that may serve, only those of the group's names if any.

    None does whose values are beyond all comparison with those of the group.
    """
    axes = len(samples.ones)
    found = [
        (i, e)
        for i, e in entries
        if e.channels == samples.channels
        and e.prefix == prefix
        and (prefix or len(e.model.block) == axes)
        and _comparable(samples, e)
        and family in ("auto", modes.search_of(e.model.transform).family)
    ]
    names = (samples.group.label, samples.group.told)
    named = [(i, e) for i, e in found if e.name in names]
    return (named or found)[:MOST]


def _comparable(samples: Samples, entry: ProfileEntry) -> bool:
    """Return whether values keep a size that can be squared when they are aligned by an entry."""
    stats = samples.stats
    reach = max(abs(stats.lower - entry.mean), abs(stats.upper - entry.mean))
    return reach < FAR * entry.std < FAR * FAR * samples.std
