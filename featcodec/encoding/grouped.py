"""The tensors of a dump as groups for a quality: read, stacked, without padding."""

from collections.abc import Sequence

from ..coding.profile import Profile
from ..request import Options, Quality
from ..tensors import Source
from .exact_groups import ExactGroup, exact_groups
from .familiar import Familiar
from .judge import judge_at, judges_at
from .tensors.group import Group
from .tensors.grouping import group_tensors
from .tensors.stacks import with_stacks
from .tensors.trimmed import Trimmed


def grouped(
    source: Source,
    quality: Quality,
    options: Options,
    growing: bool,
    profile: Profile | None,
    known: Familiar | None = None,
) -> Sequence[Group | ExactGroup]:
    """Return the groups of a dump for a quality, and for a file that may be `growing`.

    What is `known` to a profile in the layout of an entry is not judged, and what is written to
    judge a layout is `known` then.
    """
    judge = judges_at(quality, profile, options, known)
    if quality.lossless:
        return exact_groups(source, options, judge)
    # On so little as a sample of one tensor, a profile looks better than it is.
    joins = judge_at(quality.decibels, None, options) if profile else None
    entries = [entry for _, entry in profile.entries_of(task=False)] if profile else []
    of_task = profile is not None and bool(profile.entries_of(task=True))
    trimmed = Trimmed.of(source, options, growing)
    groups = group_tensors(
        trimmed, options, lossless=False, judge=judge, entries=entries, joins=joins, known=known
    )
    if judge is not None and (quality.snr is not None or quality.bpfp is not None) and not of_task:
        groups = with_stacks(groups, trimmed.tensors, judge, options.pool, trimmed.can_be)
    return trimmed.with_padding(groups)
