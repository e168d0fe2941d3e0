"""About how many bits a sparse group takes without a transform: classes of values are contexts."""

import math

import numpy as np

from ...coding.parts.base import Sizes
from ..fit import fitting
from ..fit.plain import plain_model
from ..tensors.samples import Samples
from .latents import side_bits, target_of, transform_bits
from .symbols import symbol_bits

BLOCKS: dict[int, Sizes] = {1: (64,), 2: (16, 16), 3: (1, 16, 16)}  # at most, by axes of the grid
LEVELS = 25  # of the mean magnitude of a channel, half octaves
CLASSES = 12  # of neighbours
LARGEST = 15  # magnitude of a neighbour
GAIN = 0.97  # part of the bits that remains under a trellis
# Of the bits with a transform, about: maps behind a SiLU that seemed to take .95 to 1.04 of it took
# .92 to .97, others of which two thirds lie in one place .88.
RIVAL = 1.05


def serves(samples: Samples, family: str) -> bool:
    """Return whether a family of modes may code a group by neighbours."""
    maps = len(samples.ones) in BLOCKS and not samples.group.layout.prefix
    if family != "auto":
        return family == "context" and maps
    # Of values that are only near each other, channels tell more than neighbours where both do.
    alone = not samples.ones or samples.channels == 1
    # Only tables that are learned with context modelling know what saturates.
    return samples.sparse or (samples.concentrated and alone) or (samples.saturating and maps)


def rivals(samples: Samples, snr: float) -> bool:
    """Return whether neighbours may tell as much of the values of a group as a transform does."""
    least = min(transform_bits(samples, snr), default=math.inf)
    return sample_domain_bits(samples, snr) < RIVAL * least


def sample_domain_bits(samples: Samples, snr: float) -> float:
    """Return the bits of a group by its channels and, on lines and maps, by neighbours."""
    start = math.sqrt(12 * 10 ** (-snr / 10))
    model, values = plain_model(samples, start)
    contexts = len(samples.ones) in BLOCKS and not samples.group.layout.prefix
    block = samples.ones
    if contexts:
        block = fitting.longest_block(samples.group.grids, BLOCKS[len(block)])
    classes = samples.sample(block, samples.sizes.trial, values)[0][False]
    centres = model.centres[:, None, None]
    rows = {sizes: a - centres.astype(a.dtype) for sizes, a in classes.items()}
    shapes = [(sizes, a.shape) for sizes, a in rows.items()]
    flat = np.concatenate([a.ravel() for a in rows.values()])
    ends = np.cumsum([math.prod(shape) for _, shape in shapes])[:-1]

    def contexts_of(magnitudes: np.ndarray, _: float) -> np.ndarray:
        pieces = np.split(magnitudes, ends)
        parts = [piece.reshape(shape) for piece, (_, shape) in zip(pieces, shapes, strict=True)]
        total = sum(part.sum(axis=(1, 2)) for part in parts) * samples.channels / flat.size
        level = np.rint(2 * np.log2(total + 2.0 ** (-LEVELS // 3))).astype(np.int64)
        level = np.clip(level + 2 * LEVELS // 3, 0, LEVELS - 1)[:, None, None]
        found = [
            (level * CLASSES + (_around(part, sizes) if contexts else 0)) + np.zeros_like(part)
            for part, (sizes, _) in zip(parts, shapes, strict=True)
        ]
        return np.concatenate([each.ravel() for each in found])

    goal = target_of(samples, classes, snr)
    bits = symbol_bits(flat, contexts_of, goal, start, signs=not values.positive)
    bits *= GAIN * samples.group.values / flat.size
    return bits + side_bits(samples, model)


def _around(magnitudes: np.ndarray, sizes: Sizes) -> np.ndarray:
    """Return the class of what was decoded before each value (channels, points, blocks)."""
    near = np.minimum(magnitudes, LARGEST).reshape(len(magnitudes), *sizes, -1)
    total = np.zeros_like(near)
    for axis in range(1, len(sizes) + 1):
        moved, before = np.moveaxis(total, axis, 0), np.moveaxis(near, axis, 0)
        moved[1:] += 2 * before[:-1]
    classes = np.rint(3 * np.log2(1 + total / 1.5))
    return np.minimum(classes, CLASSES - 1).astype(np.int64).reshape(magnitudes.shape)
