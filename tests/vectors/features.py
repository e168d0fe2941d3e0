"""Features that vectors are made of."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

DIGITS = Path(__file__).parents[1] / "digits"


def digits(task: str, count: int) -> np.ndarray:
    """Return the first features of `cnn` (N, 64, 4, 4) or `vit` (N, 17, 64), float16."""
    return load_file(DIGITS / f"{task}_eval.safetensors")["features"][:count]


def with_odd_values(values: np.ndarray, odd: tuple[float, ...]) -> np.ndarray:
    """Return values as doubles with odd ones at places 0 0 0 0, 1 2 3 1 and 2 3 0 0."""
    values = values.astype(np.float64)
    for place, value in zip(((0, 0, 0, 0), (1, 2, 3, 1), (2, 3, 0, 0)), odd, strict=True):
        values[place] = value
    return values


def waves(shape: tuple[int, ...]) -> np.ndarray:
    """Make maps whose channels mix one way where they change slowly, another where fast."""
    rng = np.random.default_rng(7)
    spread = np.geomspace(8, 0.1, shape[1])
    slow, fast = (np.linalg.qr(rng.normal(size=(shape[1],) * 2))[0] * spread for _ in range(2))
    parts = np.cumsum(np.cumsum(rng.normal(size=shape), 2), 3) / 30, rng.normal(size=shape)
    mixed = (np.einsum("ij,njhw->nihw", *pair) for pair in zip((slow, fast), parts, strict=True))
    return sum(mixed).astype(np.float32)
