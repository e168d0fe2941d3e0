"""A metric that is given outright, of channels, instead of gradients."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..align.numbers import to_float
from ..elements import FLOATS
from ..encoding.tensors.group import Group
from ..encoding.tensors.wholes import wholes
from ..errors import InvalidInput
from ..numpy import Arrays
from ..tensors import Source

DRAWS = 4  # for each token: so many that their mean product is nearly the metric
CHANNELS = "CD"
NEGATIVE = 1e-4  # of the largest eigenvalue, that rounding may leave below 0


@dataclass(frozen=True)
class StatedMetric:
    """Makes gradients whose mean product is a metric, at every place of the grid alike.

    `dump` holds for each tensor of features, by its name, the weights [C] of squared errors of
    channels or a symmetric matrix [C, C]; a single tensor is for all.
    """

    dump: Source
    name: str
    seed: int = 0

    def __call__(self, source: Source, groups: Sequence[Group]) -> tuple[str, Source]:
        """Return a name and the gradients of all tensors of the groups of a dump."""
        chance = np.random.default_rng(self.seed)
        found: dict[str, tuple[np.ndarray, str]] = {}
        for group in groups:
            axes = (group.cut_as or group.layout).axes
            for name, shape in wholes(group):
                if name not in found:
                    where = [i for i, axis in enumerate(axes) if axis in CHANNELS]
                    sizes = [shape[i] for i in where]
                    root = self._root(name, math.prod(sizes))
                    rest = [n for i, n in enumerate(shape) if i not in where]
                    draws = chance.standard_normal((DRAWS, *rest, len(root)), np.float32) @ root
                    draws = draws.reshape(DRAWS, *rest, *sizes)
                    places = [1 + i for i in where]
                    found[name] = np.moveaxis(draws, range(-len(where), 0), places), "F32"
        return self.name, Arrays(found, None)

    def _root(self, name: str, channels: int) -> np.ndarray:
        """Return the symmetric square root (channels, channels) of the metric of a tensor."""
        tensors = {tensor.name: tensor for tensor in self.dump.tensors}
        alone = next(iter(tensors.values())) if len(tensors) == 1 else None
        tensor = tensors.get(name, alone)
        if tensor is None:
            raise InvalidInput(f"{self.name} has no metric of tensor {name!r}")
        what = f"{self.name}: the metric {tensor.name!r}"
        if tensor.dtype not in FLOATS or tensor.shape not in ((channels,), (channels,) * 2):
            raise InvalidInput(
                f"{what} is {tensor.dtype} {list(tensor.shape)}; for {name!r} it must be floats of"
                f" shape [{channels}] or [{channels}, {channels}]"
            )
        metric = to_float(np.asarray(tensor.array()), tensor.dtype).astype(np.float64)
        matrix = np.diag(metric) if metric.ndim == 1 else metric
        if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-3, atol=0):
            raise InvalidInput(f"{what} must be finite and symmetric")
        squares, axes = np.linalg.eigh(matrix)
        if not squares[-1] > 0 or squares[0] < -NEGATIVE * squares[-1]:
            raise InvalidInput(
                f"{what} has weights from {squares[0]:.3g} to {squares[-1]:.3g};"
                " none may be below 0, and one must be above"
            )
        root: np.ndarray = (axes * np.sqrt(np.maximum(squares, 0))) @ axes.T
        return root.astype(np.float32)
