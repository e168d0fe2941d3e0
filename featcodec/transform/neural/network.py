"""Analysis, synthesis and hyper-analysis in floating point, on torch (SPEC §9.2, §9.5).

Results here select no table, so they need not be the same on every machine: a decoder computes
values, an encoder the symbols that it writes.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .weights import KERNEL, Weights

# Latents beside a strip that change its values. Through kernels of five, a value depends on fewer
# than 2 ** (stages + 1) others along an axis, which is less than two latents.
MARGIN = 2
STRIP_VALUES = 1 << 17
LEAST_ROWS = 16  # of latents in a strip


class TorchNetwork:
    """Pictures are (tokens, channels), latents and hyper-latents (channels, h, w); all float32."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        names = [n for n in self.weights.arrays if not n.startswith("hyper_synthesis.")]
        return {name: torch.from_numpy(self.weights.floats(name)) for name in names}

    def analysis(self, picture: np.ndarray) -> np.ndarray:
        """Return the latents of a picture."""
        unit = 1 << self.weights.stages
        strips = []
        for first, last, low, high in self._strips(picture.shape):
            part = self._analyse(picture[low * unit : high * unit])
            strips.append(part[:, first - low : last - low])
        return np.concatenate(strips, axis=1)

    def synthesis(self, latents: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the picture of a shape from latents whose gains are undone."""
        unit = 1 << self.weights.stages
        picture = np.empty(shape, np.float32)
        for first, last, low, high in self._strips(shape):
            rows = min(high * unit, shape[0]) - low * unit
            part = self._synthesise(latents[:, low:high], (rows, shape[1]))
            picture[first * unit : last * unit] = part[(first - low) * unit :][
                : (last - first) * unit
            ]
        return picture

    def _strips(self, shape: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
        """Yield strips of rows of latents: first and last, without margins and with them.

        A strip fits the caches, which doubles the speed. With margins its values are the same.
        """
        rows = self.weights.reduced(shape[0])
        unit = 1 << self.weights.stages
        height = max(STRIP_VALUES // (unit * shape[1]), LEAST_ROWS)
        for first in range(0, rows, height):
            last = min(first + height, rows)
            yield first, last, max(first - MARGIN, 0), min(last + MARGIN, rows)

    @torch.inference_mode()
    def _analyse(self, picture: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(picture)[None, None]
        for i in range(self.weights.stages):
            x = self._conv(x, f"analysis.{i}", 2)
            if i < self.weights.stages - 1:
                x = x * torch.rsqrt(self._norm(x, f"analysis.{i}"))
        return x[0].numpy()

    @torch.inference_mode()
    def hyper_analysis(self, latents: np.ndarray) -> np.ndarray:
        """Return the hyper-latents of latents times their gains, not yet rounded."""
        x = torch.from_numpy(np.abs(latents))[None]
        x = functional.relu(self._conv(x, "hyper_analysis.0", 1))
        x = functional.relu(self._conv(x, "hyper_analysis.1", 2))
        return self._conv(x, "hyper_analysis.2", 2)[0].numpy()

    @torch.inference_mode()
    def _synthesise(self, latents: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        x = torch.from_numpy(latents)[None]
        for i in range(self.weights.stages):
            left = self.weights.stages - 1 - i
            height, width = (self.weights.reduced(length, left) for length in shape)
            x = functional.conv_transpose2d(
                x,
                self._tensors[f"synthesis.{i}.weight"],
                self._tensors[f"synthesis.{i}.bias"],
                stride=2,
                padding=KERNEL // 2,
                output_padding=1,
            )[:, :, :height, :width]
            if left:
                x = x * torch.sqrt(self._norm(x, f"synthesis.{i}"))
        return x[0, 0].numpy()

    def _conv(self, x: Tensor, name: str, stride: int) -> Tensor:
        weight = self._tensors[f"{name}.weight"]
        padding = weight.shape[-1] // 2
        return functional.conv2d(
            x, weight, self._tensors[f"{name}.bias"], stride=stride, padding=padding
        )

    def _norm(self, x: Tensor, name: str) -> Tensor:
        """Return what generalised divisive normalisation divides the square by (Ballé 2016)."""
        gamma = self._tensors[f"{name}.gamma"][:, :, None, None]
        return functional.conv2d(x * x, gamma, self._tensors[f"{name}.beta"])
