"""Whether a group is coded without repeated and constant rows: where that pays (SPEC §5.4)."""

from collections.abc import Callable

from .. import limits
from ..align.repeats import Rows
from ..container.wire import Builder
from ..container.writer import Writer
from .contest import Contest
from .outcome import Outcome

# A repeated row costs at least such a part of what others do: where that is more than saying which
# row it is, coding it need not be tried.
LEAST_COST = 1 / 8
# Bit for bit, whole tensors may be coded in other ways: fewer repeated rows are not sure to pay.
SURELY = 1 / 2
# So much it may cost that constant rows come back exactly.
EXACT_COST, EXACT_BYTES = 1 / 50, 64


def without_repeats(
    writer: Writer,
    rows: Rows,
    reduced: Callable[[], Outcome],
    whole: Callable[[], Outcome],
    exact: Callable[[], Outcome],
) -> Outcome:
    """Write a group without repeated rows, or whole when that is smaller.

    What comes out bit for bit is compared with the whole so: with loss, constant rows would count.
    """
    mark, contest = writer.mark(), Contest(writer)
    contest.enter(reduced)
    found = contest.best
    assert found is not None
    header, size, fits = found.header, found.size, True
    rounded = header.lossy is None and not header.exact  # which finds repeated rows of its own
    if header.repeats is None and not rounded:
        return found
    if header.repeats is not None and not rounded:
        listed = Builder()
        header.repeats.pack(listed)
        again = rows.values / rows.kept_values - 1
        unsure = header.lossy is None and rows.kept_values > SURELY * rows.values
        fits = rows.values <= header.row_groups * limits.ROW_GROUP_VALUES
        fits &= rows.count <= header.row_groups * limits.REPEAT_ROWS
        cheap = header.repeats.constants and len(listed) < size * EXACT_COST + EXACT_BYTES
        clear = cheap or (size - len(listed)) * again * LEAST_COST > len(listed)
        if fits and clear and not unsure:
            return found
    if not fits:
        writer.rewind(mark)
        return whole()
    contest.enter(exact if header.exact else whole)
    return contest.kept() or found
