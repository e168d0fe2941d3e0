"""About how many bits a group takes with a transform: classes of latents are their scales."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...align.value import ValueAlignment
from ...coding.model import GridModel, pack_scales
from ...coding.parts.base import Sizes
from ...coding.profile import model_of
from ...container.model import ProfileEntry
from ...entropy import family
from ...transform import dct, householder
from ..fit import fitting
from ..fit.fitting import Classes
from ..fit.layered import layered_models
from ..fit.spectrum import Spectrum, leading_axes, ranks_of
from ..search.candidate import scale_of, separable
from ..search.entries import matching
from ..tensors.samples import Samples
from .symbols import symbol_bits

TABLES = 64  # that are told apart
# Channels, beyond which the strongest axes alone are found, on a larger sample, and none at all.
KLT_CHANNELS, MOST_CHANNELS = 512, 2048
LEAST_TOKENS = 0.5  # for each channel, to find axes from
TOKENS_PER_AXIS = 2  # of the strongest
NEAR = 1.1  # of the bits of the best block without a KLT: what may be better with one
TRELLIS_GAIN = 0.95  # part of the bits that remains
SIDE_BITS, CHANNEL_BITS = 8.0 * 64, 4.0  # of tables, and of centres
FEW_TOKENS = 16  # of which centres are counted as they are stored


def profile_bits(
    samples: Samples, entries: Sequence[tuple[int, ProfileEntry]], snr: float
) -> Iterator[float]:
    """Yield the bits with each entry of a profile that may serve."""
    for _, entry in matching(samples, entries, "auto", prefix=False):
        model, values = model_of(entry), samples.alignment(entry)
        some = _classes(samples, model.block, values)
        latents = fitting.latents_of(model, some, samples.group.compute_dtype)
        target = 10 ** (-snr / 10) * samples.varying * (samples.std / entry.std) ** 2
        yield _bits(samples, latents, model.scales, target)


def transform_bits(samples: Samples, snr: float) -> Iterator[float]:
    """Yield the bits with a DCT of each block worth trying, with a KLT and without."""
    values = samples.alignment()
    blocks = fitting.blocks_worth_trying(samples.group.grids)
    found: dict[Sizes, tuple[Classes, float]] = {}
    for block in dict.fromkeys((*blocks, samples.ones)):
        some = _classes(samples, block, values)
        model = fitting.linear_model(block, None, 0, 1, fitting.centre_of(some))
        model = replace(model, transform="linear")
        latents = fitting.latents_of(model, some, samples.group.compute_dtype)
        target = target_of(samples, some, snr)
        side = side_bits(samples, model)
        found[block] = latents, side + _fitted(samples, latents, block, target)
    least = min(found[block][1] for block in blocks or [samples.ones])
    yield least
    axes, axes_bits = _axes(samples, values, snr)
    if axes is not None and axes_bits < least:
        for block, (plain, bits) in found.items():
            if bits < NEAR * least or block == samples.ones:
                turned = {sizes: np.tensordot(axes.T, a, 1) for sizes, a in plain.items()}
                target = target_of(samples, _classes(samples, block, values), snr)
                yield side + axes_bits + _fitted(samples, turned, block, target)


def layered_bits(samples: Samples, snr: float) -> Iterator[float]:
    """Yield the bits with a KLT across layers, where the channels are those of several."""
    side = SIDE_BITS + CHANNEL_BITS * samples.channels
    for model in layered_models(samples, 10 ** (-snr / 10))[:1]:
        some = _classes(samples, samples.ones, samples.alignment())
        latents = fitting.latents_of(model, some, samples.group.compute_dtype)
        bits = 8 * len(model.pack().pack()) + side
        yield bits + _fitted(samples, latents, samples.ones, target_of(samples, some, snr))


def side_bits(samples: Samples, model: GridModel) -> float:
    """Return the bits of tables and centres; of few tokens centres hold what tokens do not."""
    few = samples.group.values < FEW_TOKENS * samples.channels
    centres = 8.0 * len(model.pack().pack()) if few else CHANNEL_BITS * samples.channels
    return SIDE_BITS + max(centres, CHANNEL_BITS * samples.channels)


def target_of(samples: Samples, classes: Classes, snr: float) -> float:
    """Return the mean squared error that a normalised sample has at an SNR in dB."""
    return 10 ** (-snr / 10) * samples.variance_of(classes.values())


def _classes(samples: Samples, block: Sizes, values: ValueAlignment) -> Classes:
    return samples.sample(block, samples.sizes.trial, values)[0][False]


def _axes(samples: Samples, values: ValueAlignment, snr: float) -> tuple[np.ndarray | None, float]:
    """Return principal axes (channels, channels) of values apart from the sample, and their bits.

    Rounded as reflectors are; None where too little is known of them, or none pays.
    """
    channels = samples.channels
    if not 2 <= channels <= MOST_CHANNELS:
        return None, 0.0
    wide, budget = channels > KLT_CHANNELS, 2 * samples.sizes.trial
    if wide:
        budget = max(budget, channels**2)
    parts, share = samples.sample(samples.ones, budget, values, disjoint=True)
    some = parts[False]
    tokens = sum(a[0].size for a in some.values())
    if tokens < LEAST_TOKENS * channels:
        return None, 0.0
    centre = fitting.centre_of(some)
    if wide:
        axes = leading_axes(some, centre, max(min(tokens, channels) // TOKENS_PER_AXIS, 1))
    else:
        axes = fitting.klt(some, centre)
    target = target_of(samples, some, snr)
    spectrum = Spectrum.of(axes, centre, some, samples.ones, share, target)
    rank = max(ranks_of([spectrum], channels - 1), default=0)
    if not rank:
        return None, 0.0
    rounded = householder.factor(axes, rank, spectrum.magnitudes[:rank])
    basis = householder.basis(rounded, channels).astype(samples.group.compute_dtype)
    return basis, float(spectrum.bits[:rank].sum())


def _fitted(samples: Samples, latents: Classes, block: Sizes, target: float) -> float:
    """Return the bits of latents with scales fitted to them, which are stored where they pay."""
    energy = fitting.energy_of(latents, block)
    base = separable(energy.scales())
    wanted = energy.towards(base).scales()
    step_scale = scale_of(_start(wanted, target))
    floor = step_scale - 2 * family.UNIT - 2
    base, wanted = np.maximum(base, floor), np.maximum(wanted, floor)
    share = sum(a.size for a in latents.values()) / samples.group.values
    scales = fitting.worthwhile(base, wanted, energy.count / share, step_scale, single=True)
    return _bits(samples, latents, scales, target) + 8 * len(pack_scales(scales // 2))


def _bits(samples: Samples, latents: Classes, scales: np.ndarray, target: float) -> float:
    """Return the bits of all the group's latents at a mean squared error."""
    flat = np.concatenate([a.ravel() for a in latents.values()])
    known = [_at(scales, sizes).ravel() for sizes in latents]
    blocks = np.repeat([a.shape[-1] for a in latents.values()], list(map(len, known)))

    def classes(_: np.ndarray, step: float) -> np.ndarray:
        found = family.numbers(np.concatenate(known), scale_of(step))
        return np.minimum(found, TABLES - 1).repeat(blocks)

    bits = symbol_bits(flat, classes, target, _start(scales, target), signs=True)
    return TRELLIS_GAIN * bits * samples.group.values / flat.size


def _at(scales: np.ndarray, sizes: Sizes) -> np.ndarray:
    """Return the scales (channels, points, 1) of blocks of a size."""
    places = dct.places(sizes, scales.shape[1:])
    found: np.ndarray = scales[np.ix_(np.arange(len(scales)), *places)]
    return found.reshape(len(scales), -1, 1)


def _start(scales: np.ndarray, target: float) -> float:
    """Return the step at which latents of these scales have the error: cells or all of them."""
    least, counts = int(scales.min()), np.bincount((scales - scales.min()).ravel())
    variances = np.exp2((least + np.arange(len(counts))) / 2)
    low, high = math.log(1e-12), math.log(max(float(variances[-1]), 1e-11))
    for _ in range(20):
        middle = (low + high) / 2
        enough = float(np.minimum(variances, math.exp(middle)) @ counts) > target * scales.size
        low, high = (low, middle) if enough else (middle, high)
    return math.sqrt(12 * math.exp(low))
