"""The tensors of a network, their names and shapes (SPEC §9.2)."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from safetensors import SafetensorError, deserialize

from ...errors import Damage

KERNEL = 5  # of all convolutions that change the size
MOST_CHANNELS = 1024
MOST_STAGES = 6
HYPER_STAGES = 2
LOWEST_LEVEL = -1.0  # gains are extrapolated from the first two levels down to it
TYPES = {"F16": "<f2", "F32": "<f4", "I16": "<i2", "I64": "<i8", "U8": "|u1"}


@dataclass(frozen=True)
class Weights:
    """The arrays of a network by name, and its sizes."""

    arrays: Mapping[str, np.ndarray]
    width: int  # channels within the transforms, and of the hyper-latents
    latents: int  # channels of the latents
    stages: int  # each halves the picture
    levels: int  # of quality, half an octave of the step apart

    @classmethod
    def parse(cls, data: bytes) -> "Weights":
        """Read a safetensors file; raise Damage when it holds no network."""
        try:
            found = dict(deserialize(data))  # type: ignore[no-untyped-call]
        except SafetensorError as error:
            raise Damage(f"it is no safetensors file: {error}") from None
        arrays = {
            name: np.frombuffer(tensor["data"], TYPES[tensor["dtype"]]).reshape(tensor["shape"])
            for name, tensor in found.items()
            if tensor["dtype"] in TYPES
        }
        try:
            width, _, _, _ = arrays["hyper_synthesis.0.weight"].shape
            levels, latents = arrays["gain"].shape
        except (KeyError, ValueError):
            raise Damage("it is without hyper-synthesis or gains") from None
        stages = sum(f"synthesis.{i}.weight" in arrays for i in range(MOST_STAGES + 1))
        weights = cls(arrays, width, latents, stages, levels)
        weights._check()
        return weights

    def _check(self) -> None:
        n, m = self.width, self.latents
        if not (1 <= self.stages <= MOST_STAGES and self.levels >= 2):
            depth = f"{self.stages} stages and {self.levels} levels"
            raise Damage(f"it has {depth}; stages are 1 to {MOST_STAGES}, levels at least 2")
        most = min(MOST_CHANNELS, 4 << 2 * self.stages)
        if not (0 < n <= MOST_CHANNELS and 0 < m <= most):
            limits = f"1 to {MOST_CHANNELS} and 1 to {most}"
            raise Damage(f"its width is {n}, its latent channels {m}; they must be {limits}")
        for name, (kinds, shape) in expected(n, m, self.stages, self.levels).items():
            array = self.arrays.get(name)
            if array is None or array.dtype.str[1:] not in kinds:
                types = " or ".join(t for t, stored in TYPES.items() if stored[1:] in kinds)
                raise Damage(f"it is without {name} of type {types}")
            fits = len(shape) == array.ndim
            if not fits or any(w not in (h, -1) for w, h in zip(shape, array.shape, strict=True)):
                raise Damage(f"{name} has shape {array.shape}, not {shape}")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise Damage(f"{name} is not finite")
            least = array.min(initial=1)
            if (name.endswith(".gamma") and least < 0) or (_positive(name) and least <= 0):
                bound = "above 0" if _positive(name) else "at least 0"
                raise Damage(f"{name} holds {float(least)}; it must be {bound}")

    def floats(self, name: str) -> np.ndarray:
        """Return an array in single precision, whatever it is stored in."""
        return self.arrays[name].astype(np.float32)

    def reduced(self, length: int, stages: int | None = None) -> int:
        """Return the length of an axis after `stages` halvings, each rounded up."""
        return -(-length // (1 << (self.stages if stages is None else stages)))

    @cached_property
    def coarsest_step(self) -> float:
        """Return the step of level 0."""
        return float(self.arrays["coarsest_step"][0])

    @property
    def largest_step(self) -> float:
        """Return the step above which gains are constant."""
        return self.coarsest_step * 2 ** (-LOWEST_LEVEL / 2)

    @property
    def finest_step(self) -> float:
        """Return the step of the last level."""
        return self.coarsest_step * 2 ** (-(self.levels - 1) / 2)

    def gains(self, name: str, step: float) -> np.ndarray:
        """Return the gains or inverse gains (latents,) at a step, float32.

        Level k belongs to the coarsest step times 2 ** (-k / 2). Logarithms are interpolated
        between levels, extrapolated by one level below the first, and constant beyond.
        """
        level = 2 * np.log2(self.coarsest_step / step) if step else np.inf
        level = min(max(level, LOWEST_LEVEL), self.levels - 1.0)
        low = min(max(int(level), 0), self.levels - 2)
        first, second = self.floats(name)[low : low + 2].astype(np.float64)
        return np.exp2(first + (level - low) * (second - first)).astype(np.float32)


def _positive(name: str) -> bool:
    return name.endswith(".beta") or name == "coarsest_step"


Expected = dict[str, tuple[tuple[str, ...], tuple[int, ...]]]


def expected(n: int, m: int, stages: int, levels: int) -> Expected:
    """Return types and shape of every tensor of a network, -1 for any length."""
    real = ("f2", "f4")
    tensors: Expected = {}
    for name, ends in (("analysis", (1, m)), ("synthesis", (m, 1))):
        sizes = [ends[0], *[n] * (stages - 1), ends[1]]
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            # A transposed convolution has its inputs first.
            pair = (outputs, inputs) if name == "analysis" else (inputs, outputs)
            tensors[f"{name}.{i}.weight"] = (real, (*pair, KERNEL, KERNEL))
            tensors[f"{name}.{i}.bias"] = (real, (outputs,))
            if i < stages - 1:
                tensors[f"{name}.{i}.beta"] = (real, (n,))
                tensors[f"{name}.{i}.gamma"] = (real, (n, n))
    for i, (inputs, side) in enumerate(((m, 3), (n, KERNEL), (n, KERNEL))):
        tensors[f"hyper_analysis.{i}.weight"] = (real, (n, inputs, side, side))
        tensors[f"hyper_analysis.{i}.bias"] = (real, (n,))
    for i, (outputs, side) in enumerate(((n, KERNEL), (n, KERNEL), (m, 1))):
        tensors[f"hyper_synthesis.{i}.weight"] = (("i2",), (n, outputs, side, side))
        tensors[f"hyper_synthesis.{i}.bias"] = (("i8",), (outputs,))
    tensors["hyper_synthesis.shift"] = (("u1",), (3,))
    tensors["gain"] = tensors["inverse_gain"] = (real, (levels, m))
    tensors["coarsest_step"] = (("f4",), (1,))
    tensors["hyper_tables"] = tensors["latent_tables"] = (("u1",), (-1,))
    return tensors
