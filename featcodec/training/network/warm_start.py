"""A trained network as the beginning of further training."""

import numpy as np
import torch
from torch import Tensor, nn

from ...transform.neural.weights import Weights
from .export import FRACTION
from .hyperprior import Hyperprior, Shape


def warm_start(weights: Weights) -> Hyperprior:
    """Return the network that was exported to these weights.

    The chances of the hyper-latents are not stored but as tables, and are learned anew.
    """
    model = Hyperprior(Shape(weights.width, weights.latents, weights.stages, weights.levels))
    with torch.no_grad():
        for name in ("analysis", "synthesis"):
            layers = list(getattr(model, name))
            for i, layer in enumerate(layers[0::2]):
                _take(layer, weights, f"{name}.{i}")
            for i, norm in enumerate(layers[1::2]):
                norm.beta.copy_(norm.beta_reparam.init(_tensor(weights, f"{name}.{i}.beta")))
                norm.gamma.copy_(norm.gamma_reparam.init(_tensor(weights, f"{name}.{i}.gamma")))
        for i, layer in enumerate(m for m in model.hyper_analysis if isinstance(m, nn.Conv2d)):
            _take(layer, weights, f"hyper_analysis.{i}")
        _take_hyper_synthesis(model.hyper_synthesis, weights)
        model.gain.copy_(_tensor(weights, "gain"))
        model.inverse_gain.copy_(_tensor(weights, "inverse_gain"))
    return model


def _tensor(weights: Weights, name: str) -> Tensor:
    return torch.from_numpy(weights.floats(name))


def _take(layer: nn.Module, weights: Weights, name: str) -> None:
    layer.weight.copy_(_tensor(weights, f"{name}.weight"))
    layer.bias.copy_(_tensor(weights, f"{name}.bias"))


def _take_hyper_synthesis(stack: nn.Sequential, weights: Weights) -> None:
    """Undo the binary places that `export` gave to integers."""
    layers = [layer for layer in stack if not isinstance(layer, nn.ReLU)]
    for i, layer in enumerate(layers):
        given = FRACTION if i else 0
        handed = FRACTION if i < len(layers) - 1 else 0
        places = int(weights.arrays["hyper_synthesis.shift"][i]) - given + handed
        weight = weights.floats(f"hyper_synthesis.{i}.weight") * np.float32(2.0**-places)
        if isinstance(layer, nn.Conv2d):
            weight = weight.transpose(1, 0, 2, 3)
        bias = weights.floats(f"hyper_synthesis.{i}.bias") * np.float32(2.0 ** -(places + given))
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        layer.bias.copy_(torch.from_numpy(bias))
