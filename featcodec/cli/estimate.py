"""`--dry-run`: what would be done, and an estimate of size and time from samples."""

import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInput
from ..outputs import exists
from ..stores import is_uri
from . import batch, failures, render, streams
from .targets import Planned

if TYPE_CHECKING:
    from ..tensors import Source, Tensor

SAMPLES, SECONDS = 16, 30.0  # inputs that are looked at, at most, and after which no more are
# Bytes of all samples, about, and of one at least: less says little of how much the rest takes.
ROOM, LEAST = 2 << 20, 1 << 18


@dataclass(frozen=True)
class Sample:
    """What came of a part of an input."""

    share: float  # of the input
    looked_at: float  # bytes of tensors
    output_bytes: float
    seconds: float


Measure = Callable[[Any, int], Sample]  # of a task, by so many bytes at most


def show(
    planned: Sequence[Planned],
    tasks: Sequence[Any],
    jobs: int,
    standing: Callable[[Any], Any],
    measure: Measure,
) -> int:
    """Say what would become of each input, then what of all; return the exit status."""
    statuses = [
        failures.say(InvalidInput(f"{one.source} {one.error}"), one.source, False)
        for one in planned
        if one.error
    ]
    wanted, skipped = [], 0
    for task in tasks:
        found = failures.attempt(would, (task, standing))
        if isinstance(found, Exception):
            statuses.append(failures.say(found, task.source, False))
        elif isinstance(found, batch.Skipped):
            skipped += 1
            render.show(f"{task.source}: skipped, {found.why}")
        else:
            wanted.append(task)
            render.show(f"{task.source} -> {task.target}")
    total = sum(batch.size_of(task.source) for task in wanted)
    parts = [f"{len(wanted):,} of {render.count(len(planned), 'input')}: {render.size(total)}"]
    parts += [estimated(wanted, total, jobs, measure)]
    parts += [f"{skipped:,} skipped"] * bool(skipped)
    parts += [f"{len(statuses):,} cannot be done"] * bool(statuses)
    if planned:
        render.tell("; ".join(filter(None, parts)))
    return failures.status_of(statuses, len(planned))


def would(asked: tuple[Any, Callable[[Any], Any]]) -> Any:
    """Return None for a task that would be done, or why not; raise what it would fail with."""
    task, standing = asked
    here = not is_uri(task.source) and task.source != streams.STREAM
    if here and not os.access(task.source, os.R_OK):
        raise InvalidInput(f"{task.source}: no such file, or it may not be read")
    found = standing(task)
    there = task.target != streams.STREAM and exists(task.target)
    if found is None and there and not task.force:
        raise InvalidInput(f"{task.target} exists; use --force to overwrite it")
    return found


def estimated(tasks: Sequence[Any], total: int, jobs: int, measure: Measure) -> str:
    """Return size and time that the inputs would take, from parts of some spread over all."""
    every = max(-(-len(tasks) // SAMPLES), 1)
    some = [task for task in tasks[::every] if Path(task.source).is_file()]
    room = max(ROOM // max(len(some), 1), LEAST)
    found: list[tuple[Sample, int]] = []
    start = time.perf_counter()
    for task in some:
        if time.perf_counter() - start > SECONDS:
            break
        sample = failures.attempt(lambda t: measure(t, room), task)
        if isinstance(sample, Sample) and sample.looked_at:
            found.append((sample, batch.size_of(task.source)))
    if not found:
        return ""
    times = total / sum(whole for _, whole in found)
    size = times * sum(one.output_bytes / one.share for one, _ in found)
    seconds = times * sum(one.seconds / one.share for one, _ in found)
    workers = max(min(jobs, os.cpu_count() or 1, len(tasks)), 1)
    ratio = f" ({render.ratio(total, round(size))})" if 1 <= size < total else ""
    looked_at = sum(one.looked_at for one, _ in found)
    return (
        f"about {render.size(size)}{ratio} in {render.duration(seconds / workers)},"
        f" by {render.size(looked_at)} of {render.count(len(found), 'input')}"
    )


def encoding(task: Any, most: int) -> Sample:
    """Encode the first samples of a dump, so many bytes at most, to nowhere."""
    from ..dumps import Dump
    from ..encoding.dump import encode
    from ..request import Options, Quality
    from ..rules import Rules
    from .encode import loaded

    asked = task.asked
    profile = loaded(asked.profile, asked.digest) if asked.profile else None
    start = time.perf_counter()
    with Dump(task.source) as dump, tempfile.TemporaryFile() as out:
        options = Options(**asked.options)
        kept: Any = Rules(options.rules).kept(dump)
        whole = Head(kept, 1.0).data_bytes  # of compressed dumps, more than they are stored in
        head = Head(kept, min(most / max(whole, 1), 1.0))
        report = encode(head, out, Quality.choose(**asked.quality), profile, options)
    seconds = time.perf_counter() - start
    share = head.data_bytes / max(whole, 1)
    return Sample(share, head.data_bytes, report.output_bytes, seconds)


class Head:
    """The first part of a dump, along the first axis of its tensors that has more than one row."""

    def __init__(self, source: "Source", part: float) -> None:
        from ..elements import BITS, nbytes

        self.metadata = source.metadata
        self.tensors: list[Tensor] = []
        self.data_bytes = 0
        for tensor in source.tensors:
            axis = next((axis for axis, n in enumerate(tensor.shape) if n > 1), None)
            rows = 1 if axis is None else tensor.shape[axis]
            fewer = -(-rows * part // 1)
            if axis is not None and fewer < rows and BITS[tensor.dtype] >= 8:
                tensor = first(tensor, axis, max(int(fewer), 1))
            self.tensors.append(tensor)
            self.data_bytes += nbytes(tensor.dtype, math.prod(tensor.shape))


def first(tensor: "Tensor", axis: int, rows: int) -> "Tensor":
    """Return the first rows along an axis, behind those of one row, of a tensor as one."""
    shape = (*tensor.shape[:axis], rows, *tensor.shape[axis + 1 :])
    count = math.prod(shape)
    return replace(tensor, shape=shape, read=lambda: tensor.read()[:count])


def decoding(task: Any, most: int) -> Sample:
    """Decode the first row groups of a file, about so many bytes."""
    from ..coding.profile import Profile
    from ..container.reader import Reader
    from ..decode_jobs import wanted_of
    from ..decoding.decoder import Decoder
    from ..elements import nbytes
    from ..memory import limit_of
    from ..opening import open_source

    start = time.perf_counter()
    with closing(open_source(task.source)) as file:
        profiles = [Profile.load(path) for path in task.profiles]
        decoder = Decoder(Reader(file, task.source), profiles)
        decoder.allow(decoder.reader.index.tensors, limit_of(task.memory))
        described = wanted_of(decoder.reader, task.tensors, task.dtype)
        whole = sum(nbytes(dtype, math.prod(shape)) for _, dtype, shape in described)
        all_of_it = sum(nbytes(e.dtype, e.values) for e in decoder.reader.index.tensors)
        done = 0
        numbers = [(one, n) for one in decoder.groups for n in range(one.header.row_groups)]
        for group, number in numbers:
            done += sum(piece.values.nbytes for piece in decoder.pieces(group, number))
            if done >= most:
                break
    share = min(done / all_of_it, 1.0) if all_of_it else 1.0
    return Sample(share, done, whole * share, time.perf_counter() - start)
