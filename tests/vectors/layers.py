"""A KLT across layers (SPEC §6.10): a file by hand, and faulty ones."""

from collections.abc import Iterator

import numpy as np

from featcodec.entropy import integers
from featcodec.modes.layered import LayeredFields
from featcodec.modes.linear import runs
from featcodec.transform import householder

from .edit import rewrite, with_model
from .store import Vector, fault, sound, valid

CHANNELS = 64
REFLECTORS = (3, 0, 16, 1)  # of each mixed layer


def made() -> Iterator[Vector]:
    map_ = sound("001-cnn-map")
    ours = with_layers(map_, fields())
    yield valid("350-layers-by-hand", ours)
    whole = LayeredFields(b"", (0,) * CHANNELS, (b"",) * CHANNELS)
    yield valid("351-layers-of-one-channel", with_layers(map_, whole))
    for name, (reason, data) in faults(map_, ours).items():
        yield fault(name, reason, data)


def faults(map_: bytes, ours: bytes) -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file)."""
    mixing, counts, bases = fields().mixing, REFLECTORS, fields().bases

    def having(counts: tuple[int, ...], bases: tuple[bytes, ...], **more: object) -> bytes:
        return with_layers(map_, LayeredFields(mixing, counts, bases), **more)

    few = LayeredFields(b"", (0,), (b"",))
    five = LayeredFields(b"", (0,) * 5, (b"",) * 5)
    many = LayeredFields(b"", (0,) * 257, (b"",) * 257)
    short = LayeredFields(integers.pack(np.ones(8, np.int64)), counts, bases)
    return {
        "layers-one": ("one layer", with_layers(map_, few)),
        "layers-many": ("257 layers", with_layers(map_, many)),
        "layers-uneven": ("5 layers of 64 channels", with_layers(map_, five)),
        "layers-short-mixing": ("8 integers for 9 of reflectors", with_layers(map_, short)),
        "layers-reflectors": ("17 reflectors of 16 channels", having((17, *counts[1:]), bases)),
        "layers-fewer-runs": ("runs of 3 reflectors, not 4", having((4, *counts[1:]), bases)),
        "layers-no-runs": ("no runs of 1 reflector", having((3, 1, *counts[2:]), bases)),
        "layers-behind": ("runs of no reflector", having((0, *counts[1:]), bases)),
        "layers-and-count": ("a reflector of all channels", having(counts, bases, reflectors=1)),
        "layers-and-basis": ("a basis of all channels", having(counts, bases, basis=bases[0])),
    }


def fields() -> LayeredFields:
    """Return four layers with reflectors of small integers."""
    rng, layers = np.random.default_rng(11), len(REFLECTORS)

    def drawn(channels: int, count: int) -> np.ndarray:
        return np.tril(rng.integers(-9, 10, (channels, count)))

    mixing = integers.pack(householder.pack(drawn(layers, layers - 1)))
    each = CHANNELS // layers
    bases = tuple(runs.pack(drawn(each, count)) if count else b"" for count in REFLECTORS)
    return LayeredFields(mixing, REFLECTORS, bases)


def with_layers(data: bytes, fields: LayeredFields, **more: object) -> bytes:
    """Return a file of a model with layers."""
    model = {"reflectors": 0, "basis": b""} | more
    return rewrite(data, with_model(transform="layered", fields=fields, **model))
