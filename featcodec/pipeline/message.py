"""The payload layer: one array in, bytes out, a profile on both sides (SPEC §9).

For messages and chunks that are too small to carry statistics: all a message says beside its
symbols is the shape, the step and which entry of the profile it was coded with.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import limits
from ..align.grids import GroupGrid
from ..align.layout import Layout, LayoutError
from ..align.numbers import STORED, to_float
from ..align.value import ValueAlignment
from ..container import dtypes
from ..container.model import ProfileEntry
from ..container.sections import LOWEST
from ..container.wire import Builder, Cursor
from ..entropy import exact
from ..errors import Corrupt, InvalidInput, Truncated, Unsupported
from .grid_model import GridModel, corrupt
from .part_coder import PartCoder
from .profile import Profile
from .row_group import RowGroupCoder
from .samples import LEAST, MOST
from .search import solve_step

VERSION = 1
UNCLAMPED, EXCEPTIONS, SHIFTED, LOSSLESS = 1, 2, 4, 8
STEPS_PER_OCTAVE = 1024
MIDDLE = 1 << 15

_NUMPY = {"f2": "F16", "f4": "F32", "f8": "F64"}


@dataclass(frozen=True)
class _Entry:
    """A profile's entry for a grid, unpacked, with that of its prefix tokens."""

    number: int
    head: ProfileEntry
    grid: GridModel
    prefix: GridModel | None


