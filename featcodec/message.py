"""The payload layer: one array in, bytes out, a profile on both sides (SPEC §9.1).

For messages and chunks that are too small to carry statistics: all a message says beside its
symbols is the shape, the step and which entry of which profile it was coded with.
"""

import math
import os
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from . import limits
from .align.numbers import STORED
from .arguments import a_kind, known, whole
from .arrays import Exporter, stored_of
from .coding.message_entry import entries_of, seed_of
from .coding.message_head import EXCEPTIONS, LOSSLESS, RANK, SHAPE_VALUES, TAG_BYTES, Head
from .coding.profile import Profile, profile_of
from .container.sections import MAGIC
from .container.wire import Cursor
from .elements import FLOATS, LIBRARY_NAMES
from .encoding.messages.array import encode
from .encoding.messages.values import Values
from .entropy import exact
from .errors import (
    Corrupt,
    FeatcodecError,
    InvalidInput,
    LimitExceeded,
    ProfileMissing,
    Truncated,
    Unsupported,
    damaged,
)
from .request import EFFORTS, Quality, is_positive
from .threads import ONE_THREAD

MAX_VALUES = 1 << 24
NOT_OF_MESSAGES = {"row_snr", "task_snr"}  # and why is said
TAKEN = (
    *("snr", "bpfp", "max_error", "lossless", "step"),
    *("entry", "effort", "max_values", "framework", "device"),
)


