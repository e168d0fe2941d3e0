"""A dump to a file: its groups one after the other, then the index."""

import contextlib
import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO

import numpy as np

from ..coding.profile import Profile
from ..container.dump import check_dump, no_tensor
from ..container.group import GroupHeader
from ..container.quality import SECTION, GroupQuality, pack
from ..container.sections import FEATURES, SECTION_BYTES
from ..container.writer import Writer
from ..elements import FLOATS
from ..errors import InvalidInput
from ..profiles import NEURAL
from ..request import FAMILIES, Options, Quality
from ..rules import Rules
from ..tensors import Source
from ..threads import ONE_THREAD
from . import tuning
from .as_places import as_written
from .exact_groups import ExactGroup, exact_groups, write_exact
from .familiar import Familiar
from .features import FeatureEncoder
from .grouped import grouped
from .rate_control.rate import at_rate
from .read_once import ReadOnce
from .report import Lowest, Report, bytes_by_name, described, erased, hidden, without_metric
from .room import check_features
from .suspicious import complex_numbers, ignored, outweighed, suspicious, unused
from .tensors.cut import entries_of
from .tensors.group import Group
from .tensors.grouping import kinds
from .workers import Workers
from .worst import Worst

FEW_VALUES = 1 << 14  # of a dump: of more, what groups take beside their values is little
STATED, WARNED = 500, 40  # parts of a file, of which one may say what it reaches, or warn so