class Codec:
    """Codes single arrays with a profile that both ends have.

    >>> codec = Codec(Profile.load("backbone.fcp"), snr=10)   # doctest: +SKIP
    >>> array = codec.decode(codec.encode(array))             # doctest: +SKIP
    """

    def __init__(self, profile: Profile, snr: float = 20.0, entry: str | None = None) -> None:
        """`snr` is in dB, of each array; `entry` names one of several that fit an array.

        Raises InvalidInput for an SNR that is not positive or a name that the profile lacks.
        """
        if not (math.isfinite(snr) and snr > 0):
            raise InvalidInput(f"snr must be a positive number, not {snr}")
        self.profile = profile
        self.snr = snr
        self._entries = [e for e in _unpack(profile) if entry is None or e.head.name == entry]
        if not profile.entries:
            raise InvalidInput("the profile holds a network alone; messages need a linear one")
        if not self._entries:
            raise InvalidInput(f"the profile has no entry {entry!r}")

    def encode(self, array: "np.ndarray[Any, Any]") -> bytes:
        """Return the message of an array, float16, float32 or float64.

        Raises InvalidInput when no entry of the profile has its channels and rank.
        """
        array = np.ascontiguousarray(array)
        dtype = _NUMPY.get(array.dtype.str.lstrip("<>=|"))
        if dtype is None:
            raise InvalidInput(f"a message holds float16, float32 or float64, not {array.dtype}")
        values = to_float(array, dtype)
        usable = values[np.isfinite(values)]
        if usable.size == 0 or not LEAST < float(usable.std()) < MOST:
            return _exact(array, dtype)
        found = [
            message
            for entry in self._entries
            if _layout(entry.head, array.shape) is not None
            for message in [self._encode(entry, array, dtype)]
            if message is not None
        ]
        if not found:
            if any(_layout(entry.head, array.shape) for entry in self._entries):
                return _exact(array, dtype)
            raise InvalidInput(f"the profile has no entry for an array of shape {array.shape}")
        return min(found, key=len)

    def decode(self, message: "bytes | memoryview") -> "np.ndarray[Any, Any]":
        """Return the array of a message.

        Raises Truncated or Corrupt for a damaged message, and for one of another profile.
        """
        cursor = Cursor(message, "message")
        head = cursor.u8()
        if head >> 4 != VERSION:
            raise Unsupported(f"a message of version {head >> 4}; this is version {VERSION}")
        kind = cursor.u8()
        dtype = dtypes.name_of(kind >> 4)
        shape = tuple(cursor.varints(kind & 15))
        if dtype not in dtypes.FLOATS:
            raise Corrupt(f"a message of {dtype} values")
        count = limits.check(math.prod(shape), limits.ROW_GROUP_VALUES, "the size of a message")
        stored = np.zeros(count, STORED[dtype])
        if head & LOSSLESS:
            width = stored.itemsize
            with corrupt("a message"):
                numbers = exact.decode(cursor.rest(), count, width, True, LOWEST[0])
            return numbers.view(stored.dtype).reshape(shape)
        number = cursor.varint()
        entry = next((e for e in self._entries if e.number == number), None)
        layout = None if entry is None else _layout(entry.head, shape)
        if entry is None or layout is None:
            raise Corrupt("a message for another profile, or damaged")
        code = cursor.take(2)
        number = code[0] | code[1] << 8
        shift = cursor.svarint() if head & SHIFTED else 0
        coder = self._coder(entry, layout, dtype, shape, number, shift, not head & UNCLAMPED)
        none = b"" if head & EXCEPTIONS else b"\0"  # of an empty exception list
        body = none + bytes(cursor.rest())
        try:
            for piece in coder.decode(body, 0, coder.grid.slabs):
                piece.put(lambda _: stored.reshape(shape))
        except Truncated:
            raise Truncated("a message ends in the middle of a field") from None
        return stored.reshape(shape)

    def _coder(
        self,
        entry: _Entry,
        layout: Layout,
        dtype: str,
        shape: tuple[int, ...],
        code: int,
        shift: int,
        clamp: bool,
    ) -> RowGroupCoder:
        work = "float64" if dtype == "F64" else "float32"
        parts = {False: _part(entry.grid, code, shift, work)}
        if entry.prefix is not None and layout.prefix:
            parts[True] = _part(entry.prefix, code, shift, work)
        elif layout.prefix:
            raise Corrupt("a message for an entry without a model of its prefix tokens")
        head = entry.head
        values = ValueAlignment(head.lower, head.upper, head.mean, head.std)
        grid = GroupGrid(layout, [shape], entry.grid.block)
        return RowGroupCoder(grid, dtype, values, clamp, work, parts, self.profile.seed)

    def _encode(self, entry: _Entry, array: np.ndarray, dtype: str) -> bytes | None:
        """Return the message with one entry; None when it cannot reach the SNR."""
        shape = array.shape
        layout = _layout(entry.head, shape)
        assert layout is not None
        values = to_float(array, dtype)
        finite = np.isfinite(values)
        inside = bool(finite.all())
        usable = values if inside else values[finite]
        clamp = bool(usable.min() >= entry.head.lower and usable.max() <= entry.head.upper)
        signal = float(((usable - usable.mean(dtype=np.float64)) ** 2).sum())

        coder = self._coder(entry, layout, dtype, shape, MIDDLE, 0, clamp)
        if not clamp:
            wide = replace(coder.values, lower=-math.inf, upper=math.inf)
            coder = replace(coder, values=wide)
        shift = 0 if not inside else _shift(coder, array)
        best = None

        def attempt(code: int) -> float:
            nonlocal best
            coder.parts = {
                False: _part(entry.grid, code, shift, coder.work),
                **(
                    {True: _part(entry.prefix, code, shift, coder.work)}
                    if layout.prefix and entry.prefix
                    else {}
                ),
            }
            slabs = coder.grid.slabs
            payload, change = coder.encode(0, slabs, lambda _: array, not inside, True)
            best = (code, payload, change)
            return change.squared

        target = signal / 10 ** (self.snr / 10)
        start = math.sqrt(12 * target / max(usable.size, 1)) / entry.head.std
        step = solve_step(lambda s: attempt(_code(s)), target, start, precision=0.004)
        code = _code(step)
        for _ in range(64):  # down the grid of steps until the SNR is reached
            if attempt(code) <= target:
                break
            code -= 1 + STEPS_PER_OCTAVE // 256
        else:
            return None
        assert best is not None
        code, payload, change = best
        flags = (not clamp) * UNCLAMPED | bool(change.exceptions) * EXCEPTIONS
        flags |= bool(shift) * SHIFTED
        out = Builder()
        _head(out, flags, dtype, shape)
        out.varint(entry.number)
        out += code.to_bytes(2, "little")
        if shift:
            out.svarint(shift)
        out += payload if change.exceptions else payload[1:]
        return bytes(out)


