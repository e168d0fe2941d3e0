"""Tensors that grow: what waits for models, what goes on by those it has, and the journal of it.

The first megabytes of a tensor are coded as a dump. Where a group at an SNR comes of that, further
rows are coded by its models, a row group whenever there are enough. Else the next megabytes are
coded as a dump again, and become a further part of the tensor.
"""

import io
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import limits
from ..arrays import shape_of
from ..container.joining import Coded
from ..container.journal import JournalWriter, Opened
from ..elements import BITS
from ..encoding.dump import DumpEncoder
from ..encoding.growing import GrowingGroup, Grown, Unfit, can_grow, rows_per_row_group
from .chunk import Known, Stored, encode_chunk
from .wish import Wish

FIRST = 32 << 20  # bytes of a tensor from which its models are chosen
EXPECTED = 4  # times as many, for which these are good
TOGETHER = 128 << 20  # of a tensor that did not go on by these, or of all that came at once each
MOST = 256 << 20  # bytes that wait for models
FLUSH_BYTES, FLUSH_SECONDS = 64 << 20, 60.0  # after which what was added is flushed
PER_TAIL = 16  # times what is flushed and has to be coded anew: so much has to be added first


@dataclass
class Waiting:
    """Rows of a tensor that has no models, or none any more."""

    dtype: str
    rows: list[np.ndarray] = field(default_factory=list)
    flushed: int = 0  # so many of these arrays are in the journal

    @property
    def bytes(self) -> int:
        return sum(rows.nbytes for rows in self.rows)

    @property
    def stored(self) -> Stored:
        return self.rows[0] if len(self.rows) == 1 else np.concatenate(self.rows), self.dtype


@dataclass
class Stream:
    """A tensor that goes on by the models of its first rows."""

    number: int  # in the journal
    group: GrowingGroup
    grown: Grown
    rows: list[np.ndarray]  # fewer than a row group has
    flushed: bool = False

    def take(self, rows: np.ndarray, journal: JournalWriter) -> None:
        """Code row groups as they fill; raise Unfit, and keep the rows, where one does not fit."""
        self.flushed = False
        if self.count + len(rows) < self.group.per:
            self.rows.append(rows.copy())
            return
        left = np.concatenate([*self.rows, rows])
        self.rows = [left]
        while len(left) >= self.group.per:
            payload, self.grown = self.group.add(self.grown, left[: self.group.per])
            journal.rows(self.number, payload)
            left = left[self.group.per :]
            self.rows = [left]
        self.rows = [left.copy()]  # not all that it was cut from

    @property
    def count(self) -> int:
        return sum(map(len, self.rows))

    def flush(self, journal: JournalWriter) -> dict[str, Any]:
        """Write what the group would end with, and return how far it is."""
        grown = self.grown
        if self.count:
            payload, grown = self.group.add(grown, np.concatenate(self.rows))
            journal.rows(self.number, payload, tail=True)
        self.flushed = True
        return _stated(self.group, grown)


def _stated(group: GrowingGroup, grown: Grown) -> dict[str, Any]:
    header = group.stated(grown)
    clipped = header.lossy.clipped if header.lossy else 0
    return {"rows": grown.rows, "slabs": grown.slabs, "snr_db": header.snr_db, "clipped": clipped}


