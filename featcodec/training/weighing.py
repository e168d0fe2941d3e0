"""The axes of a metric, and how strongly it weighs them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..align.value import ValueAlignment
from ..coding.model import GridModel
from ..coding.parts.base import Sizes
from ..container.model import ProfileEntry
from ..encoding.fit.fitting import Classes
from ..modes.banded.fit import EDGES, Moments, radial
from ..modes.weighted.coder import LARGEST_GAIN, UNIT
from ..transform.linear import principal_axes
from ..transform.weighted import Weighing, Weighted
from .gradients import ONE_BAND, Gathered, Reaction
from .pools import Pool, merged

LEAST_TOKENS = 1.5  # for each channel, that a band must have
# Squared gradients of places that no output reads, but for rounding, and their floor: what a
# pooling drops is to cost nothing. Sentences that are pooled take 0.8 of the bits by it, at 1 -
# cosine 0.001; so low a floor of all places costs sparse maps of a ResNet up to 1.2 times the bits.
UNREAD, UNREAD_FLOOR = 1e-9, 1e-7


@dataclass(frozen=True)
class Strength:
    """How strongly a metric weighs: by (squared gradient + floor) ** (exponent / 2).

    Squared gradients are relative to their mean. Floors keep what no output reacts to alive, and
    what only the samples at hand do not react to.
    """

    exponent: float
    channels: float  # floor of axes of channels
    places: float  # floor of frequencies, and of prefix tokens

    def of_channels(self, squares: np.ndarray) -> np.ndarray:
        """Return weights as integers, UNIT an octave."""
        return self._gains(squares + self.channels)

    def of_places(self, squares: np.ndarray) -> np.ndarray:
        """Return weights as integers, UNIT an octave."""
        return self._gains(np.where(squares < UNREAD, UNREAD_FLOOR, squares + self.places))

    def _gains(self, squares: np.ndarray) -> np.ndarray:
        octaves = self.exponent / 2 * np.log2(squares)
        return np.clip(np.rint(UNIT * octaves), -LARGEST_GAIN, LARGEST_GAIN).astype(np.int64)


@dataclass(frozen=True)
class Part:
    """A token grid to be given a metric: its features, its gradients, its plain entry."""

    pool: Pool
    gathered: Gathered
    plain: ProfileEntry

    @property
    def values(self) -> ValueAlignment:
        entry = self.plain
        return ValueAlignment(entry.lower, entry.upper, entry.mean, entry.std)

    def classes(self, block: Sizes) -> Classes:
        """Return aligned samples of the features in blocks of a longest size."""
        own = min(self.pool.samples) if self.pool.prefix else block
        return merged(self.pool.samples[own], self.values)


@dataclass(frozen=True)
class Axes:
    """What gradients say of each band of frequencies, before it is decided how much it counts."""

    bands: np.ndarray  # (*block), the band of each place
    turns: Sequence[np.ndarray]  # (channels, channels) principal axes of gradients, of each band
    squares: Sequence[np.ndarray]  # (channels,) of gradients along them, of mean 1
    power: np.ndarray  # (*block) squared gradients, of the mean
    covariances: Sequence[np.ndarray]  # (channels, channels) of aligned features
    centre: np.ndarray  # of the plain entry
    centre_exponent: int
    turned: bool = True  # channels; else they are the axes

    @classmethod
    def of(cls, part: Part, reaction: Reaction, block: Sizes, usual: float) -> "Axes":
        """Return those of a reaction to a part; `usual` is the mean squared gradient."""
        features = part.pool.bands.get(block)
        products = _bands(reaction.products[block], features)
        turns, squares, turned = [], [], not _few(part, block)
        for product in products.shrunk():
            found, turn = principal_axes(product) if turned else _unturned(product)
            turns.append(turn)
            squares.append(np.maximum(found, 0) / max(float(found.mean()), 1e-300))
        plain = GridModel.unpack(part.plain.model, part.plain.channels)
        power = reaction.power[block] / np.maximum(reaction.counts[block], 1) / usual
        covariances = _covariances(part, features, products.bands)
        head = (products.bands, turns, squares, power, covariances)
        return cls(*head, plain.centre, plain.centre_exponent, turned)

    def klts(self, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the KLT of each band behind the weights of its axes."""
        if not self.turned:
            return [np.eye(len(turn)) for turn in self.turns]
        found = []
        for turn, weight, covariance in zip(self.turns, weights, self.covariances, strict=True):
            weighed = turn * weight
            found.append(principal_axes(weighed.T @ covariance @ weighed)[1])
        return found

    def transform(self, strength: Strength, centred: bool = True) -> Weighted:
        """Return the transform of a metric, as if it could be stored as it is."""
        weights = [2.0 ** (strength.of_channels(s) / UNIT) for s in self.squares]
        triples = zip(self.turns, weights, self.klts(weights), strict=True)
        gains = 2.0 ** (strength.of_places(self.power) / UNIT)
        centre = self.centre * 2.0**-self.centre_exponent * centred
        return Weighted(centre, [Weighing(*t) for t in triples], self.bands, gains, "float32")


def _few(part: Part, block: Sizes) -> bool:
    """Return whether samples are too few for axes of so many channels.

    Axes then fit the samples alone: of 150 samples of 1280 pooled channels, channels as they are
    take 11 to 13 % fewer bits at equal divergence on others.
    """
    channels = part.plain.channels
    points = 1 if part.pool.prefix else math.prod(block)
    return channels > ONE_BAND and part.pool.count < channels * points


def _unturned(product: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.diag(product).copy(), np.eye(len(product))


def _bands(products: Moments, features: Moments | None) -> Moments:
    """Return products in as many bands as there are gradients and features for."""
    block = products.bands.shape
    whole = products.merged(np.zeros(block, np.int64))
    if features is None or len(products.tokens) == 1:
        return whole
    for count in sorted(EDGES, reverse=True):
        bands = radial(block, count)
        pair = products.merged(bands), features.merged(bands)
        least = min(moments.tokens.min() for moments in pair)
        if least >= LEAST_TOKENS * products.channels:
            return pair[0]
    return whole


def _covariances(part: Part, features: Moments | None, bands: np.ndarray) -> list[np.ndarray]:
    """Return the covariance of aligned features in each band."""
    square = part.values.std**2
    if features is None or not bands.any():
        return [part.pool.covariance() / square]
    fewer = features.merged(bands)
    pairs = zip(fewer.shrunk(), fewer.tokens, strict=True)
    return [product / (count * square) for product, count in pairs]
