"""Builds coders of symbols near their expected values."""

import math

import numpy as np

from ...coding.model import GridModel
from ...coding.parts.base import PartCoder
from ...container.lossy import Lossy
from ...container.model import Model
from ...container.wire import Builder, Cursor
from ...entropy import integers
from ...entropy.interpolation import NEAR, PASSES, SPREADS, Weights
from ...entropy.located import CLASSES, LARGEST_TWEAK, LARGEST_ZERO, NUMBERS
from ...errors import Corrupt
from ..coder import CoderArguments, ModeCoder
from . import InterpolatedFields
from .part import KINDS, UNIT, InterpolatedCoder, Own


class InterpolatedModeCoder(ModeCoder):
    """The fields of the mode are weights, corrections of tables and offsets."""

    def scale_shape(self, block: tuple[int, ...]) -> tuple[int, ...]:
        return (1,)

    def check(self, model: Model) -> None:
        axes = len(model.block)
        if model.reflectors or not 1 <= axes <= 3 or math.prod(model.block[:-2]) > 1:
            has = f"{model.reflectors} reflectors and blocks {model.block}"
            raise Corrupt(f"a model with interpolation has {has}; blocks are lines or maps")
        if model.scales or model.tables:
            raise Corrupt("a model with interpolation has scales or tables")

    def unpack(self, model: Model, channels: int, dependent: bool) -> Own:
        assert isinstance(model.fields, InterpolatedFields)
        return unpack(model.fields.weights, channels)

    def pack(self, own: Own) -> InterpolatedFields:
        return InterpolatedFields(pack(own))

    def coder(self, model: GridModel, header: Lossy, arguments: CoderArguments) -> PartCoder:
        return InterpolatedCoder(*arguments, own=model.own, positive=header.positive)


CODER = InterpolatedModeCoder()


def pack(own: Own) -> bytes:
    """Return the axis, and blobs of integers."""
    out, weights = Builder(), own.weights
    earlier = _earlier(weights.groups)
    out.u8(weights.axis)
    for array in (
        weights.groups,
        weights.near[:, :-1],
        weights.near[:, -1],
        weights.across[:, earlier],
        weights.spread[:, :-1],
        weights.spread[:, -1],
        weights.spread_across[:, earlier],
        own.tweaks,
        own.zeros,
        own.offsets,
    ):
        out.blob(integers.pack(array))
    return bytes(out)


def unpack(data: bytes, channels: int) -> Own:
    """Invert `pack`; raise Corrupt or Damage when a rule is broken."""
    cursor = Cursor(data, "interpolation")
    axis = cursor.choice(2, "an axis")

    def take(*shape: int) -> np.ndarray:
        return integers.unpack(cursor.blob(), math.prod(shape)).astype(np.int64).reshape(shape)

    groups = take(channels)
    if groups.min() < 0 or groups.max() >= channels:
        raise Corrupt(f"a group of channels is not from 0 to {channels - 1}")
    earlier = _earlier(groups)
    count = int(np.count_nonzero(earlier))

    def across() -> np.ndarray:
        found = np.zeros((PASSES, channels, channels), np.int64)
        found[:, earlier] = take(PASSES, count)
        return found

    near = np.concatenate([take(PASSES, NEAR - 1, channels), take(PASSES, 1, channels)], axis=1)
    of_channels = across()
    spread = [take(PASSES, SPREADS - 1, channels), take(PASSES, 1, channels)]
    weights = Weights(axis, groups, near, of_channels, np.concatenate(spread, axis=1), across())
    weights.check()
    own = Own(weights, take(CLASSES), take(NUMBERS), take(CLASSES, KINDS))
    cursor.end()
    for array, most in (
        (own.tweaks, LARGEST_TWEAK),
        (own.zeros, LARGEST_ZERO),
        (own.offsets, 2 * UNIT),
    ):
        if np.abs(array).max() > most:
            raise Corrupt(f"a correction of an interpolation is above {most}")
    return own


def _earlier(groups: np.ndarray) -> np.ndarray:
    """Return which channels (channels, channels) are of earlier groups than another."""
    return np.asarray(groups[:, None] > groups)
