"""Faults of dependent quantisation (SPEC §7.10, §7.14)."""

from collections.abc import Iterator

import numpy as np

from featcodec.coding.model import pack_tables
from featcodec.entropy import contexts
from featcodec.entropy import dependent_family as family
from featcodec.entropy.tables import Table

from .contexts import with_offsets, with_tables
from .edit import lossy, rewrite, with_flags, with_model
from .store import Vector, fault, sound


def made() -> Iterator[Vector]:
    ours, chained = sound("170-dependent-own"), sound("180-dependent-maps-relu")
    maps = sound("160-restored-relu")
    empty = pack_tables({family.number(9, 1): Table(0)})
    empty_of_maps = {contexts.of_quantiser(20, 0): Table(0)}
    cases = {
        "dependent-empty-table": (
            "an empty table of a quantiser",
            rewrite(ours, with_model(tables=empty)),
        ),
        "dependent-scalar": (
            "symbols of two quantisers in a group of one",
            rewrite(ours, lossy(dependent=False)),
        ),
        "dependent-maps-offsets": (
            "offsets of restoration for one quantiser of three",
            rewrite(maps, lossy(dependent=True)),
        ),
        "dependent-maps-scalar": (
            "offsets of restoration for three quantisers of one",
            rewrite(chained, lossy(dependent=False)),
        ),
        "dependent-maps-offset": (
            "an offset of restoration that is too large",
            rewrite(chained, with_offsets(np.arange(144) - 14)),
        ),
        "dependent-maps-empty-table": (
            "an empty table of a quantiser of maps",
            rewrite(chained, with_tables(empty_of_maps)),
        ),
        "flag-4": ("a flag that is unknown", with_flags(ours, 1 << 14)),
    }
    for name, (reason, data) in cases.items():
        yield fault(name, reason, data)
