"""Builds coders with the linear transform, for the scalar and the dependent quantiser."""

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...coding.parts.dependent import DependentCoder
from ...container.group import Lossy
from ...transform.base import Transform
from ...transform.linear import Linear
from ..coder import CoderArguments, ModeCoder


class LinearCoder(ModeCoder):
    """Without reflectors and with blocks of one point, the linear transform is none."""

    def transform(self, model: GridModel, dtype: str) -> Transform:
        basis = model.bases[0] if model.vectors.size else None
        return Linear(model.centres, basis, dtype)

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        return (DependentCoder if header.dependent else PartCoder)(*arguments)


CODER = LinearCoder()
