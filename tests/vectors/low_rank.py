"""A KLT whose reflectors stand in runs (SPEC §6.2): a file by hand, and faulty ones."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from featcodec import Profile
from featcodec.container.group import GroupHeader
from featcodec.container.wire import Builder
from featcodec.entropy import integers
from featcodec.transform import householder

from .edit import lossy, rewrite, with_model
from .store import Vector, fault, sound, stored, valid

CHANNELS = 64
RUNS = (5, 1, 0, 2)  # reflectors; the one alone is zero, and so are those behind the others
LOW_RANK = {"transform": "low-rank"}


def made() -> Iterator[Vector]:
    map_, of_profile = sound("001-cnn-map"), sound("003-profile-cnn")
    runs = [run for run in RUNS if run]
    ours = with_runs(map_, runs)
    yield valid("220-low-rank-by-hand", ours)
    yield valid("221-low-rank-empty", with_basis(map_, b"", 3))
    yield fault("low-rank-run-0", "a run without a reflector", with_runs(map_, RUNS))
    too_many = with_runs(map_, runs, sum(runs) - 1)
    yield fault("low-rank-run-long", "a run of more reflectors than are left", too_many)
    yield fault("low-rank-run-less", "too few runs", with_runs(map_, runs, sum(runs) + 1))
    behind = with_basis(map_, packed(runs) + b"\1", sum(runs))
    yield fault("low-rank-run-behind", "a byte behind the last run", behind)
    profile = of_entries(stored("digits.fcp"))
    data = rewrite(of_profile, profile=profile)
    linear = "a part that states transform linear for an entry of transform low-rank"
    yield fault("low-rank-entry-linear", linear, data, profile)


def packed(runs: Sequence[int]) -> bytes:
    """Return reflectors in runs, of small integers; a run of one is of zeros."""
    rng, out, first = np.random.default_rng(10), Builder(), 0
    for run in runs:
        count = sum(CHANNELS - j for j in range(first, first + run))
        largest = math.ceil(9 / (1 + first))
        out.varint(run)
        out.blob(integers.pack(rng.integers(-largest, largest + 1, count) * (run > 1)))
        first += run
    return bytes(out)


def with_runs(data: bytes, runs: Sequence[int], reflectors: int | None = None) -> bytes:
    return with_basis(data, packed(runs), sum(runs) if reflectors is None else reflectors)


def with_basis(data: bytes, basis: bytes, reflectors: int) -> bytes:
    change = with_model(**LOW_RANK, reflectors=reflectors, basis=basis)
    return rewrite(data, change)


def of_entries(data: bytes) -> bytes:
    """Return a profile whose first entry has its reflectors in runs of one."""
    first, *others = Profile.parse(data).entries
    model, out, start = first.model, Builder(), 0
    flat = integers.unpack(model.basis, householder.packed_length(first.channels, model.reflectors))
    for j in range(model.reflectors):
        out.varint(1)
        out.blob(integers.pack(flat[start : start + first.channels - j]))
        start += first.channels - j
    model = replace(model, **LOW_RANK, basis=bytes(out))
    return Profile.pack([replace(first, model=model), *others])


def as_low_rank(header: GroupHeader) -> GroupHeader:
    parts = tuple(replace(part, transform="low-rank") for part in header.lossy.parts)
    return lossy(parts=parts)(header)
