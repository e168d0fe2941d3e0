"""Padding, cut off where rows cannot be left out (SPEC §4.3).

Constant rows are left out of tensors of one channel axis. Of stacks, and of layers or heads that
are channels, they are not: padding would count in their statistics, and come back as what it is
near to. There, it becomes parts of tensors that are kept bit for bit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...align.layout import SAMPLE
from ...align.numbers import one_zero
from ...container.cuts import Along, places
from ...request import Options
from ...tensors import Source, Tensor
from .attention import is_attention
from .group import Group
from .lossless import LosslessGroup, lossless_group, of_parts
from .margins import Box
from .ragged import Ragged
from .ragged_groups import as_samples, in_parts, of_tensors
from .stated import has_stated_sizes
from .wholes import wholes

PADDING = "padding"
SHOWN = 1 << 22  # values of all ragged tensors that are shown: as many tell how they are read,
LEAST_SHOWN = 1 << 16  # and no fewer of each

Groups = Sequence[Group | LosslessGroup]
Held = Box | Ragged  # what of a tensor is no padding


@dataclass(frozen=True)
class Trimmed:
    """A dump of which some tensors are without their padding."""

    tensors: Sequence[Tensor]
    metadata: dict[str, str] | None
    data_bytes: int
    padded: Mapping[str, Tensor]  # the tensors with it, by name
    true: Mapping[str, Held]

    @classmethod
    def of(cls, source: Source, options: Options, growing: bool = False) -> "Trimmed":
        """Return that of a dump, of which tensors on a grid that is stated stay as they are.

        Those of a dump that is `growing` lose no more than indices of the leading axis, so that
        what comes later is cut alike.
        """
        metadata, true = source.metadata or {}, dict[str, Held]()
        for tensor in source.tensors:
            if not has_stated_sizes(tensor, metadata, options):
                # Causal attention is zero where padding of queries of unlike lengths would be.
                ragged = None if growing or is_attention(tensor) else Ragged.of(tensor)
                found = ragged or Box.of(tensor, axes=1 if growing else None)
                true |= {tensor.name: found} if found is not None else {}
        several = sum(isinstance(held, Ragged) for held in true.values())
        most = max(SHOWN // max(several, 1), LEAST_SHOWN)
        tensors, padded = [], dict[str, Tensor]()
        for tensor in source.tensors:
            shown = tensor
            if tensor.name in true:
                padded[tensor.name] = tensor
                shown = true[tensor.name].shown(tensor, most)
            tensors.append(shown)
        return cls(tensors, source.metadata, source.data_bytes, padded, true)

    def can_be(self, group: Group) -> bool:
        """Return whether a group of these tensors can be one of the dump, without padding."""
        padded = any(name in self.padded for name, _ in wholes(group))
        return not padded or self._cut(group) is not None

    def with_padding(self, groups: Groups) -> list[Group | LosslessGroup]:
        """Return groups of these tensors as groups of the dump, behind them those of padding."""
        found, axes = list[Group | LosslessGroup](), dict[str, tuple[Along, ...]]()
        for group in groups:
            names = dict(wholes(group)) if isinstance(group, Group) else group.names
            if not any(name in self.padded for name in names):
                found.append(group)
                continue
            cut = self._cut(group) if isinstance(group, Group) and _knows_no_rows(group) else None
            found.append(self._whole(group) if cut is None else cut[0])
            axes |= {} if cut is None else cut[1]
        kinds: dict[str, list[Tensor]] = {}
        for name in self.padded:
            if name in axes:
                margins = kinds.setdefault(self.padded[name].dtype, [])
                margins += self._margins(name, axes[name])
        for parts in kinds.values():
            padding = lossless_group(parts, (PADDING,))
            layouts, read = of_parts(padding.layouts), partial(_unsigned, padding.tensor)
            padding = replace(padding, layouts=layouts, tensor=read, parts=parts, cuts=axes)
            found.append(padding)
        return found

    def _margins(self, name: str, axes: tuple[Along, ...]) -> Iterator[Tensor]:
        """Yield the parts of a padded tensor that are padding."""
        for where in places(axes, self.padded[name].shape):
            if not self.true[name].is_true(where):
                yield self.padded[name].part(where)

    def _cut(self, group: Group) -> tuple[Group, dict[str, tuple[Along, ...]]] | None:
        """Return a group without padding, and how its tensors are cut; None where none can be."""
        tensors = {name: self._stored(name) for name, _ in wholes(group)}
        true = {name: self.true[name] for name in tensors if name in self.true}
        like = next((one for one in true.values() if isinstance(one, Ragged)), None)
        if like is not None:
            ragged = {name: like.same(tensors[name], true.get(name)) for name in tensors}
            return in_parts(group, tensors, ragged)
        letters = (group.cut_as or group.layout).axes
        inner = [axis for axis, letter in enumerate(letters) if letter == SAMPLE][1:]
        boxes = [(tensors[name], one) for name, one in true.items() if isinstance(one, Box)]
        if any(axis in one.cut(tensor.shape) for tensor, one in boxes for axis in inner):
            return None
        axes = {tensor.name: one.axes(tensor, group.cut_as) for tensor, one in boxes}
        return replace(group, trimmed=True), axes

    def _whole(self, group: Group | LosslessGroup) -> Group | LosslessGroup:
        """Return a group of tensors with their padding."""
        if isinstance(group, LosslessGroup):
            return lossless_group([self._stored(name) for name in group.names], group.reasons)
        like = next((self.true[n] for n, _ in wholes(group) if n in self.true), None)
        if isinstance(like, Ragged):
            group = as_samples(group, like)
        if not group.parts:
            return of_tensors(group, [self._stored(name) for name in group.names])
        parts = [self._whole_part(part) if part.of in self.true else part for part in group.parts]
        return replace(of_tensors(group, parts), parts=parts)

    def _whole_part(self, part: Tensor) -> Tensor:
        """Return a part with its padding; what is shown of samples has lengths of its own."""
        stored = self._stored(part.of)
        return stored.part(self.true[part.of].whole(part.where, stored.shape))

    def _stored(self, name: str) -> Tensor:
        """Return a tensor with its padding."""
        found = self.padded.get(name)
        return next(t for t in self.tensors if t.name == name) if found is None else found


def _unsigned(read: Callable[[int], np.ndarray], i: int) -> np.ndarray:
    """Return the elements of padding, with one zero where it holds zeros of both signs.

    The signs are those of what was masked: they would take a bit each.
    """
    numbers = read(i)
    return numbers if (numbers == numbers[0]).all() else one_zero(numbers)


def _knows_no_rows(group: Group) -> bool:
    """Return whether no rows are left out of a group, of which any may be padding."""
    several = group.stacks is not None or group.layout.channel_axes > 1
    return bool(group.parts or group.layered or several)
