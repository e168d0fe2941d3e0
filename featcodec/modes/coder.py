"""Builds the coder of a token grid; the `coder` module of each mode has one `CODER`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..coding.parts.base import PartCoder
from ..container.lossy import Lossy
from ..container.model import Model
from ..entropy import integers
from ..entropy.tables import Table
from ..transform import householder
from ..transform.base import Transform
from ..transform.linear import Centred
from .mode import Fields

if TYPE_CHECKING:
    from ..coding.model import GridModel


class CoderArguments(NamedTuple):
    """The common arguments of all part coders."""

    transform: Transform
    scales: np.ndarray  # (channels, ...), quarter octaves
    tables: Mapping[int, Table]  # in place of built-in ones
    step: float
    step_scale: int  # the step in quarter octaves, for the choice of tables
    dtype: str  # of the arithmetic


class ModeCoder:
    """Builds coders of a mode; the defaults are of the sample domain, without fields."""

    def scale_shape(self, block: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the scales of one channel."""
        return block

    def check(self, model: Model) -> None:
        """Raise Corrupt when the sizes of a model do not suit the mode."""

    def unpack(self, model: Model, channels: int, dependent: bool) -> Any:
        """Return the fields of the mode as arrays; raise Corrupt or Damage for bad ones."""
        return None

    def pack(self, own: Any) -> Fields:
        """Invert `unpack`."""
        return Fields()

    def pack_basis(self, transform: str, vectors: np.ndarray) -> bytes:
        """Return the reflectors (klts, channels, K) as they are stored."""
        return integers.pack(np.concatenate([householder.pack(v) for v in vectors]))

    def unpack_basis(self, model: Model, channels: int) -> np.ndarray:
        """Invert `pack_basis`; raise Damage when it breaks a rule."""
        klts, count = model.fields.klts, householder.packed_length(channels, model.reflectors)
        flat = integers.unpack(model.basis, klts * count).reshape(klts, count)
        return np.stack([householder.unpack(v, channels, model.reflectors) for v in flat])

    def transform(self, model: "GridModel", dtype: str) -> Transform:
        """Return the transform of a model."""
        return Centred(model.centres, dtype)

    def coder(self, model: "GridModel", header: Lossy, arguments: CoderArguments) -> PartCoder:
        """Return the coder of a token grid."""
        raise NotImplementedError
