"""What encoding came to, for programs and for a person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..align.layout import Layout
from ..container.group import GroupHeader
from ..container.quality import GroupQuality
from ..request import Quality
from .exact_groups import ExactGroup
from .measured import NOTHING
from .slices import LEAST_SLICE
from .tensors.beyond import beyond
from .tensors.group import Group
from .tensors.lossless import LosslessGroup

Named = tuple[str, float]  # what has an SNR in dB
MANY = 0.5  # of the channels: of 17 dumps at 5, 10 and 20 dB, 15 have .34 at most
FAR = 10.0  # dB below its group: a mean hides so much only of what is unlike the rest


@dataclass(frozen=True)
class Lowest:
    """The lowest SNRs of a file, measured on decoded values; None where nothing is lost.

    Nine in ten of the channels of a group have at least that SNR, and nine in ten of its rows, by
    their own norm; its first tensor names the group.
    """

    tensor: Named | None = None
    slice: Named | None = None  # of layers and heads
    channels: Named | None = None
    rows: Named | None = None

    @classmethod
    def of(
        cls,
        groups: Sequence[Group | ExactGroup],
        found: Sequence[GroupQuality],
        names: Sequence[str],
    ) -> "Lowest":
        """Return the lowest of all groups of a dump whose tensors have these names."""
        pairs = list(zip((group.first for group in groups), found, strict=True))
        figures = [
            [(names[f.tensor] + f.index, f.snr) for f in some if f is not None]
            for some in ([q.tensor for q in found], [q.slice for q in found])
        ]
        tenths = [
            [(name, snr) for name, snr in some if snr is not None]
            for some in ([(n, q.channels) for n, q in pairs], [(n, q.rows) for n, q in pairs])
        ]
        return cls(*(min(some, key=lambda n: n[1], default=None) for some in figures + tenths))

    def __str__(self) -> str:
        """Return one line for a person; empty where nothing is lost."""
        found = [
            f"{what} {one[0]} {one[1]:.2f} dB"
            for what, one in (("tensor", self.tensor), ("layer or head", self.slice))
            if one is not None
        ]
        found += [
            f"a tenth of the {what} of {one[0]} {one[1]:.2f} dB or less"
            for what, one in (("channels", self.channels), ("rows", self.rows))
            if one is not None
        ]
        return f"worst: {', '.join(found)}" if found else ""


def hidden(
    groups: Sequence[Group | ExactGroup],
    headers: Sequence[GroupHeader],
    found: Sequence[GroupQuality],
    names: Sequence[str],
) -> Iterator[str]:
    """Yield a line for each group whose SNR, not that of a task, hides far lower ones."""
    for group, header, quality in zip(groups, headers, found, strict=True):
        if header.task_snr is not None:
            continue
        of_rows = header.lossy is not None and header.lossy.gains
        few = isinstance(group, Group) and group.channels < LEAST_SLICE  # values of a row
        least, rows, part = header.snr_db - FAR, quality.rows, quality.slice
        if rows is not None and rows < least and not (of_rows or few):
            yield (
                f"a tenth of the rows of {group.first} has {rows:.1f} dB or less, all together"
                f" {header.snr_db:.1f}: with row_snr every row counts by its own norm"
            )
        if part is not None and part.snr < least:
            name = names[part.tensor] + part.index
            yield (
                f"{name} has {part.snr:.1f} dB, all together {header.snr_db:.1f}: without pool the"
                " SNR holds for each layer and head"
            )


def erased(
    groups: Sequence[Group | ExactGroup],
    headers: Sequence[GroupHeader],
    found: Mapping[int, tuple[int, int]],
) -> Iterator[str]:
    """Yield a line for each group most of whose channels come back as next to nothing.

    A task leaves out on purpose what it does not react to. `found` has, by the places of groups,
    how many of their channels do, and how many there are.
    """
    for place, (few, count) in found.items():
        if few > MANY * count and count > 1 and headers[place].task_snr is None:
            yield (
                f"{few:,} of {count:,} channels of {groups[place].first} come back with less than"
                f" {NOTHING:g} dB, all together {headers[place].snr_db:.1f}: a few large ones have"
                " most of the variance; ask for more dB, or scale the channels alike before"
            )


def without_metric(
    groups: Sequence[Group | ExactGroup], headers: Sequence[GroupHeader], quality: Quality
) -> Iterator[str]:
    """Yield a line for each group coded at an SNR of its values where one of a task was asked."""
    for group, header in zip(groups, headers, strict=True):
        asked = isinstance(group, Group) and (group.quality or quality)
        lossy = header.lossy is not None and not header.exact
        if asked and lossy and header.task_snr is None and (asked.task_snr or asked.recommended):
            yield (
                f"{group.first}: the profile has no metric of a task for these features; the"
                f" {asked.task_snr or asked.snr:g} dB are an SNR of their values"
            )


@dataclass(frozen=True)
class Report:
    """What encoding a dump came to.

    `bpfp` is bits per feature point: all bytes of the file, in bits, over the number of values.
    """

    input_bytes: int
    output_bytes: int
    values: int
    snr_db: float  # of the worst group; infinite when nothing was lost
    choices: tuple[str, ...] = ()  # a line on each group
    remarks: tuple[str, ...] = ()  # what was ignored, a mean hides, or is left of a rate
    lowest: Lowest = Lowest()
    task_snr_db: float | None = None  # the least of a task, where that is what was asked
    by_name: int = 0  # bytes of tensors of which a quality is asked by name

    @property
    def bpfp(self) -> float:
        return 8 * self.output_bytes / self.values if self.values else 0.0


def bytes_by_name(
    groups: Sequence[Group | ExactGroup],
    headers: Sequence[GroupHeader],
    sections: Sequence[tuple[bytes, int]],
) -> int:
    """Return how many bytes the row groups take of groups of which a quality is asked by name."""
    return sum(
        size
        for group, header in zip(groups, headers, strict=True)
        if isinstance(group, Group) and group.quality is not None
        for _, size in sections[header.first_section : header.first_section + header.row_groups]
    )


def described(group: Group | ExactGroup, header: GroupHeader) -> str:
    """Return what was chosen for a group, for a person."""
    names = group.names[0] if len(group.names) == 1 else f"{group.names[0]} .. {group.names[-1]}"
    repeated = sum(header.repeats.repeated) if header.repeats else 0
    left_out = f", {repeated} repeated row{'s' * (repeated > 1)} left out" if header.repeats else ""
    if header.lossy is None:
        reasons = group.reasons if isinstance(group, LosslessGroup) else ()
        if isinstance(group, Group) and header.exact:
            reasons = [why] if (why := beyond(group)) else []
        why = f" ({', '.join(reasons)})" if reasons else ""
        what = "bit for bit" if header.exact else f"rounded, {header.snr_db:.2f} dB"
        return f"{names}: {header.dtype}, {what}{why}{left_out}"
    if header.lossy.refined:
        mode = header.lossy.transform
        return f"{names}: {header.dtype}, bit for bit, {mode} and refined{left_out}"
    lossy, part = header.lossy, header.lossy.parts[0]
    profile = lossy.neural or part.model is None
    origin = "statistics of the profile" if profile else "statistics in the file"
    layout = group.cut_as if isinstance(group, Group) and group.cut_as else None
    layout = layout or Layout(lossy.layout, lossy.prefix, lossy.grid)
    kept = f"{lossy.clipped} value{'s' * (lossy.clipped > 1)} kept exactly"
    cut = f", {kept}" if lossy.clipped else ""
    task = "" if header.task_snr is None else f", task SNR {header.task_snr:.2f} dB"
    return (
        f"{names}: {header.dtype} {layout} {lossy.architecture}, {lossy.transform}, {origin},"
        f" step {lossy.step:.4g}, {header.snr_db:.2f} dB{task}{cut}{left_out}"
    )
