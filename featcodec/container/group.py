"""The header of a tensor group (SPEC §5)."""

import math
import struct
from dataclasses import dataclass, replace

from .. import elements, limits
from ..errors import Corrupt
from ..modes import BY_CODE, MODES
from .constants import Constants, pack_constants, unpack_constants
from .model import (
    ARCHITECTURES,
    Model,
    check_positive,
    check_values,
    layout_of,
    pack_layout,
    several_channels,
)
from .refined import check_refined
from .repeats import RepeatedRows
from .sections import V1, V3, V4, V6
from .slices import PackedGains
from .stacks import StatedStacks
from .wire import Builder, Cursor

LOSSLESS, LOSSY, NEURAL, REPEATS, TASK, SLICES, STACKS = 0, 1, 2, 4, 8, 16, 32  # 4 on: added
CODINGS = (0, 1, 2, 4, 5, 9, 10, 13, 17, 21, 33, 49)  # all that there are
CLAMP, DOUBLE, DEPENDENT, CURVE, CONSTANTS, GAINS, LOGARITHMIC, REFINED = (1 << i for i in range(8))
KNOTS = struct.Struct("<24b")
PICTURE_STEPS = 256  # eighths of an octave at most, either way


@dataclass(frozen=True)
class Part:
    """How one token grid of the group, the grid or the prefix tokens, is coded."""

    transform: str
    model: Model | None  # None: the profile's entry number `entry`
    entry: int = 0
    scales: bytes = b""  # added to the scales of the entry
    tables: bytes = b""  # in place of tables of the entry

    def pack(self, out: Builder) -> None:
        out.u8(self.model is None)
        if self.model is None:
            out.u8(MODES[self.transform].code)
            out.varint(self.entry)
            out.blob(self.scales)
            out.blob(self.tables)
        else:
            out.blob(self.model.pack())

    @classmethod
    def unpack(cls, cursor: Cursor) -> "Part":
        if cursor.flag():
            mode = BY_CODE[cursor.code(BY_CODE, "a transform")]
            if not mode.in_profiles:
                raise Corrupt(
                    f"a part of transform {mode.name} refers to a profile, which has none"
                )
            entry = limits.check(cursor.varint(), limits.PROFILE_ENTRIES, "a profile entry")
            return cls(mode.name, None, entry, cursor.blob(), cursor.blob())
        model = Model.unpack(cursor.blob())
        return cls(model.transform, model)


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
    curve: tuple[float, tuple[int, ...]] | None = None  # the correction curve: width and knots
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
    def version(self) -> tuple[int, int]:
        """Return the lowest version of the format that has what the group uses."""
        versions = [MODES[part.transform].since for part in self.parts]
        versions += [V4] * (self.dependent or self.curve is not None) + [V3] * self.neural
        versions += [V6] * (bool(self.constants) or self.gains or self.refined)
        versions += [V6] * (several_channels(self.layout) or bool(self.slices or self.stacks))
        return max(versions)


