"""The model without a transform, and its alignment."""

import math
from dataclasses import replace

import numpy as np

from ...align.value import ValueAlignment
from ...coding.model import GridModel
from ..tensors.samples import Samples
from . import fitting

MOST = 0.5  # of a channel's values, and of channels
FINER = 4  # octaves that the unit of a centre at a mode lies below the step
FINER_TIGHT = 2  # the same of a centre of values that lie close together


def plain_model(samples: Samples, step: float) -> tuple[GridModel, ValueAlignment]:
    """Return the model without a transform, and its alignment, for about a step.

    Many values of a sparse group are the same in each channel: zeros of a rectifier, or what a
    normalisation behind it made of them. They are the centre, so that they stay as they are and
    cheap; of other channels the mean is. Where most values lie that close together, what rounding
    the centre leaves of them costs more than a finer centre.
    """
    values = samples.alignment()
    if samples.zeros and not np.nan_to_num(samples.modes).any():  # nothing is frequent but zero
        return at_zero(samples), replace(values, mean=0.0)
    some = samples.sample(samples.ones, samples.sizes.trial, values)[0][False]
    rows = np.concatenate([a.reshape(len(a), -1) for a in some.values()], axis=1)
    means, tight = _centres(rows, step)
    centre = np.where(np.isnan(samples.modes), means, at_mode(samples, values))
    finer = FINER if samples.sparse else FINER_TIGHT
    octaves = math.ceil(-math.log2(step)) + finer if samples.sparse or tight > MOST else 0
    exponent = max(octaves, fitting.CENTRE_EXPONENT)
    centre = np.nan_to_num(centre)
    if np.abs(centre).max(initial=0) * 2.0**exponent >= 1 << 29:
        exponent = fitting.CENTRE_EXPONENT
    whole = np.clip(np.rint(centre * 2.0**exponent), -(1 << 29), 1 << 29).astype(np.int64)
    model = fitting.linear_model(samples.ones, None, 0, 1, whole)
    return replace(model, centre_exponent=exponent), values


def at_zero(samples: Samples) -> GridModel:
    """Return the model without a transform whose centres are all zero."""
    return fitting.linear_model(samples.ones, None, 0, 1, np.zeros(samples.channels, np.int64))


def at_mode(samples: Samples, values: ValueAlignment) -> np.ndarray:
    """Return the aligned most frequent value of each channel, NaN where none is frequent."""
    return (samples.modes - values.mean) / values.std


def _centres(rows: np.ndarray, step: float) -> tuple[np.ndarray, float]:
    """Return the mean of each row (channels, n), or of those values that lie within one step.

    The latter where most of them do: what is far from the rest would move the mean away from them.
    Of how many rows that holds comes second.
    """
    near = np.abs(rows - np.median(rows, axis=1, keepdims=True)) <= step / 2
    most = np.count_nonzero(near, axis=1) > MOST * rows.shape[1]
    inner = np.einsum("cn,cn->c", rows, near, dtype=np.float64) / np.maximum(near.sum(axis=1), 1)
    return np.where(most, inner, rows.mean(axis=1, dtype=np.float64)), float(most.mean())
