"""Builds coders with the linear transform, for the scalar and the dependent quantiser."""

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...coding.parts.dependent import DependentCoder
from ...container.lossy import Lossy
from ...container.model import Model
from ...transform import householder
from ...transform.base import Transform
from ...transform.linear import Factored, Linear
from ..coder import CoderArguments, ModeCoder
from . import runs

LOW_RANK = "low-rank"
DENSE = 1024  # channels, up to which a basis is one matrix


class LinearCoder(ModeCoder):
    """Without reflectors and with blocks of one point, the linear transform is none."""

    def transform(self, model: GridModel, dtype: str) -> Transform:
        if not model.vectors.size:
            return Linear(model.centres, None, dtype)
        channels, count = model.vectors[0].shape
        if channels > DENSE and 2 * count <= channels:
            return Factored(model.centres, householder.factors(model.vectors[0]), dtype)
        return Linear(model.centres, model.bases[0], dtype)

    def pack_basis(self, transform: str, vectors: np.ndarray) -> bytes:
        if transform != LOW_RANK:
            return super().pack_basis(transform, vectors)
        return runs.pack(vectors[0])

    def unpack_basis(self, model: Model, channels: int) -> np.ndarray:
        if model.transform != LOW_RANK:
            return super().unpack_basis(model, channels)
        return runs.unpack(model.basis, channels, model.reflectors)[None]

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        return (DependentCoder if header.dependent else PartCoder)(*arguments)


CODER = LinearCoder()
