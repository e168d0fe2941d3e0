"""What was written, decoded and compared with the dump that it is of, before the dump may go.

Nothing here is taken from the encoder: what the file states of itself is measured on its values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .align.numbers import STORED, one_zero, to_float, unsigned
from .align.repeats import Rows
from .coding.pieces import Blocks, Piece
from .coding.profile import profiles_of
from .container.group import GroupHeader
from .container.index import PartEntry, TensorEntry
from .container.reader import Reader
from .container.source import Source as Bytes
from .decoding.decoder import Decoder
from .decoding.members import Members
from .elements import FLOATS, count
from .errors import InvalidStream, ProfileMissing, VerificationFailed
from .promised import RowSnr, TaskSnr
from .request import Quality
from .rules import Rules
from .tensors import Source, Tensor

CHUNK = 1 << 18  # values compared at once
SNR_TOLERANCE = 0.02  # dB below what a file states, by rounding to the elements' type
ERROR_TOLERANCE = 1e-6  # of the largest error that a file states


@dataclass(frozen=True)
class Match:
    """What tensors of a file have of those of the dump."""

    names: tuple[str, ...]
    snr_db: float  # infinite where nothing is lost
    max_error: float


def verify(
    source: Source,
    written: Bytes,
    quality: Quality | None = None,
    profile: Any = None,
    rules: Mapping[str, str] | None = None,
    *,
    called: str = "what was written",
) -> list[Match]:
    """Raise VerificationFailed unless a file holds what a dump does, within what it states.

    Names, order, shapes, types and metadata are the same; tensors kept bit for bit, and values
    kept exactly beside others, have the same bits; no error exceeds the bound asked for; the SNR
    of each group is that stated, and that asked for. Memory is bounded by row groups.

    Args:
        source: The dump.
        written: The bytes of the file.
        quality: What was asked for; without, it is what the file states.
        profile: One or several, or their paths; those found by their hash go without.
        rules: What was asked for by name, as in `Options`.
        called: How errors speak of the file.

    Returns:
        What was measured of each group of tensors.

    >>> from featcodec import Quality, encode_file
    >>> from featcodec.container.source import File
    >>> from featcodec.dumps import Dump
    >>> from featcodec.verification import verify
    >>> report = encode_file("feats.safetensors", "feats.fcz", Quality(snr=10), overwrite=True)
    >>> found = verify(Dump("feats.safetensors"), File.open("feats.fcz"), Quality(snr=10))
    >>> min(match.snr_db for match in found) >= 10
    True
    """
    by_name = Rules(rules or {})
    source = by_name.kept(source)
    try:
        decoder = Decoder(Reader(written, "the file"), profiles_of(profile))
        _same_tensors(source, decoder, called)
        tensors = {tensor.name: tensor for tensor in source.tensors}
        found = []
        with np.errstate(all="ignore"):  # NaN and extremes are data here
            for group in decoder.groups:
                members = [_of(tensors[entry.name], entry) for entry in group.entries]
                asked = by_name.of(members[0].of or members[0].name) if members else None
                found.append(_Comparison(decoder, group, members, asked or quality, called).run())
        return found
    except (InvalidStream, ProfileMissing) as error:
        raise VerificationFailed(f"{called} cannot be decoded: {error}") from error


def _same_tensors(source: Source, decoder: Decoder, called: str) -> None:
    index = decoder.reader.index
    ours = {t.name: f"{t.dtype} {list(t.shape)}" for t in source.tensors}
    theirs = {t.name: f"{t.dtype} {list(t.shape)}" for t in index.tensors}
    for name in (*ours, *theirs):
        if ours.get(name) != theirs.get(name):
            there, here = (found.get(name, "missing") for found in (theirs, ours))
            raise VerificationFailed(
                f"{called} has other tensors than the dump: {name!r} is {there}, in the dump {here}"
            )
    if list(ours) != list(theirs):
        raise VerificationFailed(f"{called} has the tensors of the dump in another order")
    if index.metadata != source.metadata:
        raise VerificationFailed(f"{called} has other metadata than the dump")


def _of(tensor: Tensor, entry: TensorEntry) -> Tensor:
    return tensor.part(entry.where) if isinstance(entry, PartEntry) else tensor


@dataclass
class _Comparison:
    """One tensor group of the file with the tensors of the dump."""

    decoder: Decoder
    group: Members
    tensors: Sequence[Tensor]
    quality: Quality | None  # that was asked for
    called: str
    elements: int = 0
    count: int = 0  # of values within the bounds
    total: float = 0.0  # of their distances from the mean
    squares: float = 0.0
    noise: float = 0.0
    largest: float = 0.0
    rows: RowSnr | None = None
    task: TaskSnr | None = None

    @property
    def header(self) -> GroupHeader:
        return self.group.header

    def __post_init__(self) -> None:
        if self._asked("row_snr") is not None and self.header.lossy is not None:
            reduced = self.group.reduced is not None  # has channels last
            self.rows = RowSnr(self.header.dtype, -1 if reduced else 0)
        if self.header.task_snr is not None:
            coder = self.decoder.coder(self.group)
            self.task = TaskSnr(coder) if coder is not None and coder.of_task else None

    def _asked(self, name: str) -> Any:
        return None if self.quality is None else getattr(self.quality, name)

    def run(self) -> Match:
        """Compare all row groups; raise VerificationFailed where they differ by too much."""
        for number in range(self.header.row_groups):
            for piece in self.decoder.pieces(self.group, number):
                self._compare(piece)
        if self.group.reduced is not None:
            self._compare_constants(self.group.reduced.rows)
        if self.elements != int(self._sizes().sum()):
            self._fail("other numbers of values than the dump")
        names = tuple(dict.fromkeys(tensor.of or tensor.name for tensor in self.tensors))
        if self.header.exact:
            return Match(names, math.inf, 0.0)
        self._judge()
        return Match(names, self._snr(), self.largest)

    def _sizes(self) -> np.ndarray:
        dtype = self.header.dtype
        return np.array([count(dtype, math.prod(t.shape)) for t in self.tensors], np.int64)

    def _compare(self, piece: Piece) -> None:
        kind = unsigned(self.header.dtype)
        if self.task is not None and isinstance(piece, Blocks):
            self.task.add(piece, self._tensor)
        for pair in piece.pairs(self._tensor):
            if self.rows is not None:
                self.rows.add(*pair)
            ours, theirs = (elements.reshape(-1).view(kind) for elements in pair)
            self.elements += theirs.size
            if self.header.exact:
                if not self._same(ours, theirs):
                    self._fail("other bits than the dump, where they are to be the same")
                continue
            for start in range(0, theirs.size, CHUNK):
                self._measure(ours[start : start + CHUNK], theirs[start : start + CHUNK])

    def _compare_constants(self, rows: Rows) -> None:
        kind = unsigned(self.header.dtype)
        for ours, theirs in rows.constant_pairs(self._tensor, kind):
            self.elements += theirs.size
            if not self._same(ours.view(kind), theirs):
                self._fail("other values than the dump in rows that are constant")

    def _same(self, ours: np.ndarray, theirs: np.ndarray) -> bool:
        """Return whether elements are the same; in padding, zeros may have lost their sign."""
        exact = self.header.exact and not all(tensor.where for tensor in self.tensors)
        if exact or self._asked("lossless") or self.header.dtype not in FLOATS:
            return np.array_equal(ours, theirs)
        return bool(((ours == theirs) | ((one_zero(ours) == 0) & (theirs == 0))).all())

    def _tensor(self, i: int) -> np.ndarray:
        tensor = self.tensors[i]
        if self.group.shaped or tensor.where:
            return tensor.array()
        return tensor.read().view(unsigned(self.header.dtype))

    def _measure(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        """Take in values; those that are not within the bounds have the same bits."""
        dtype, lossy = self.header.dtype, self.header.lossy
        x, y = (to_float(a.view(STORED[dtype]), dtype).astype(np.float64) for a in (ours, theirs))
        inside = np.isfinite(x)
        if lossy is not None and not lossy.gains:  # with gains, bounds are of divided values
            inside = (x >= lossy.lower) & (x <= lossy.upper)
        beyond = ours[~inside], theirs[~inside]
        if self.header.dtype in FLOATS:  # a row may be kept as one whose zeros have other signs
            beyond = one_zero(beyond[0]), one_zero(beyond[1])
        if not np.array_equal(*beyond):
            self._fail("values beyond the bounds, or not finite, that are not kept as they are")
        x, y = x[inside], y[inside]
        error = np.abs(x - y)
        x -= 0.0 if lossy is None else lossy.mean
        self.count += x.size
        self.total += float(x.sum())
        self.squares += float(np.vdot(x, x))
        self.noise += float(np.vdot(error, error))
        self.largest = float(np.max(error, initial=self.largest))  # NaN stays NaN

    def _judge(self) -> None:
        stated, bound = self.header.snr_db, self._asked("max_error")
        if self._asked("lossless"):
            self._fail("loss, and none was asked for")
        if bound is not None and not self.largest <= bound:
            self._fail(f"an error of {self.largest:.9g}, above the bound of {bound:.9g}")
        if self.header.max_error * (1 + ERROR_TOLERANCE) < self.largest:
            self._fail(f"an error of {self.largest:.9g}, stated is {self.header.max_error:.9g}")
        snr = self._snr()
        if not snr >= stated - SNR_TOLERANCE:
            self._fail(f"an SNR of {snr:.2f} dB, stated are {stated:.2f}")
        followed = self._asked("recommended") and self.header.task_snr is not None
        asked = self._asked("snr")
        if asked is not None and not (followed or stated >= asked):
            self._fail(f"an SNR of {stated:.2f} dB, asked for were {asked:.2f}")
        asked = self._asked("row_snr")
        if asked is not None and self.rows is not None and self.rows.snr < asked - SNR_TOLERANCE:
            self._fail(f"an SNR of rows of {self.rows.snr:.2f} dB, asked for were {asked:.2f}")
        self._judge_task()

    def _judge_task(self) -> None:
        asked, stated = self._asked("task_snr"), self.header.task_snr
        if stated is not None and self.task is not None:
            if self.task.snr < stated - SNR_TOLERANCE:
                self._fail(f"a task SNR of {self.task.snr:.2f} dB, stated are {stated:.2f}")
            stated = min(stated, self.task.snr + SNR_TOLERANCE)
        reached = self.header.snr_db if stated is None else stated  # without a metric, of values
        if asked is not None and not reached >= asked:
            self._fail(f"a task SNR of {reached:.2f} dB, asked for were {asked:.2f}")

    def _snr(self) -> float:
        signal = self.squares - self.total**2 / max(self.count, 1)
        if self.noise == 0:
            return math.inf
        ratio = signal / self.noise
        return 10 * math.log10(ratio) if ratio > 0 else -math.inf

    def _fail(self, what: str) -> None:
        names = self.group.entries
        where = names[0].name if len(names) == 1 else f"{names[0].name} .. {names[-1].name}"
        raise VerificationFailed(f"{self.called} has, in {where}, {what}")