def encode(
    source: Source,
    out: BinaryIO,
    quality: Quality,
    profile: Profile | None = None,
    options: Options | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Write the dump to `out`, which must be seekable and readable, and say what came of it.

    `progress` is told how many values each row group held. Raises InvalidInput for layouts that do
    not fit and Unreachable for rates that cannot be met.
    """
    options = options or Options()
    workers = Workers(options.jobs)
    # NaN and extremes are data here; what comes of it is measured.
    with ONE_THREAD, np.errstate(all="ignore"), contextlib.closing(workers):
        encoder = encoder_of(source, out, quality, profile, options, progress)
        encoder.shared_among(workers)
        report = encoder.run()
    features = [group for group in encoder.groups if isinstance(group, Group)]
    shapes = {shape for group in features for shape in group.shapes}
    said = report.remarks + ignored(encoder.source, encoder.options, shapes)
    return replace(report, remarks=said)


def encoder_of(
    source: Source,
    out: BinaryIO,
    quality: Quality,
    profile: Profile | None,
    options: Options,
    progress: Callable[[int], None] | None = None,
    growing: bool = False,
) -> "DumpEncoder":
    """Return the encoder of a dump, or of a first part of a `growing` one; errors as above."""
    rules = Rules(options.rules)
    all_tensors, source = source.tensors, ReadOnce.small(rules.kept(source))
    if not source.tensors and all_tensors:
        raise InvalidInput("every tensor is dropped: nothing is left to encode")
    check_options(options, [tensor.name for tensor in source.tensors])
    check_dump(source.metadata, source.tensors)
    asked = (quality, *rules.qualities)
    if options.transform == "neural":
        profile = profile or Profile.load(NEURAL)
        if any(one.max_error is not None for one in asked):
            raise InvalidInput("the neural transform bounds no single error; use transform='auto'")
        if any(one.row_snr is not None for one in asked):
            raise InvalidInput("the neural transform has no SNR of rows; use transform='auto'")
    elif profile and not profile.entries:
        raise InvalidInput("the profile holds a network alone: add transform='neural'")
    if any(one.task_snr for one in asked) and not (profile and profile.entries_of(task=True)):
        raise InvalidInput(
            "a task SNR needs a profile with the metric of a task, such as"
            " `featcodec train --head` makes"
        )
    if quality.recommended and not _recommending(profile):
        quality = replace(quality, recommended=False)
    if quality.max_error is not None:
        options = replace(options, pool=True)  # a bound holds for each value anyhow
    serves = not quality.lossless and quality.max_error is None
    known = Familiar(profile if serves else None, quality.snr, options)
    group = partial(grouped, source, quality, options, growing)
    groups = group(profile if serves else None, known)
    check_features(groups)
    encoder = DumpEncoder(source, out, quality, profile, options, groups, progress, familiar=known)
    foreign = [g for g in groups if isinstance(g, Group) and not known(g)]
    if profile and serves and options.transform != "neural" and foreign:
        others = group(None)
        encoder.others = others if kinds(others) != kinds(groups) else ()
    return encoder


@dataclass
class DumpEncoder:
    """A dump whose tensors have been grouped, and the file it goes to."""

    source: Source
    out: BinaryIO
    quality: Quality
    profile: Profile | None
    options: Options
    groups: Sequence[Group | ExactGroup]
    progress: Callable[[int], None] | None = None
    others: Sequence[Group | ExactGroup] = ()  # as they are without the profile, where they differ
    familiar: Familiar | None = None
    workers: Workers = field(default_factory=Workers)
    features: FeatureEncoder = field(init=False)  # of the last time that the file was written

    def shared_among(self, workers: Workers) -> None:
        """Have processes share the row groups of large groups; a network is for this one alone."""
        if self.options.transform == "neural":
            return
        self.workers = workers
        self.groups, self.others = (
            [workers.shared(group) if isinstance(group, Group) else group for group in groups]
            for groups in (self.groups, self.others)
        )

    def run(self) -> Report:
        """Write the file, at a rate as often as that takes.

        Tensors that a profile lets group otherwise are grouped as without it, if that is smaller.
        Few values are also grouped and written bit for bit: each group less saves some 50 bytes.
        """
        if self.quality.bpfp is not None:
            return at_rate(lambda snr: self.encode(_at(snr, self.profile)), self.quality.bpfp)
        report = self.encode(self.quality)
        if report.values <= FEW_VALUES:
            exact = exact_groups(self.source, self.options)
            self.others = self.others or (exact if len(exact) < len(self.groups) else ())
        return self._smaller(report) if self.others else report

    def _smaller(self, report: Report) -> Report:
        """Write the other groups, too, and keep the smaller file."""
        kept = (self.out, self.features, self.groups)
        with tempfile.TemporaryFile() as spare:
            self.out, self.groups = spare, self.others
            other = self.encode(self.quality)
            if other.output_bytes > report.output_bytes:
                self.out, self.features, self.groups = kept
                return report
            self.out = kept[0]
            self.out.seek(0)
            self.out.truncate()
            spare.seek(0)
            shutil.copyfileobj(spare, self.out)
        return other

    def encode(self, quality: Quality) -> Report:
        """Write the whole file at one quality, over what was written before."""
        self.out.seek(0)
        self.out.truncate()
        writer = Writer(self.out, FEATURES)
        writer.index.metadata = self.source.metadata
        values = sum(group.values for group in self.groups if isinstance(group, Group))
        self.features = FeatureEncoder(
            writer,
            self.profile,
            self.options,
            self.progress,
            self.workers,
            self.familiar,
            small=values <= tuning.WRITTEN_VALUES,
        )
        headers = [
            self.features.write(group, quality)
            if isinstance(group, Group)
            else write_exact(writer, group, self.progress)
            for group in self.groups
        ]
        for header in headers:
            writer.section(b"GRUP", header.pack())
        groups = as_written(self.groups, headers)
        self._write_beside(writer)
        writer.index.tensors, writer.index.cuts = entries_of(self.source.tensors, groups)
        qualities, warned = self._qualities(writer, groups, headers)
        rules = Rules(self.options.rules)
        size = writer.finish()
        given = None if self.options.transform == "neural" else self.profile  # it has one anyhow
        return Report(
            self.source.data_bytes,
            size,
            sum(math.prod(t.shape) for t in self.source.tensors),
            min((h.snr_db for h in headers), default=math.inf),
            tuple(described(g, h) for g, h in zip(groups, headers, strict=True)),
            remarks=(
                *warned,
                *suspicious(groups, headers, self._tried, self.features.with_profile),
                *unused(given, [rules.of(name) or quality for name in self._floats]),
                *complex_numbers(groups, headers, lambda name: rules.of(name) or quality),
                *without_metric(groups, headers, quality),
                *self._followed(quality, headers),
                *outweighed(writer.index.sections, size, self.options.embed and self.profile),
            ),
            lowest=Lowest.of(groups, qualities, self._names),
            task_snr_db=min((h.task_snr for h in headers if h.task_snr is not None), default=None),
            by_name=bytes_by_name(groups, headers, writer.index.sections),
        )

    @property
    def _floats(self) -> list[str]:
        """The names of the tensors of floats."""
        return [tensor.name for tensor in self.source.tensors if tensor.dtype in FLOATS]

    @property
    def _tried(self) -> Profile | None:
        """The profile, where all of its entries for SNRs of values were tried."""
        quality = self.quality
        others = (quality.max_error, quality.row_snr, quality.task_snr, quality.lossless or None)
        if self.profile is None or self.options.transform != "auto" or any(others):
            return None
        return self.profile if self.profile.entries_of(task=False) else None

    def _followed(self, quality: Quality, headers: Sequence[GroupHeader]) -> list[str]:
        """Return a line for each task whose recommended SNR was taken."""
        if not quality.recommended or all(header.task_snr is None for header in headers):
            return []
        return [f"at the task SNR recommended for {task}" for task in _recommending(self.profile)]

    @property
    def _names(self) -> list[str]:
        return [tensor.name for tensor in self.source.tensors]

    def _qualities(
        self, writer: Writer, groups: Sequence[Group | ExactGroup], headers: Sequence[GroupHeader]
    ) -> tuple[list[GroupQuality], list[str]]:
        """Measure what was written, and state it where that takes next to nothing of the file.

        Return it with a line on each low SNR that a mean hides: then it may take more.
        """
        numbers = {name: i for i, name in enumerate(self._names)}
        worst = Worst(writer, self.profile, numbers, self.workers, self.features.measured)
        found = worst.of(groups, headers)
        lines = list(hidden(groups, headers, found, self._names))
        lines += erased(groups, headers, worst.erased)
        payload = pack(found)
        if (len(payload) + SECTION_BYTES) * (WARNED if lines else STATED) <= writer.position:
            writer.section(SECTION, payload)
        return found, lines

    def _write_beside(self, writer: Writer) -> None:
        """Write what a decoder can do without: the profile, and how the file was made."""
        if self.options.embed and self.profile and self.profile.digest in writer.index.profiles:
            writer.section(b"prof", self.profile.data)
        if self.options.note:
            writer.section(b"made", self.options.note.encode())


def check_options(options: Options, names: Sequence[str]) -> None:
    """Raise InvalidInput for a transform that there is not, or a tensor that the dump lacks."""
    if options.transform not in FAMILIES:
        raise InvalidInput(f"transform {options.transform!r}: use one of {', '.join(FAMILIES)}")
    for what, asked in (("layout", options.layouts), ("architecture", options.architectures)):
        for name in asked:
            if name and name not in names:
                raise InvalidInput(f"{what} {asked[name]!r}: {no_tensor('the dump', name, names)}")


def _recommending(profile: Profile | None) -> list[str]:
    """Return the tasks for which a profile recommends an SNR."""
    entries = profile.entries if profile else ()
    return list(dict.fromkeys(str(entry.task) for entry in entries if entry.recommended))


def _at(snr: float, profile: Profile | None) -> Quality:
    """Return the quality by which a rate is met: the task SNR where a profile has a metric."""
    if profile and profile.entries_of(task=True):
        return Quality(task_snr=snr)
    return Quality(snr=snr)
