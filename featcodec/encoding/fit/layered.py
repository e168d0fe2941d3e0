"""A KLT across layers, and one of the channels of each mixed layer, fitted to a sample.

Layers of a network add to what the layers before them hold, and are alike. Mixed, most are weak.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import Sizes
from ...modes.layered.coder import Layers
from ...transform import householder
from ...transform.linear import principal_axes
from ..tensors.alike import ALIKE, MOST_LAYERS
from ..tensors.samples import Samples
from ..tensors.stacked import layers_axis
from . import fitting
from .spectrum import Spectrum, leading_axes, ranks_of, water_level

MIXING = 256  # the root mean square of the integers of the KLT across layers
LEAST_CHANNELS = 16  # of a layer: fewer may be rows of a map
TIMES = 8  # as large a sample as of others: a value serves the basis of its own layer alone
LEAST_TOKENS = 0.25  # for each channel of a layer
GAIN = 0.05  # bits a value, that a KLT across layers is to save at least
FAINT = 1e-6  # of the variance of the strongest layer: no less is told from nothing
FEWER = 0.6  # of the reflectors that seem best


def layers_of(samples: Samples) -> int:
    """Return how many layers the channels of a group are, side by side; 0 for none."""
    group = samples.group
    axis = layers_axis(group.layout)
    layers = 1 if axis is None else group.shapes[0][axis]
    layers = layers if group.stacks is None else group.stacks.count
    each = samples.channels // layers
    enough = samples.group.values >= LEAST_TOKENS * each * samples.channels
    few = 2 <= layers <= MOST_LAYERS
    return layers if few and each >= LEAST_CHANNELS and enough else 0


def layered_models(samples: Samples, target: float) -> list[GridModel]:
    """Return models with layers, of blocks of one token; none where layers are hardly alike.

    The `target` is the mean squared error, of the variance.

    The second has fewer reflectors: what a sample shows flatters weak axes.
    """
    layers, values = layers_of(samples), samples.alignment()
    if not layers:
        return []
    some, _ = samples.sample(samples.ones, samples.sizes.trial, values)
    few = _stack(some[False], layers)[0]
    if _likeness(few) < ALIKE or _gain(few) < GAIN:
        return []
    budget = min(layers, TIMES) * samples.sizes.fit
    parts, share = samples.sample(
        samples.ones, budget, values, disjoint=True, times=min(layers, TIMES)
    )
    stack, centre = _stack(parts[False], layers)
    mixing = householder.factor(_axes(stack)[1], layers - 1, MIXING)
    mixed = householder.basis(mixing, layers).T.astype(stack.dtype) @ stack
    goal = target * samples.variance_of(parts[False].values())
    spectra = [
        _spectrum(layer, samples.ones, share, goal)
        for layer in mixed.reshape(layers, len(centre) // layers, -1)
    ]
    level = _level(spectra, goal)
    spectra = [replace(spectrum, level=level) for spectrum in spectra]
    found = []
    for part in (1.0, FEWER):
        own = Layers(mixing, tuple(_reflectors(spectrum, part) for spectrum in spectra))
        scales = np.zeros((len(centre), *samples.ones), np.int64)
        none = np.zeros((1, len(centre), 0), np.int64)
        exponent = fitting.CENTRE_EXPONENT
        found.append(GridModel("layered", samples.ones, centre, exponent, none, scales, own=own))
    return found


def _stack(classes: fitting.Classes, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Return values less their centres (layers, channels x tokens), and the centres."""
    centre = fitting.centre_of(classes)
    rows = np.concatenate([a.reshape(len(a), -1) for a in classes.values()], axis=1)
    rows -= (centre / (1 << fitting.CENTRE_EXPONENT)).astype(rows.dtype)[:, None]
    return rows.reshape(layers, -1), centre


def _axes(stack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return principal_axes((stack @ stack.T).astype(np.float64) / stack.shape[1])


def _likeness(stack: np.ndarray) -> float:
    """Return the mean correlation of layers (layers, values) with the one behind them."""
    rows = stack / np.maximum(np.sqrt(np.square(stack).mean(axis=1, keepdims=True)), 1e-30)
    return float((rows[1:] * rows[:-1]).mean(dtype=np.float64))


def _gain(stack: np.ndarray) -> float:
    """Return how many bits a value less the layers take when mixed, at a high rate."""
    apart = np.square(stack, dtype=np.float64).mean(axis=1)
    floor = apart.max() * FAINT
    ratio = np.sort(np.maximum(apart, floor)) / np.sort(np.maximum(_axes(stack)[0], floor))
    return float(np.log2(ratio).mean()) / 2 if floor > 0 else 0.0


def _spectrum(layer: np.ndarray, ones: Sizes, share: float, goal: float) -> Spectrum:
    """Return the axes of a mixed layer (channels, tokens), and what they hold."""
    zero, classes = np.zeros(len(layer), np.int64), {ones: layer[:, None]}
    axes = leading_axes(classes, zero, len(layer))[:, : layer.shape[1]]
    return Spectrum.of(axes, zero, classes, ones, share, goal)


def _level(spectra: Sequence[Spectrum], goal: float) -> float:
    """Return the water level of all mixed layers together: weak ones leave error to the others."""
    variances = np.concatenate([[*s.variance[:, 0], s.rest[0]] for s in spectra])
    weights = np.concatenate(
        [[*np.ones(s.axes.shape[1]), np.diff(s.axes.shape[::-1])[0]] for s in spectra]
    )
    return water_level(variances, weights, np.zeros(1), goal)


def _reflectors(spectrum: Spectrum, part: float) -> np.ndarray:
    channels = len(spectrum.axes)
    rank = int(part * max(ranks_of([spectrum], channels - 1), default=0))
    found = householder.factor(spectrum.axes, rank, spectrum.magnitudes[:rank])
    return found if found.any() else np.zeros((channels, 0), np.int64)
