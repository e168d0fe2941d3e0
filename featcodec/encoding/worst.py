"""What a file reaches where the user looks: what it states, and what is reported and warned of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..coding.profile import Profile
from ..container.group import GroupHeader
from ..container.quality import Figure, GroupQuality, known
from ..container.writer import Writer
from ..tensors import Tensor
from .exact_groups import ExactGroup
from .measured import Measured, measured, snrs_of
from .slices import Slices, index_of
from .tensors.group import Group
from .workers import Workers

Sums = np.ndarray  # count, sum, sum of squares, squared error


@dataclass
class Worst:
    """Measures the groups of a file on decoded values, as they were written."""

    writer: Writer
    profile: Profile | None
    numbers: dict[str, int]  # of the tensors of the dump, by name
    workers: Workers
    known: Sequence[tuple[GroupHeader, Measured]] = ()  # what was measured while writing
    tensors: dict[int, Sums] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)  # the group of the first part of a tensor
    erased: dict[int, tuple[int, int]] = field(default_factory=dict)  # channels of groups, and all

    def of(
        self, groups: Sequence[Group | ExactGroup], headers: Sequence[GroupHeader]
    ) -> list[GroupQuality]:
        """Return the figures of all groups. Tensors in parts count with the group of the first."""
        found: list[GroupQuality] = []
        for group, header in zip(groups, headers, strict=True):
            quality = GroupQuality(group.reading if isinstance(group, Group) else 0)
            lossy = header.lossy
            plain = lossy is not None and not (header.exact or lossy.neural)
            if isinstance(group, Group) and (plain or self._known(header) is not None):
                quality = self._of(group, header, len(found))
            found.append(quality)
        for number, place in self.first.items():
            snr, worst = known(float(snrs_of(self.tensors[number]))), found[place].tensor
            if snr is not None and (worst is None or snr < worst.snr):
                found[place] = replace(found[place], tensor=Figure(snr, number))
        return found

    def _of(self, group: Group, header: GroupHeader, place: int) -> GroupQuality:
        slices, found = Slices.of(group), self._known(header)
        if found is None:
            found = measured(self.writer, group, header, self.profile, self.workers)
        pivot = 0.0 if header.lossy is None else header.lossy.mean
        for number, sums in self._sums(group, slices, found, pivot):
            self.tensors[number] = self.tensors.get(number, 0) + sums
            self.first.setdefault(number, place)
        self.erased[place] = found.erased
        return GroupQuality(
            group.reading,
            slice=self._slice(group, slices, found),
            channels=known(found.tenth_of_channels),
            rows=known(found.tenth_of_rows),
        )

    def _known(self, header: GroupHeader) -> Measured | None:
        return next((mine for of, mine in self.known if of is header), None)

    def _sums(
        self, group: Group, slices: Slices, found: Measured, pivot: float
    ) -> Iterator[tuple[int, Sums]]:
        """Yield the number of each tensor, and the sums of it, or of a part, about zero."""
        each = np.add.reduceat(found.slices, slices.firsts[:-1], axis=1)
        each = each.reshape(*each.shape[:2], _beside(group), -1).sum(axis=3)
        count, total, squares, noise = each
        about_zero = [count, total + count * pivot]
        about_zero += [squares + 2 * pivot * total + count * pivot**2, noise]
        for place in np.ndindex(count.shape):
            sums = np.array([some[place] for some in about_zero])
            yield self._number(group, _tensor(group, slices, *place)), sums

    def _number(self, group: Group, i: int) -> int:
        return self.numbers[group.parts[i].of if group.parts else group.names[i]]

    def _slice(self, group: Group, slices: Slices, found: Measured) -> Figure | None:
        """Return the worst of layers and heads; None where tensors have none."""
        snrs = snrs_of(found.slices)
        of_tensors = (len(slices.firsts) - 1) * _beside(group)
        if (group.in_pieces or not group.parts) and snrs.size == of_tensors:
            return None
        if np.isnan(snrs).all():
            return None
        sample, head = np.unravel_index(int(np.nanargmin(snrs)), snrs.shape)
        snr = known(float(snrs[sample, head]))
        if snr is None:
            return None
        first = int(np.searchsorted(slices.firsts, sample, "right")) - 1
        beside, channels = divmod(int(head), slices.counts[1] // _beside(group))
        i, inside = _tensor(group, slices, first, beside), int(sample - slices.firsts[first])
        index = index_of(group.layout, group.shapes[i], inside, channels)
        if group.in_pieces:
            index = _of_all(group.parts[i], index)
        elif group.parts:
            index = group.parts[i].name.removeprefix(group.parts[i].of) + index
        return Figure(snr, self._number(group, i), index)


def _beside(group: Group) -> int:
    """Return how many tensors a group codes as one."""
    return 1 if group.stacks is None else group.stacks.count


def _tensor(group: Group, slices: Slices, whole: int, beside: int) -> int:
    """Return the first tensor of a whole that stands beside so many of those coded as one."""
    i = int(np.searchsorted(slices.wholes, whole))
    return i if group.stacks is None else group.stacks.member(i, beside)


def _of_all(part: Tensor, index: str) -> str:
    """Return an index into a part, as one into the tensor that it is of.

    >>> x = Tensor("x", "F32", (9, 4, 7, 5), lambda: np.zeros(0))
    >>> _of_all(x.part((slice(0, 9), 2, slice(0, 3), slice(0, 5))), "[:, 1]")
    '[:, :, 1]'
    """
    places = index[1:-1].split(", ") if index else []
    for axis, at in enumerate(part.where):
        if isinstance(at, int) and axis < len(places):
            places.insert(axis, ":")
    return f"[{', '.join(places)}]" if places else ""