@dataclass(frozen=True)
class GroupHeader:
    """What the tensors of a group share, and where its row groups are."""

    dtype: str
    slabs: int  # of the whole group
    slabs_per_row_group: int
    first_section: int  # position of its first ROWS in the list of sections
    snr_db: float  # reached; infinite when nothing was lost
    max_error: float  # largest absolute error of a finite value
    lossy: Lossy | None = None  # None: bit for bit
    repeats: RepeatedRows | None = None  # which are left out
    task_snr: float | None = None  # reached with loss in the metric of a task, in dB

    @property
    def version(self) -> tuple[int, int]:
        """Return the lowest version of the format that has what the header states."""
        versions = [V1 if self.lossy is None else self.lossy.version]
        versions += [] if self.repeats is None else [self.repeats.version]
        versions += [V6] * (self.task_snr is not None)
        return max(versions)

    @property
    def exact(self) -> bool:
        """Whether all tensors come back bit for bit."""
        return self.lossy.refined if self.lossy is not None else self.max_error == 0

    @property
    def row_groups(self) -> int:
        return -(-self.slabs // self.slabs_per_row_group)

    def pack(self) -> bytes:
        out = Builder()
        coding = LOSSLESS if self.lossy is None else NEURAL if self.lossy.neural else LOSSY
        coding |= REPEATS * (self.repeats is not None) | TASK * (self.task_snr is not None)
        lossy = self.lossy
        coding |= SLICES * bool(lossy and lossy.slices) | STACKS * bool(lossy and lossy.stacks)
        out.u8(coding)
        out.u8(elements.CODES[self.dtype])
        out.varints((self.slabs, self.slabs_per_row_group, self.first_section))
        out.f64(self.snr_db)
        out.f64(self.max_error)
        if self.task_snr is not None:
            out.f64(self.task_snr)
        if self.repeats is not None:
            if self.lossy is None:
                pack_layout(out, self.repeats.layout)
            self.repeats.pack(out)
        if self.lossy is not None:
            if self.lossy.stacks is not None:
                self.lossy.stacks.pack(out)
            _pack_lossy(out, self.lossy)
        return bytes(out)

    @classmethod
    def unpack(cls, payload: bytes) -> "GroupHeader":
        cursor = Cursor(payload, "group header")
        stated = cursor.code(CODINGS, "a coding")
        repeating, of_task, slices = (bool(stated & bit) for bit in (REPEATS, TASK, SLICES))
        coding = stated & ~(REPEATS | TASK | SLICES | STACKS)
        dtype = elements.name_of(cursor.u8())
        slabs, per_row_group, first = cursor.varints(3)
        if per_row_group == 0:
            raise Corrupt("the group header states 0 slabs per row group; it must be at least 1")
        snr_db, max_error = cursor.f64(), cursor.f64()
        task_snr = _task_snr(cursor) if of_task else None
        bits = elements.BITS[dtype]
        layout = layout_of(cursor) if repeating and coding == LOSSLESS else ""
        repeats = RepeatedRows.unpack(cursor, layout, bits) if repeating else None
        stacks = StatedStacks.unpack(cursor) if stated & STACKS else None
        lossy = None if coding == LOSSLESS else _unpack_lossy(cursor, coding == NEURAL, bits)
        if lossy:
            gains = PackedGains.unpack(cursor) if slices else None
            lossy = replace(lossy, slices=gains, stacks=stacks)
        cursor.end()
        if lossy is not None and dtype not in elements.FLOATS:
            raise Corrupt(f"the group header codes {dtype} with loss; only floating types can be")
        if lossy is not None and (lossy.refined or lossy.logarithmic):
            check_refined(lossy, dtype)
        return cls(dtype, slabs, per_row_group, first, snr_db, max_error, lossy, repeats, task_snr)


def _pack_lossy(out: Builder, lossy: Lossy) -> None:
    out.u8(ARCHITECTURES.index(lossy.architecture))
    pack_layout(out, lossy.layout)
    out.varint(lossy.prefix)
    limits.check_input(len(lossy.grid), limits.RANK, "the rank of a grid", "merge some axes")
    out.u8(len(lossy.grid))
    out.varints(lossy.grid)
    out.f64(lossy.lower)
    out.f64(lossy.upper)
    out.varint(lossy.clipped)
    for number in (lossy.mean, lossy.std, lossy.step):
        out.f64(number)
    out.svarint(lossy.step_scale)
    flags = CLAMP * lossy.clamp | DOUBLE * lossy.double
    flags |= DEPENDENT * lossy.dependent | CURVE * (lossy.curve is not None)
    flags |= CONSTANTS * bool(lossy.constants) | GAINS * lossy.gains
    out.u8(flags | REFINED * lossy.refined | LOGARITHMIC * lossy.logarithmic)
    if lossy.curve is not None:
        width, knots = lossy.curve
        out.f64(width)
        out += KNOTS.pack(*knots)
    if lossy.constants:
        pack_constants(out, lossy.constants)
    out.varint(0 if lossy.profile is None else lossy.profile + 1)
    for part in lossy.parts:
        part.pack(out)
    if lossy.neural:
        out.svarint(lossy.picture_step)
    if lossy.slices is not None:
        lossy.slices.pack(out)


def _unpack_lossy(cursor: Cursor, neural: bool, bits: int) -> Lossy:
    architecture = ARCHITECTURES[cursor.choice(len(ARCHITECTURES), "an architecture")]
    layout = layout_of(cursor)
    prefix = cursor.varint()
    grid = tuple(cursor.varints(limits.check(cursor.u8(), limits.RANK, "the rank of a grid")))
    lower, upper = cursor.f64(), cursor.f64()
    clipped = cursor.varint()
    mean, std, step = cursor.f64(), cursor.f64(), cursor.f64()
    step_scale = cursor.svarint()
    flags = cursor.u8()
    curve = _curve(cursor) if flags & CURVE else None
    constants = unpack_constants(cursor, bits) if flags & CONSTANTS else ()
    profile = cursor.varint()
    check_values("the group header", lower, upper, mean, std)
    check_positive("the group header", "step", step)
    if neural and (prefix or grid or flags >= CURVE or not profile):
        raise Corrupt(
            "a group behind a network has prefix tokens, a grid, a curve, constants, gains, or no"
            " profile"
        )
    return Lossy(
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
        bool(flags & CLAMP),
        bool(flags & DOUBLE),
        profile - 1 if profile else None,
        tuple(Part.unpack(cursor) for _ in range(2 if prefix else 1)),
        neural,
        _picture_step(cursor) if neural else 0,
        bool(flags & DEPENDENT),
        curve,
        constants,
        bool(flags & GAINS),
        bool(flags & REFINED),
        bool(flags & LOGARITHMIC),
    )


def _curve(cursor: Cursor) -> tuple[float, tuple[int, ...]]:
    width = cursor.f64()
    check_positive("the group header", "width of the curve", width)
    return width, KNOTS.unpack(cursor.take(KNOTS.size))


def _task_snr(cursor: Cursor) -> float:
    snr = cursor.f64()
    if not math.isfinite(snr):
        raise Corrupt(f"the task SNR of the group header is {snr}; it must be finite")
    return snr


def _picture_step(cursor: Cursor) -> int:
    step = cursor.svarint()
    if abs(step) > PICTURE_STEPS:
        raise Corrupt(f"the picture step of the group header is {step}, beyond ±{PICTURE_STEPS}")
    return step
