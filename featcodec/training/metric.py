"""Entries with the metric of a task, fitted to features and gradients (SPEC §6.7)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..align.value import ValueAlignment
from ..coding.model import GridModel
from ..coding.parts.base import Sizes
from ..container.model import ProfileEntry
from ..encoding.fit import fitting
from ..encoding.fit.fitting import Classes
from ..encoding.search.candidate import scale_of
from ..encoding.tensors.group import Group
from ..modes.banded.fit import EDGES, Moments, radial
from ..modes.weighted.coder import LARGEST_GAIN, UNIT, Metric
from ..tensors import Source
from ..transform import householder
from ..transform.linear import principal_axes
from .gradients import Reaction, Reactions, gather
from .pools import Pool, merged
from .tables import learn_tables

MAGNITUDE = 64.0  # of the reflectors' integers
LEAST_TOKENS = 1.5  # for each channel, that a band must have


@dataclass(frozen=True)
class Strength:
    """How strongly a metric weighs: by (squared gradient + floor) ** (exponent / 2)."""

    exponent: float = 0.75
    floor: float = 1e-3  # of the mean squared gradient: keeps what no output reacts to alive

    def gains(self, squares: np.ndarray) -> np.ndarray:
        """Return weights for squared gradients of mean 1, as integers of UNIT an octave."""
        octaves = self.exponent / 2 * np.log2(squares + self.floor)
        return np.clip(np.rint(UNIT * octaves), -LARGEST_GAIN, LARGEST_GAIN).astype(np.int64)


@dataclass(frozen=True)
class Part:
    """A token grid to be given a metric: its features, its gradients, its plain entry."""

    pool: Pool
    reaction: Reaction
    plain: ProfileEntry

    @property
    def values(self) -> ValueAlignment:
        entry = self.plain
        return ValueAlignment(entry.lower, entry.upper, entry.mean, entry.std)

    def classes(self, block: Sizes) -> Classes:
        """Return aligned samples of the features in blocks of a longest size."""
        own = min(self.pool.samples) if self.pool.prefix else block
        return merged(self.pool.samples[own], self.values)


def weighted_entries(parts: list[Part], task: str) -> list[ProfileEntry]:
    """Return an entry with a metric for a grid and, behind it, for its prefix tokens."""
    power, count = np.sum([part.reaction.total for part in parts], axis=0)
    if not power > 0:
        return []
    usual, strength = power / count, Strength()
    found = [_best(part, usual, strength) for part in parts]
    # The latents of all parts together have a mean square of 1, as those of plain entries have.
    energy = [
        float(np.mean([np.mean(a**2) for a in latents.values()])) for _, latents in found
    ]
    weights = [part.pool.count for part in parts]
    shift = round(UNIT / 2 * math.log2(np.average(energy, weights=weights)))
    entries = []
    for part, (model, latents) in zip(parts, found, strict=True):
        own = replace(model.own, places=model.own.places - shift, task=task)
        scaled = {s: a * np.float32(2 ** (-shift / UNIT)) for s, a in latents.items()}
        model = replace(model, own=own, scales=fitting.energy_of(scaled, model.block).scales())
        model = replace(model, tables=learn_tables([(model, scaled)]))
        entries.append(replace(part.plain, model=model.pack()))
    return entries


def _best(part: Part, usual: float, strength: Strength) -> tuple[GridModel, Classes]:
    """Return the model with the block of least rate, without tables, and latents of a sample."""
    best: tuple[float, GridModel, Classes] | None = None
    for block in part.reaction.products:
        model = weighted_model(part, block, usual, strength)
        latents = fitting.latents_of(model, part.classes(block), "float32")
        energy = float(np.mean([np.mean(a**2) for a in latents.values()]))
        floor = scale_of(0.1 * math.sqrt(max(energy, 1e-30)))
        scales = fitting.energy_of(latents, model.block).scales()
        rate = float(np.maximum(scales, floor).mean()) - 2 * math.log2(max(energy, 1e-30))
        if best is None or rate < best[0]:
            best = rate, model, latents
    assert best is not None
    return best[1], best[2]


def weighted_model(part: Part, block: Sizes, usual: float, strength: Strength) -> GridModel:
    """Return a model without scales; gradients count relative to the `usual` mean square."""
    plain = GridModel.unpack(part.plain.model, part.plain.channels)
    products = _bands(part.reaction.products[block], part.pool.bands.get(block))
    covariances = _covariances(part, block, products.bands)
    gains, axes, klts = [], [], []
    for product, covariance in zip(products.shrunk(), covariances, strict=True):
        product = product * (len(product) / max(np.trace(product), 1e-300))
        vectors, turn = _stored(principal_axes(product)[1])
        gains.append(strength.gains(np.maximum(np.einsum("ij,ij->j", turn, product @ turn), 0)))
        weighed = turn * 2.0 ** (gains[-1] / UNIT)
        axes.append(vectors)
        klts.append(_stored(principal_axes(weighed.T @ covariance @ weighed)[1])[0])
    power = part.reaction.power[block] / np.maximum(part.reaction.counts[block], 1)
    places = strength.gains(power / usual)
    return GridModel(
        "weighted",
        block,
        plain.centre,
        plain.centre_exponent,
        np.stack([*axes, *klts]),
        np.zeros((len(plain.centre), *block), np.int64),
        own=Metric("", 0.0, products.bands, np.stack(gains), places),
    )


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


def _covariances(part: Part, block: Sizes, bands: np.ndarray) -> list[np.ndarray]:
    """Return the covariance of aligned features in each band."""
    square = part.values.std**2
    moments = part.pool.bands.get(block)
    if moments is None or not bands.any():
        return [part.pool.moments()[1] / square]
    fewer = moments.merged(bands)
    pairs = zip(fewer.shrunk(), fewer.tokens, strict=True)
    return [product / (count * square) for product, count in pairs]


def _stored(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the reflectors of an orthonormal basis, and the basis that they stand for."""
    channels = len(basis)
    vectors = householder.factor(basis, channels - 1, MAGNITUDE)
    return vectors, householder.basis(vectors, channels)


# A dump and its groups of features to the name and the dump of their gradients.
Gradients = Callable[[Source, Sequence[Group]], tuple[str, Source]]


@dataclass
class TaskGradients:
    """The gradients of a task, taken in with the features, and the entries that they make."""

    task: str  # the name
    of: Gradients
    reactions: Reactions = field(default_factory=dict)

    def gather(self, groups: Sequence[Group], source: Source) -> None:
        """Take in the gradients of the groups of a dump."""
        name, gradients = self.of(source, groups)
        for group in groups:
            gather(self.reactions, group, gradients, name)

    def entries(
        self, kind: tuple, pools: Sequence[Pool | None], plain: Sequence[ProfileEntry]
    ) -> list[ProfileEntry]:
        """Return the entries with a metric for a kind of features with plain entries."""
        mine = [self.reactions.get((*kind, prefix)) for prefix in (False, True)]
        triples = zip(pools, mine, plain, strict=False)
        parts = [Part(p, r, e) for p, r, e in triples if p is not None and r is not None]
        return weighted_entries(parts, self.task) if parts else []
