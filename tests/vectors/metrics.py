"""Task metrics (SPEC §6.7): files by hand, and faulty ones."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from featcodec.container.flags import Flags
from featcodec.container.group import GroupHeader
from featcodec.entropy import integers
from featcodec.modes.weighted import WeightedFields

from .edit import Change, lossy, rewrite, with_flags, with_model
from .store import Vector, fault, sound, stored, valid

CHANNELS = 5  # of the model by hand, which has four reflectors


def made() -> Iterator[Vector]:
    maps, of_profile = map(sound, ("122-banded-cut", "250-task-maps"))
    profile = stored("task.fcp")
    by_hand = rewrite(maps, weighted(16))
    yield valid("253-weighted-by-hand", by_hand)
    yield valid("254-task-snr-alone", rewrite(maps, stating(-3.5)))
    for name, base, *profiles in (
        ("255-task-rows", "190-repeated-tokens"),
        ("256-task-network", "104-network-least", "least.fcp"),
    ):
        yield valid(name, rewrite(sound(base), stating(12.0)), *profiles)
    for name in ("linear", "banded"):
        reason = f"a part that states another transform, {name}, for an entry with a metric"
        data = rewrite(of_profile, stated_as(name))
        yield fault(f"weighted-entry-{name}", reason, data, profile)
    faults = {
        "weighted-17": ("a metric of 17 bands", {"bands": 17}),
        "weighted-0": ("a metric without bands", {"bands": 0}),
        "weighted-place": ("a place in a band that does not exist", {"beyond": 1}),
        "weighted-gain": ("a weight beyond 256", {"gain": 257}),
        "weighted-recommended": ("a recommended task SNR below 0", {"recommended": -1.0}),
        "weighted-recommended-nan": ("a recommended task SNR of NaN", {"recommended": math.nan}),
    }
    for name, (reason, changes) in faults.items():
        data = rewrite(maps, weighted(**({"bands": 2} | changes)))
        yield fault(name, reason, data)
    for name, snr in (("infinite", math.inf), ("nan", math.nan)):
        data = rewrite(maps, stating(snr))
        yield fault(f"task-snr-{name}", f"a task SNR that is {name}", data)
    stated = rewrite(maps, stating(3.0))
    for name, coding, flags in (
        ("lossless", 0, Flags.TASK_SNR),
        ("lossless-rows", 0, Flags.TASK_SNR | Flags.REPEATS),
        ("network-rows", 2, Flags.TASK_SNR | Flags.REPEATS),
    ):
        data = with_flags(stated, flags, coding)
        yield fault(f"task-snr-{name}", f"flags {flags:d} with coding {coding}", data)


def weighted(bands: int, beyond: int = 0, gain: int = 0, recommended: float = 0.0) -> Change:
    """Give a model a metric of so many bands; the last place lies `beyond` them."""

    def change(header: GroupHeader) -> GroupHeader:
        rng = np.random.default_rng(9)
        points = math.prod(header.lossy.parts[0].model.block)
        places = rng.permutation(np.arange(points) % max(bands, 1))
        places[-1] += beyond * bands
        gains = rng.integers(-12, 13, bands * CHANNELS + points)
        gains[0] += gain
        vectors = rng.integers(-9, 10, (2 * bands, 5 + 4))
        if bands > 2:
            vectors[1], vectors[3, :5], vectors[bands] = 0, 0, 0
        packed = integers.pack(places), integers.pack(gains)
        fields = WeightedFields("by hand", recommended, bands, *packed)
        changes = {"fields": fields, "reflectors": 2, "basis": integers.pack(vectors)}
        return with_model(transform="weighted", **changes)(header)

    return change


def stating(snr: float) -> Change:
    return lambda header: replace(header, task_snr=snr)


def stated_as(transform: str) -> Change:
    def change(header: GroupHeader) -> GroupHeader:
        parts = tuple(replace(part, transform=transform) for part in header.lossy.parts)
        return lossy(parts=parts)(header)

    return change
