"""Vectors of stacks (SPEC §5.1): faulty ones."""

from collections.abc import Iterator
from dataclasses import replace

from featcodec.container.flags import Flags
from featcodec.container.stacks import StatedStacks

from .edit import lossy, rewrite, with_flags
from .store import Vector, fault, sound

ONE, SEVERAL, TENSORS = "360-stack", "361-stacks", 5


def made() -> Iterator[Vector]:
    for name, (reason, data) in faults().items():
        yield fault(name, reason, data)


def faults() -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file)."""
    one, several = sound(ONE), sound(SEVERAL)

    def having(count: int, distance: int, data: bytes = one) -> bytes:
        return rewrite(data, lossy(stacks=StatedStacks(count, distance)))

    return {
        "stacks-of-one": ("stacks of one tensor", having(1, 5)),
        "stacks-no-distance": ("stacks of tensors that are 0 apart", having(TENSORS, 0)),
        "stacks-uneven": ("stacks of 4 tensors among 5", having(4, 1)),
        "stacks-apart": ("tensors 2 apart in stacks of 5, and 5 in all", having(TENSORS, 2)),
        "stacks-of-shapes": ("tensors of two shapes in a stack", having(TENSORS, 2, several)),
        "stacks-not": ("the model of a stack for tensors", rewrite(one, lossy(stacks=None))),
        "stacks-and-rows": ("repeats", with_flags(one, Flags.STACKS | Flags.REPEATS)),
        "stacks-of-task": ("a task", rewrite(one, lambda header: replace(header, task_snr=3.0))),
        "stacks-of-network": ("a network", with_flags(one, Flags.STACKS, 2)),
        "stacks-exact": ("bit for bit", with_flags(one, Flags.STACKS, 0)),
        "hostile-stacks": ("stacks of 2^40 tensors", having(1 << 40, 1)),
        "hostile-distance": ("tensors that are 2^63 apart", having(TENSORS, 1 << 63)),
    }
