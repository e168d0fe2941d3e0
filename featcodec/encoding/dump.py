"""A dump to a file: its groups one after the other, then the index."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from ..align.layout import remarks
from ..coding.profile import Profile
from ..container.dump import check_dump
from ..container.index import TensorEntry
from ..container.sections import FEATURES
from ..container.writer import Writer
from ..errors import InvalidInput
from ..profiles import NEURAL
from ..request import FAMILIES, Options, Quality
from ..tensors import Source
from .features import FeatureEncoder
from .judge import judge_at
from .lossless import write_lossless
from .rate_control.rate import at_rate
from .report import Report, described
from .room import check_features
from .tensors.group import Group
from .tensors.grouping import group_tensors
from .tensors.lossless import LosslessGroup


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
    check_options(options, [tensor.name for tensor in source.tensors])
    check_dump(source.metadata, source.tensors)
    if options.transform == "neural":
        profile = profile or Profile.load(NEURAL)
        if quality.max_error is not None:
            raise InvalidInput("the neural transform bounds no single error; use --transform auto")
    elif profile and not profile.entries:
        raise InvalidInput("the profile holds a network alone: add --transform neural")
    if quality.task_snr is not None and not (profile and profile.entries_of(task=True)):
        raise InvalidInput(
            "a task SNR needs a profile with the metric of a task: train one with --gradients or"
            " --head"
        )
    with np.errstate(all="ignore"):  # NaN and extremes are data here; what comes of it is measured
        judge = None if quality.lossless else judge_at(quality.snr, profile, options)
        groups = group_tensors(source, options, quality.lossless, judge)
        check_features(groups)
        encoder = DumpEncoder(source, out, profile, options, groups, progress)
        if quality.bpfp is None:
            report = encoder.encode(quality)
        else:
            report = at_rate(lambda snr: encoder.encode(_at(snr, profile)), quality.bpfp)
    return replace(report, remarks=_remarks(source, options, groups))


@dataclass
class DumpEncoder:
    """A dump whose tensors have been grouped, and the file it goes to."""

    source: Source
    out: BinaryIO
    profile: Profile | None
    options: Options
    groups: Sequence[Group | LosslessGroup]
    progress: Callable[[int], None] | None = None

    def encode(self, quality: Quality) -> Report:
        """Write the whole file at one quality, over what was written before."""
        self.out.seek(0)
        self.out.truncate()
        writer = Writer(self.out, FEATURES)
        writer.index.metadata = self.source.metadata
        features = FeatureEncoder(writer, self.profile, self.options, self.progress)
        headers = [
            write_lossless(writer, group)
            if isinstance(group, LosslessGroup)
            else features.write(group, quality)
            for group in self.groups
        ]
        for header in headers:
            writer.section(b"GRUP", header.pack())
        membership = {name: i for i, group in enumerate(self.groups) for name in group.names}
        writer.index.tensors = [
            TensorEntry(t.name, t.dtype, t.shape, membership[t.name]) for t in self.source.tensors
        ]
        size = writer.finish()
        return Report(
            self.source.data_bytes,
            size,
            sum(math.prod(t.shape) for t in self.source.tensors),
            min((h.snr_db for h in headers), default=math.inf),
            tuple(described(g, h) for g, h in zip(self.groups, headers, strict=True)),
        )


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
    source: Source, options: Options, groups: Sequence[Group | LosslessGroup]
) -> tuple[str, ...]:
    """Return what was ignored of the metadata that options do not overrule."""
    overruled = {"layout": options.layouts, "architecture": options.architectures}
    metadata = source.metadata or {}
    asked = {k: text for k, text in metadata.items() if "" not in overruled.get(k, ())}
    shapes = {shape for group in groups if isinstance(group, Group) for shape in group.shapes}
    return tuple(remarks(asked, shapes)) if shapes else ()
