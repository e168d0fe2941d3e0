"""Bands of grid frequencies, and the KLT of each, fitted to a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import Sizes
from ...encoding.fit.fitting import CENTRE_EXPONENT
from ...encoding.fit.spectrum import Spectrum, water_level
from ...transform import dct, householder
from ...transform.banded import points_of
from ...transform.linear import principal_axes

# The radii between bands, by their number; radius 1 is the highest frequency of one axis. Fewer
# bands share radii with more, so that moments of bands can be merged.
EDGES: Mapping[int, tuple[float, ...]] = {2: (0.2,), 3: (0.2, 0.5), 4: (0.05, 0.2, 0.5)}
PRIOR = 0.5  # tokens a channel: the weight of the covariance of all bands in that of one


def radial(block: Sizes, count: int) -> np.ndarray:
    """Return the band of each place of a block: rings of frequencies, `count` of them at most."""
    axes = np.ix_(*(np.arange(size) / size for size in block))
    radius = np.sqrt(sum(frequency**2 for frequency in axes))
    rings = np.searchsorted(EDGES[count], radius, side="right")
    return np.unique(rings, return_inverse=True)[1].reshape(block)


@dataclass
class Moments:
    """Second moments of the channels in each band of frequencies."""

    bands: np.ndarray  # block of ints: the band of each place
    channels: int
    products: np.ndarray = field(init=False)  # (bands, channels, channels)
    tokens: np.ndarray = field(init=False)  # (bands,), how many the products sum

    def __post_init__(self) -> None:
        self.tokens = np.zeros(int(self.bands.max()) + 1)
        self.products = np.zeros((len(self.tokens), self.channels, self.channels))

    def add(self, values: np.ndarray, sizes: Sizes) -> None:
        """Take in values (channels, points, blocks) less their mean; they may be overwritten."""
        self.add_coefficients(dct.forward(values, sizes), sizes)

    def add_coefficients(self, coefficients: np.ndarray, sizes: Sizes) -> None:
        """Take in coefficients (channels, points, blocks)."""
        for band, points in enumerate(points_of(self.bands, sizes)):
            some = coefficients[:, points].reshape(self.channels, -1)
            self.products[band] += some @ some.T
            self.tokens[band] += some.shape[1]

    def merged(self, bands: np.ndarray) -> "Moments":
        """Return the moments of wider bands, each the union of some of these."""
        result = Moments(bands, self.channels)
        for part, band in np.unique([self.bands.ravel(), bands.ravel()], axis=1).T:
            result.products[band] += self.products[part]
            result.tokens[band] += self.tokens[part]
        return result

    def axes(self) -> list[np.ndarray]:
        """Return the principal axes of each band, the strongest first."""
        return [principal_axes(product)[1] for product in self.shrunk()]

    def shrunk(self) -> list[np.ndarray]:
        """Return the products of each band, drawn towards those of all bands.

        So a band of few tokens keeps close to the axes of all.
        """
        whole = self.products.sum(axis=0)
        whole /= max(np.trace(whole), 1e-300)
        found = []
        for product, count in zip(self.products, self.tokens, strict=True):
            prior = PRIOR * self.channels * np.trace(product) / max(count, 1)
            found.append(product + prior * whole)
        return found

    def spectra(self, goal: float, more: float) -> list[Spectrum]:
        """Return the spectrum of each band at an error, of a group of `more` times the tokens."""
        axes = self.axes()
        variances = [
            np.maximum(np.einsum("cj,cj->j", each, product @ each), 0) / max(count, 1)
            for each, product, count in zip(axes, self.products, self.tokens, strict=True)
        ]
        numbers = self.channels / np.maximum(more * self.tokens, 1)
        level = water_level(np.stack(variances), self.tokens[:, None], numbers[:, None], goal)
        return [
            Spectrum(each, variance[:, None], np.zeros(1), np.array([count * more]), level)
            for each, variance, count in zip(axes, variances, self.tokens, strict=True)
        ]


def banded_model(
    bands: np.ndarray, spectra: Sequence[Spectrum], reflectors: int, centre: np.ndarray
) -> GridModel:
    """Return a model without scales: a KLT for each band by so many reflectors."""
    vectors = np.stack(
        [householder.factor(s.axes, reflectors, s.magnitudes[:reflectors]) for s in spectra]
    )
    scales = np.zeros((len(centre), *bands.shape), np.int64)
    head = ("banded", bands.shape, centre, CENTRE_EXPONENT)
    return GridModel(*head, vectors, scales, own=bands)
