"""A dump to a file: groups chosen, coded row group by row group, measured."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from ..align.layout import Layout, remarks
from ..align.value import Spread
from ..coding.profile import Profile
from ..container.dump import check_dump
from ..container.group import GroupHeader
from ..container.index import TensorEntry
from ..container.sections import FEATURES, V4
from ..container.writer import Writer
from ..elements import BITS, FLOATS, PRECISION
from ..entropy import exact
from ..entropy.prediction import PredictionError
from ..errors import InvalidInput, Unreachable
from ..profiles import NEURAL
from ..request import Options, Quality, SampleSizes
from ..tensors import Source
from .bounded.choice import bounded_choice, fine_choice
from .choice import Choice
from .group_writer import GroupWriter, Written
from .network import as_tokens, neural_choice
from .rate_control.control import next_snr, next_step, stricter
from .room import check_features
from .search.race import Race
from .tensors.group import Group
from .tensors.grouping import LosslessGroup, group_tensors
from .tensors.samples import Samples

LOSSLESS_VALUES = 1 << 20
CLOSE = 1.002  # of the bits: estimates are no better than that
WORTHWHILE = 0.5  # of the elements' bits: above that, coding bit for bit may be smaller
FAINT = 1e-150  # a deviation below, or a value above its inverse, is not coded with loss
FARTHEST = 10  # standard deviations of the error, that a decoded value may lie beyond the bounds
NEGLIGIBLE = 0.002  # of the squared error: what rounding may add without being measured
COARSE = (
    0.1  # of the error's deviation: what two numbers differ by where rounding may repeat itself
)
FINE_ABOVE = 32.0  # dB, from where split symbols may do better than contexts,
CLEARLY = 0.99  # by so much at least
CHOICES = ("auto", "none", "context", "linear", "neural")
TOLERANCE = 0.05  # dB above the wanted SNR
STEPS, REFINEMENTS = 5, 7  # attempts at the step, then at the thresholds


@dataclass(frozen=True)
class Report:
    """What encoding a dump came to."""

    input_bytes: int
    output_bytes: int
    values: int
    snr_db: float  # of the worst group; infinite when nothing was lost
    choices: tuple[str, ...] = ()  # a line on each group
    remarks: tuple[str, ...] = ()  # a line on each key of the metadata that was ignored

    @property
    def bpfp(self) -> float:
        return 8 * self.output_bytes / self.values if self.values else 0.0


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
    if options.transform not in CHOICES:
        raise InvalidInput(f"transform {options.transform!r}: use one of {', '.join(CHOICES)}")
    check_names(options, [tensor.name for tensor in source.tensors])
    check_dump(source.metadata, source.tensors)
    if options.transform == "neural":
        profile = profile or Profile.load(NEURAL)
        if quality.max_error is not None:
            raise InvalidInput("the neural transform bounds no single error; use --transform auto")
    elif profile and not profile.entries:
        raise InvalidInput("the profile holds a network alone: add --transform neural")
    with np.errstate(all="ignore"):  # NaN and extremes are data here; what comes of it is measured
        groups = group_tensors(source, options, quality.lossless)
        check_features(groups)
        encoder = _Encoder(
            source, out, profile, options.transform, groups, options.samples, progress
        )
        report = encoder.once(quality) if quality.bpfp is None else encoder.at_rate(quality.bpfp)
    return replace(report, remarks=_remarks(source, options, groups))


def _remarks(
    source: Source, options: Options, groups: Sequence[Group | LosslessGroup]
) -> tuple[str, ...]:
    """Return what was ignored of the metadata that options do not overrule."""
    overruled = {"layout": options.layouts, "architecture": options.architectures}
    metadata = source.metadata or {}
    asked = {k: text for k, text in metadata.items() if "" not in overruled.get(k, ())}
    shapes = {shape for group in groups if isinstance(group, Group) for shape in group.shapes}
    return tuple(remarks(asked, shapes)) if shapes else ()


@dataclass
class _Encoder:
    source: Source
    out: BinaryIO
    profile: Profile | None
    transform: str
    groups: Sequence[Group | LosslessGroup]
    sizes: SampleSizes
    progress: Callable[[int], None] | None = None

    def once(self, quality: Quality) -> Report:
        """Write the whole file at one quality."""
        self.out.seek(0)
        self.out.truncate()
        writer = Writer(self.out, FEATURES)
        writer.index.metadata = self.source.metadata
        headers = []
        for group in self.groups:
            if isinstance(group, LosslessGroup):
                headers.append(_lossless(writer, group))
            else:
                headers.append(self._features(writer, group, quality))
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
            tuple(_describe(g, h) for g, h in zip(self.groups, headers, strict=True)),
        )

    def at_rate(self, bpfp: float) -> Report:
        """Write the file at the highest common SNR whose rate is at most `bpfp`."""
        low: tuple[float, float] | None = None  # (snr, bpfp) below the wanted rate, and above it
        high: tuple[float, float] | None = None
        snr = min(max(6.02 * bpfp + 2, 1.0), 60.0)
        for _ in range(14):
            report = self.once(Quality(snr=snr))
            point = (snr, report.bpfp)
            if 0.98 * bpfp <= report.bpfp <= bpfp:
                return report
            if math.isinf(report.snr_db) and report.bpfp <= bpfp:
                return report  # nothing is lost any more: there is no higher rate to go to
            low, high = (point, high) if report.bpfp < bpfp else (low, point)
            snr = next_snr(low, high, 0.99 * bpfp)
            if snr < 0.02:
                break
        if low is None:
            raise Unreachable(
                f"{bpfp:g} bpfp cannot be reached: at {high[0] if high else 0:.2f} dB the file"
                f" still takes {high[1] if high else 0:.3g}; ask for more bits"
            )
        return self.once(Quality(snr=low[0]))

    def _features(self, writer: Writer, group: Group, quality: Quality) -> GroupHeader:
        """Write the row groups of a group of features; bit for bit where that is smaller."""
        if quality.max_error is not None:
            samples = Samples(group, self.sizes)
            if not sane(samples.spread):
                return _lossless(writer, LosslessGroup.of(group))
            bound = quality.max_error
            return self._smaller(writer, group, lambda: self._bounded(writer, samples, bound))
        assert quality.snr is not None
        if quality.snr > PRECISION[group.dtype].exact_above:
            return _lossless(writer, LosslessGroup.of(group))
        if self.transform == "neural":
            return self._neural(writer, as_tokens(group), quality.snr)
        entries = list(enumerate(self.profile.entries)) if self.profile else []
        if self.transform == "context" and (len(group.grids[0]) != 2 or group.layout.prefix):
            raise InvalidInput(f"{group.names[0]}: contexts need maps of rows and columns")
        samples, snr = Samples(group, self.sizes), quality.snr
        race = Race(samples, entries, self.transform, snr)
        found = race.run() if sane(samples.spread) else None
        if found is not None and found.transforms and entries and group.values <= self.sizes.whole:
            # All is known of a small group, so that a profile need never cost anything.
            without = Race(samples, [], self.transform, snr).run()
            if without is not None and without.bits < CLOSE * found.bits:
                found = without
        if found is None:
            return _lossless(writer, LosslessGroup.of(group))
        if samples.sparse and snr > FINE_ABOVE and self.transform == "auto":
            fine = fine_choice(samples, snr)
            found = fine if fine.bits < CLEARLY * found.bits else found
        return self._smaller(writer, group, lambda: self._at_snr(writer, samples, found, snr))

    def _neural(self, writer: Writer, group: Group, snr: float) -> GroupHeader:
        assert self.profile is not None
        samples = Samples(group, self.sizes)
        if not sane(samples.spread):
            return _lossless(writer, LosslessGroup.of(group))
        choice = neural_choice(samples, self.profile.neural, snr)
        return self._smaller(writer, group, lambda: self._at_snr(writer, samples, choice, snr))

    def _smaller(
        self, writer: Writer, group: Group, lossy: Callable[[], GroupHeader | None]
    ) -> GroupHeader:
        """Write a group with loss, or bit for bit when that is no larger."""
        mark = writer.mark()
        header = lossy()
        size = writer.position - mark[0]
        if header is not None and 8 * size < WORTHWHILE * BITS[group.dtype] * group.values:
            return header
        writer.rewind(mark)
        exact = _lossless(writer, LosslessGroup.of(group))
        if header is None or writer.position - mark[0] <= size:
            return exact
        writer.rewind(mark)
        again = lossy()
        assert again is not None
        return again

    def _at_snr(
        self, writer: Writer, samples: Samples, choice: Choice, snr: float
    ) -> GroupHeader | None:
        """Write the row groups so that the SNR is reached; None when that cannot be."""
        signal = choice.spread.count * choice.spread.std**2
        budget = signal / 10 ** ((snr + TOLERANCE / 3) / 10)
        measured = _rounded(samples, choice, snr)
        mark = writer.mark()
        row_groups = GroupWriter(writer, samples.group, self.profile, self.progress)
        tried: list[tuple[Choice, float]] = []
        steps: list[tuple[float, float]] = []  # logarithms of what the row groups had on average
        for attempt in range(STEPS + REFINEMENTS):
            written = row_groups.write(choice, measured, budget=budget)
            reached = _snr(signal, written.distortion.squared)
            last = attempt == STEPS + REFINEMENTS - 1
            if snr <= reached and (reached <= snr + TOLERANCE or last or choice.coarsest):
                if not measured and _rounded(samples, choice, reached):
                    measured = True  # so far above what was asked, rounding counts
                    writer.rewind(mark)
                    written = row_groups.write(choice, measured, budget=budget)
                    reached = _snr(signal, written.distortion.squared)
                if snr <= reached:
                    return replace(written.header, snr_db=reached)
            writer.rewind(mark)
            tried.append((choice, reached))
            steps.append((math.log(written.mean_step), reached))
            enough = [pair for pair in tried if pair[1] >= snr]
            if last:
                break
            if attempt >= STEPS - 1 and not enough:
                # Hardly any latent is coded, and the SNR follows the step in leaps.
                choice = replace(choice, step=choice.step * 0.7, on_spike=False)
                continue
            if attempt == STEPS + REFINEMENTS - 2 and enough:
                choice = min(enough, key=lambda pair: pair[1])[0]
            elif choice.on_spike or (attempt >= STEPS - 1 and choice.network is None):
                choice = stricter(tried, snr)
            else:
                choice = replace(choice, step=next_step(steps, snr + TOLERANCE / 3))
        return None

    def _bounded(self, writer: Writer, samples: Samples, bound: float) -> GroupHeader:
        mark = writer.mark()
        choice = bounded_choice(samples, bound)
        try:
            written = self._within(writer, samples.group, choice, bound)
        except PredictionError:  # what holds for the sample fails elsewhere beyond all bounds
            writer.rewind(mark)
            choice = bounded_choice(samples, bound, only_plain=True)
            written = self._within(writer, samples.group, choice, bound)
        distortion = written.distortion
        signal = choice.spread.count * choice.spread.std**2
        assert written.header.lossy is not None
        return replace(
            written.header,
            snr_db=_snr(signal, distortion.squared),
            max_error=distortion.largest,
            lossy=replace(written.header.lossy, clipped=distortion.exceptions),
        )

    def _within(self, writer: Writer, group: Group, choice: Choice, bound: float) -> Written:
        return GroupWriter(writer, group, None, self.progress).write(choice, True, bound)


def _lossless(writer: Writer, group: LosslessGroup) -> GroupHeader:
    first = len(writer.index.sections)
    coder = exact.Encoder(group.dtype in FLOATS, group.rasters)
    for start in range(0, group.elements, LOSSLESS_VALUES):
        numbers = group.read(start, min(start + LOSSLESS_VALUES, group.elements))
        payload = coder.encode(numbers)
        if exact.refined(payload):
            writer.needs(V4)
        writer.section(b"ROWS", payload)
    return GroupHeader(group.dtype, group.elements, LOSSLESS_VALUES, first, math.inf, 0.0)


def _describe(group: Group | LosslessGroup, header: GroupHeader) -> str:
    """Return what was chosen for a group, for a person."""
    names = group.names[0] if len(group.names) == 1 else f"{group.names[0]} .. {group.names[-1]}"
    if header.lossy is None:
        reasons = group.reasons if isinstance(group, LosslessGroup) else ()
        why = f" ({', '.join(reasons)})" if reasons else ""
        return f"{names}: {header.dtype}, bit for bit{why}"
    lossy, part = header.lossy, header.lossy.parts[0]
    profile = lossy.neural or part.model is None
    origin = "of the profile" if profile else "of its own"
    layout = Layout(lossy.layout, lossy.prefix, lossy.grid)
    cut = f", {lossy.clipped} values kept exactly" if lossy.clipped else ""
    return (
        f"{names}: {header.dtype} {layout} {lossy.architecture}, {lossy.transform} {origin},"
        f" step {lossy.step:.4g}, {header.snr_db:.2f} dB{cut}"
    )


def sane(spread: Spread) -> bool:
    """Return whether there is something to code, of a size that double precision can square."""
    return spread.count > 0 and spread.std > FAINT and spread.reach < 1 / FAINT


def _rounded(samples: Samples, choice: Choice, snr: float) -> bool:
    """Return whether decoded values err otherwise than their latents, by more than is negligible.

    Values are corrected, rounded to their type, and kept within its range.
    """
    if choice.clamp or choice.curve is not None:
        return True
    spread = samples.spread
    precision = PRECISION[samples.group.dtype]
    square = (spread.mean**2 + spread.std**2) * precision.relative**2 + precision.least**2
    noise = 10 ** (-snr / 10)
    if square / 12 / choice.values.std**2 > NEGLIGIBLE * noise:
        return True
    error = spread.std * math.sqrt(noise)
    if spread.reach + FARTHEST * error > precision.largest:
        return True
    return precision.relative * spread.reach > COARSE * error and samples.peaked


def _snr(signal: float, noise: float) -> float:
    return 10 * math.log10(signal / noise) if noise > 0 else math.inf


def check_names(options: Options, names: Sequence[str]) -> None:
    """Raise InvalidInput when an option names a tensor that the dump does not have."""
    for what, asked in (("layout", options.layouts), ("architecture", options.architectures)):
        for name in asked:
            if name and name not in names:
                raise InvalidInput(f"--{what} names tensor {name!r}, which the dump does not have")