def _unpack(profile: Profile) -> list[_Entry]:
    found = []
    for number, head in enumerate(profile.entries):
        if head.prefix:
            continue
        prefix = next(
            (
                GridModel.unpack(e.model, e.channels)
                for e in profile.entries
                if e.prefix
                and (e.name, e.channels, e.mean) == (head.name, head.channels, head.mean)
            ),
            None,
        )
        found.append(_Entry(number, head, GridModel.unpack(head.model, head.channels), prefix))
    return found


def _layout(head: ProfileEntry, shape: tuple[int, ...]) -> Layout | None:
    """Return the layout of an array under an entry, its sample axes given or not; None: no fit."""
    axes = head.layout
    if len(axes) == len(shape) + 1 and axes.startswith("N"):
        axes = axes[1:]
    try:
        layout = Layout(axes, head.prefix_tokens, head.grid)
        return layout if layout.token_grid(shape)[-1] == head.channels else None
    except LayoutError:
        return None


def _part(model: GridModel, code: int, shift: int, work: str) -> PartCoder:
    transform = model.transform_in(work)
    scale = 2 * ((code - MIDDLE + STEPS_PER_OCTAVE // 4) // (STEPS_PER_OCTAVE // 2))
    return PartCoder(transform, model.scales + shift, model.tables, _step(code), scale, work)


def _shift(coder: RowGroupCoder, array: np.ndarray) -> int:
    """Return by how many quarter octaves the array's latents exceed the scales of the profile."""
    energy = expected = 0.0
    for (prefix, sizes), boxes in coder.grid.boxes(0, coder.grid.slabs).items():
        part = coder.parts[prefix]
        stored = coder.grid.collect(boxes, lambda _: array, lambda a: a)
        values = to_float(stored, coder.dtype).astype(coder.work, copy=False)
        latents = part.transform.forward(coder.values.forward(values), sizes)
        flat = latents.reshape(-1, latents.shape[-1])
        for number, rows in part.order(sizes):
            energy += float(np.square(flat[rows], dtype=np.float64).sum())
            expected += 2.0 ** (number - 6) * flat[rows].size
    if not (energy > 0 and expected > 0):
        return 0
    shift = round(2 * math.log2(energy / expected))
    return min(max(shift, -60), 60) if abs(shift) >= 2 else 0


def _head(out: Builder, flags: int, dtype: str, shape: tuple[int, ...]) -> None:
    if len(shape) > 15:
        raise InvalidInput("a message holds arrays of at most 15 axes")
    out.u8(VERSION << 4 | flags)
    out.u8(dtypes.CODES[dtype] << 4 | len(shape))
    out.varints(shape)


def _exact(array: np.ndarray, dtype: str) -> bytes:
    out = Builder()
    _head(out, LOSSLESS, dtype, array.shape)
    kind = np.dtype(f"<u{array.itemsize}")
    numbers = array.astype(STORED[dtype], copy=False).reshape(-1).view(kind)
    out += exact.Encoder(True).encode(numbers)
    return bytes(out)


def _step(code: int) -> float:
    return float(2.0 ** ((code - MIDDLE) / STEPS_PER_OCTAVE))


def _code(step: float) -> int:
    return min(max(round(math.log2(step) * STEPS_PER_OCTAVE) + MIDDLE, 0), 0xFFFF)
