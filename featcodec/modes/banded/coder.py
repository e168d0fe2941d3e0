"""Builds coders with one KLT for each band of frequencies."""

import math

import numpy as np

from ...coding.model import GridModel
from ...container.model import Model
from ...entropy import integers
from ...errors import Corrupt
from ...transform.banded import Banded
from ...transform.base import Transform
from ..linear.coder import LinearCoder
from . import BandedFields


class BandedCoder(LinearCoder):
    """The field of the mode is the band number (block) of each place."""

    def unpack(self, model: Model, channels: int, dependent: bool) -> np.ndarray:
        assert isinstance(model.fields, BandedFields)
        return bands_of(model.fields.bands, model.fields.places, model.block)

    def pack(self, own: np.ndarray) -> BandedFields:
        return BandedFields(int(own.max()) + 1, integers.pack(own.ravel()))

    def transform(self, model: GridModel, dtype: str) -> Transform:
        if not model.vectors.size:
            return super().transform(model, dtype)
        return Banded(model.centres, model.bases, model.own, dtype)


CODER = BandedCoder()


def bands_of(count: int, places: bytes, block: tuple[int, ...]) -> np.ndarray:
    """Return the band (*block) of each place; raise Corrupt unless all bands have some."""
    bands = integers.unpack(places, math.prod(block)).astype(np.int64)
    if not np.array_equal(np.unique(bands), np.arange(count)):
        raise Corrupt(
            f"the places of a block must use all bands from 0 to {count - 1}, and no other"
        )
    return bands.reshape(block)
