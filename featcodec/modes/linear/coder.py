"""The linear transform, latents quantised each by itself or along a trellis."""

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...coding.parts.dependent import DependentCoder
from ...container.group import Lossy
from ...transform.base import Transform
from ...transform.linear import Linear
from ..coder import CoderArguments, ModeCoder


class LinearCoder(ModeCoder):
    """Without reflectors and with blocks of one point, it is no transform at all."""

    def transform(self, model: GridModel, dtype: str) -> Transform:
        basis = model.bases[0] if model.vectors.size else None
        return Linear(model.centres, basis, dtype)

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        return (DependentCoder if header.dependent else PartCoder)(*arguments)


CODER = LinearCoder()
