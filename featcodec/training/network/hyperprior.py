"""The scale hyperprior that is trained (Ballé et al. 2018), at any rate with one set of weights.

The picture is one of tokens x channels. A latent is multiplied by a gain of its channel and of the
quality before it is rounded, and by another gain afterwards (Cui et al. 2021, "Asymmetric gained
deep image compression with continuous rate adaptation"). The hyper-synthesis gives, instead of a
deviation, the number of the table for it (SPEC §7.3), because that is what an integer network has
to say.
"""

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...entropy.family import UNIT

with warnings.catch_warnings():  # it uses what newer versions of torch deprecate
    warnings.simplefilter("ignore", FutureWarning)
    from compressai.entropy_models import EntropyBottleneck, GaussianConditional
    from compressai.layers import GDN


FLOOR = 0.1  # of the mean squared gradient


@dataclass(frozen=True)
class Shape:
    """The sizes of a network."""

    width: int = 64  # channels within the transforms, and hyper-latents
    latents: int = 96  # channels of latents
    stages: int = 3  # each halves the picture
    levels: int = 8  # of quality


@dataclass(frozen=True)
class Rates:
    """What a batch costs and how far off it is, a number for each picture."""

    bits: Tensor  # a value
    error: Tensor  # mean square, in normalised units; with gradients as their task weighs it


class Hyperprior(nn.Module):
    """Analysis, synthesis, hyper-analysis, hyper-synthesis, gains and the two entropy models."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        n, m = shape.width, shape.latents
        inner = [n] * (shape.stages - 1)
        self.analysis = _stack([1, *inner, m], _down, lambda c: GDN(c))
        self.synthesis = _stack([m, *inner, 1], _up, lambda c: GDN(c, inverse=True))
        self.hyper_analysis = nn.Sequential(
            nn.Conv2d(m, n, 3, padding=1), nn.ReLU(), _down(n, n), nn.ReLU(), _down(n, n)
        )
        self.hyper_synthesis = nn.Sequential(
            _up(n, n), nn.ReLU(), _up(n, n), nn.ReLU(), nn.Conv2d(n, m, 1)
        )
        nn.init.constant_(self.hyper_synthesis[-1].bias, UNIT)
        octaves = torch.linspace(-1.5, 2.0, shape.levels)[:, None].expand(-1, m)
        self.gain = nn.Parameter(octaves.clone())  # log2
        self.inverse_gain = nn.Parameter(-octaves.clone())
        self.hyper_model = EntropyBottleneck(n)
        self.latent_model = GaussianConditional(None)

    def forward(self, pictures: Tensor, levels: Tensor, gradients: Tensor | None = None) -> Rates:
        """Return the rates of pictures (B, 1, T, C) at levels of quality (B,).

        `gradients` are draws of a task's (B, draws, T, C), of mean square 1 about.
        """
        gain = torch.exp2(self.gain[levels])[:, :, None, None]
        latents = self.analysis(pictures) * gain
        hyper = self.hyper_analysis(latents.abs())
        _, chances = self.hyper_model(hyper, training=True)
        bits = _bits(chances)
        numbers = self.hyper_synthesis(_rounded(hyper))
        numbers = numbers[:, :, : latents.shape[2], : latents.shape[3]]
        _, chances = self.latent_model(latents, deviations(numbers), training=True)
        bits = bits + _bits(chances)
        restored = _rounded(latents) * torch.exp2(self.inverse_gain[levels])[:, :, None, None]
        decoded = self.synthesis(restored)[:, :, : pictures.shape[2], : pictures.shape[3]]
        values = pictures[0].numel()
        return Rates(bits / values, distortion(decoded - pictures, gradients))


def distortion(errors: Tensor, gradients: Tensor | None) -> Tensor:
    """Return the mean squared error (B,) of errors (B, 1, T, C), weighed by a task's gradients.

    The metric of a crop is the mean of g g' over its draws, whose expectation is that of all its
    values: draws of two samples in one crop are independent, and of mean 0. White noise counts
    as much as without; the floor keeps alive what no output reacts to.
    """
    square = (errors**2).mean((1, 2, 3))
    if gradients is None:
        return square
    products = (gradients * errors).flatten(2).sum(2)
    weighed = (products**2).mean(1) / errors[0].numel()
    return (weighed + FLOOR * square) / (1 + FLOOR)


def deviations(numbers: Tensor) -> Tensor:
    """Return the deviation, in steps, that the table of a number is for (SPEC §7.3)."""
    return torch.exp2((numbers.clamp(-1, 40) - UNIT) / 2)


def _rounded(x: Tensor) -> Tensor:
    """Round, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def _bits(chances: Tensor) -> Tensor:
    return -chances.log2().flatten(1).sum(1)


def _down(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 5, stride=2, padding=2)


def _up(inputs: int, outputs: int) -> nn.Module:
    return nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1)


def _stack(
    channels: list[int],
    layer: Callable[[int, int], nn.Module],
    between: Callable[[int], nn.Module],
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(channels):
        layers += [layer(inputs, outputs), between(outputs)]
    return nn.Sequential(*layers[:-1])
