"""KLT over channels, then DCT over the positions of each block (SPEC §6.2, §6.3)."""

import numpy as np

from . import dct


class Linear:
    """The linear transform; without a basis and with blocks of one point it is transform `none`."""

    def __init__(self, centre: np.ndarray, basis: np.ndarray | None, dtype: str) -> None:
        """Take a centre (channels,) in normalised units and an orthonormal basis, or None."""
        self.centre = centre.astype(dtype)[:, None, None] if centre.any() else None
        # Applied as rows: latents = basis' values.
        self.basis = None if basis is None else np.ascontiguousarray(basis.T).astype(dtype)

    @property
    def numbers(self) -> int:
        return 0 if self.basis is None else self.basis.size

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the latents of aligned values (channels, points, blocks)."""
        if self.centre is not None:
            values -= self.centre
        if self.basis is not None:
            values = (self.basis @ values.reshape(len(values), -1)).reshape(values.shape)
        return dct.forward(values, sizes)

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the aligned values of latents."""
        latents = dct.inverse(latents, sizes)
        if self.basis is not None:
            latents = (self.basis.T @ latents.reshape(len(latents), -1)).reshape(latents.shape)
        if self.centre is not None:
            latents += self.centre
        return latents


class Factored(Linear):
    """The same with few reflectors on many channels: the basis is I less a product of matrices."""

    def __init__(self, centre: np.ndarray, factors: tuple[np.ndarray, np.ndarray], dtype: str):
        super().__init__(centre, None, dtype)
        self.tall, self.wide = (factor.astype(dtype) for factor in factors)

    @property
    def numbers(self) -> int:
        return self.tall.size + self.wide.size

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the latents of aligned values (channels, points, blocks)."""
        if self.centre is not None:
            values -= self.centre
        flat = values.reshape(len(values), -1)
        flat = flat - self.wide.T @ (self.tall.T @ flat)
        return dct.forward(flat.reshape(values.shape), sizes)

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return the aligned values of latents."""
        latents = dct.inverse(latents, sizes)
        flat = latents.reshape(len(latents), -1)
        latents = (flat - self.tall @ (self.wide @ flat)).reshape(latents.shape)
        if self.centre is not None:
            latents += self.centre
        return latents


class Centred:
    """The sample domain: only the centre is subtracted, whatever the size of a block."""

    def __init__(self, centre: np.ndarray, dtype: str) -> None:
        self.centre = centre.astype(dtype)[:, None, None]

    @property
    def numbers(self) -> int:
        return 0

    def forward(self, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Return values (channels, points, blocks) less the centre of their channel."""
        values -= self.centre
        return values

    def inverse(self, latents: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        """Invert `forward`."""
        latents += self.centre
        return latents


def principal_axes(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances (descending) and the KLT basis, columns in that order."""
    variances, basis = np.linalg.eigh(covariance)
    return variances[::-1], basis[:, ::-1]
