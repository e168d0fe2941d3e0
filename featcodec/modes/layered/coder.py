"""Builds coders with a KLT across layers and one of each mixed layer."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...coding.model import GridModel
from ...container.model import Model
from ...entropy import integers
from ...errors import Corrupt
from ...transform import householder
from ...transform.base import Transform
from ...transform.layered import Layered
from ..linear import runs
from ..linear.coder import LinearCoder
from . import LayeredFields


@dataclass(frozen=True)
class Layers:
    """The reflectors of both kinds of KLT."""

    mixing: np.ndarray  # (layers, layers - 1) ints
    channels: tuple[np.ndarray, ...]  # of each mixed layer, (channels of a layer, K) ints

    @cached_property
    def bases(self) -> tuple[np.ndarray, list[np.ndarray | None]]:
        """The KLT across layers, and that of each mixed layer; None without reflectors."""
        each = [householder.basis(v, len(v)) if v.size else None for v in self.channels]
        return householder.basis(self.mixing, len(self.mixing)), each


class LayeredCoder(LinearCoder):
    """The fields of the mode are `Layers`; the model has no other basis."""

    def check(self, model: Model) -> None:
        if model.reflectors or model.basis:
            raise Corrupt("a model with layers has a basis beside theirs")

    def unpack(self, model: Model, channels: int, dependent: bool) -> Layers:
        fields = model.fields
        assert isinstance(fields, LayeredFields)
        layers, each = fields.layers, channels // fields.layers
        flat = integers.unpack(fields.mixing, householder.packed_length(layers, layers - 1))
        of_layers = zip(fields.bases, fields.reflectors, strict=True)
        return Layers(
            householder.unpack(flat, layers, layers - 1),
            tuple(runs.unpack(basis, each, count) for basis, count in of_layers),
        )

    def pack(self, own: Layers) -> LayeredFields:
        return LayeredFields(
            integers.pack(householder.pack(own.mixing)),
            tuple(vectors.shape[1] for vectors in own.channels),
            tuple(runs.pack(vectors) for vectors in own.channels),
        )

    def transform(self, model: GridModel, dtype: str) -> Transform:
        mixing, bases = model.own.bases
        return Layered(model.centres, mixing, bases, dtype)


CODER = LayeredCoder()
