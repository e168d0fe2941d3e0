"""When an encoder tries a DCT and a KLT of the group's own."""

import math

from ...align.value import ValueAlignment
from ...coding.parts.base import Sizes
from ...encoding import tuning
from ...encoding.fit import fitting
from ...encoding.fit.fitting import Classes
from ...encoding.search.race import Race, Recipe, Trial
from ..search import ModeSearch

HELPFUL = 1.1  # of the bits without a KLT: bands are tried when one takes no more
NEAR = 1.03  # of the bits of the best block without a KLT: what may be better with one
WELL_TRAINED = 0.97  # of all other bits: with so good a profile a large group tries no KLT


class LinearSearch(ModeSearch):
    """The DCT alone, then with KLTs of the group's own while they may pay."""

    blurs_bounds = True
    trellis_gain = 0.95

    def enter(self, race: Race) -> None:
        if not race.allows(self.family):
            return
        blocks, least = self._enter_dct(race), race.least
        samples, values = race.samples, race.samples.alignment()
        if not 2 <= samples.channels <= tuning.KLT_CHANNELS:
            return
        if samples.group.values > race.sizes.whole and race.trained < WELL_TRAINED * least:
            return
        magnitude, axes = magnitude_at(race.snr), None
        for count in (samples.channels - 1, samples.channels // 4):
            if count < 1 or reflector_bits(samples.channels, count, magnitude) > least / 3:
                continue
            if axes is None:
                wide = fitted_to(race, samples.ones, values)
                centre = fitting.centre_of(wide)
                axes = fitting.klt(wide, centre)
            for shape in dict.fromkeys((*blocks, samples.ones)):
                model = fitting.linear_model(shape, axes, count, magnitude, centre)
                trial = race.consider(Recipe(model, None, values))
                if shape == blocks[0] and trial.bits < HELPFUL * least:
                    race.klts.append(trial)

    def _enter_dct(self, race: Race) -> list[Sizes]:
        """Enter the DCT of blocks worth trying; return the best of them, and those near it."""
        samples, values = race.samples, race.samples.alignment()
        found: list[Trial] = []
        for block in fitting.blocks_worth_trying(samples.group.grids) or [samples.ones]:
            classes = samples.sample(block, race.sizes.trial, values)[0][False]
            model = fitting.linear_model(block, None, 0, 1, fitting.centre_of(classes))
            found.append(race.consider(Recipe(model, None, values)))
        most = NEAR * min(trial.bits for trial in found)
        near = [trial for trial in found if trial.bits <= most]
        return [t.recipe.model.block for t in sorted(near, key=lambda trial: trial.bits)]


SEARCH = LinearSearch()


def magnitude_at(snr: float) -> float:
    """Return the magnitude of the integers of reflectors that pays at an SNR in dB."""
    return float(2.0 ** min(max(round((snr - 2) / 6), 1), 6))


def reflector_bits(channels: int, count: int, magnitude: float) -> float:
    """Return about how many bits the integers of a KLT take."""
    return (math.log2(magnitude) + 2) * (count * channels - count * count / 2)


def fitted_to(race: Race, block: Sizes, values: ValueAlignment) -> Classes:
    """Return a sample for fitting KLTs, disjoint from that of the trials."""
    return race.samples.sample(block, race.sizes.fit, values, disjoint=True)[0][False]
