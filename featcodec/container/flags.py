"""What the header of a group has or says beside its fixed fields, a bit each (SPEC §5)."""

from enum import IntFlag

from ..errors import Corrupt, Unsupported

LOSSLESS, LOSSY, NEURAL = CODINGS = (0, 1, 2)
NAMES = ("bit for bit", "with loss", "with loss behind a network")


class Flags(IntFlag):
    """The flags, lowest bit first."""

    REPEATS = 1  # rows that repeat earlier ones are left out
    TASK_SNR = 2  # reached in the metric of a task
    CLAMP = 4  # decoded values are clamped to the bounds
    DOUBLE = 8  # reconstruction in double precision
    DEPENDENT = 16  # dependent quantisation
    CURVE = 32  # a correction curve
    CONSTANTS = 64  # constant channels
    GAINS = 128  # of tokens
    SLICES = 256  # gains of tensors or samples
    REFINED = 512  # what the step leaves out follows, so that nothing is lost
    LOGARITHMIC = 1024  # elements as numbers are coded, not their values
    STACKS = 2048  # tensors side by side, as one


ALL = Flags(4095)
APART = (  # of which a group has one at most
    Flags.TASK_SNR | Flags.SLICES,
    Flags.TASK_SNR | Flags.STACKS,
    Flags.REPEATS | Flags.STACKS,
    Flags.REFINED | Flags.TASK_SNR,
)
ALLOWED = {
    LOSSLESS: Flags.REPEATS,
    LOSSY: ALL,
    NEURAL: Flags.TASK_SNR | Flags.CLAMP | Flags.DOUBLE | Flags.DEPENDENT,
}


def flags_of(stated: int, coding: int) -> Flags:
    """Return the flags of a coding; raise Unsupported for unknown ones, Corrupt for wrong ones."""
    if stated > ALL:
        raise Unsupported(f"a group has flags {stated:#x}; a newer featcodec is needed")
    flags = Flags(stated)
    wrong = flags & ~ALLOWED[coding]
    if wrong:
        raise Corrupt(f"a group coded {NAMES[coding]} has {_named(wrong)}")
    for pair in APART:
        if pair in flags:
            raise Corrupt(f"a group has {_named(pair)}, which do not go together")
    return flags


def _named(flags: Flags) -> str:
    return ", ".join(f"the flag {flag.name}" for flag in Flags if flag & flags)