class Codec:
    """Codes single arrays with a profile that both ends have.

    Make one and use it for many arrays: what depends on the profile alone is worked out at the
    first. Threads may share one, and it goes to other processes by pickling.

    >>> import numpy as np
    >>> from featcodec import Codec
    >>> codec = Codec("backbone.fcp", snr=10, max_values=1 << 20)
    >>> tokens = np.random.default_rng(0).normal(size=(1, 17, 64)).astype(np.float32)
    >>> message = codec.encode(tokens)
    >>> codec.decode(message).shape
    (1, 17, 64)
    """

    def __init__(
        self,
        profile: "Profile | str | os.PathLike[str]",
        snr: float | None = None,
        entry: str | None = None,
        *,
        effort: str = "fast",
        max_values: int = MAX_VALUES,
        framework: str = "numpy",
        device: str = "cpu",
        **quality: Any,
    ) -> None:
        """Take what all messages have in common; one quality at most, 20 dB without.

        Args:
            profile: A profile with linear entries, the same at both ends, its path or its name.
            snr: In dB, of each array.
            entry: Name of the entry to encode with, where the profile has several.
            effort: fast, or best: along a trellis, which meets an SNR in fewer bits and takes
                several times as long to encode, somewhat longer to decode. A decoder needs none.
            max_values: How many values an array may have: decoding refuses a message of more
                before it takes memory for them. Twenty bytes can stand for very many, so state
                what you expect where messages come from others; decoding takes up to 24 bytes a
                value.
            framework: numpy or torch, or np or pt: what decoded arrays come as.
            device: Of torch tensors.
            **quality: In place of `snr`: `bpfp`, the bits per feature point of each message at
                most, its head counted; `max_error`, that no value exceeds, in the unit of the
                values; `step` of the quantiser, in the unit of the values: one pass, no search,
                and an SNR that is what comes of it, the squared error of a value being
                about step ** 2 / 12 at fine steps, and at most some three times that on the
                average of sparse arrays at coarse ones, coded bit for bit below a millionth of the
                profile's standard deviation; or `lossless=True`.

        Raises:
            InvalidInput: For two qualities, one that is not positive, a name that the profile
                lacks, a profile with a network alone, a limit beyond that of the format, or an
                unknown framework or effort.
        """
        known("Codec", quality.keys() - NOT_OF_MESSAGES, TAKEN)
        step = quality.pop("step", None)
        _check_step(step, snr is not None or bool(quality))
        whole("max_values", max_values, 1, limits.ROW_GROUP_VALUES)
        self.quality = Quality.choose(snr, **quality)
        if self.quality.row_snr is not None:
            raise InvalidInput("messages take no row_snr; use snr")
        if self.quality.task_snr is not None:
            raise InvalidInput(
                "messages take no task_snr: they have no field for a task's metric, and code all"
                " errors alike; use snr, or save, whose files take a task_snr"
            )
        if effort not in EFFORTS:
            raise InvalidInput(f"effort {effort!r}: use one of {', '.join(EFFORTS)}")
        self.step = step
        self.effort = effort
        self.max_values = max_values
        self._export = Exporter(framework, device)
        self._wanted = entry
        self._take(_given(profile))
        vars(self)["_made"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise InvalidInput: what a codec does was settled when it was made."""
        if "_made" in vars(self):
            raise InvalidInput(f"a Codec does not change: make another one for another {name}")
        super().__setattr__(name, value)

    def _take(self, profile: Profile) -> None:
        """Unpack the entries of a profile."""
        self.profile = profile
        if not profile.entries:
            raise InvalidInput("the profile holds a network alone; messages need a linear one")
        self._known = entries_of(profile)
        wanted = self._wanted
        self._entries = [e for e in self._known if wanted is None or e.head.name == wanted]
        if not self._entries:
            names = ", ".join(dict.fromkeys(repr(e.head.name) for e in self._known))
            raise InvalidInput(f"the profile has no entry {wanted!r}; it has {names}")

    def __repr__(self) -> str:
        asked = vars(self.quality) if self.step is None else {"step": self.step}
        given = {name: value for name, value in asked.items() if value and name != "recommended"}
        quality = ", ".join(f"{name}={value}" for name, value in given.items())
        entries = ", ".join(dict.fromkeys(map(str, self._entries)))
        return f"Codec({entries}; {quality}, effort={self.effort!r})"

    def __getstate__(self) -> dict[str, Any]:
        made = ("_known", "_entries", "_made")
        state = {name: value for name, value in vars(self).items() if name not in made}
        return state | {"profile": replace(self.profile)}  # not what it unpacked

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._take(self.profile)
        vars(self)["_made"] = True

    def encode(self, array: Any) -> bytes:
        """Return the message of an array, which has the quality when it is decoded.

        NaN, infinities and massive values (hundreds among values near one) are kept exactly and
        are not counted in the SNR.

        Args:
            array: Of NumPy, or a torch tensor on any device, of floats and at most 15 axes, in the
                layout of the profile's entry: NLD of 64 channels takes (samples, tokens, 64). Types
                are float16, float32, float64, bfloat16, float8_e4m3fn and float8_e5m2; NumPy has
                the last three from ml_dtypes.

        Raises:
            InvalidInput: For other types, for more values than `max_values`, and when no entry of
                the profile has the channels and rank of an array whose values differ.
            Unreachable: For a rate that is too low.

        >>> import numpy as np
        >>> from featcodec import Codec
        >>> codec = Codec("backbone.fcp", snr=10)
        >>> len(codec.encode(np.zeros((1, 17, 64), np.float32))) < 30
        True
        """
        stored, dtype = stored_of(array)
        if dtype not in FLOATS:
            held = LIBRARY_NAMES[dtype]
            how = "encode its real and imaginary parts" if dtype == "C64" else "convert the array"
            raise InvalidInput(f"a message holds floats, not {held}: {how}, or save it")
        if stored.ndim > RANK:
            raise InvalidInput(f"a message holds arrays of at most {RANK} axes, not {stored.ndim}")
        self._check_size(stored.shape, InvalidInput)
        with ONE_THREAD, np.errstate(all="ignore"):  # extremes are data here, and are measured
            values = Values.of(stored, dtype)
            thorough = self.effort == "best"
            return encode(values, self._entries, self.profile, self.quality, self.step, thorough)

    def decode(self, message: "bytes | bytearray | memoryview") -> Any:
        """Return the array of a message, of the shape and type that was encoded.

        It is of the framework of the codec. Types that NumPy lacks come as those of
        `featcodec.numpy.load` do.

        Args:
            message: What `encode` gave, by a codec with the same profile.

        Raises:
            LimitExceeded: For a message of more than `max_values` values.
            ProfileMissing: For one of another profile.
            InvalidStream: For one that is damaged: Corrupt, Truncated, Unsupported.

        >>> import numpy as np
        >>> from featcodec import Codec
        >>> codec = Codec("backbone.fcp", snr=10)
        >>> codec.decode(codec.encode(np.ones((1, 17, 64), np.float16))).dtype.name
        'float16'
        """
        try:
            data = memoryview(message).tobytes()
        except TypeError:
            kind = a_kind(message)
            raise InvalidInput(f"{kind} is no message; give the bytes of one") from None
        if not data:
            raise Truncated("a message of no bytes; give those that encode returned")
        if data.startswith(MAGIC):
            raise Unsupported("a featcodec file is no message; load of featcodec.numpy reads it")
        cursor = Cursor(data, "message")
        head = Head.unpack(cursor)
        self._check_size(head.shape, LimitExceeded)
        own = self.profile.digest
        if not head.flags & LOSSLESS and head.tag != own[:TAG_BYTES]:
            raise ProfileMissing(
                f"the message was made with a profile whose SHA-256 begins with {head.tag.hex()},"
                f" and that of this codec is {own.hex()}: make a Codec with the profile of the"
                " encoder"
            )
        with ONE_THREAD, np.errstate(all="ignore"):
            stored = self._decode(head, cursor)
        return self._export(stored, head.dtype, head.shape)

    def _check_size(self, shape: tuple[int, ...], error: type[FeatcodecError]) -> None:
        """Raise `error` for a shape beyond the limit of the codec, or of the format."""
        values = math.prod(shape)
        if values > self.max_values:
            raise error(f"{values} values in a message, more than max_values={self.max_values}")
        if math.prod(n for n in shape if n) > SHAPE_VALUES:
            raise error(f"a message of shape {list(shape)}: no array has one like that")

    def _decode(self, head: Head, cursor: Cursor) -> np.ndarray:
        """Return the stored elements of what follows the head."""
        packed, body = bytes(cursor.data[: cursor.position]), cursor.rest()
        kind = STORED[head.dtype]
        if head.flags & LOSSLESS:
            count = math.prod(head.shape)
            with damaged("a message"):
                numbers = exact.decode(body, count, kind.itemsize, True, zlib.crc32(packed))
            return numbers.view(kind)
        entry = next((e for e in self._known if e.number == head.entry), None)
        grid = None if entry is None else entry.grid_of(head.shape)
        if entry is None or grid is None:
            raise Corrupt("a message whose shape or entry the profile does not have")
        bounds = (entry.head.lower, entry.head.upper)
        coder = entry.coder(grid, head, bounds, seed_of(packed, self.profile))
        none = b"" if head.flags & EXCEPTIONS else b"\0"  # of an empty exception list
        stored = np.zeros(head.shape, kind)
        try:
            for piece in coder.decode(none + bytes(body), 0, grid.slabs):
                piece.put(lambda _: stored)
        except Truncated:
            raise Truncated("a message ends in the middle of a field") from None
        except Corrupt as error:
            reason = str(error).rpartition(": ")[2]
            raise Corrupt(f"a message is damaged, or not one alone and whole: {reason}") from None
        return stored


def _check_step(step: Any, others: bool) -> None:
    """Raise InvalidInput for a step that is none, and for one beside other qualities."""
    if step is not None and not is_positive(step):
        raise InvalidInput(f"step must be a positive number, not {step!r}")
    if step is not None and others:
        raise InvalidInput("choose one quality: a step goes with no other")


def _given(profile: Any) -> Profile:
    found = profile_of(profile)
    if found is None:
        raise InvalidInput("messages need a profile, which `featcodec train` makes")
    return found
