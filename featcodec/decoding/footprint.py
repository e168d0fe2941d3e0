"""How much memory decoding takes at most, from the sizes that a file states, before it is taken."""

from collections.abc import Iterable

from ..elements import nbytes
from ..errors import LimitExceeded
from ..memory import shown
from .members import Members

# Bytes at most, measured with tracemalloc on row groups of every mode (tests/test_memory.py).
LOSSY = 80  # for each value of a row group; 61 where it is predicted, 8 to 33 otherwise
NEURAL = 640  # for each value too, of the layers of a network: reckoned, not measured
EXACT = 12  # for each byte of a row group that is coded bit for bit; 3 to 7
MODEL = 24  # for each number of the matrices of a model


def of_group(group: Members) -> int:
    """Return what decoding one row group of a group takes at most, its models included."""
    header = group.header
    if header.lossy is None:
        return EXACT * nbytes(header.dtype, group.per * group.largest_slab)
    each = NEURAL if header.lossy.neural else LOSSY
    taken = each * group.per * group.largest_slab
    most = sum(entry.values for entry in group.entries)
    return min(taken, each * most) + MODEL * group.model_numbers


def check(
    name: str, groups: Iterable[Members], arrays: int, limit: int, processes: int = 1
) -> None:
    """Raise LimitExceeded, which says what to do, when decoding would take more than `limit`.

    `arrays` is the size in bytes of what is returned in memory; each of the processes holds a row
    group at a time.
    """
    largest = max(groups, key=of_group, default=None)
    working = 0 if largest is None else of_group(largest) * processes
    if arrays + working <= limit:
        return
    parts = [f"{shown(arrays)} of arrays"] * bool(arrays)
    if largest is not None:
        many = f"{processes} x " if processes > 1 else ""
        parts.append(f"{many}{shown(of_group(largest))} for a row group of tensor"
                     f" {largest.entries[0].name!r}")  # fmt: skip
    enough = shown(arrays + working, up=True).replace(" ", "")
    raise LimitExceeded(
        f"{name} takes {shown(arrays + working)} of memory to decode ({', '.join(parts)}), more"
        f" than the limit of {shown(limit)}: allow it with memory='{enough}'"
    )
