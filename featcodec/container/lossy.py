"""What the header of a group with loss says of its values, quantiser and models (SPEC §5)."""

import struct
from dataclasses import dataclass

from .. import limits
from ..errors import Corrupt
from .constants import Constants, pack_constants, unpack_constants
from .flags import Flags
from .model import ARCHITECTURES, check_positive, check_values
from .part import Part
from .slices import PackedGains
from .stacks import StatedStacks
from .wire import Builder, Cursor

KNOTS = struct.Struct("<24b")
PICTURE_STEPS = 256  # eighths of an octave at most, either way
Curve = tuple[float, tuple[int, ...]]  # width and knots


@dataclass(frozen=True)
class Lossy:
    """The header of a group with loss: format and value alignment, quantiser, models."""

    architecture: str
    layout: str
    prefix: int  # tokens before the grid, at the start of L
    grid: tuple[int, ...]  # of the other tokens of L; () when L itself is the grid
    lower: float  # truncation bounds
    upper: float
    clipped: int  # values outside the bounds, all of them in the exception list
    mean: float  # normalisation
    std: float
    step: float  # in normalised units
    step_scale: int  # the step in quarter octaves, for the choice of tables
    clamp: bool  # decoded values are clamped to the bounds
    double: bool  # reconstruction in double precision
    profile: int | None  # position in the list of profiles of the index
    parts: tuple[Part, ...]  # the grid and, when prefix > 0, the prefix tokens
    neural: bool = False  # the part codes the residual of the picture of a network
    picture_step: int = 0  # eighths of an octave from the step of the part to that of the picture
    dependent: bool = False  # dependent quantisation
    curve: Curve | None = None  # the correction curve
    constants: Constants = ()  # channels, each of one element all over
    gains: bool = False  # tokens have gains, in their row groups
    refined: bool = False  # what the step leaves out follows, so that nothing is lost
    logarithmic: bool = False  # elements as numbers are coded, not their values
    slices: PackedGains | None = None  # gains of tensors or samples
    stacks: StatedStacks | None = None  # tensors side by side, as one

    @property
    def transform(self) -> str:
        return "neural" if self.neural else self.parts[0].transform

    @property
    def positive(self) -> bool:
        """Whether no value is below the mean."""
        return self.lower >= self.mean

    @property
    def network_step(self) -> float:
        """The step of the network's latents."""
        return float(self.step * 2 ** (self.picture_step / 8))

    @property
    def flags(self) -> Flags:
        """Return the flags that say what the header has."""
        stated = {
            Flags.CLAMP: self.clamp,
            Flags.DOUBLE: self.double,
            Flags.DEPENDENT: self.dependent,
            Flags.CURVE: self.curve is not None,
            Flags.CONSTANTS: bool(self.constants),
            Flags.GAINS: self.gains,
            Flags.SLICES: self.slices is not None,
            Flags.REFINED: self.refined,
            Flags.LOGARITHMIC: self.logarithmic,
            Flags.STACKS: self.stacks is not None,
        }
        flags = Flags(0)
        for flag, there in stated.items():
            flags |= flag if there else Flags(0)
        return flags

    def pack(self, out: Builder) -> None:
        """Write all but the layout and the flags, which lie before."""
        if self.stacks is not None:
            self.stacks.pack(out)
        out.u8(ARCHITECTURES.index(self.architecture))
        out.varint(self.prefix)
        limits.check_input(len(self.grid), limits.RANK, "the rank of a grid", "merge some axes")
        out.u8(len(self.grid))
        out.varints(self.grid)
        out.real(self.lower)
        out.real(self.upper)
        out.varint(self.clipped)
        for number in (self.mean, self.std, self.step):
            out.real(number)
        out.svarint(self.step_scale)
        if self.curve is not None:
            width, knots = self.curve
            out.real(width)
            out += KNOTS.pack(*knots)
        if self.constants:
            pack_constants(out, self.constants)
        if self.slices is not None:
            self.slices.pack(out)
        out.varint(0 if self.profile is None else self.profile + 1)
        for part in self.parts:
            part.pack(out)
        if self.neural:
            out.svarint(self.picture_step)

    @classmethod
    def unpack(cls, cursor: Cursor, layout: str, flags: Flags, neural: bool, bits: int) -> "Lossy":
        """Read what `pack` writes, of elements of so many bits; raise Corrupt for broken rules."""
        stacks = StatedStacks.unpack(cursor) if flags & Flags.STACKS else None
        architecture = ARCHITECTURES[cursor.choice(len(ARCHITECTURES), "an architecture")]
        prefix = cursor.varint()
        rank = limits.check(cursor.u8(), limits.RANK, "the rank of a grid")
        grid = tuple(cursor.varints(rank))
        lower, upper = cursor.real(), cursor.real()
        clipped = cursor.varint()
        mean, std, step = cursor.real(), cursor.real(), cursor.real()
        check_values("the group header", lower, upper, mean, std)
        check_positive("the group header", "step", step)
        step_scale = cursor.svarint()
        curve = _curve(cursor) if flags & Flags.CURVE else None
        constants = unpack_constants(cursor, bits) if flags & Flags.CONSTANTS else ()
        slices = PackedGains.unpack(cursor) if flags & Flags.SLICES else None
        profile = cursor.varint()
        if neural and (prefix or grid or not profile):
            raise Corrupt("a group behind a network has prefix tokens, a grid, or no profile")
        return cls(
            architecture,
            layout,
            prefix,
            grid,
            lower,
            upper,
            clipped,
            mean,
            std,
            step,
            step_scale,
            bool(flags & Flags.CLAMP),
            bool(flags & Flags.DOUBLE),
            profile - 1 if profile else None,
            tuple(Part.unpack(cursor) for _ in range(2 if prefix else 1)),
            neural,
            _picture_step(cursor) if neural else 0,
            bool(flags & Flags.DEPENDENT),
            curve,
            constants,
            bool(flags & Flags.GAINS),
            bool(flags & Flags.REFINED),
            bool(flags & Flags.LOGARITHMIC),
            slices,
            stacks,
        )


def _curve(cursor: Cursor) -> Curve:
    width = cursor.real()
    check_positive("the group header", "width of the curve", width)
    return width, KNOTS.unpack(cursor.take(KNOTS.size))


def _picture_step(cursor: Cursor) -> int:
    step = cursor.svarint()
    if abs(step) > PICTURE_STEPS:
        raise Corrupt(f"the picture step of the group header is {step}, beyond ±{PICTURE_STEPS}")
    return step
