"""Gains that heads need, foreseen from their spectra before anything is coded."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .. import limits
from ..align.slices import SliceGains
from ..coding.parts.base import Sizes
from ..transform import dct
from .fit import fitting
from .layers import PROBED, exponents_of
from .rate_control.slices import AIM, BELOW
from .slices import Slices
from .tensors.alike import ALIKE, likeness
from .tensors.group import Group

HALVINGS = 40
FAR = 2.0**-60  # of the largest variance, below which no water level is looked for
LEAST_LEVEL = 1e-9


def foreseen(group: Group, snr: float) -> Group:
    """Return a group with the gains that its heads need so that none has too little, about.

    All have the same error but the weaker ones, which have what they may have at an SNR in dB. So
    what the group is coded by is fitted to gains from the start. Layers that are much alike share
    a basis, which tells too little of what each needs.
    """
    slices = Slices.of(group)
    heads = slices.counts[1]
    if heads < 2 or slices.gains > limits.SLICES or group.slices is not None:
        return group
    spectra = _spectra(group, heads)
    if spectra is None:
        return group
    totals = np.array([each.sum() for each in spectra])
    wanted = totals.sum() / 10 ** (snr / 10)
    most = totals / 10 ** ((snr - BELOW + AIM) / 10)

    def error(level: float) -> float:
        return sum(min(_error(each, level), some) for each, some in zip(spectra, most))

    top = max(float(each.max()) for each in spectra)
    level = _level(error, wanted, top)
    levels = [_level(lambda at: _error(each, at), some, top) for each, some in zip(spectra, most)]
    octaves = np.minimum(np.log2(np.array(levels) / level) / 2, 0)
    return exponents_of(group, octaves)


def _error(variances: np.ndarray, level: float) -> float:
    return float(np.minimum(variances, level).sum())


def _level(error: Callable[[float], float], wanted: float, top: float) -> float:
    low, high = math.log(top * FAR), math.log(top)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if error(math.exp(middle)) < wanted else (low, middle)
    return math.exp(low)


def _spectra(group: Group, heads: int) -> list[np.ndarray] | None:
    blocks = fitting.blocks_worth_trying(group.grids)
    block = blocks[0] if blocks else tuple(1 for _ in group.grids[0])
    found, _ = replace(group, slices=None).sample(block, PROBED)
    grid = {sizes: np.nan_to_num(a, posinf=0, neginf=0).reshape(heads, -1, *a.shape[1:]) for (prefix, sizes), a in found.items() if not prefix}
    flat = np.concatenate([a.reshape(heads, a.shape[1], -1) for a in grid.values()], axis=2)
    if not flat.std(axis=(1, 2)).all() or likeness(flat.swapaxes(1, 2)) >= ALIKE:
        return None
    return [_spectrum(flat[h], {sizes: a[h] for sizes, a in grid.items()}) for h in range(heads)]


def _spectrum(flat: np.ndarray, classes: dict[Sizes, np.ndarray]) -> np.ndarray:
    mean = flat.mean(axis=1, keepdims=True)
    rows = flat - mean
    axes = np.linalg.eigh(rows @ rows.T)[1]
    found = [np.zeros(0)]
    for sizes, values in classes.items():
        turned = np.tensordot(axes.T, values - mean[:, :, None], 1)
        squares = np.square(dct.forward(turned, sizes)).mean(axis=2)
        found.append(np.repeat(squares.ravel() , 1)*values.shape[2])
    return np.concatenate(found)
