"""Models fitted on features in closed form: centres, KLT, scales, tables."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ... import limits
from ...align.blocks import cut
from ...coding.model import GridModel
from ...coding.parts.base import PartCoder, Sizes
from ...entropy import family, fit
from ...entropy.tables import EMPTY, Table
from ...transform import dct, householder
from ...transform.linear import principal_axes
from .counting import Counts

CENTRE_EXPONENT = 6
PRIOR = 6.0  # latents that an expected scale is worth
# Longest blocks of a DCT, by axes of the grid.
BLOCKS: dict[int, list[tuple[int, ...]]] = {
    1: [(64,), (16,), (4,)],
    2: [(16, 16), (8, 8)],
    3: [(4, 8, 8)],
}
LONG, MANY = (256,), 16  # of lines where there are so many blocks
RUNS_PAY = 0.98  # of the bytes of a basis
LEAST_SCALE = -96  # 2 ** -24 deviations
CHANGE_BITS = 6  # that a change of scales must save: about what it takes
# Bits of a latent whose scale is a quarter octave off, by the number of its table.
BUSY = 0.2 * np.minimum(2.0 ** (np.arange(family.TABLES) - family.UNIT), 1)

Classes = Mapping[Sizes, np.ndarray]  # aligned values or latents (channels, points, blocks)


def centre_of(classes: Classes) -> np.ndarray:
    """Return the mean of each channel as integers times 2 ** -CENTRE_EXPONENT."""
    total = sum(a.reshape(len(a), -1).sum(axis=1, dtype=np.float64) for a in classes.values())
    count = sum(a[0].size for a in classes.values())
    scaled = np.rint(np.asarray(total) / count * (1 << CENTRE_EXPONENT))
    return np.clip(scaled, -(1 << 29), 1 << 29).astype(np.int64)


def covariance(classes: Classes, centre: np.ndarray) -> np.ndarray:
    """Return the (channels, channels) second moments about the centre."""
    total = np.zeros((len(centre), len(centre)))
    count = 0
    for values in classes.values():
        flat = (
            values.reshape(len(values), -1)
            - (centre / (1 << CENTRE_EXPONENT)).astype(values.dtype)[:, None]
        )
        total += flat @ flat.T
        count += flat.shape[1]
    return total / max(count, 1)


def latents_of(model: GridModel, classes: Classes, compute_dtype: str) -> dict[Sizes, np.ndarray]:
    """Return the latents of aligned values; the values stay as they are."""
    transform = model.transform_in(compute_dtype)
    return {
        sizes: transform.forward(a.astype(compute_dtype), sizes) for sizes, a in classes.items()
    }


@dataclass(frozen=True)
class Energy:
    """Second moments of the latents over the places of the longest block."""

    moment: np.ndarray  # (channels, *block)
    count: np.ndarray  # (1, *block), latents behind each

    def scales(self) -> np.ndarray:
        """Return integer quarter octaves of the deviation."""
        variance = self.moment / np.maximum(self.count, 1)
        return np.maximum(np.rint(2 * np.log2(variance + 1e-30)), LEAST_SCALE).astype(np.int64)

    def towards(self, scales: np.ndarray) -> "Energy":
        """Return the energy drawn towards expected scales, as if seen in some more latents."""
        expected = 2.0 ** (scales / 2)
        return Energy(self.moment + PRIOR * expected, self.count + PRIOR)


def energy_of(latents: Classes, block: Sizes) -> Energy:
    """Return the energy of latents; places no block has reached take their neighbours'."""
    channels = len(next(iter(latents.values())))
    moment = np.zeros((channels, *block))
    count = np.zeros((1, *block))
    for sizes, values in latents.items():
        places = dct.places(sizes, block)
        squares = np.einsum("cpn,cpn->cp", values, values, dtype=np.float64)
        moment[np.ix_(np.arange(channels), *places)] += squares.reshape(channels, *sizes)
        count[np.ix_(np.zeros(1, np.int64), *places)] += values.shape[-1]
    for axis in range(1, moment.ndim):
        moment, count = _fill(moment, count, axis)
    return Energy(moment, count)


