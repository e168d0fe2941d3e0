"""A dump to a file: its groups one after the other, then the index."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from ..align.layout import remarks
from ..coding.profile import Profile
from ..container.dump import check_dump
from ..container.sections import FEATURES
from ..container.writer import Writer
from ..errors import InvalidInput
from ..profiles import NEURAL
from ..request import FAMILIES, Options, Quality
from ..rules import Rules
from ..tensors import Source
from ..threads import ONE_THREAD
from .exact_groups import ExactGroup, exact_groups, write_exact
from .features import FeatureEncoder
from .judge import judge_at
from .rate_control.rate import at_rate
from .report import Report, described
from .room import check_features
from .tensors.cut import entries_of
from .tensors.group import Group
from .tensors.grouping import group_tensors


def encode(
    source: Source,
    out: BinaryIO,
    quality: Quality,
    profile: Profile | None = None,
    options: Options | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Write the dump to `out`, which must be seekable, and say what came of it.

    `progress` is told how many values each row group held. Raises InvalidInput for layouts that do
    not fit and Unreachable for rates that cannot be met.
    """
    options = options or Options()
    rules = Rules(options.rules)
    source = rules.kept(source)
    check_options(options, [tensor.name for tensor in source.tensors])
    check_dump(source.metadata, source.tensors)
    if options.transform == "neural":
        profile = profile or Profile.load(NEURAL)
        if any(one.max_error is not None for one in (quality, *rules.qualities)):
            raise InvalidInput("the neural transform bounds no single error; use --transform auto")
        if any(one.row_snr is not None for one in (quality, *rules.qualities)):
            raise InvalidInput("the neural transform has no gains of rows; use --transform auto")
    elif profile and not profile.entries:
        raise InvalidInput("the profile holds a network alone: add --transform neural")
    asked = (quality, *rules.qualities)
    if any(one.task_snr for one in asked) and not (profile and profile.entries_of(task=True)):
        raise InvalidInput(
            "a task SNR needs a profile with the metric of a task: train one with --gradients or"
            " --head"
        )
    recommending = {e.task: e for e in profile.entries if e.recommended} if profile else {}
    if quality.recommended and not recommending:
        quality = replace(quality, recommended=False)
    # NaN and extremes are data here; what comes of it is measured.
    with ONE_THREAD, np.errstate(all="ignore"):
        judge = judge_at(quality.decibels, profile, options)
        entries = [entry for _, entry in profile.entries_of(task=False)] if profile else []
        if quality.max_error is not None:
            options = replace(options, pool=True)  # a bound holds for each value anyhow
        groups: Sequence[Group | ExactGroup] = (
            exact_groups(source, options, judge)
            if quality.lossless
            else group_tensors(source, options, lossless=False, judge=judge, entries=entries)
        )
        check_features(groups)
        encoder = DumpEncoder(source, out, profile, options, groups, progress)
        if quality.bpfp is None:
            report = encoder.encode(quality)
        else:
            report = at_rate(lambda snr: encoder.encode(_at(snr, profile)), quality.bpfp)
    followed = tuple(f"at the task SNR recommended for {task}" for task in recommending)
    return replace(
        report, remarks=_remarks(source, options, groups) + followed * quality.recommended
    )


@dataclass
class DumpEncoder:
    """A dump whose tensors have been grouped, and the file it goes to."""

    source: Source
    out: BinaryIO
    profile: Profile | None
    options: Options
    groups: Sequence[Group | ExactGroup]
    progress: Callable[[int], None] | None = None

    def encode(self, quality: Quality) -> Report:
        """Write the whole file at one quality, over what was written before."""
        self.out.seek(0)
        self.out.truncate()
        writer = Writer(self.out, FEATURES)
        writer.index.metadata = self.source.metadata
        features = FeatureEncoder(writer, self.profile, self.options, self.progress)
        headers = [
            features.write(group, quality)
            if isinstance(group, Group)
            else write_exact(writer, group, self.progress)
            for group in self.groups
        ]
        for header in headers:
            writer.section(b"GRUP", header.pack())
        self._write_beside(writer)
        writer.index.tensors, writer.index.cuts = entries_of(self.source.tensors, self.groups)
        size = writer.finish()
        return Report(
            self.source.data_bytes,
            size,
            sum(math.prod(t.shape) for t in self.source.tensors),
            min((h.snr_db for h in headers), default=math.inf),
            tuple(described(g, h) for g, h in zip(self.groups, headers, strict=True)),
        )

    def _write_beside(self, writer: Writer) -> None:
        """Write what a decoder can do without: the profile, and how the file was made."""
        if self.options.embed and self.profile and self.profile.digest in writer.index.profiles:
            writer.section(b"PROF", self.profile.data, critical=False)
        if self.options.note:
            writer.section(b"MADE", self.options.note.encode(), critical=False)


def check_options(options: Options, names: Sequence[str]) -> None:
    """Raise InvalidInput for a transform that there is not, or a tensor that the dump lacks."""
    if options.transform not in FAMILIES:
        raise InvalidInput(f"transform {options.transform!r}: use one of {', '.join(FAMILIES)}")
    for what, asked in (("layout", options.layouts), ("architecture", options.architectures)):
        for name in asked:
            if name and name not in names:
                raise InvalidInput(f"--{what} names tensor {name!r}, which the dump does not have")


def _at(snr: float, profile: Profile | None) -> Quality:
    """Return the quality by which a rate is met: the task SNR where a profile has a metric."""
    if profile and profile.entries_of(task=True):
        return Quality(task_snr=snr)
    return Quality(snr=snr)


def _remarks(
    source: Source, options: Options, groups: Sequence[Group | ExactGroup]
) -> tuple[str, ...]:
    """Return what was ignored of the metadata that options do not overrule."""
    overruled = {"layout": options.layouts, "architecture": options.architectures}
    metadata = source.metadata or {}
    asked = {k: text for k, text in metadata.items() if "" not in overruled.get(k, ())}
    shapes = {shape for group in groups if isinstance(group, Group) for shape in group.shapes}
    return tuple(remarks(asked, shapes)) if shapes else ()
