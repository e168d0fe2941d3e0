"""`suggest` without a task: what other networks lost at each SNR, and what dumps take there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from ..errors import InvalidInput
from . import batch, render
from .progress import Progress, terminal

if TYPE_CHECKING:
    from ..request import Options

DUMPS, BYTES = 4, 4 << 20  # that are encoded, and of each of them
NO_FEATURES = "holds no features: whatever the quality is, all of it is kept bit for bit"
SHOWN = (5.0, 10.0, 20.0, 30.0)  # dB that are, beside the least: those of README
COUNTS = [attrgetter(name) for name in ("output_bytes", "input_bytes", "values")]


def by_measurements(
    dumps: Sequence[str], keep: float, options: "Options", quiet: bool, jobs: int
) -> tuple[float, list[str]]:
    """Return the least SNR at which measured tasks kept up, and what the dumps take beside it.

    What they take is left out where nobody reads it: they are encoded for that alone.
    """
    from ..training import measured

    least = measured.least(keep)
    if least is None:
        raise InvalidInput(f"no SNR kept all measured tasks within {keep:g}; give a --task")
    if quiet:
        for path in dumps:
            check(path)
        return least.snr, []
    rows = [["SNR", "bits a value", "times smaller", "tasks kept", "points lost", "at worst"]]
    shown = [one for one in measured.measured() if one.snr in (*SHOWN, least.snr)]
    taken = sizes(dumps, [one.snr for one in shown], options, jobs)
    for one, (bpfp, smaller) in zip(shown, taken, strict=True):
        kept = f"{one.kept(keep)} of {len(one.losses)}"
        lost = (f"{100 * loss:.1f}" for loss in (one.mean, one.worst))
        rows.append([f"{one.snr:g} dB", f"{bpfp:.3f}", f"{smaller:.1f}", kept, *lost])
    tasks = len(least.losses)
    return least.snr, [
        *marked(rows, f"{least.snr:g} dB"),
        f"{least.snr:g} dB is the least SNR at which all of {tasks} tasks lost at most {keep:g}, on"
        " features of other networks.",
        "Their 50 to 600 samples leave a point or two to chance, and yours is none of them:"
        " --task or --head measures it.",
    ]


@dataclass(frozen=True)
class Part:
    """The first part of a dump, to be encoded at an SNR in dB, to nowhere."""

    source: str
    snr: float
    options: "Options"
    target: str = ""


@dataclass(frozen=True)
class Taken:
    """What a part took, in bytes, of how many, and of how many values."""

    output_bytes: int
    input_bytes: int
    values: float


def sizes(
    dumps: Sequence[str], snrs: Sequence[float], options: "Options", jobs: int
) -> list[tuple[float, float]]:
    """Return bits a value, and times smaller, of the first parts of some dumps at each SNR."""
    some = dumps[:: -(-len(dumps) // DUMPS)]
    tasks = [Part(path, snr, options) for snr in snrs for path in some]
    progress = Progress(len(tasks), 0, terminal(True))
    found: dict[float, list[Taken]] = {}
    try:
        for task, result in batch.run(encoded, tasks, jobs, True, progress):
            if isinstance(result, Exception):
                raise result
            found.setdefault(task.snr, []).append(result)
    finally:
        progress.clear()
    together = [[sum(map(of, found[snr])) for of in COUNTS] for snr in snrs]
    return [(8 * out / values if values else 0.0, read / out) for out, read, values in together]


def encoded(part: Part) -> Taken:
    """Encode a part; raise InvalidInput for one without features."""
    import io

    from ..dumps import Dump
    from ..encoding.dump import encode
    from ..request import Quality
    from .estimate import Head

    with Dump(part.source) as dump:
        head = Head(dump, min(BYTES / max(dump.data_bytes, 1), 1.0))
        report = encode(head, io.BytesIO(), Quality(snr=part.snr), None, part.options)
    if math.isinf(report.snr_db):
        raise InvalidInput(f"{part.source} {NO_FEATURES}")
    values = 8 * report.output_bytes / report.bpfp if report.bpfp else 0.0
    return Taken(report.output_bytes, head.data_bytes, values)


def check(path: str) -> None:
    """Raise InvalidInput for a dump that nothing of can be features."""
    from ..dumps import Dump
    from ..elements import FLOATS

    with Dump(path) as dump:
        if not any(one.dtype in FLOATS and math.prod(one.shape) > 1 for one in dump.tensors):
            raise InvalidInput(f"{path} {NO_FEATURES}")


def marked(rows: list[list[str]], chosen: str) -> list[str]:
    """Return a table in which the row of what was chosen is marked."""
    lines = render.table(rows, set(range(len(rows[0]))))
    for number, row in enumerate(rows):
        lines[number] += "  <-" * (row[0] == chosen)
    return lines
