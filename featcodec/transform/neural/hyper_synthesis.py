"""Hyper-latents to table numbers, in integers: the same on every machine (SPEC §9.4).

Double precision holds all integers below 2 ** 53, and sums of them are exact in any order. The
check in `__init__` keeps all sums below. Integer networks serve the same purpose in Ballé, Johnston
and Minnen, "Integer Networks for Data Compression with Latent-Variable Models", ICLR 2019.
"""

import numpy as np

from ...errors import Damage
from .weights import HYPER_STAGES, KERNEL, Weights

LARGEST_HYPER = 1 << 12  # magnitude of a hyper-latent
LARGEST_INNER = (1 << 20) - 1  # output of a layer
LARGEST_NUMBER = 255
LARGEST_SHIFT = 40
EXACT = 1 << 53


class HyperSynthesis:
    """Two transposed convolutions and one over channels only."""

    def __init__(self, weights: Weights) -> None:
        """Raise Damage when a sum could reach 2 ** 53."""
        self.layers = []
        inputs = LARGEST_HYPER
        for i in range(HYPER_STAGES + 1):
            kernel = weights.arrays[f"hyper_synthesis.{i}.weight"].astype(np.float64)
            bias = weights.arrays[f"hyper_synthesis.{i}.bias"].astype(np.float64)
            shift = int(weights.arrays["hyper_synthesis.shift"][i])
            most = float(np.abs(kernel).sum(axis=(0, 2, 3)).max() * inputs + np.abs(bias).max())
            if shift > LARGEST_SHIFT:
                raise Damage(f"the hyper-synthesis has a shift of {shift}, above {LARGEST_SHIFT}")
            if most + 2.0**shift >= EXACT:
                raise Damage(f"layer {i} of the hyper-synthesis is not exact: sums may reach 2**53")
            self.layers.append((kernel, bias, shift))
            inputs = LARGEST_INNER

    def __call__(self, hyper: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        """Return the table numbers (latents, *size), uint8, of hyper-latents (width, h, w)."""
        values = hyper.astype(np.float64)
        for stage, (kernel, bias, shift) in enumerate(self.layers[:-1]):
            left = HYPER_STAGES - 1 - stage
            wanted = tuple(-(-length // (1 << left)) for length in size)
            sums = _upsample(values, kernel)[:, : wanted[0], : wanted[1]] + bias[:, None, None]
            values = np.clip(_shifted(sums, shift), 0, LARGEST_INNER)
        kernel, bias, shift = self.layers[-1]
        flat = kernel[:, :, 0, 0].T @ values.reshape(len(values), -1) + bias[:, None]
        numbers = np.clip(_shifted(flat, shift), 0, LARGEST_NUMBER)
        return numbers.astype(np.uint8).reshape(-1, *size)


def _shifted(sums: np.ndarray, shift: int) -> np.ndarray:
    """Return sums / 2 ** shift to the nearest integer, halves up; exact in binary."""
    return np.floor(sums * 2.0**-shift + 0.5)


def _upsample(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the transposed convolution of stride 2: (inputs, h, w) to (outputs, 2 h, 2 w)."""
    inputs, height, width = values.shape
    spread = kernel.reshape(inputs, -1).T @ values.reshape(inputs, -1)
    spread = spread.reshape(-1, KERNEL, KERNEL, height, width)
    out = np.zeros((len(spread), 2 * height + KERNEL - 2, 2 * width + KERNEL - 2))
    for i in range(KERNEL):
        for j in range(KERNEL):
            out[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += spread[:, i, j]
    return out[:, KERNEL // 2 : KERNEL // 2 + 2 * height, KERNEL // 2 : KERNEL // 2 + 2 * width]
