"""What a quality promises beside the SNR of values, measured on decoded values."""

import math
from dataclasses import dataclass

import numpy as np

from .align.numbers import to_float
from .coding.pieces import Blocks, Origins
from .coding.row_group import RowGroupCoder


def decibels(signal: float, noise: float) -> float:
    """Return an SNR in dB; infinite without noise."""
    return 10 * math.log10(signal / noise) if noise > 0 < signal else math.inf


@dataclass
class RowSnr:
    """The squared error of rows over their squared norm, on the average of all rows."""

    dtype: str
    channels: int  # the axis of channels
    errors: float = 0.0
    rows: int = 0

    def add(self, values: np.ndarray, decoded: np.ndarray) -> None:
        """Take in stored elements of rows; rows of zeros and what is not finite have no error."""
        x, y = (to_float(a, self.dtype).astype(np.float64) for a in (values, decoded))
        finite = np.isfinite(x)
        error = np.where(finite, x - y, 0)
        norms = np.square(np.where(finite, x, 0)).sum(axis=self.channels)
        errors = np.square(error).sum(axis=self.channels)
        self.errors += float((errors[norms > 0] / norms[norms > 0]).sum())
        self.rows += int(np.count_nonzero(norms))

    @property
    def snr(self) -> float:
        """The SNR of rows in dB."""
        return decibels(self.rows, self.errors)


@dataclass
class TaskSnr:
    """The energies of values and of errors in the metric of a task that codes a group."""

    coder: RowGroupCoder
    signal: float = 0.0
    noise: float = 0.0

    def add(self, blocks: Blocks, origins: Origins) -> None:
        """Take in decoded blocks, and what tensors have in their places."""
        box = blocks.boxes[0]
        transform = self.coder.parts[box.prefix].transform
        weights = blocks.grid.weights(blocks.boxes)
        stored = blocks.grid.collect(blocks.boxes, origins, lambda elements: elements)
        x, y = (transform.forward(self._aligned(a), box.sizes) for a in (stored, blocks.values))
        self.noise += _energy(x - y, weights)
        self.signal += _energy(x, weights)

    def _aligned(self, stored: np.ndarray) -> np.ndarray:
        values, coder = self.coder.values, self.coder
        found = coder.floats(stored).astype(np.float64)
        np.clip(np.nan_to_num(found, nan=values.mean), values.lower, values.upper, out=found)
        return values.forward(found).astype(coder.compute_dtype)

    @property
    def snr(self) -> float:
        """The task SNR in dB."""
        return decibels(self.signal, self.noise)


def _energy(latents: np.ndarray, weights: np.ndarray | None) -> float:
    squares = np.square(latents, dtype=np.float64).sum(axis=0)
    return float(squares.sum() if weights is None else np.vdot(squares, weights))
