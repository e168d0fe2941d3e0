"""A file decoded to a dump by one process or several, each its share of the row groups.

All map the dump and write to it; what a process writes does not depend on how many there are.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from . import saving
from .coding.profile import Profile
from .container.dump import no_tensor
from .container.index import TensorEntry
from .container.reader import Reader
from .container.source import Source
from .conversion import Conversion, clipped
from .decoding.decoder import Decoder
from .dumps import Described, DumpWriter, aligned
from .elements import FLOATS, nbytes
from .errors import InvalidInput
from .leftovers import PROCESS, hold
from .outputs import descriptor, spare
from .pool import advance, results

SHARED = "/dev/shm"  # a folder of files in memory, where the system has one
SPARE = 1 << 26  # bytes that are left free there
LEAST_VALUES = 24 << 20  # of a dump: another process for fewer takes longer to start than it saves


@dataclass(frozen=True)
class Share:
    """The row groups that a process decodes, as plain values that travel to it."""

    file: Source
    profiles: Sequence[Profile]
    names: tuple[str, ...]
    dtype: str | None
    target: str  # the dump, which is reserved
    path: str | None  # what it will be called; None where it is memory that processes share
    number: int
    of: int


@dataclass(frozen=True)
class Decoded:
    """What came of a file: bytes written, and a line on each tensor with values clipped."""

    output_bytes: int
    remarks: tuple[str, ...] = ()


def decode_to(
    decoder: Decoder,
    out: BinaryIO,
    path: str | os.PathLike[str],
    names: Sequence[str],
    dtype: str | None,
    jobs: int,
    limit: int,
) -> Decoded:
    """Write tensors of an open file as a dump of the kind of `path`.

    With `jobs`, as many processes share the work of a large dump, where the file has a path that
    all can open and the dump is no archive, which is written in order. Raises LimitExceeded when
    they would take more memory than `limit`, in bytes.
    """
    entries = chosen_entries(decoder.reader, names)
    described = wanted_of(decoder.reader, names, dtype)
    archive = saving.archive_of(path, described)
    jobs = _useful(decoder, entries, jobs) if archive is None else 1
    decoder.allow(entries, limit, processes=jobs)
    if archive is not None:
        with spare(Path(out.name).parent, os.fspath(path)) as room:
            writer = _writer(decoder, room, path, described)
            beyond = _decode(decoder, writer, entries, dtype, (0, 1))
            archive(out, ((one, writer.tensor(i)) for i, one in enumerate(described)))
            return Decoded(out.tell(), clipped(entries, writer, dtype if beyond else None))
    writer = _writer(decoder, out, path, described)
    beyond = _divide(decoder, writer, tuple(names), dtype, str(out.name), os.fspath(path), jobs)
    return Decoded(writer.total, clipped(entries, writer, dtype if beyond else None))


def decode_shared(decoder: Decoder, jobs: int) -> list[np.ndarray] | None:
    """Return the stored elements of all tensors, flat, in memory that some processes fill.

    None where one does as well, or where there is no room for such memory. All share one piece of
    it, which is freed with the last of them.
    """
    jobs = _useful(decoder, decoder.reader.index.tensors, jobs)
    if jobs == 1:
        return None
    described = wanted_of(decoder.reader, (), None)
    size = sum(nbytes(dtype, math.prod(shape)) for _, dtype, shape in described)
    prefix = f".featcodec-{PROCESS}-"
    with tempfile.NamedTemporaryFile(prefix=prefix, suffix=".part", dir=_memory(size)) as room:
        hold(room.fileno())
        try:
            writer = _writer(decoder, cast(BinaryIO, room), None, described)
        except OSError:
            return None
        _divide(decoder, writer, (), None, room.name, None, jobs)
    return [writer.tensor(i) for i in range(len(described))]


def _memory(size: int) -> str | None:
    """Return a folder of files in memory with room for so many bytes, None without one."""
    try:
        return SHARED if shutil.disk_usage(SHARED).free > size + SPARE else None
    except OSError:
        return None


def _useful(decoder: Decoder, entries: Sequence[TensorEntry], jobs: int) -> int:
    """Return how many of so many processes it is worth to have."""
    file = decoder.reader.source
    small = sum(entry.values for entry in entries) < LEAST_VALUES
    if small or not file.path or descriptor(file.path) is not None:
        return 1
    return max(min(jobs, sum(group.header.row_groups for group in decoder.groups)), 1)


def _divide(
    decoder: Decoder,
    writer: DumpWriter,
    names: tuple[str, ...],
    dtype: str | None,
    target: str,
    path: str | None,
    jobs: int,
) -> bool:
    """Decode tensors in so many processes, this one among them; return whether any was clipped."""
    entries = chosen_entries(decoder.reader, names)
    found: list[Any] = []

    def own() -> None:
        found.append(_decode(decoder, writer, entries, dtype, (0, jobs), path is not None))

    if jobs == 1:
        own()
        return any(found)
    plain = [replace(profile) for profile in decoder.profiles]  # not what they unpacked
    share = Share(decoder.reader.source, plain, names, dtype, target, path, 0, jobs)
    others = [replace(share, number=number) for number in range(1, jobs)]
    for _, result in results(_work, others, jobs - 1, own, lambda _, count: advance(count)):
        if isinstance(result, Exception):
            raise result
        found.append(result)
    return any(found)


def _work(share: Share) -> bool:
    """Decode a share in a process of its own; return whether any value was clipped."""
    decoder = Decoder(Reader(share.file, share.file.name), share.profiles)
    entries = chosen_entries(decoder.reader, share.names)
    described = wanted_of(decoder.reader, share.names, share.dtype)
    with Path(share.target).open("r+b") as out:
        writer = _writer(decoder, out, share.path, described, reserved=True)
        part = (share.number, share.of)
        return _decode(decoder, writer, entries, share.dtype, part, share.path is not None)


def wanted_of(reader: Reader, names: Sequence[str], dtype: str | None) -> list[Described]:
    """Return the tensors of the dump that a file is decoded to, all when none is named.

    Raises InvalidInput for an unknown tensor or type.
    """
    entries = chosen_entries(reader, names)
    if dtype is not None and dtype not in FLOATS:
        raise InvalidInput(f"type {dtype!r}: use one of {', '.join(sorted(FLOATS))}")
    kinds = [dtype if dtype and e.dtype in FLOATS else e.dtype for e in entries]
    return [(e.name, kind, e.shape) for e, kind in zip(entries, kinds, strict=True)]


def _writer(
    decoder: Decoder,
    out: BinaryIO,
    path: str | os.PathLike[str] | None,
    described: Sequence[Described],
    reserved: bool = False,
) -> DumpWriter:
    layout = aligned if path is None else saving.layout_of(path)
    head, offsets = layout(described, decoder.reader.index.metadata)
    return DumpWriter(out, described, head, offsets, reserved=reserved)


def _decode(
    decoder: Decoder,
    writer: DumpWriter,
    entries: Sequence[TensorEntry],
    dtype: str | None,
    share: tuple[int, int],
    to_disk: bool = True,
) -> bool:
    """Decode a share of the row groups; return whether any value was clipped."""
    place = {entry.name: i for i, entry in enumerate(entries)}
    convert = Conversion(dtype) if dtype else None
    target = lambda entry: writer.tensor(place[entry.name])  # noqa: E731
    row_groups = sum(group.header.row_groups for group in decoder.groups)
    bytes_each = decoder.reader.size // max(row_groups, 1)

    def release() -> None:
        if to_disk:
            writer.release()
        advance(bytes_each)

    decoder.decode(entries, target, release, convert, share)
    return convert is not None and convert.clipped


def chosen_entries(reader: Reader, names: Sequence[str]) -> list[TensorEntry]:
    """Return the tensors of those names in the order of the file, all when none is named."""
    if not names:
        return reader.index.tensors
    known = {entry.name: entry for entry in reader.index.tensors}
    for name in names:
        if name not in known:
            raise no_tensor(reader.name, name, list(known))
    return [entry for entry in reader.index.tensors if entry.name in set(names)]
