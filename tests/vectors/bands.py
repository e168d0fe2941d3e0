"""A KLT for each band of frequencies (SPEC §6.2): a file by hand, and faulty ones."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from featcodec.container.group import GroupHeader
from featcodec.entropy import integers
from featcodec.modes.banded import BandedFields

from .edit import Change, lossy, rewrite, with_model
from .store import Vector, fault, sound, stored, valid


def made() -> Iterator[Vector]:
    ours, maps, of_profile = map(sound, ("120-banded-own", "122-banded-cut", "121-banded-profile"))
    profile = stored("banded.fcp")
    yield valid("123-banded-by-hand", rewrite(maps, by_hand))
    yield fault(
        "banded-entry-linear",
        "a part that states transform linear for an entry with bands",
        rewrite(of_profile, as_linear),
        profile,
    )
    yield fault("banded-place", "a place in a band that does not exist", rewrite(maps, bands(2, 1)))
    yield fault("banded-unused", "a band that has no place", rewrite(maps, bands(3)))
    yield fault("banded-17", "a model of 17 bands", rewrite(maps, bands(17)))


def by_hand(header: GroupHeader) -> GroupHeader:
    """Give a model as many bands as there may be, all over the block, and few reflectors."""
    rng = np.random.default_rng(8)
    places = rng.permutation(np.arange(math.prod(header.lossy.parts[0].model.block)) % 16)
    vectors = rng.integers(-9, 10, (16, 5 + 4))
    vectors[4], vectors[7, :5], vectors[9, 5:] = 0, 0, 0
    fields = BandedFields(16, integers.pack(places))
    return with_model(fields=fields, reflectors=2, basis=integers.pack(vectors))(header)


def bands(count: int, beyond: int = 0) -> Change:
    """State so many bands, of two that have places; the last place lies beyond them."""

    def change(header: GroupHeader) -> GroupHeader:
        model = header.lossy.parts[0].model
        points, reflectors = math.prod(model.block), 5 + 4 + 3 + 2
        assert (model.fields.bands, model.reflectors) == (2, 4)
        places = integers.unpack(model.fields.places, points).copy()
        places[-1] += beyond
        vectors = integers.unpack(model.basis, 2 * reflectors)
        vectors = np.resize(vectors, count * reflectors)
        fields = BandedFields(count, integers.pack(places))
        return with_model(fields=fields, basis=integers.pack(vectors))(header)

    return change


def as_linear(header: GroupHeader) -> GroupHeader:
    parts = tuple(replace(part, transform="linear") for part in header.lossy.parts)
    return lossy(parts=parts)(header)
