"""The groups of a dump that is kept bit for bit: those that prediction serves, and the rest."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..container.group import GroupHeader
from ..container.writer import Writer
from ..entropy.prediction import PredictionError
from ..errors import InvalidInput
from ..request import Options
from ..rules import Rules
from ..tensors import Source, Tensor
from .bounded.refined import RefinedGroup, refined_choice, refined_group
from .choice import Choice
from .group_writer import GroupWriter
from .lossless import write_lossless
from .outcome import size_of
from .tensors.group import Group
from .tensors.grouping import Judge, group_tensors
from .tensors.lossless import LosslessGroup
from .tensors.stacks import with_stacks

ExactGroup = LosslessGroup | RefinedGroup


@dataclass(frozen=True)
class _Part:
    """Some tensors of a dump."""

    tensors: Sequence[Tensor]
    metadata: dict[str, str] | None
    data_bytes: int = 0


def exact_groups(
    source: Source, options: Options, judge: Judge | None = None
) -> list[Group | ExactGroup]:
    """Return the groups of a dump, in the order of their first tensors.

    Those of tensors of which a rule asks a quality with loss are groups of features; `judge`
    returns about how many bits one takes.
    """
    rules = Rules(options.rules)
    asked = [tensor for tensor in source.tensors if rules.is_lossy(tensor.name)]
    kept = [tensor for tensor in source.tensors if not rules.is_lossy(tensor.name)]
    plain = replace(options, rules={}, pool=True)
    known: dict[tuple, Choice | None] = {}

    def choice_of(group: Group) -> Choice | None:
        key = tuple(group.names), group.layout, group.stacks
        if key not in known:
            known[key] = refined_choice(group, options.search)
        return known[key]

    def bits(group: Group) -> float:
        choice = choice_of(group)
        return math.inf if choice is None else choice.estimate.bits

    try:
        features = group_tensors(
            _Part(kept, source.metadata),
            plain,
            lossless=False,
            judge=bits,
        )
        features = with_stacks(features, kept, bits, pool=True)
    except InvalidInput:  # of a layout, which exact coding does without
        features = []
    whole = [g for g in features if isinstance(g, Group) and g.cut_as is None]
    # What nothing refines is one group all the same where it is so at an SNR.
    found = [(group, refined_group(group, choice_of(group))) for group in whole]
    alike = [refined or LosslessGroup.of(g) for g, refined in found if refined or len(g.names) > 1]
    groups: list[Group | ExactGroup] = [*alike]
    taken = {name for group in groups for name in group.names}
    rest = [tensor for tensor in kept if tensor.name not in taken]
    groups += group_tensors(_Part(rest, source.metadata), plain, lossless=True)
    if asked:
        groups += group_tensors(_Part(asked, source.metadata), options, lossless=True, judge=judge)
    order = {tensor.name: i for i, tensor in enumerate(source.tensors)}
    return sorted(groups, key=lambda group: order[group.first])


def write_exact(
    writer: Writer, group: ExactGroup, progress: Callable[[int], None] | None
) -> GroupHeader:
    """Write the row groups of a group bit for bit; return its header."""
    if isinstance(group, LosslessGroup):
        return write_lossless(writer, group)
    mark = writer.mark()
    try:
        written = GroupWriter(writer, group.group, None, progress).write(group.choice, True, 0.0)
    except PredictionError:  # what holds for the sample fails elsewhere
        written = None
    if written is None or 8 * size_of(writer, mark[0], written.header) > group.most_bits:
        writer.rewind(mark)
        return write_lossless(writer, LosslessGroup.of(group.group))
    lossy = written.header.lossy
    assert lossy is not None
    lossy = replace(lossy, clipped=written.distortion.exceptions)
    return replace(written.header, snr_db=math.inf, max_error=0.0, lossy=lossy)
