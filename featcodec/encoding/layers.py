"""Layers side by side in the channels of a group, made as strong as one another."""

from dataclasses import replace

import numpy as np

from .. import limits
from ..align.slices import MOST_EXPONENT, PER_OCTAVE, SliceGains
from .slices import Slices
from .tensors.group import Group

PROBED = 1 << 18  # values, of which the scales are taken
UNLIKE = 1.0  # octaves between layers, for which one SNR for all does not do
# Values for each gain: where there are fewer, as in pieces of padded samples, gains take up to a
# sixteenth of the file. Whole octaves take next to nothing, and 0.1 to 7 % less in all.
MANY = 512
LEAST = 2.0 ** (-MOST_EXPONENT / PER_OCTAVE)  # of the strongest layer, that a gain makes up for


def evened(group: Group, apart: float = 0.0) -> Group:
    """Return a group with gains by which its layers are alike in scale, itself without layers.

    So a KLT across layers leaves all with about the same SNR. Layers of less than some octaves
    `apart` stay as they are, and those that have gains.
    """
    slices = Slices.of(group)
    layers = slices.counts[1]
    if layers < 2 or slices.gains > limits.SLICES or group.slices is not None:
        return group
    found, _ = group.sample(tuple(1 for _ in group.grids[0]), PROBED)
    rows = np.concatenate([a.reshape(len(a), -1) for a in found.values()], axis=1)
    values = np.nan_to_num(rows, posinf=0, neginf=0).reshape(layers, -1)
    scales = values.std(axis=1, dtype=np.float64)
    if not scales.max() > 0:
        return group
    octaves = np.log2(np.maximum(scales / scales.max(), LEAST))
    if -octaves.min() < apart:
        return group
    least = PER_OCTAVE if group.present < MANY * slices.gains else 1
    exponents = least * np.rint(PER_OCTAVE // least * octaves).astype(np.int64)
    if not exponents.any():
        return group
    count = slices.gains // layers
    return replace(group, slices=SliceGains(slices.per_sample, np.tile(exponents, (count, 1))))
