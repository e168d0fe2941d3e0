"""How strongly a metric is to weigh: judged on samples that are held out.

Held-out features are quantised behind a candidate metric at steps from coarse to fine. Bits are
those of a Laplace density, errors weigh as held-out gradients say: by the mean of (g'e)^2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..coding.parts.base import Sizes
from ..encoding.fit import fitting
from ..encoding.fit.fitting import Classes
from ..encoding.search.solve import solve_step
from ..transform import dct
from ..transform.weighted import Weighted
from .weighing import Axes, Part, Strength

# The exponent is that of the least bits at equal divergence of outputs, over dumps with heads:
# 1 is the best while the change of outputs is linear, at high rates; coarse steps want less.
START = Strength(0.75, 1e-3, 1e-3)
NONE = Strength(0.0, 1.0, 1.0)  # weighs nothing
FLOORS = (1e-3, 1e-2, 1e-1)  # of channels
PLACES = (1e-3, 1e-2)  # of places
DECIBELS = (10.0, 14.0, 18.0)  # of held-out errors, at which bits are compared
PAYS = 0.99  # of the bits: what is not tried first must leave no more, nor must any metric
THINNED = 4  # one sample in so many tells deviations
ROUNDS = 8  # of the search for a step
DEAD = 0.6  # steps, below which a latent becomes 0


@dataclass
class Simulation:
    """Parts of a kind of features in blocks of one size, to be quantised behind metrics."""

    parts: Sequence[Part]
    block: Sizes
    axes: Sequence[Axes]
    samples: Sequence[Classes]  # aligned, of all features

    @classmethod
    def of(cls, parts: Sequence[Part], block: Sizes) -> "Simulation":
        fitted = [part.gathered.fitted for part in parts]
        power, count = np.sum([each.total(block) for each in fitted], axis=0)
        usual = float(power / count)
        axes = [Axes.of(p, f, block, usual) for p, f in zip(parts, fitted, strict=True)]
        samples = [{s: a[..., ::THINNED] for s, a in part.classes(block).items()} for part in parts]
        return cls(parts, block, axes, samples)

    def pieces(self, strength: Strength) -> list["Piece"]:
        """Return what is held out of all parts, behind a metric."""
        return [
            piece
            for part, axes, some in zip(self.parts, self.axes, self.samples, strict=True)
            for piece in behind(part, axes.transform(strength), self.block, some)
        ]

    def bits(self, strength: Strength) -> float:
        """Return the mean logarithm of bits a value of what is held out, at some task SNRs."""
        pieces = self.pieces(strength)
        size = sum(piece.latents.size for piece in pieces)
        signal = sum(weighed(piece.latents, piece.gradients) for piece in pieces)
        spent: dict[float, float] = {}

        def error(step: float) -> float:
            found = np.sum([piece.at(step) for piece in pieces], axis=0)
            spent[float(found[1])] = float(found[0])
            return float(found[1])

        step = max(float(piece.deviations.max()) for piece in pieces)
        for decibels in DECIBELS:
            target = signal * 10 ** (-decibels / 10)
            step = solve_step(error, target, step, precision=0.01, rounds=ROUNDS)
        errors = np.array(sorted(spent))
        bits = np.log([spent[each] for each in errors])
        wanted = [math.log(signal) - db / 10 * math.log(10) for db in DECIBELS]
        found = np.interp(wanted, np.log(np.maximum(errors, 1e-300)), bits)
        return float(np.mean(found)) - math.log(size)


class Piece(NamedTuple):
    """Held-out blocks of one size behind a metric."""

    latents: np.ndarray  # (channels, points, blocks)
    gradients: np.ndarray  # (draws, channels, points, blocks), by latents
    deviations: np.ndarray  # (channels, points, 1) of latents

    def at(self, step: float) -> tuple[float, float]:
        """Return bits, and the squared error as the task weighs it, at a step."""
        bits, off = quantised(self.latents, step, math.sqrt(2) * step / self.deviations)
        return bits, weighed(off, self.gradients)


def behind(part: Part, transform: Weighted, block: Sizes, samples: Classes) -> list[Piece]:
    """Return what is held out of a part, behind a metric; deviations are those of samples."""
    latents = {s: transform.forward(a.copy(), s) for s, a in samples.items()}
    energy = fitting.energy_of(latents, transform.bands.shape)
    deviations = np.sqrt(energy.moment / np.maximum(energy.count, 1)) + 1e-12
    found = []
    for sizes, values, gradients in part.gathered.held_out.get(block, ()):
        aligned = part.values.forward(values.astype(np.float32))
        places = np.ix_(np.arange(len(aligned)), *dct.places(sizes, transform.bands.shape))
        own = deviations[places].reshape(*aligned.shape[:2], 1).astype(np.float32)
        turned = np.stack([transform.gradient(g, sizes) for g in gradients])
        found.append(Piece(transform.forward(aligned, sizes), turned, own))
    return found


def quantised(latents: np.ndarray, step: float, rate: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the bits of latents, and by how much they change.

    `rate` is that of a Laplace density, per step.
    """
    symbols = np.floor(np.abs(latents) * np.float32(1 / step) + np.float32(1 - DEAD))
    coded = symbols > 0
    rate = np.clip(rate, 1e-6, 80)
    rest = 1 - np.exp(-rate)
    first = (DEAD * rate - np.log(rest)) / math.log(2) + 1
    zero = -np.log2(np.maximum(1 - np.exp(-DEAD * rate), 1e-12))
    bits = (coded * (first - zero)).sum() + ((symbols - coded) * rate).sum() / math.log(2)
    inside = 1 / rate - (1 - rest) / rest  # of a cell, from its lower end to its mean
    back = (symbols + coded * (inside - (1 - DEAD))) * np.float32(step)
    whole = float(bits) + float(zero.sum()) * latents.shape[2]
    return whole, np.copysign(back, latents) - latents


def weighed(errors: np.ndarray, gradients: np.ndarray) -> float:
    """Return the sum over blocks of (g'e)^2, its mean over all gradients.

    Those of other samples count too: a few large ones would decide otherwise.
    """
    flat = gradients.transpose(0, 3, 1, 2).reshape(-1, errors[..., 0].size)
    products = flat @ errors.reshape(flat.shape[1], -1)
    return float(np.vdot(products, products)) / len(flat)


def chosen(parts: Sequence[Part], known: Strength | None = None) -> tuple[Sizes, Strength] | None:
    """Return the longest block and the strength of fewest bits, None without any gradient.

    Where no metric saves bits the strength is NONE. One that is known is not looked for.
    """
    # Dumps of other lengths have other longest blocks: those with the most values count.
    whole, samples = parts[0].gathered.whole, parts[0].pool.samples
    block = max((b for b in whole.products if b in samples), key=lambda b: whole.total(b)[1])
    if not sum(part.gathered.fitted.total(block)[0] for part in parts) > 0:
        return None
    if known is not None or not all(part.gathered.held_out.get(block) for part in parts):
        return block, known or START
    simulation, best = Simulation.of(parts, block), START
    bits = simulation.bits(best)
    for name, values in (("channels", FLOORS), ("places", PLACES)):
        for value in values:
            other = replace(best, **{name: value})
            if other != best and (less := simulation.bits(other)) < bits + math.log(PAYS):
                best, bits = other, less
    return block, (best if bits < simulation.bits(NONE) + math.log(PAYS) else NONE)
