"""A KLT across layers, one over the channels of each mixed layer, and a DCT (SPEC §6.10)."""

from collections.abc import Sequence

import numpy as np

from . import dct


class Layered:
    """Channels are those of layers, one after the other; mixed layers are coded in their place."""

    def __init__(
        self,
        centre: np.ndarray,
        mixing: np.ndarray,
        bases: Sequence[np.ndarray | None],
        dtype: str,
    ) -> None:
        """Take orthonormal bases: (layers, layers), and of each mixed layer, None for no KLT."""
        self.centre = centre.astype(dtype)[:, None, None] if centre.any() else None
        self.mixing = mixing.astype(dtype)
        self.bases = [None if basis is None else basis.astype(dtype) for basis in bases]

    @property
    def numbers(self) -> int:
        return self.mixing.size + sum(basis.size for basis in self.bases if basis is not None)

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the latents of aligned values (channels, points, blocks)."""
        if self.centre is not None:
            values -= self.centre
        mixed = self._mixed(self.mixing.T, values)
        for layer, basis in zip(mixed, self.bases, strict=True):
            if basis is not None:
                layer[...] = basis.T @ layer
        return dct.forward(mixed.reshape(values.shape), sizes)

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the aligned values of latents."""
        latents = np.ascontiguousarray(dct.inverse(latents, sizes))
        mixed = latents.reshape(len(self.bases), len(latents) // len(self.bases), -1)
        for layer, basis in zip(mixed, self.bases, strict=True):
            if basis is not None:
                layer[...] = basis @ layer
        values = self._mixed(self.mixing, latents).reshape(latents.shape)
        if self.centre is not None:
            values += self.centre
        return values

    def _mixed(self, matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the layers (layers, channels of one, tokens) that a matrix makes of others."""
        mixed = matrix @ values.reshape(len(matrix), -1)
        return mixed.reshape(len(matrix), len(values) // len(matrix), -1)
