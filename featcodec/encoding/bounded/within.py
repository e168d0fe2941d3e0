"""One group of features within a bound on the error, in the fewest bytes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ... import modes
from ...container.group import GroupHeader
from ...container.writer import Writer
from ...entropy.prediction import PredictionError
from ...modes.search import ModeSearch
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
    """Write a group so that no value errs by more than the bound, in the fewest bytes.

    Weights of an interpolation fit the sample better than the rest: what they win by, files tell.
    """
    writer, searches = row_groups().writer, modes.searches()
    start, contest = writer.position, Contest(writer)

    def bounded() -> Outcome:
        return Outcome.of(writer, start, _bounded(bound, samples, row_groups, searches))

    contest.enter(bounded)
    lossy = contest.best.header.lossy if contest.best else None
    if lossy is not None and lossy.transform == "interpolated":
        searches.remove(modes.search_of("interpolated"))
        contest.enter(bounded)
    contest.enter(lambda: _rounded(bound, samples, writer))
    return contest.surely_kept().header


def _rounded(bound: float, samples: Samples, writer: Writer) -> Outcome | None:
    """Write a group rounded; None without errors, as then it is to be kept bit for bit."""
    start, (squared, largest) = writer.position, error_of(samples.group, bound)
    if not largest:
        return None
    header = write_rounded(writer, samples.group, bound)
    power = samples.stats.count * samples.stats.std**2
    header = replace(header, snr_db=decibels(power, squared), max_error=largest)
    return Outcome.of(writer, start, header)


def _bounded(
    bound: float, samples: Samples, row_groups: RowGroups, searches: Sequence[ModeSearch]
) -> GroupHeader:
    writer = row_groups().writer
    mark = writer.mark()
    try:
        return _written(bound, samples, bounded_choice(samples, bound, searches), row_groups())
    except PredictionError:  # what holds for the sample fails elsewhere beyond all bounds
        writer.rewind(mark)
        choice = bounded_choice(samples, bound, [modes.search_of("none")])
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
