"""Builds coders with context modelling, for the scalar and the dependent quantiser."""

import math

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...container.group import Lossy
from ...container.model import Model
from ...entropy import integers
from ...errors import Corrupt
from ..coder import CoderArguments, ModeCoder
from ..mode import Fields
from . import ContextFields, reconstruction
from .dependent import DependentContextCoder
from .scalar import ContextCoder


class ContextModeCoder(ModeCoder):
    """The field of the mode holds the offsets of reconstruction points; None: those of tables."""

    def check(self, model: Model) -> None:
        if model.reflectors or len(model.block) != 2:
            axes = f"{model.reflectors} reflectors and {len(model.block)} axes"
            raise Corrupt(f"a model with context modelling has {axes}; it must have 0 and 2")

    def unpack(self, model: Model, channels: int, dependent: bool) -> np.ndarray | None:
        if not isinstance(model.fields, ContextFields):
            return None
        sets = reconstruction.SETS if dependent else 1
        shape = sets, reconstruction.CLASSES, reconstruction.KINDS
        offsets = integers.unpack(model.fields.offsets, math.prod(shape)).astype(np.int64)
        if np.abs(offsets).max() > reconstruction.LARGEST:
            raise Corrupt(f"the offset of a reconstruction point is above {reconstruction.LARGEST}")
        return offsets.reshape(shape)

    def pack(self, own: np.ndarray | None) -> Fields:
        return Fields() if own is None else ContextFields(integers.pack(own.ravel()))

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        kind = DependentContextCoder if header.dependent else ContextCoder
        return kind(*arguments, positive=header.positive, offsets=model.own)


CODER = ContextModeCoder()
