"""A file of what a journal holds: what a writer ends with, and what an interrupted one leaves."""

import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..align.numbers import stored_dtype
from ..coding.profile import profiles_of
from ..container.cuts import Cut
from ..container.group import GroupHeader
from ..container.index import Index, TensorEntry
from ..container.joining import Coded, join
from ..container.journal import Elements, Journal, Opened
from ..container.reader import Reader
from ..container.source import File, Within
from ..errors import FeatcodecError, Truncated
from ..outputs import complete, refuse_input, spare
from .chunk import Known, Stored, encode_chunk
from .wish import Wish


def recover_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    profile: Any = None,
    overwrite: bool = False,
) -> dict[str, tuple[int, ...]]:
    """Make a file of what an interrupted `featcodec.Writer` has flushed.

    Args:
        source: Path of what it left, FILE.part; it stays as it is.
        destination: Path of the file to write; `overwrite` lets it replace one.
        profile: One or several, or their paths; those found by their hash go without.

    Returns:
        The shapes of the tensors by name.

    Raises:
        InvalidStream: For what no writer of this release leaves, or one that has flushed nothing.
        ProfileMissing: When the writer had a profile that is not found.
    """
    refuse_input(source, destination)
    with closing(File.open(source)) as file:
        journal = Journal(file)
        if not journal.flushes:
            raise Truncated(f"{file.name} ends before its first flush; remove it")
        wish = Wish.read(journal.wish, profiles_of(profile), file.name)
        with complete(destination, overwrite) as out:
            return _write(journal, wish, out)


def has_flushed(part: str | os.PathLike[str]) -> bool:
    """Return whether a writer has flushed anything to what it left."""
    try:
        with closing(File.open(part)) as file:
            return Journal(file).flushes > 0
    except FeatcodecError:
        return False


def _write(journal: Journal, wish: Wish, out: BinaryIO) -> dict[str, tuple[int, ...]]:
    """Write the file of a journal; return the shapes of its tensors."""
    files = [_coded(journal, piece) for piece in journal.pieces]
    with spare(Path(out.name).parent, out.name) as room:
        if journal.waiting or not files:
            known = Known()
            for file in files:
                known.add(file)
            tensors = {name: _stored(journal, some) for name, some in journal.waiting.items()}
            _, coded = encode_chunk(tensors, wish, known, room)
            files.append(coded)
        join(files, out, wish.metadata)
    out.flush()
    index = Reader(out, journal.source.name).index
    return {tensor.name: tensor.shape for tensor in index.tensors}


def _stored(journal: Journal, some: Sequence[Elements]) -> Stored:
    """Return the elements of a tensor that wait."""
    dtype = some[0].dtype
    arrays = []
    for one in some:
        shape = (*one.shape[:-1], one.shape[-1] // 2) if dtype == "F4" else one.shape
        flat = np.frombuffer(journal.source.read(*one.place), stored_dtype(dtype))
        arrays.append(flat.reshape(shape))
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays), dtype


def _coded(journal: Journal, piece: tuple[int, int] | Opened) -> Coded:
    """Return what a piece of a journal holds."""
    name = journal.source.name
    if not isinstance(piece, Opened):
        return Coded.of(Reader(Within(journal.source, *piece), name))
    places = [*piece.rows, *([piece.tail] if piece.tail else [])]
    begun, stated = GroupHeader.unpack(piece.header), piece.stated
    assert begun.lossy is not None
    lossy = replace(begun.lossy, clipped=stated["clipped"])
    header = replace(begun, lossy=lossy, slabs=stated["slabs"], snr_db=stated["snr_db"])
    index = Index(profiles=piece.profiles)
    shape = (stated["rows"], *piece.shape[1:])
    index.tensors = [TensorEntry(piece.name, header.dtype, shape, 0)]
    if piece.first and len(places) > piece.first:
        lengths = [piece.first * piece.shape[0]]
        lengths += [piece.shape[0]] * (len(places) - piece.first - 1)
        lengths.append(stated["rows"] - sum(lengths))
        whole: Iterable[tuple[int, ...]] = ((),) * (len(shape) - 1)
        index.cuts = {0: Cut((tuple(lengths), *whole), (0,) * len(lengths))}

    def rows(_: int) -> Iterable[bytes]:
        return (journal.source.read(*place) for place in places)

    return Coded(name, index, [header], rows)
