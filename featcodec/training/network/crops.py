"""Random crops of the token matrices of dumps and of the gradients there, to train on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...align.value import ValueAlignment
from ...encoding.network import as_tokens
from ...encoding.tensors.group import Group
from ...encoding.tensors.grouping import group_tensors
from ...encoding.tensors.sums import stats_of
from ...errors import InvalidInput
from ...request import Options
from ...tensors import Source
from ..gradients import draws_of
from ..metric import TaskGradients

SIDE = 64  # of a crop, where there are as many tokens and channels
KEPT_VALUES = 1 << 24  # of a tensor group at most, as half-precision numbers


@dataclass(frozen=True)
class Features:
    """The tokens of one tensor group, aligned, and where they come from."""

    label: str
    architecture: str
    tokens: np.ndarray  # (tokens, channels) float16
    gradients: np.ndarray | None = None  # (draws, tokens, channels) float16

    @classmethod
    def of(cls, group: Group, normalise: bool, draws: Sequence[Group] = ()) -> "Features | None":
        """Return a group as the neural transform sees it, with draws of gradients of a task.

        None without stats; raises InvalidInput for gradients that are all zero or not finite.
        """
        tokens, values = aligned_tokens(group, normalise)
        if values is None:
            return None
        gradients = _gradients(group, draws) if draws else None
        return cls(group.label, group.architecture, tokens.astype(np.float16), gradients)


def _gradients(group: Group, draws: Sequence[Group]) -> np.ndarray:
    """Return gradients in the places of `aligned_tokens`, each run of tokens of mean square 1.

    Where a network is sure of a sample its gradients are a thousandth of others': all samples are
    to count alike, so that they tell in which directions, not by how much, outputs react.
    """
    # The grid is that of the features: it leaves out the rows that they leave out.
    like = [replace(group, dtype=draw.dtype, tensor=draw.tensor) for draw in draws]
    found = np.stack([_tokens(as_tokens(draw)) for draw in like]).astype(np.float64)
    if not np.isfinite(found).all() or not found.any():
        what = "not finite" if found.any() else "all zero"
        raise InvalidInput(f"the gradients of {group.names[0]!r} are {what}")
    for first in range(0, found.shape[1], SIDE):
        run = found[:, first : first + SIDE]
        size = np.sqrt(np.square(run).mean(axis=(1, 2), keepdims=True))
        run /= np.where(size > 0, size, 1)
    return found.astype(np.float16)


def _tokens(plain: Group) -> np.ndarray:
    """Return about KEPT_VALUES values of a group as (tokens, channels)."""
    arrays, _ = plain.sample((1,) * len(plain.grids[0]), KEPT_VALUES)
    return np.concatenate([a[:, 0].T for a in arrays.values()])


def aligned_tokens(group: Group, normalise: bool) -> tuple[np.ndarray, ValueAlignment | None]:
    """Return about KEPT_VALUES values of a group as (tokens, channels), and their alignment."""
    plain = as_tokens(group)
    tokens = _tokens(plain)
    found = stats_of(plain, tokens.ravel()[:: max(tokens.size >> 20, 1)])
    if not found.std > 0:
        return tokens, None
    mean, std = (found.mean, found.std) if normalise else (0.0, 1.0)
    values = ValueAlignment(found.lower, found.upper, mean, std)
    inside = np.clip(np.nan_to_num(tokens, nan=found.mean), found.lower, found.upper)
    return values.forward(np.ascontiguousarray(inside, np.float32)), values


def collect(
    sources: Iterable[Source],
    options: Options,
    normalise: bool = True,
    task: TaskGradients | None = None,
) -> list[Features]:
    """Return the features of dumps, with the gradients of a task; InvalidInput without features."""
    found = []
    for source in sources:
        every = group_tensors(source, options, lossless=False)
        groups = [group for group in every if isinstance(group, Group)]
        name, gradients = task.of(source, groups) if task else ("", None)
        for group in groups:
            draws = list(draws_of(group, gradients, name)) if gradients else []
            if features := Features.of(group, normalise, draws):
                found.append(features)
    if not found:
        raise InvalidInput("the dumps hold no features to train on")
    return found


def batch(
    features: list[Features], size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return crops and the gradients there, (size, tokens, channels) and (size, draws, ...).

    They are float32 and of one shape, from groups that have as many channels. Every group is as
    likely, whatever its size. Groups of few channels give tall crops.
    """
    width = min(features[rng.integers(len(features))].tokens.shape[1], SIDE)
    height = SIDE * SIDE // width
    wide = [f for f in features if f.tokens.shape[1] >= width]
    crops = [_crop(wide[rng.integers(len(wide))], height, width, rng) for _ in range(size)]
    draws = min((len(g) for _, g in crops if g is not None), default=0)
    pictures = np.stack([picture for picture, _ in crops])
    return pictures, np.stack([g[:draws] for _, g in crops if g is not None]) if draws else None


def _crop(
    features: Features, height: int, width: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    tokens, channels = features.tokens.shape
    top = rng.integers(max(tokens - height, 0) + 1)
    left = rng.integers(channels - width + 1)
    rows = np.arange(top, top + height) % tokens
    columns = slice(left, left + width)
    picture = features.tokens[rows, columns].astype(np.float32)
    if features.gradients is None:
        return picture, None
    return picture, features.gradients[:, rows, columns].astype(np.float32)
