"""Models with context modelling of sparse lines and maps: tables and offsets are of many steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..coding.model import GridModel
from ..coding.parts.base import Sizes
from ..encoding import tuning
from ..encoding.fit import counting, fitting
from ..encoding.fit.fitting import Classes
from ..encoding.search.candidate import scale_of
from ..encoding.search.solve import solve_step
from ..entropy import contexts, fit, shapes
from ..entropy.tables import Table
from ..modes.coder import CoderArguments
from ..modes.context import reconstruction
from ..modes.context.coder import Own, context_coder
from ..modes.context.fit import ShapeCounts, choose
from ..modes.context.gathered import Gathered
from ..modes.context.scalar import START, ContextCoder
from ..quantise.dependent import Offsets
from ..quantise.scalar import dequantise, quantise
from ..transform.linear import Centred

# dB, at which the tables and offsets of models are fitted: those of coarse steps suit fine ones
# badly. In place of one model these took messages of op61 22 to 2 % less at 5 to 30 dB, of layer3
# 6 % at 10 dB and 1 % above, of layer2 2 % from 20 dB on.
RANGES = ((2, 4, 7), (8, 10, 12), (14, 18, 22, 26, 30))
ROUNDS = 2  # thresholds follow the tables, and the tables what the thresholds leave


def context_model(
    classes: Classes, block: Sizes, positive: bool, snrs: Sequence[float]
) -> GridModel:
    """Return the model for some SNRs of values of variance 1, of which 0 is the most frequent.

    They are by size of block; `positive` says that none is below 0.
    """
    channels = len(next(iter(classes.values())))
    model = fitting.linear_model(block, None, 0, 1, np.zeros(channels, np.int64))
    scales = np.broadcast_to(_scales(classes).reshape(-1, *(1 for _ in block)), (channels, *block))
    zeros = np.zeros((reconstruction.SETS, reconstruction.CLASSES, reconstruction.KINDS), np.int64)
    own = Own(zeros, {})
    made = replace(model, transform="context-shared", scales=scales, scale_unit=2, own=own)
    learning, steps = _Learning(made, positive, {}), [_step_at(classes, snr) for snr in snrs]
    for _ in range(ROUNDS):
        learning = learning.after(classes, steps)
    return learning.model


def context_bits(model: GridModel, classes: Classes, positive: bool, snr: float) -> float:
    """Return the bits a value that symbols take at about an SNR."""
    learned, size = _Learning(model, positive, {}), sum(a.size for a in classes.values())
    goal = 10 ** (-snr / 10)

    def error(step: float) -> float:
        return counting.squared_error(learned.coder(step, False), classes) / size

    coder = learned.coder(solve_step(error, goal, _step_at(classes, snr), precision=0.05), False)
    gathered = Gathered(False)
    for each in classes.items():
        gathered.add(coder, *each)
    found = gathered.counts(size).histograms.items()
    return sum(float(fit.cost(histogram, coder.table(n))) for n, histogram in found) / size


class _Learning:
    """A model, and where its latents are expected beyond their levels, by number of table."""

    def __init__(self, model: GridModel, positive: bool, expected: Mapping[int, Offsets]) -> None:
        self.model = model
        self._positive = positive
        self._expected = expected

    def coder(self, step: float, dependent: bool, own: Own | None = None) -> ContextCoder:
        """Return the coder at a step."""
        transform = Centred(self.model.centres, "float32")
        scales = self.model.scales
        arguments = CoderArguments(transform, scales, {}, step, scale_of(step), "float32")
        made = context_coder(own or self.model.own, arguments, dependent, self._positive)
        return replace(made, expected=self._expected)

    def after(self, classes: Classes, steps: list[float]) -> "_Learning":
        """Return what is best for the symbols at all steps."""
        own, tables, expected = self.model.own, dict[int, Table](), dict[int, Offsets]()
        offsets = own.offsets.copy()
        for dependent in (False, True):
            shaped = ShapeCounts.empty()
            gathered = Gathered(dependent, shaped)
            for step in steps:
                coder = replace(self.coder(step, dependent), shaped=None)
                for each in classes.items():
                    gathered.add(coder, *each)
            default = self.coder(1.0, dependent, Own(own.offsets, {}))
            found, _ = choose(default, gathered.counts(0), shaped, 1.0)
            told = gathered.told(default)
            assert told.offsets is not None
            first = 1 if dependent else 0  # the scalar quantiser is that of the first round
            offsets[first : len(told.offsets)] = told.offsets[first:]
            tables |= {n: t for n, t in found.items() if _of_chains(n) == dependent}
            expected |= {n: o for n, o in told.expected.items() if _of_chains(n) == dependent}
        model = replace(self.model, own=Own(offsets, tables))
        return _Learning(model, self._positive, expected)


def _of_chains(number: int) -> bool:
    """Return whether a table is of the quantisers that take turns."""
    return number % shapes.NUMBERS >= contexts.TABLES


def _scales(classes: Classes) -> np.ndarray:
    """Return the mean magnitudes of channels in quarter octaves, even.

    A channel that the sample has as zeros alone may be more than that elsewhere.
    """
    sums = np.sum([np.abs(a).sum(axis=(1, 2), dtype=np.float64) for a in classes.values()], axis=0)
    places = sum(a[0].size for a in classes.values())
    typical = max(float(sums.mean()) / places, 1e-9)
    return 2 * np.rint(2 * np.log2((sums + typical) / (places + 1))).astype(np.int64)


def _step_at(classes: Classes, snr: float) -> float:
    """Return about the step of an SNR; where values saturate, one that divides the largest."""
    flat = np.concatenate([a.reshape(-1) for a in classes.values()])

    def error(step: float) -> float:
        back = dequantise(quantise(flat, step, START), step, (0.0, 0.0), "float32")
        return float(np.square(flat - back, dtype=np.float64).mean())

    goal = 10 ** (-snr / 10)
    step, top = solve_step(error, goal, math.sqrt(12 * goal), precision=0.05), float(flat.max())
    saturate = np.count_nonzero(flat >= top) > tuning.SATURATED * flat.size
    return top / max(round(top / step), 1) if saturate else step
