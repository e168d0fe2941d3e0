"""Gains that heads need, foreseen from their spectra before anything is coded."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import limits
from ..align.slices import MOST_EXPONENT, PER_OCTAVE
from ..coding.parts.base import Sizes
from ..transform import dct
from .fit import fitting
from .layers import MANY
from .rate_control.slices import AIM, BELOW
from .slices import Slices
from .tensors.alike import ALIKE, likeness
from .tensors.group import Group
from .tensors.sums import typical_sums

PROBED = 1 << 18  # values, of which spectra are taken
LEAST_TOKENS = 1.0  # for each channel of a head, for its spectrum to be known
# Of the largest variance: below it, no error is looked for.
LEAST_LEVEL = 2.0 ** (-2 * MOST_EXPONENT / PER_OCTAVE)
HALVINGS = 40
# Bits a value, below which spectra say too little of what heads need: keys took up to 22 % more.
# And above which a KLT fits its tokens so well that gains a little off spoil it: .5 to 1 % more.
SCARCE, AMPLE = 0.5, 3.0

Part = tuple[np.ndarray, Sizes]  # values (..., points, blocks) in blocks of a size


def foreseen(group: Group, snr: float) -> Group:
    """Return a group with the gains that its heads need to have an SNR in dB, about.

    All have the same error but the weaker ones, which have what they may have (reverse
    water-filling, in a basis of each). So what the group is coded by is fitted to gains from the
    start. Layers that are much alike share a basis, and their own spectra say too little of what
    they need; so do spectra where bits are scarce, or ample.
    """
    slices = Slices.of(group)
    known = slices.counts[1] > 1 and slices.gains <= limits.SLICES and group.gains is None
    known = known and group.present >= MANY * slices.gains
    heads = list(Head.of(group, slices)) if known else []
    top = max((float(head.variances.max()) for head in heads), default=0.0)
    if not top > 0:
        return group
    worst = 10 ** ((snr - BELOW + AIM) / 10)
    most = [head.total / worst for head in heads]

    def error(level: float) -> float:
        return sum(min(head.error(level), some) for head, some in zip(heads, most, strict=True))

    level = _level(error, sum(head.total for head in heads) / 10 ** (snr / 10), top)
    levels = [  # what does not vary needs no gain
        min(_level(head.error, some, top), level) if some else level
        for head, some in zip(heads, most, strict=True)
    ]
    bits = sum(head.bits(own) for head, own in zip(heads, levels, strict=True))
    if not SCARCE < bits / sum(head.values for head in heads) < AMPLE:
        return group
    octaves = (np.log2(np.array(levels) / level) / 2).reshape(slices.counts)
    exponents = np.floor(PER_OCTAVE * octaves).astype(np.int64)
    return replace(group, slices=slices.with_exponents(exponents)) if exponents.any() else group


@dataclass(frozen=True)
class Head:
    """The spectrum of a slice of a group."""

    variances: np.ndarray  # (latents,)
    weights: np.ndarray  # (latents,), values that each stands for

    @classmethod
    def of(cls, group: Group, slices: Slices) -> Iterator["Head"]:
        """Yield those of slices, in order; none where little is known of some, or all are alike."""
        blocks = fitting.blocks_worth_trying(group.grids)
        grid, boxes = group.boxes(blocks[0] if blocks else (1,) * len(group.grids[0]), PROBED)
        samples, heads = slices.counts
        found: list[list[Part]] = [[] for _ in range(samples)]
        chosen = {sizes: some for (prefix, sizes), some in boxes.items() if not prefix}
        each = [grid.collect(some, group.tensor, group.floats) for some in chosen.values()]
        for (sizes, some), values in zip(chosen.items(), _ordinary(group, each), strict=True):
            values = values.reshape(heads, -1, *values.shape[1:])
            mine = slices.of_samples[grid.samples(some)]
            for sample in np.unique(mine):
                found[sample].append((values[..., mine == sample], sizes))
        if not all(map(_known, found)):
            return
        for parts in found:
            for head in range(heads):
                yield cls._of([(values[head], sizes) for values, sizes in parts])

    @classmethod
    def _of(cls, parts: Sequence[Part]) -> "Head":
        """Return that of values (channels, points, blocks) in blocks of some sizes."""
        flat = _flat(parts)
        mean = flat.mean(axis=1, keepdims=True)
        flat = flat - mean
        axes = np.linalg.eigh(flat @ flat.T)[1]
        variances, weights = [], []
        for values, sizes in parts:
            latents = dct.forward(np.tensordot(axes.T, values - mean[:, :, None], 1), sizes)
            variances.append(np.square(latents).mean(axis=2, dtype=np.float64).ravel())
            weights.append(np.full(variances[-1].size, values.shape[2]))
        return cls(np.concatenate(variances), np.concatenate(weights))

    def bits(self, level: float) -> float:
        """Return the bits at a water level, in this basis."""
        above = np.log2(np.maximum(self.variances / level, 1)) / 2
        return float(above @ self.weights)

    @property
    def values(self) -> int:
        """How many values it has."""
        return int(self.weights.sum())

    @property
    def total(self) -> float:
        """The squared values, about their means."""
        return float(self.variances @ self.weights)

    def error(self, level: float) -> float:
        """Return the squared error at a water level."""
        return float(np.minimum(self.variances, level) @ self.weights)


def _ordinary(group: Group, each: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield values with what is kept as it is, massive or not finite, amid the others."""
    if not each:
        return
    sums = typical_sums(group, np.concatenate([values.ravel() for values in each]), whole=False)
    for values in each:
        kept = ~np.isfinite(values)
        if sums.massive:
            kept |= (values < sums.low) | (values > sums.high)
        yield np.where(kept, values.dtype.type(sums.pivot), values)


def _known(parts: Sequence[Part]) -> bool:
    """Return whether heads (heads, channels, points, blocks) are unlike, and of tokens enough."""
    if not parts:
        return False
    flat = _flat(parts)
    enough = flat.shape[2] >= LEAST_TOKENS * flat.shape[1]
    finite = math.isfinite(float(np.vdot(flat, flat)))
    return enough and finite and likeness(flat.swapaxes(1, 2)) < ALIKE


def _flat(parts: Sequence[Part]) -> np.ndarray:
    """Return the tokens of blocks side by side, along the last axis."""
    return np.concatenate([a.reshape(*a.shape[:-2], -1) for a, _ in parts], axis=-1)


def _level(error: Callable[[float], float], wanted: float, top: float) -> float:
    """Return the water level of an error, below a variance that is more than all."""
    low, high = math.log(LEAST_LEVEL * top), math.log(top)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = error(math.exp(middle)) < wanted
        low, high = (middle, high) if enough else (low, middle)
    return math.exp(low)