def _fill(moment: np.ndarray, count: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    seen = np.flatnonzero(count.any(axis=tuple(i for i in range(count.ndim) if i != axis)))
    if not len(seen):
        return moment, count
    nearest = seen[np.abs(np.arange(count.shape[axis])[:, None] - seen).argmin(axis=1)]
    return np.take(moment, nearest, axis), np.take(count, nearest, axis)


def blocks_worth_trying(grids: list[Sizes], tokens: float = 0) -> list[Sizes]:
    """Return longest blocks for a DCT over tokens on these grids, the largest first.

    Far longer ones of lines are among them where `tokens` make many, for scales to be fitted to.
    """
    blocks = [longest_block(grids, block) for block in BLOCKS.get(len(grids[0]), [])]
    if len(grids[0]) == 1:
        longer = longest_block(grids, LONG)
        blocks = [longer, *blocks] if tokens >= MANY * math.prod(longer) else blocks
    return [block for block in dict.fromkeys(blocks) if math.prod(block) > 1]


def longest_block(grids: list[Sizes], wanted: Sizes) -> Sizes:
    """Return the longest block that cutting these grids at most so long really gives."""
    return tuple(
        max(size for grid in grids for _, _, size in cut(grid[axis], longest))
        for axis, longest in enumerate(wanted)
    )


def linear_model(
    block: Sizes,
    axes: np.ndarray | None,
    reflectors: int,
    magnitude: float | np.ndarray,
    centre: np.ndarray,
) -> GridModel:
    """Return a model without scales: KLT by so many reflectors, DCT over the block."""
    vectors = np.zeros((1, len(centre), 0), np.int64)
    if axes is not None and reflectors:
        vectors = householder.factor(axes, reflectors, magnitude)[None]
    plain = not vectors.size and max(block, default=1) == 1
    scales = np.zeros((len(centre), *block), np.int64)
    model = GridModel("none", block, centre, CENTRE_EXPONENT, vectors, scales)
    return model if plain else low_rank(replace(model, transform="linear"), limits.KLT_NUMBERS)


def most_axes(channels: int, most: int) -> int:
    """Return how many axes a KLT may have whose numbers are limited."""
    return channels - 1 if channels**2 <= most else most // (2 * channels)


def low_rank(model: GridModel, most: int) -> GridModel:
    """Return a linear model as a low-rank one where that is smaller, or its KLT above `most`."""
    reflectors = model.vectors.shape[2]
    if not reflectors:
        return model
    runs = replace(model, transform="low-rank")
    if model.channels**2 > most:
        return runs
    if 2 * model.channels * reflectors > most:
        return model
    sizes = [len(m.pack().basis) for m in (runs, model)]
    return runs if sizes[0] < RUNS_PAY * sizes[1] else model


def klt(classes: Classes, centre: np.ndarray) -> np.ndarray:
    """Return the principal axes (channels, channels), the strongest first."""
    return principal_axes(covariance(classes, centre))[1]


# --- scales -------------------------------------------------------------------------------------


def worthwhile(
    base: np.ndarray, wanted: np.ndarray, blocks: np.ndarray, step_scale: int, single: bool
) -> np.ndarray:
    """Return scales near `wanted` (channels, *block) that leave `base` only where it pays.

    `blocks` (1, *block) is how many latents of the whole group each scale serves. Changes are
    tried for whole channels, then for whole bands, then, when `single`, for single coefficients,
    each against a rough price of its side information.
    """
    shape = base.shape
    base, wanted = base.reshape(shape[0], -1), wanted.reshape(shape[0], -1)
    weight = np.broadcast_to(blocks.reshape(1, -1), base.shape)

    want = family.numbers(wanted, step_scale)

    def loss(scales: np.ndarray) -> np.ndarray:
        have = family.numbers(scales, step_scale)
        found: np.ndarray = BUSY.take(np.maximum(have, want))
        have -= want
        found *= weight
        found *= have * have
        return found

    result, lost = base, loss(base)
    for axis in (1, 0):
        shift = _active_median(wanted - result, lost, axis)
        gain = (lost - loss(result + shift)).sum(axis=axis, keepdims=True)
        result = result + np.where(gain > CHANGE_BITS, shift, 0)
        lost = loss(result)
    if single:
        result = np.where(lost > CHANGE_BITS, wanted, result)
    return result.reshape(shape)


def _active_median(change: np.ndarray, weight: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean of the changes, weighted by what they would save, as even integers."""
    total = weight.sum(axis=axis, keepdims=True)
    mean = (change * weight).sum(axis=axis, keepdims=True) / np.maximum(total, 1e-9)
    return np.rint(mean).astype(np.int64)


# --- tables -------------------------------------------------------------------------------------


def choose_tables(
    part: PartCoder, counts: Counts, fraction: float, empty: bool = True
) -> tuple[dict[int, Table], float]:
    """Return tables of the dump's own where they pay, and the bits of all symbols and tables.

    `fraction` is the part of the group's symbols that was counted. Unless `empty`, what the sample
    shows as zeros alone may be more than that elsewhere.
    """
    own: dict[int, Table] = {}
    bits = 0.0
    for number, histogram in counts.histograms.items():
        default = part.table(number)
        fitted = fit.fit(histogram)
        if fitted is not EMPTY:
            first, further = counts.offsets[number]
            fitted = with_offsets(fitted, first, further)
        usual = fit.cost(histogram, default) / fraction
        better = fit.cost(histogram, fitted) / fraction + 8 * (1 + fit.table_bytes(fitted))
        if better < usual and (empty or fitted is not EMPTY):
            own[number] = fitted
        bits += min(usual, better)
    return own, bits


def with_offsets(table: Table, first: float, further: float) -> Table:
    if table.shift:
        return table
    codes = [min(max(round(128 + 256 * x), 0), 255) for x in (first, further)]
    return Table(table.magnitude, 0, table.zero, table.positive, table.hazards, codes[0], codes[1])