class Growth:
    """Codes what is added, and keeps it in a journal."""

    def __init__(self, path: Path, wish: Wish) -> None:
        """Begin a journal; raise InvalidInput where there is one."""
        self.journal, self.wish = JournalWriter(path, wish.stated()), wish
        self._rows: Counter[str] = Counter()
        self._adds: Counter[str] = Counter()
        self._waiting: dict[str, Waiting] = {}
        self._streams: dict[str, Stream] = {}
        self._ended: dict[int, dict[str, Any]] = {}  # streams, since the last flush
        self._known = Known()
        self._in_pieces: set[str] = set()  # tensors that did not go on by the models they had
        self._opened = 0  # streams so far
        self._unseen = 0  # bytes since the last look at what waits
        self._unflushed, self._flushed_at = 0, time.monotonic()

    def add(self, tensors: Mapping[str, Stored]) -> None:
        """Take in rows of tensors, which `Kinds` has checked."""
        for name, (stored, dtype) in tensors.items():
            self._rows[name] += len(stored) if stored.ndim else 1
            self._adds[name] += 1
            self._take(name, stored, dtype)
            self._unseen += stored.nbytes
            self._unflushed += stored.nbytes
        if self._unseen >= FIRST // 16:
            self._unseen = 0
            for names in self._ripe():
                self._encode(names)
        if self._due():
            self.flush()

    def flush(self) -> None:
        """Write all that was added to the journal, so that it is not lost."""
        stated, self._ended = self._ended, {}
        for name, stream in list(self._streams.items()):
            if stream.flushed:
                continue
            try:
                stated[stream.number] = stream.flush(self.journal)
            except Unfit:
                self._end(name)
        stated |= self._ended
        self._ended = {}
        for name, waiting in self._waiting.items():
            for rows in waiting.rows[waiting.flushed :]:
                shape = shape_of(rows, waiting.dtype)
                self.journal.raw(name, waiting.dtype, shape, rows.tobytes())
            waiting.flushed = len(waiting.rows)
        self.journal.stat(stated)
        self._unflushed, self._flushed_at = 0, time.monotonic()

    def end(self) -> None:
        """Flush for the last time."""
        try:
            self.flush()
        finally:
            self.journal.close()

    def _take(self, name: str, stored: np.ndarray, dtype: str) -> None:
        stream = self._streams.get(name)
        if stream is None:
            waiting = self._waiting.setdefault(name, Waiting(dtype))
            waiting.rows.append(stored.copy())
            return
        try:
            stream.take(stored, self.journal)
        except Unfit:
            self._end(name)

    def _end(self, name: str) -> None:
        """End a stream; the rows that it does not hold wait for models of their own."""
        stream = self._streams.pop(name)
        self._ended[stream.number] = _stated(stream.group, stream.grown)
        if stream.count:
            waiting = self._waiting.setdefault(name, Waiting(stream.group.header.dtype))
            waiting.rows.append(np.concatenate(stream.rows))

    def _ripe(self) -> Sequence[Sequence[str]]:
        """Return the names of tensors that wait no longer, those that share models together."""
        whole = {name for name in self._waiting if BITS[self._waiting[name].dtype] >= 8}
        sizes = {name: waiting.bytes for name, waiting in self._waiting.items() if name in whole}
        growing = [name for name in sizes if self._adds[name] > 1]
        once = [name for name in sizes if self._adds[name] == 1]
        every = sum(sizes.values()) >= MOST
        least = {name: TOGETHER if name in self._in_pieces else FIRST for name in growing}
        found = [[name] for name in growing if every or sizes[name] >= least[name]]
        if once and (every or sum(sizes[name] for name in once) >= TOGETHER):
            found.append(once)
        return found

    def _encode(self, names: Sequence[str]) -> None:
        """Code what waits of some tensors, and go on by its models where that can be."""
        tensors = {name: self._waiting[name].stored for name in names}
        out = io.BytesIO()
        expected = EXPECTED if len(names) == 1 and self._adds[names[0]] > 1 else 1
        encoder, coded = encode_chunk(tensors, self.wish, self._known, out, expected)
        for name in names:
            del self._waiting[name]
        self._known.add(coded)
        if not (len(names) == 1 and self._open(names[0], tensors[names[0]], encoder, coded)):
            self.journal.file(names, out.getvalue())
            self._in_pieces |= set(names)

    def _open(self, name: str, stored: Stored, encoder: DumpEncoder, coded: Coded) -> bool:
        """Begin a stream with the rows that were coded; return whether that could be."""
        kept, rows = encoder.features.kept, stored[0]
        if len(coded.headers) > 1 or kept is None or not can_grow(kept, coded.headers[0]):
            return False
        snr = (kept.group.quality or self.wish.quality).snr
        per = rows_per_row_group(self.wish.options.row_group, rows.shape, rows.itemsize)
        if snr is None:
            return False
        group = GrowingGroup.of(kept, coded.headers[0], self.wish.profile, snr, per)
        if group.per * rows[0].size > limits.ROW_GROUP_VALUES:
            return False
        try:
            payloads, grown, same = group.begin(rows, list(coded.rows(0)))
        except Unfit:
            return False
        shape = (group.per, *rows.shape[1:])
        header, profiles = group.header.pack(), coded.index.profiles
        first = max(same, 1) if group.by_parts else 0
        self.journal.open(Opened(name, header, profiles, shape, first))
        for payload in payloads:
            self.journal.rows(self._opened, payload)
        rest = rows[group.settled :].copy()
        self._streams[name] = Stream(self._opened, group, grown, [rest])
        self._opened += 1
        return True

    def _due(self) -> bool:
        """Return whether it is time to flush: rather where all tensors have as many rows."""
        tails = sum(rows.nbytes for one in self._streams.values() for rows in one.rows)
        share = self._unflushed / max(FLUSH_BYTES, PER_TAIL * tails)
        share = max(share, (time.monotonic() - self._flushed_at) / FLUSH_SECONDS)
        if share < 1:
            return False
        rows = {self._rows[name] for name in self._rows if self._adds[name] > 1}
        return len(rows) <= 1 or share >= 2
