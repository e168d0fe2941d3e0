"""Whether a group is coded without repeated and constant rows: where that pays (SPEC §5.4)."""

from collections.abc import Callable

from .. import limits
from ..align.repeats import Rows
from ..container.group import GroupHeader
from ..container.wire import Builder
from ..container.writer import Writer

# A repeated row costs at least such a part of what others do: where that is more than saying which
# row it is, coding it need not be tried.
LEAST_COST = 1 / 8
# So much it may cost that constant rows come back exactly.
EXACT_COST, EXACT_BYTES = 1 / 50, 64


def without_repeats(
    writer: Writer,
    rows: Rows,
    reduced: Callable[[], GroupHeader],
    whole: Callable[[], GroupHeader],
) -> GroupHeader:
    """Write a group without repeated rows, or whole when that is smaller."""
    mark = writer.mark()
    header = reduced()
    rounded = header.lossy is None and not header.exact  # which finds repeated rows of its own
    if header.repeats is None and not rounded:
        return header
    size, fits = size_of(writer, mark[0], header), True
    if header.repeats is not None and not rounded:
        listed = Builder()
        header.repeats.pack(listed)
        again = rows.values / rows.kept_values - 1
        fits = rows.values <= header.row_groups * limits.ROW_GROUP_VALUES
        fits &= rows.count <= header.row_groups * limits.REPEAT_ROWS
        exact = header.repeats.constants and len(listed) < size * EXACT_COST + EXACT_BYTES
        if fits and (exact or (size - len(listed)) * again * LEAST_COST > len(listed)):
            return header
    writer.rewind(mark)
    other = whole()
    if not fits or size_of(writer, mark[0], other) <= size:
        return other
    writer.rewind(mark)
    return reduced()


def size_of(writer: Writer, start: int, header: GroupHeader) -> int:
    """Return the bytes of a group that was written from a position on, with its header."""
    return writer.position - start + len(header.pack())
