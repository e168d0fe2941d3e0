"""Faulty vectors of gains of tensors or samples."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from featcodec.container.flags import Flags
from featcodec.container.slices import PackedGains
from featcodec.entropy import integers

from .edit import lossy, rewrite, with_flags
from .store import Vector, fault, sound

TENSORS, COUNT = "300-weak-tensors", 6


def made() -> Iterator[Vector]:
    for name, (reason, data) in faults().items():
        yield fault(name, reason, data)


def faults() -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file)."""
    weak = sound(TENSORS)

    def having(exponents: Sequence[int], runs: int = 1) -> bytes:
        packed = integers.pack(np.array(exponents))
        return rewrite(weak, lossy(slices=PackedGains(False, runs, packed)))

    rest = [0] * (COUNT - 1)
    many = rewrite(sound("302-weak-samples"), lossy(slices=PackedGains(True, 1 << 40, b"")))
    return {
        "slices-too-large": ("a gain of a tensor of 2^(-513/16)", having([*rest, -513])),
        "slices-fewer": ("gains of fewer tensors", having([*rest[1:], -4])),
        "slices-no-runs": ("gains of no runs of channels", having([], 0)),
        "slices-uneven": ("5 runs of 12 channels", having([*rest, -4] * 5, 5)),
        "slices-of-network": ("a network and gains", with_flags(weak, Flags.SLICES, 2)),
        "slices-of-task": (
            "a task and gains",
            rewrite(weak, lambda header: replace(header, task_snr=3.0)),
        ),
        "slices-refined": (
            "gains of a refined group",
            rewrite(sound("210-refined-values"), lossy(slices=PackedGains(False, 1, b""))),
        ),
        "hostile-slices": ("2^40 runs of channels", many),
    }
