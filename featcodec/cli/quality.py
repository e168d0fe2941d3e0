"""What `featcodec info` shows of quality where the user looks, and of how tensors were read."""

from typing import Any

from ..container.group import GroupHeader
from ..container.quality import READINGS, Figure, GroupQuality
from ..container.reader import Reader


def describe_quality(reader: Reader, found: GroupQuality | None) -> dict[str, Any]:
    """Return why a group is read as it is, and its lowest SNRs; None where none are stated."""
    found, said = found or GroupQuality(), found is not None

    def named(figure: Figure | None) -> dict[str, Any] | None:
        if figure is None:
            return None
        name = reader.index.tensors[figure.tensor].name + figure.index
        return {"name": name, "snr_db": figure.snr}

    return {
        "reading": READINGS[found.reading] if said else None,
        "worst_tensor": named(found.tensor),
        "worst_slice": named(found.slice),
        "tenth_of_channels_db": found.channels,
        "tenth_of_rows_db": found.rows,
    }


def quality_lines(tensor: dict[str, Any]) -> list[str]:
    """Return lines on how a group was read, and on the lowest SNRs in it."""
    if tensor["reading"] is None:
        return []
    found = [
        f"{what} {tensor[key]['name']} {tensor[key]['snr_db']:.2f} dB"
        for what, key in (("tensor", "worst_tensor"), ("layer or head", "worst_slice"))
        if tensor[key]
    ]
    found += [
        f"a tenth of the {what} {tensor[key]:.2f} dB or less"
        for what, key in (("channels", "tenth_of_channels_db"), ("rows", "tenth_of_rows_db"))
        if tensor[key] is not None
    ]
    worst = [f"  worst: {', '.join(found)}"] if found else []
    beside = f", {tensor['stacked']} tensors side by side" if tensor["stacked"] else ""
    return [f"  layout {tensor['layout']}, {tensor['reading']}{beside}", *worst]


def stacked(group: GroupHeader) -> int | None:
    """Return how many tensors of a group are coded side by side, as one; None for each alone."""
    stacks = group.lossy.stacks if group.lossy is not None else None
    return None if stacks is None else stacks.count
