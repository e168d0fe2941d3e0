"""Zeros split from magnitudes (SPEC §7.12): a file by hand, and faulty ones."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from featcodec.coding.model import pack_scales, pack_tables
from featcodec.container.lossy import Lossy
from featcodec.container.model import Model
from featcodec.container.part import Part
from featcodec.entropy import split
from featcodec.entropy.tables import Table, by_table
from featcodec.modes.split import SplitFields

from . import grids
from .contexts import entry_of
from .edit import PLAIN, rewrite, with_model
from .store import Vector, fault, sound, valid

TABLES = {14: Table(3, 0, 100, 90, (255, 255)), 200: Table(60, 2, 80, 140, (100, 110, 120))}
UPPER = 90  # bound, in steps
SCALES = np.array([[-30], [9], [88]])


def made() -> Iterator[Vector]:
    maps, volume = sound("134-split-peak"), sound("135-split-volume")
    profile, of_profile = entry_of("split", fields=SplitFields())
    yield valid("137-split-by-hand", by_hand())
    yield fault("split-entry", "transform split in an entry of a profile", of_profile, profile)
    yield fault(
        "split-cube",
        "transform split with blocks of three axes",
        rewrite(volume, with_model(block=(2, 9, 8))),
    )
    yield fault(
        "split-peak",
        "a peak beyond 2^20",
        rewrite(maps, with_model(fields=SplitFields((1 << 20) + 1))),
    )
    yield fault("split-kind", "a kind of 3", by_hand(kind=3))
    yield fault("split-no-peak", "a kind of 2 without a peak", by_hand(peak=0, kind=2))
    yield fault("split-magnitude", "a magnitude of 0", by_hand(size=-1))
    yield fault("split-large", "a magnitude of 2^20 + 1", by_hand(size=1 << 20))
    yield fault("split-negative", "a kind of -2", by_hand(kind=-2))
    yield fault(
        "split-reflector",
        "transform split with a reflector, of zeros",
        rewrite(maps, with_model(reflectors=1)),
    )


def by_hand(peak: int = 3, kind: int | None = None, size: int | None = None) -> bytes:
    """Code maps behind prefix tokens, of all magnitudes and signs.

    `kind` and `size` are faults, in place of the first kind and the first magnitude of each class
    of blocks.
    """
    rng = np.random.default_rng(8)
    model = Model(
        "split",
        (5, 4),
        fields=SplitFields(peak),
        scales=pack_scales(SCALES),
        tables=pack_tables(TABLES),
    )
    header = Lossy(
        **PLAIN | grids.ON_GRID | {"upper": float(UPPER)},
        parts=(Part("split", model), Part("split", replace(model, block=(1,)))),
    )

    def symbols_of(sizes: tuple[int, ...], blocks: int) -> Iterator[grids.Coded]:
        points = math.prod(sizes)
        values = rng.laplace(scale=np.array([1, 30, 1e5]).reshape(3, 1, 1), size=(3, 63, blocks))
        values = values[:, :points]
        values *= rng.random(values.shape) < 0.7
        wrong: dict[bool, int | None] = {False: kind, True: size}
        for number, found in _kinds_and_magnitudes(values, sizes, peak):
            first = wrong.pop(number >= split.MAGNITUDES, None)
            found[0] = found[0] if first is None else first
            yield found, TABLES.get(number) or split.table(number, True, peak > 0)

    return grids.file_of(header, symbols_of)


def _kinds_and_magnitudes(
    values: np.ndarray, sizes: tuple[int, ...], peak: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield numbers of tables and symbols of values (channels, points, blocks), in steps."""
    rows = np.ascontiguousarray(values.transpose(1, 0, 2)).reshape(values.shape[1], -1)
    at_bound = (rows >= UPPER) & (peak > 0)
    whole = np.where(at_bound, peak, np.trunc(rows + np.copysign(0.5, rows))).astype("i4")
    levels = (SCALES[:, 0] - grids.ON_GRID["step_scale"] + 1) >> 1
    known = split.Magnitudes(sizes, levels, values.shape[2])
    for number, (places, _) in enumerate(known.lattice):
        tables, found = known.numbers(number).reshape(-1), whole[places]
        known.learn(number, found)
        found = found.reshape(-1)
        kinds = np.where(at_bound[places].reshape(-1), split.PEAK, np.sign(found)).astype("i4")
        for chosen, where in by_table(tables):
            yield chosen, kinds[where]
        some = np.flatnonzero(np.abs(kinds) == 1)
        sizes_of = np.abs(found[some]) - 1
        for chosen, where in by_table(tables[some] + np.uint8(split.MAGNITUDES)):
            yield chosen, sizes_of[where]
