"""The model without a transform, and its alignment."""

from dataclasses import replace

import numpy as np

from ...align.value import ValueAlignment
from ...coding.model import GridModel
from ..tensors.samples import Samples
from . import fitting


def plain_model(samples: Samples) -> tuple[GridModel, ValueAlignment]:
    """Return the model without a transform, and its alignment.

    Values with many exact zeros are not shifted, so that zeros stay exact and cheap.
    """
    values = samples.alignment()
    centre = np.zeros(samples.channels, np.int64)
    if samples.sparse:
        values = replace(values, mean=0.0)
    else:
        some = samples.sample(samples.ones, samples.sizes.trial, values)[0][False]
        centre = fitting.centre_of(some)
    return fitting.linear_model(samples.ones, None, 0, 1, centre), values
