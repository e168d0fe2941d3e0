"""What a user may not know of a dump: that it is clipped, or that its profile does not serve it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from ..align.layout import remarks
from ..align.numbers import to_float
from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..elements import PRECISION
from ..request import Options, Quality
from ..tensors import Source
from .exact_groups import ExactGroup
from .tensors.beyond import beyond
from .tensors.group import Group

# Types that networks compute in. What was scaled to the 8 bits of others reaches their ends.
COMPUTED = ("F16", "BF16", "F32", "F64")


def suspicious(
    groups: Sequence[Group | ExactGroup],
    headers: Sequence[GroupHeader],
    profile: Profile | None,
    with_profile: Mapping[str, float | None],
) -> Iterator[str]:
    """Yield a line for each group that is clipped, or that no loss serves, and one for a profile.

    `with_profile` has, by first names of groups, how many times the bits they take with it.
    """
    pairs = [(g, h) for g, h in zip(groups, headers, strict=True) if isinstance(g, Group)]
    for group, header in pairs:
        if header.exact and (why := beyond(group)):
            yield f"{group.names[0]} comes back bit for bit: {why}"
        if header.dtype not in COMPUTED or header.exact:
            continue
        reached = _reached(group, header)
        for dtype in dict.fromkeys((header.dtype, "F16")):  # wider ones often hold what that was
            largest = PRECISION[dtype].largest
            if reached == largest or (dtype == header.dtype and reached > largest):
                yield (
                    f"{group.names[0]} reaches {largest:g}, the largest number of {dtype}: it was"
                    " clipped when it was made"
                )
                break
    coded = [(g, h) for g, h in pairs if h.lossy is not None]
    if profile is None or not coded or any(h.lossy.profile is not None for _, h in coded):  # type: ignore[union-attr]
        return
    group, header = coded[0]
    why = _unlike(group, header, profile)
    times = with_profile.get(group.names[0])
    more = f", and takes {times:.2f} times the bits with it" if times is not None else ""
    yield f"the profile serves no tensor, all take fewer bits without: {why}{more}"


def unused(profile: Profile | None, asked: Iterable[Quality]) -> Iterator[str]:
    """Yield a line for a profile where no quality that is asked of a tensor takes one."""
    without = [one.lossless or one.max_error is not None for one in asked]
    if profile is not None and without and all(without):
        yield "the profile is not used: lossless and bounded coding take none"


def _reached(group: Group, header: GroupHeader) -> float:
    """Return the largest magnitude of a group; of one by levels, no bounds are stated."""
    if header.lossy is not None:
        return max(-header.lossy.lower, header.lossy.upper)
    values = (to_float(np.asarray(group.tensor(i)), group.dtype) for i in range(len(group.shapes)))
    return max((float(np.abs(each).max(initial=0)) for each in values), default=0.0)


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


def complex_numbers(
    groups: Sequence[Group | ExactGroup],
    headers: Sequence[GroupHeader],
    asked: Callable[[str], Quality],
) -> Iterator[str]:
    """Yield a line for each group of complex numbers, of which loss is `asked` by name."""
    for group, header in zip(groups, headers, strict=True):
        name = group.first
        if header.dtype == "C64" and not asked(name).lossless:
            yield (
                f"{name} comes back bit for bit: it holds complex numbers; save their real and"
                " imaginary parts as tensors of their own to code them with loss"
            )


def outweighed(
    sections: Sequence[tuple[bytes, int]], size: int, wanted: object = None
) -> Iterator[str]:
    """Yield a line where the profile in a file, of so many bytes, takes more than all else.

    And one where it is `wanted` in the file, and is not, for nothing needs it.
    """
    if wanted and all(kind != b"prof" for kind, _ in sections):
        yield "the profile is not put into the file, no tensor of which is coded with it"
    for kind, length in sections:
        if kind == b"prof" and 2 * length > size:
            yield (
                f"the profile in the file takes {length:,} of its {size:,} bytes: it pays for"
                " larger dumps, or beside several files"
            )


def ignored(
    source: Source, options: Options, shapes: Collection[tuple[int, ...]]
) -> tuple[str, ...]:
    """Return what was ignored of the metadata that options do not overrule.

    `shapes` are those of the features.
    """
    overruled = {"layout": options.layouts, "architecture": options.architectures}
    metadata = source.metadata or {}
    asked = {k: text for k, text in metadata.items() if "" not in overruled.get(k, ())}
    return tuple(remarks(asked, shapes)) if shapes else ()
