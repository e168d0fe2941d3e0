"""Builds coders with split symbols."""

from ... import limits
from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...container.lossy import Lossy
from ...container.model import Model
from ...entropy.prediction import LARGEST
from ..coder import CoderArguments, ModeCoder
from ..predicted.coder import check_maps
from . import SplitFields
from .part import SplitCoder


class SplitModeCoder(ModeCoder):
    """The field of the mode is the peak."""

    def scale_shape(self, block: tuple[int, ...]) -> tuple[int, ...]:
        return (1,)

    def check(self, model: Model) -> None:
        check_maps(model)

    def unpack(self, model: Model, channels: int, dependent: bool) -> int:
        assert isinstance(model.fields, SplitFields)
        return limits.check(model.fields.peak, LARGEST, "the peak of a model")

    def pack(self, own: int) -> SplitFields:
        return SplitFields(own)

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        top = (header.upper - header.mean) / header.std - model.centres
        return SplitCoder(*arguments, positive=header.positive, peak=model.own, top=top)


CODER = SplitModeCoder()
