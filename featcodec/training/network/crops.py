"""Random crops of the token matrices of dumps, to train on."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...align.value import ValueAlignment
from ...encoding.network import as_tokens
from ...encoding.tensors.group import Group
from ...encoding.tensors.grouping import group_tensors
from ...encoding.tensors.sums import stats_of
from ...errors import InvalidInput
from ...request import Options
from ...tensors import Source

SIDE = 64  # of a crop, where there are as many tokens and channels
KEPT_VALUES = 1 << 24  # of a tensor group at most, as half-precision numbers


@dataclass(frozen=True)
class Features:
    """The tokens of one tensor group, aligned, and where they come from."""

    label: str
    architecture: str
    tokens: np.ndarray  # (tokens, channels) float16

    @classmethod
    def of(cls, group: Group, normalise: bool) -> "Features | None":
        """Return a group as the neural transform sees it; None without stats."""
        tokens, values = aligned_tokens(group, normalise)
        if values is None:
            return None
        return cls(group.label, group.architecture, tokens.astype(np.float16))


def aligned_tokens(group: Group, normalise: bool) -> tuple[np.ndarray, ValueAlignment | None]:
    """Return about KEPT_VALUES values of a group as (tokens, channels), and their alignment."""
    plain = as_tokens(group)
    block = (1,) * len(plain.grids[0])
    arrays, _ = plain.sample(block, KEPT_VALUES)
    tokens = np.concatenate([a[:, 0].T for a in arrays.values()])
    found = stats_of(plain, tokens.ravel()[:: max(tokens.size >> 20, 1)])
    if not found.std > 0:
        return tokens, None
    mean, std = (found.mean, found.std) if normalise else (0.0, 1.0)
    values = ValueAlignment(found.lower, found.upper, mean, std)
    inside = np.clip(np.nan_to_num(tokens, nan=found.mean), found.lower, found.upper)
    return values.forward(np.ascontiguousarray(inside, np.float32)), values


def collect(sources: Iterable[Source], options: Options, normalise: bool = True) -> list[Features]:
    """Return the features of dumps; InvalidInput when there are none."""
    found = []
    for source in sources:
        for group in group_tensors(source, options, lossless=False):
            if isinstance(group, Group) and (features := Features.of(group, normalise)):
                found.append(features)
    if not found:
        raise InvalidInput("the dumps hold no features to train on")
    return found


def batch(features: list[Features], size: int, rng: np.random.Generator) -> np.ndarray:
    """Return (size, tokens, channels) float32: one shape, from groups that have as many channels.

    Every group is as likely, whatever its size. Groups of few channels give tall crops.
    """
    width = min(features[rng.integers(len(features))].tokens.shape[1], SIDE)
    height = SIDE * SIDE // width
    wide = [f for f in features if f.tokens.shape[1] >= width]
    return np.stack([_crop(wide[rng.integers(len(wide))], height, width, rng) for _ in range(size)])


def _crop(features: Features, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    tokens, channels = features.tokens.shape
    top = rng.integers(max(tokens - height, 0) + 1)
    left = rng.integers(channels - width + 1)
    rows = np.arange(top, top + height) % tokens
    return features.tokens[rows, left : left + width].astype(np.float32)
