"""One group of features within a bound on the error, in the fewest bytes."""

from collections.abc import Callable
from dataclasses import replace

from ...container.group import GroupHeader
from ...container.writer import Writer
from ...entropy.prediction import PredictionError
from ..choice import Choice
from ..contest import Contest
from ..group_writer import GroupWriter
from ..outcome import Outcome
from ..reached import decibels
from ..tensors.samples import Samples
from .choice import bounded_choice
from .rounded import error_of, write_rounded

RowGroups = Callable[[], GroupWriter]


def write_within(bound: float, samples: Samples, row_groups: RowGroups) -> GroupHeader:
    """Write a group so that no value errs by more than the bound, in the fewest bytes."""
    writer = row_groups().writer
    start, contest = writer.position, Contest(writer)
    contest.enter(lambda: Outcome.of(writer, start, _bounded(bound, samples, row_groups)))
    contest.enter(lambda: _rounded(bound, samples, writer))
    found = contest.kept()
    assert found is not None
    return found.header


def _rounded(bound: float, samples: Samples, writer: Writer) -> Outcome | None:
    """Write a group rounded; None without errors, as then it is to be kept bit for bit."""
    start, (squared, largest) = writer.position, error_of(samples.group, bound)
    if not largest:
        return None
    header = write_rounded(writer, samples.group, bound)
    power = samples.stats.count * samples.stats.std**2
    header = replace(header, snr_db=decibels(power, squared), max_error=largest)
    return Outcome.of(writer, start, header)


def _bounded(bound: float, samples: Samples, row_groups: RowGroups) -> GroupHeader:
    writer = row_groups().writer
    mark = writer.mark()
    try:
        return _written(bound, samples, bounded_choice(samples, bound), row_groups())
    except PredictionError:  # what holds for the sample fails elsewhere beyond all bounds
        writer.rewind(mark)
        choice = bounded_choice(samples, bound, only_plain=True)
        return _written(bound, samples, choice, row_groups())


def _written(
    bound: float, samples: Samples, choice: Choice, row_groups: GroupWriter
) -> GroupHeader:
    written = row_groups.write(choice, True, bound)
    distortion, lossy = written.distortion, written.header.lossy
    assert lossy is not None
    return replace(
        written.header,
        snr_db=decibels(choice.stats.count * choice.stats.std**2, distortion.squared),
        max_error=distortion.largest,
        lossy=replace(lossy, clipped=distortion.exceptions),
    )
