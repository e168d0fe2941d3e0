"""When an encoder tries a DCT and a KLT of the group's own."""

import numpy as np

from ... import limits
from ...align.value import ValueAlignment
from ...coding.parts.base import Sizes
from ...encoding.choice import Choice
from ...encoding.fit import fitting
from ...encoding.fit.fitting import Classes
from ...encoding.fit.spectrum import Spectrum, leading_axes, ranks_of
from ...encoding.search.race import Race, Recipe, Trial, best_of
from ..search import ModeSearch

HELPFUL = 1.1  # of the bits without a KLT: bands are tried when that takes no more
NEAR = 1.03  # of the bits of the best block without a KLT: what may be better with one
LEAST_TOKENS = 0.25  # for each channel, where a KLT is to pay
FAR = 1.5  # of the least bits: of other ranks none takes so many fewer
FEWER = 8  # times fewer axes are tried where a KLT does not pay


class LinearSearch(ModeSearch):
    """The DCT alone, then with KLTs of the group's own while they may pay."""

    blurs_bounds = True
    trellis_gain = 0.95

    def enter(self, race: Race) -> None:
        if not race.allows(self.family):
            return
        like = race.like if race.brief else None
        blocks, least = self._enter_dct(race, like), race.least
        if like is not None and not like.has_klt:
            return
        samples, values = race.samples, race.samples.alignment()
        channels = samples.channels
        if channels < 2 or channels**2 * LEAST_TOKENS > samples.group.values:
            return
        wide = fitted_to(race, samples.ones, values)
        centre = fitting.centre_of(wide)
        axes = leading_axes(wide, centre, max(int(least / channels), 1))
        tried: list[Trial] = []
        for shape in dict.fromkeys((*blocks, *([] if like else [samples.ones]))):
            spectrum = spectrum_of(race, axes, centre, shape)
            if not tried:
                tried.append(self._enter_ranks(race, spectrum, centre, shape, least))
                if tried[0].bits > FAR * race.least:
                    return
            else:
                rank = tried[0].recipe.model.vectors.shape[2]
                tried.append(self._consider(race, spectrum, centre, shape, rank))
        # What is the best block without a KLT, by little, may be another with one.
        race.klt = next((trial for trial in tried if trial.bits < HELPFUL * least), None)

    def _enter_ranks(
        self, race: Race, spectrum: Spectrum, centre: np.ndarray, shape: Sizes, without: float
    ) -> Trial:
        """Enter KLTs of the ranks that a spectrum shows, or of fewer axes where they do not pay.

        What it is to be better than takes `without` bits. Spectra know ranks better than trials do,
        but not how unlike channels are without a KLT.
        """
        most = fitting.most_axes(len(centre), limits.KLT_NUMBERS)
        most = min(most, spectrum.axes.shape[1])
        bits = np.cumsum(spectrum.bits)
        affordable = int(np.count_nonzero(bits[:most] < race.least))
        ranks = ranks_of([spectrum], max(affordable, 1)) or [1]
        tried = [self._consider(race, spectrum, centre, shape, rank) for rank in ranks]
        rank = ranks[-1]
        while without <= tried[-1].bits < FAR * race.least and tried[-1] is best_of(tried):
            rank //= FEWER
            if not rank:
                break
            tried.append(self._consider(race, spectrum, centre, shape, rank))
        return best_of(tried)

    def _consider(
        self, race: Race, spectrum: Spectrum, centre: np.ndarray, shape: Sizes, rank: int
    ) -> Trial:
        magnitudes = spectrum.magnitudes[:rank]
        model = fitting.linear_model(shape, spectrum.axes, rank, magnitudes, centre)
        return race.consider(Recipe(model, None, race.samples.alignment()))

    def _enter_dct(self, race: Race, like: Choice | None) -> list[Sizes]:
        """Enter the DCT of blocks worth trying; return the best of them, and those near it.

        Of the block of a choice alone where recipes are to be like it.
        """
        samples, values = race.samples, race.samples.alignment()
        found: list[Trial] = []
        tokens = samples.group.values / samples.channels
        worth = fitting.blocks_worth_trying(samples.group.grids, tokens) or [samples.ones]
        for block in worth if like is None else [like.block]:
            classes = samples.sample(block, race.sizes.trial, values)[0][False]
            model = fitting.linear_model(block, None, 0, 1, fitting.centre_of(classes))
            found.append(race.consider(Recipe(model, None, values)))
        most = NEAR * min(trial.bits for trial in found)
        near = [trial for trial in found if trial.bits <= most]
        return [t.recipe.model.block for t in sorted(near, key=lambda trial: trial.bits)]


SEARCH = LinearSearch()


def spectrum_of(race: Race, axes: np.ndarray, centre: np.ndarray, block: Sizes) -> Spectrum:
    """Return the spectrum of axes in blocks of the group, at the error of a race."""
    values = race.samples.alignment()
    classes, fraction = race.samples.sample(block, race.sizes.fit, values, disjoint=True)
    goal = race.target * race.samples.variance_of(classes[False].values())
    return Spectrum.of(axes, centre, classes[False], block, fraction, goal)


def fitted_to(race: Race, block: Sizes, values: ValueAlignment) -> Classes:
    """Return a sample for fitting KLTs, disjoint from that of the trials."""
    return race.samples.sample(block, race.sizes.fit, values, disjoint=True)[0][False]
