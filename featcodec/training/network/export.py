"""A trained hyperprior to the tensors of a profile: integers, tables, half precision."""

import json
import math

import numpy as np
import torch
from safetensors.numpy import save
from torch import nn

from ...coding.model import pack_tables
from ...coding.picture import NeuralCoder, NeuralModel
from ...container.network import Network as Section
from ...encoding.fit.counting import moments
from ...encoding.fit.fitting import with_offsets
from ...entropy import family, fit, integers
from ...entropy.tables import Table
from .crops import Features
from .hyperprior import Hyperprior
from .loop import LOWEST_LAMBDA

FRACTION = 8  # bits of what a layer of the hyper-synthesis hands on
LARGEST_WEIGHT = (1 << 15) - 1
TABLE_VALUES = 1 << 19  # of each group of features, to fit tables to
LEAST_COUNT = 200  # symbols unlike zero, for a table of its own


def export(model: Hyperprior, features: list[Features], metadata: dict[str, str]) -> Section:
    """Return the network with tables fitted to features, ready for a profile."""
    tensors = {**_transforms(model), **_hyper_synthesis(model.hyper_synthesis)}
    tensors["gain"] = model.gain.detach().numpy().astype(np.float32)
    tensors["inverse_gain"] = model.inverse_gain.detach().numpy().astype(np.float32)
    # At high rates D = step ** 2 / 12 and dD/dR = -2 ln 2 D = -1 / lambda.
    coarsest = math.sqrt(6 / (math.log(2) * LOWEST_LAMBDA))
    tensors["coarsest_step"] = np.array([coarsest], np.float32)
    hyper = np.frombuffer(integers.pack_table(family.table(family.UNIT)) * model.shape.width, "u1")
    tables: dict[int, Table] = {}
    for _ in range(2):  # the thresholds follow the tables
        tensors["hyper_tables"] = hyper
        tensors["latent_tables"] = np.frombuffer(pack_tables(tables), "u1")
        hyper, tables = _fit(NeuralModel.parse(save(tensors)), features)
    tensors["hyper_tables"] = hyper
    tensors["latent_tables"] = np.frombuffer(pack_tables(tables), "u1")
    return Section(save(tensors, metadata), metadata)


def metadata(name: str, features: list[Features], record: dict) -> dict[str, str]:
    """Return what a profile says about its network."""
    trained_on = [
        {"name": f.label, "architecture": f.architecture, "values": int(f.tokens.size)}
        for f in features
    ]
    return {"name": name, "training": json.dumps({**record, "trained_on": trained_on})}


def _transforms(model: Hyperprior) -> dict[str, np.ndarray]:
    tensors: dict[str, torch.Tensor] = {}
    for name in ("analysis", "synthesis"):
        layers = list(getattr(model, name))
        for i, layer in enumerate(layers[0::2]):
            tensors[f"{name}.{i}.weight"] = layer.weight.half()
            tensors[f"{name}.{i}.bias"] = layer.bias
        for i, norm in enumerate(layers[1::2]):
            tensors[f"{name}.{i}.beta"] = norm.beta_reparam(norm.beta)
            tensors[f"{name}.{i}.gamma"] = norm.gamma_reparam(norm.gamma)
    for i, layer in enumerate(m for m in model.hyper_analysis if isinstance(m, nn.Conv2d)):
        tensors[f"hyper_analysis.{i}.weight"] = layer.weight.half()
        tensors[f"hyper_analysis.{i}.bias"] = layer.bias
    return {name: t.detach().contiguous().numpy() for name, t in tensors.items()}


def _hyper_synthesis(stack: nn.Sequential) -> dict[str, np.ndarray]:
    """Return the layers as 16-bit weights with as many binary places as fit."""
    tensors, shifts = {}, []
    layers = [layer for layer in stack if not isinstance(layer, nn.ReLU)]
    for i, layer in enumerate(layers):
        weight = layer.weight.detach().double().numpy()
        if isinstance(layer, nn.Conv2d):
            weight = np.ascontiguousarray(weight.transpose(1, 0, 2, 3))  # inputs first
        places = min(int(math.log2(LARGEST_WEIGHT / np.abs(weight).max())), 20)
        given = FRACTION if i else 0
        handed = FRACTION if i < len(layers) - 1 else 0
        shifts.append(places + given - handed)
        bias = layer.bias.detach().double().numpy() * 2.0 ** (places + given)
        tensors[f"hyper_synthesis.{i}.weight"] = np.rint(weight * 2.0**places).astype(np.int16)
        tensors[f"hyper_synthesis.{i}.bias"] = np.rint(bias).astype(np.int64)
    return {**tensors, "hyper_synthesis.shift": np.array(shifts, np.uint8)}


def _fit(model: NeuralModel, features: list[Features]) -> tuple[np.ndarray, dict[int, Table]]:
    """Return the tables of each hyper-channel and of each number, from all levels."""
    weights = model.weights
    hyper: list[fit.Histogram | None] = [None] * weights.width
    latents: dict[int, fit.Histogram] = {}
    sums: dict[int, np.ndarray] = {}
    for group in features:
        rows = max(TABLE_VALUES // group.tokens.shape[1], 1)
        picture = group.tokens[:rows].astype(np.float32)
        base = model.network.analysis(picture)
        for level in range(weights.levels):
            coder = NeuralCoder(model, weights.coarsest_step * 2 ** (-level / 2))
            symbols = coder.quantise(base)
            for channel, values in enumerate(symbols.hyper):
                hyper[channel] = _sum(hyper[channel], fit.Histogram.of(values))
            scaled = base * coder.gain[:, None, None]
            for number, where, coded in symbols.by_number():
                latents[number] = _sum(latents.get(number), fit.Histogram.of(coded))
                found = moments(scaled.reshape(-1)[where], coded, 1.0)
                sums[number] = sums.get(number, np.zeros(4)) + found
    tables = {}
    for number, histogram in latents.items():
        if number <= family.LAST and histogram.nonzero >= LEAST_COUNT:
            ones, first, more, further = sums[number]
            table = fit.fit(histogram)
            tables[number] = with_offsets(table, first / max(ones, 1), further / max(more, 1))
    packed = b"".join(integers.pack_table(fit.fit(h)) for h in hyper if h is not None)
    return np.frombuffer(packed, "u1"), tables


def _sum(before: fit.Histogram | None, found: fit.Histogram) -> fit.Histogram:
    return found if before is None else before + found
