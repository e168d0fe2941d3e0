"""Correction curves (SPEC §6.6): a file by hand, and faulty ones."""

import math
from collections.abc import Iterator

import numpy as np

from .edit import header_of, lossy, rewrite
from .store import Vector, fault, sound, stored, valid


def made() -> Iterator[Vector]:
    maps = sound("150-curve-relu")
    knots = header_of(maps)[2].lossy.curve[1]
    wild = tuple(np.random.default_rng(9).permutation([-128, 127, 0] * 8).tolist())
    by_hand = lossy(curve=(0.3, wild), clamp=False, lower=0.25)
    yield valid("152-curve-by-hand", rewrite(maps, by_hand))
    yield fault("curve-no-width", "a curve of width 0", rewrite(maps, lossy(curve=(0, knots))))
    yield fault(
        "curve-not-finite",
        "a curve of infinite width",
        rewrite(maps, lossy(curve=(math.inf, knots))),
    )
    yield fault(
        "curve-network",
        "a correction curve behind a network",
        rewrite(sound("100-network-cnn"), lossy(curve=(1.0, knots))),
        stored("network.fcp"),
    )
