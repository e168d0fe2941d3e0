"""Models of token grids and the entries of profiles, as they are stored (SPEC §6, §9)."""

import math
from dataclasses import dataclass, field

from .. import limits
from ..errors import Corrupt
from ..modes import BY_CODE, MODES, Fields
from .dump import quoted, to_write
from .wire import Builder, Cursor

CHANNEL = "CD"  # letters of a layout
ARCHITECTURES = ("generic", "cnn", "transformer")


def pack_layout(out: Builder, layout: str) -> None:
    limits.check_input(len(layout), limits.RANK, "the rank of a layout", "merge some axes")
    out.string(layout, "a layout")


def layout_of(cursor: Cursor) -> str:
    """Read a layout, which has a letter for each axis."""
    layout = cursor.string()
    limits.check(len(layout), limits.RANK, "the rank of a layout")
    return layout


def check_values(what: str, lower: float, upper: float, mean: float, std: float) -> None:
    """Raise Corrupt unless `what` holds bounds and a normalisation that values can have."""
    for name, value in (("lower bound", lower), ("upper bound", upper), ("mean", mean)):
        if not math.isfinite(value):
            raise Corrupt(f"the {name} of {what} is {value}; it must be finite")
    if lower > upper:
        raise Corrupt(f"the lower bound of {what} is {lower}, above the upper bound {upper}")
    check_positive(what, "deviation", std)


def check_positive(what: str, name: str, value: float) -> None:
    """Raise Corrupt unless a number is finite and above 0."""
    if not 0 < value < math.inf:
        raise Corrupt(f"the {name} of {what} is {value}; it must be finite and above 0")


@dataclass(frozen=True)
class Model:
    """All that is fitted on features; the byte strings are integers that `entropy` packs."""

    transform: str  # name of a mode
    block: tuple[int, ...] = ()  # longest block on each grid axis
    reflectors: int = 0  # how many Householder reflectors make up a KLT
    centre_exponent: int = 0  # centres are integers times 2 ** -centre_exponent
    scale_unit: int = 1  # of the scales, in quarter octaves
    fields: Fields = field(default_factory=Fields)  # of the mode
    centre: bytes = b""  # one per channel, in normalised units; empty: all zero
    basis: bytes = b""
    scales: bytes = b""  # channel, band and residual terms
    tables: bytes = b""

    def pack(self) -> bytes:
        out = Builder()
        limits.check_input(len(self.block), limits.RANK, "the rank of blocks", "merge some axes")
        out.u8(MODES[self.transform].code)
        out.u8(len(self.block))
        out.varints(self.block)
        out.varint(self.reflectors)
        out.u8(self.centre_exponent)
        out.u8(self.scale_unit)
        self.fields.pack(out)
        for packed in (self.centre, self.basis, self.scales, self.tables):
            out.blob(packed)
        return bytes(out)

    def check(self, channels: int, most: int) -> None:
        """Raise Corrupt or LimitExceeded unless the sizes suit a model of so many channels.

        `most` bounds the numbers of its KLTs.
        """
        points = math.prod(self.block)
        limits.check(points, limits.BLOCK_POINTS, "the number of points of a block")
        limits.check(points * channels, limits.COEFFICIENTS, "the number of coefficients")
        if points == 0:
            raise Corrupt("a model has a block of length 0")
        if self.reflectors > channels:
            raise Corrupt(f"a model has {self.reflectors} reflectors for {channels} channels")
        what = "2 x reflectors" if MODES[self.transform].low_rank else "bands x channels"
        limits.check(self.klt_numbers(channels), most, f"{what} x channels of KLTs")
        self.fields.check(channels)

    def klt_numbers(self, channels: int) -> int:
        """Return how many numbers the matrices of the KLTs have for so many channels."""
        if not self.reflectors:
            return 0
        few = MODES[self.transform].low_rank
        return (2 * self.reflectors if few else self.fields.klts * channels) * channels

    def numbers(self, channels: int) -> int:
        """Return how many numbers there are in all: those of KLTs, and one a coefficient."""
        return self.klt_numbers(channels) + math.prod(self.block) * channels

    @classmethod
    def unpack(cls, data: bytes) -> "Model":
        cursor = Cursor(data, "model")
        mode = BY_CODE[cursor.code(BY_CODE, "a transform")]
        axes = limits.check(cursor.u8(), limits.RANK, "the number of block axes")
        block = tuple(cursor.varints(axes))
        reflectors = cursor.varint()
        exponent, unit = cursor.u8(), cursor.u8()
        fields = mode.fields.unpack(cursor)
        packed = [cursor.blob() for _ in range(4)]
        cursor.end()
        return cls(mode.name, block, reflectors, exponent, unit, fields, *packed)


@dataclass(frozen=True)
class ProfileEntry:
    """A model trained for one kind of token grid, and what it was trained on."""

    name: str  # model and layer, from the dump's metadata
    architecture: str
    layout: str
    prefix_tokens: int
    grid: tuple[int, ...]  # of the other tokens of L; () when L itself is the grid
    prefix: bool  # whether the model is that of the prefix tokens
    channels: int
    values: int  # how many it was trained on
    mean: float
    std: float
    lower: float
    upper: float
    model: Model = field(repr=False)

    def pack(self) -> bytes:
        """Return the payload of ENTR; InputTooLarge when the format cannot hold so much."""
        with to_write():
            self._check()
        out = Builder()
        out.string(self.name, "the name of a profile entry")
        out.u8(ARCHITECTURES.index(self.architecture))
        pack_layout(out, self.layout)
        out.varint(self.prefix_tokens)
        limits.check_input(len(self.grid), limits.RANK, "the rank of a grid", "merge some axes")
        out.u8(len(self.grid))
        out.varints(self.grid)
        out.u8(self.prefix)
        out.varint(self.channels)
        out.varint(self.values)
        for number in (self.mean, self.std, self.lower, self.upper):
            out.real(number)
        out += self.model.pack()
        return bytes(out)

    @property
    def task(self) -> str | None:
        """The task whose metric the model has; None without one."""
        return self.model.fields.for_task

    @property
    def recommended(self) -> float:
        """The task SNR in dB that keeps the task; 0 when none is known."""
        return self.model.fields.recommends

    @classmethod
    def unpack(cls, data: bytes) -> "ProfileEntry":
        cursor = Cursor(data, "profile entry")
        name = cursor.string()
        architecture = ARCHITECTURES[cursor.choice(len(ARCHITECTURES), "an architecture")]
        layout = layout_of(cursor)
        prefix_tokens = cursor.varint()
        rank = limits.check(cursor.u8(), limits.RANK, "the rank of a grid")
        grid = tuple(cursor.varints(rank))
        prefix = cursor.flag()
        channels, values = cursor.varint(), cursor.varint()
        mean, std, lower, upper = (cursor.real() for _ in range(4))
        check_values("a profile entry", lower, upper, mean, std)
        model = Model.unpack(bytes(cursor.rest()))
        if not MODES[model.transform].in_profiles:
            raise Corrupt(
                f"a profile entry has transform {model.transform}, which no profile may have"
            )
        entry = cls(
            name,
            architecture,
            layout,
            prefix_tokens,
            grid,
            prefix,
            channels,
            values,
            mean,
            std,
            lower,
            upper,
            model,
        )
        entry._check()
        return entry

    def _check(self) -> None:
        what = f"the number of channels of {quoted(self.name)}"
        limits.check(self.channels, limits.CHANNELS, what)
        self.model.check(self.channels, limits.PROFILE_KLT_NUMBERS)
