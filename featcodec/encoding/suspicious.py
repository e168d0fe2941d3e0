"""What a user may not know of a dump: that it is clipped, or that its profile does not serve it."""

from collections.abc import Iterator, Sequence

from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..elements import PRECISION
from .exact_groups import ExactGroup
from .tensors.group import Group

# Types that networks compute in. What was scaled to the 8 bits of others reaches their ends.
COMPUTED = ("F16", "BF16", "F32", "F64")


def suspicious(
    groups: Sequence[Group | ExactGroup], headers: Sequence[GroupHeader], profile: Profile | None
) -> Iterator[str]:
    """Yield a line for each group that is clipped, and one for a profile that serves none."""
    pairs = [(g, h) for g, h in zip(groups, headers, strict=True) if isinstance(g, Group)]
    for group, header in pairs:
        largest, lossy = PRECISION[header.dtype].largest, header.lossy
        if header.dtype in COMPUTED and lossy and max(-lossy.lower, lossy.upper) >= largest:
            yield (
                f"{group.names[0]} reaches {largest:g}, the largest number of {header.dtype}: it"
                " was clipped when it was made"
            )
    coded = [(g, h) for g, h in pairs if h.lossy is not None]
    if profile is None or not coded or any(h.lossy.profile is not None for _, h in coded):  # type: ignore[union-attr]
        return
    group, header = coded[0]
    why = _unlike(group, header, profile)
    yield f"the profile serves no tensor, all take fewer bits without: {why}"


def without_metric(
    groups: Sequence[Group | ExactGroup], headers: Sequence[GroupHeader]
) -> Iterator[str]:
    """Yield a line on what is asked a task SNR of and has none, as the profile does not know it."""
    names = [
        group.names[0]
        for group, header in zip(groups, headers, strict=True)
        if isinstance(group, Group) and group.quality is None
        if header.lossy is not None and header.task_snr is None
    ]
    if names:
        more = f" and {len(names) - 1} more" * (len(names) > 1)
        yield f"the profile has no metric of a task for {names[0]}{more}: the dB are those of SNR"


def _unlike(group: Group, header: GroupHeader, profile: Profile) -> str:
    """Return how a group differs from what a profile was trained on."""
    assert header.lossy is not None
    name, channels = group.names[0], group.channels
    if group.stacks is not None:
        return f"{name} is coded with the layers beside it"
    entries = [entry for _, entry in profile.entries_of(task=False)]
    alike = [entry for entry in entries if entry.channels == channels]
    if not alike:
        known = ", ".join(map(str, sorted({entry.channels for entry in entries})))
        return f"{name} has {channels} channels, its entries {known}"
    entry = min(alike, key=lambda one: abs(one.std - header.lossy.std))  # type: ignore[union-attr]
    return (
        f"{name} has mean {header.lossy.mean:.3g} and deviation {header.lossy.std:.3g}, the nearest"
        f" entry {entry.mean:.3g} and {entry.std:.3g}"
    )
