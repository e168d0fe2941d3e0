"""How a tensor group is coded: bounds, transform, step, tables, all chosen on the group itself."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...align.value import ValueAlignment
from ...coding.model import GridModel
from ...coding.parts.base import Sizes
from ...container.model import ProfileEntry
from ...quantise.scalar import TRADE
from ...request import SampleSizes
from ..bounded.choice import plain_model
from ..choice import Choice
from ..fit import fitting
from ..fit.bands import Moments, banded_model, radial
from ..fit.fitting import Classes
from ..tensors.samples import LEAST_BLOCKS, Samples
from . import candidate as search
from . import correction
from .contexts import ContextCandidate
from .finish import LEAST_TRADE, Finish

WELL_TRAINED = 0.97  # of the bits of all else: for so good a profile a large group tries no KLT
BANDS_HELP = 1.1  # of the bits without a KLT: the most that one may take where more are tried
BANDS_GAIN = 0.15  # of the bits of one KLT: the most that the other KLTs may take
NEAR = (0.93, 1.1)  # of the bits of one KLT: what three take where two are tried, too
MISJUDGED = 1.5  # of the bits of a trial: what may be no more than those of another
DOUBT = 1.02  # of the bits of the best: what may still be better when more is seen
CORRECTED = ("linear", "banded")  # transforms that blur bounds
# Blocks in a sample that is not all, to fit scales of single coefficients to; four times as many
# where candidates are compared, which must not win by fitting noise.
SINGLE_BLOCKS = 48
KINDS = {
    "none": search.PlainCandidate,
    "linear": search.Candidate,
    "banded": search.Candidate,
    "restored": ContextCandidate,
}
FAMILIES = {"none": "none", "linear": "linear", "banded": "linear"}  # what may be asked for
# Transforms whose latents may be quantised so, and about what that leaves of the bits; below so
# many bits a value that is not certain.
DEPENDENT = {"linear": 0.95, "banded": 0.95, "restored": 0.97}
SCARCE = 0.05
MANY_BITS = 1 << 19  # fewer may not pay for the tables of both quantisers of maps
CONTEXT_BLOCK = (16, 16)  # at most, of a map that is coded with contexts
LEAST_PLACES = 16  # of a block, so that most symbols have neighbours
MOST_AXES = 1024  # beyond so many channels a KLT of the dump's own is not tried


@dataclass(frozen=True)
class Recipe:
    """What a candidate for the grid is made of, whatever the sample."""

    model: GridModel
    entry: int | None  # of the profile
    values: ValueAlignment
    trade: float  # of the quantiser
    on_spike: bool = False

    @property
    def of_profile(self) -> bool:
        return self.entry is not None


@dataclass(frozen=True, eq=False)
class Trial:
    """A recipe tried on a sample."""

    recipe: Recipe
    bits: float  # for the whole group
    step: float

    @property
    def exhausted(self) -> bool:
        """Return whether no stricter thresholds are left to reach the SNR with."""
        return self.recipe.on_spike and self.recipe.trade < LEAST_TRADE


@dataclass
class Selector:
    """Tries what may serve a group at a wanted SNR and keeps the smallest."""

    samples: Samples
    entries: Sequence[tuple[int, ProfileEntry]]  # of the profile
    transform: str  # auto, none, linear or context

    @property
    def sizes(self) -> SampleSizes:
        return self.samples.sizes

    def candidate(self, recipe: Recipe, target: float, budget: int) -> search.Candidate:
        """Return the candidate of a recipe for an error, with a sample of its own."""
        # Contexts have no scales of single coefficients to fit.
        least = 2 if recipe.model.transform == "restored" else LEAST_BLOCKS
        parts, share = self.samples.sample(recipe.model.block, budget, recipe.values, least)
        final = budget == self.sizes.fit
        made = self._candidate(recipe.model, recipe.entry, parts[False], share, final)
        made.trade = recipe.trade
        made.positive = recipe.values.positive
        error = math.sqrt(target) * self.samples.std
        if recipe.model.transform in CORRECTED and self.samples.near_bounds(error):
            values = recipe.values
            low, high = values.lower - values.mean, values.upper - values.mean
            made.bounds = (low / values.std, high / values.std)
            made.trade = correction.TRADE
        return made

    def _candidate(
        self,
        model: GridModel,
        entry: int | None,
        classes: Classes,
        share: float,
        final: bool = True,
    ) -> search.Candidate:
        work = self.samples.group.work
        latents = fitting.latents_of(model, classes, work)
        energy = fitting.energy_of(latents, model.block)
        kind = KINDS[model.transform]
        blocks = sum(a.shape[-1] for a in latents.values())
        single = share > 0.99 or blocks >= (SINGLE_BLOCKS if final else 4 * SINGLE_BLOCKS)
        return kind(model, entry, work, classes, latents, energy, share, single)

    # --- the race -------------------------------------------------------------------------------

    def select(self, snr: float) -> Choice | None:
        """Return the smallest choice that reaches the SNR on the sample, None when there is none.

        All recipes are tried on a small sample, those near the best once more on a larger one.
        """
        target = 10 ** (-snr / 10)
        first = [t for t in self._first_round(target, snr) if math.isfinite(t.bits)]
        first = [t for t in first if not t.exhausted] or first
        if not first:
            return None
        least = min(trial.bits for trial in first)
        close = sorted(first, key=lambda trial: trial.bits)
        close = [t for t in close if t.bits <= least + 0.1 * abs(least)]
        best = close[0]
        rivals = [t for t in close if t.recipe.of_profile != best.recipe.of_profile]
        close = list(dict.fromkeys((*close[:3], *rivals[:1])))
        second = close
        if len(close) > 1 and self.samples.group.values > 2 * self.sizes.trial:
            second = [self._try(t.recipe, target, t.step, self.sizes.final) for t in close]
            second.sort(key=lambda trial: trial.bits)
        best = second[0]
        finalists = second
        if self.samples.group.values > self.sizes.whole:
            # Too much to fit each candidate to it: only a rival that is all but equal.
            near = [t for t in second[1:] if t.bits < DOUBT * best.bits]
            rivals = [t for t in near if t.recipe.of_profile != best.recipe.of_profile]
            finalists = [best, *rivals[:1]]
        choices = [self._finished(trial, target) for trial in finalists]
        if not any(choice.sound for choice in choices):
            # At very low rates a small sample may have nothing to code, which looks like a bargain.
            rest = [trial for trial in first if trial not in finalists]
            choices += self._sound(sorted(rest, key=lambda trial: trial.bits), target)
        sound = [choice for choice in choices if choice.sound]
        if not sound:
            return min(choices, key=lambda choice: choice.miss)
        return min(sound, key=lambda choice: choice.bits)

    def _sound(self, trials: list[Trial], target: float) -> Iterator[Choice]:
        """Yield choices until one is sound and what is left can hardly be smaller."""
        enough = math.inf
        for trial in trials:
            if trial.bits > enough:
                return
            choice = self._finished(trial, target)
            yield choice
            if choice.sound:
                enough = min(enough, MISJUDGED * trial.bits)

    def _goal(self, values: ValueAlignment, target: float) -> float:
        return target * (self.samples.std / values.std) ** 2

    def _try(self, recipe: Recipe, target: float, start: float, budget: int) -> Trial:
        candidate = self.candidate(recipe, target, budget)
        goal = self._goal(recipe.values, target)
        if recipe.on_spike:
            candidate.trade = search.trade_for(candidate, start, goal)
            recipe = replace(recipe, trade=candidate.trade)
            return Trial(recipe, search.bits_at(candidate, goal, start)[0], start)
        bits, step = search.total_bits(candidate, goal, start)
        bits *= DEPENDENT.get(recipe.model.transform, 1)
        return Trial(recipe, bits, step)

    def _first_round(self, target: float, snr: float) -> list[Trial]:
        tried: list[Trial] = []

        def consider(recipe: Recipe) -> Trial:
            start = math.sqrt(12 * self._goal(recipe.values, target))
            if tried:
                start = tried[-1].step * tried[-1].recipe.values.std / recipe.values.std
            tried.append(self._try(recipe, target, start, self.sizes.trial))
            return tried[-1]

        for index, entry in self._matching(prefix=False):
            model = GridModel.unpack(entry.model, entry.channels)
            consider(Recipe(model, index, self.samples.alignment(entry), TRADE))
        trained = min((trial.bits for trial in tried), default=math.inf)
        for model, values in self._sample_domain():
            kind = ContextCandidate if model.transform == "restored" else search.PlainCandidate
            trades = kind.TRADES[: 2 if self.samples.sparse else 1]
            plain = [consider(Recipe(model, None, values, trade)) for trade in trades]
            if self.samples.saturation:
                # Steps between those that divide the spike are worse, and hard to hit.
                tried = [trial for trial in tried if trial not in plain]
                top = self.samples.saturation / values.std
                least = max(int(top / max(trial.step for trial in plain)), 1)
                for multiple in range(least, least + 4):
                    recipe = Recipe(model, None, values, TRADE, on_spike=True)
                    tried.append(self._try(recipe, target, top / multiple, self.sizes.trial))
                    if tried[-1].recipe.trade >= search.MOST_TRADE:
                        break  # steps that are finer still leave too little error
        if self.transform in ("auto", "linear"):
            self._linear_recipes(consider, trained, tried, snr)
        return tried

    def _sample_domain(self) -> Iterator[tuple[GridModel, ValueAlignment]]:
        """Yield the models without a transform that are allowed and may serve."""
        maps = len(self.samples.ones) == 2 and not self.samples.group.layout.prefix
        block = fitting.longest_block(self.samples.group.grids, CONTEXT_BLOCK) if maps else ()
        contexts = maps and (
            self.transform == "context" or (self.transform == "auto" and self.samples.sparse)
        )
        # Where there are neighbours enough, contexts leave nothing to channels alone.
        alone = not contexts or math.prod(block) < LEAST_PLACES
        if self.transform == "none" or (self.transform == "auto" and alone):
            yield plain_model(self.samples)
        if contexts:
            centre = np.zeros(self.samples.channels, np.int64)
            model = fitting.linear_model(block, None, 0, 1, centre)
            yield replace(model, transform="restored"), replace(self.samples.alignment(), mean=0.0)

    def _matching(self, prefix: bool) -> list[tuple[int, ProfileEntry]]:
        """Return the entries of the profile that may serve, only those of that name if any."""
        axes = len(self.samples.ones)
        found = [
            (i, e)
            for i, e in self.entries
            if e.channels == self.samples.channels
            and e.prefix == prefix
            and (prefix or len(e.model.block) == axes)
            and self.transform in ("auto", FAMILIES[e.model.transform])
        ]
        named = [(i, e) for i, e in found if e.name == self.samples.group.label]
        return (named or found)[:8]

    def _linear_recipes(
        self,
        consider: Callable[[Recipe], Trial],
        trained: float,
        tried: list[Trial],
        snr: float,
    ) -> None:
        """Try the DCT alone, then behind KLTs of the group's own while they seem to pay."""
        values = self.samples.alignment()
        found = []
        for block in fitting.blocks_worth_trying(self.samples.group.grids) or [self.samples.ones]:
            centre = fitting.centre_of(
                self.samples.sample(block, self.sizes.trial, values)[0][False]
            )
            model = fitting.linear_model(block, None, 0, 1, centre)
            found.append(consider(Recipe(model, None, values, TRADE)))
        block = min(found, key=lambda trial: trial.bits).recipe.model.block
        least = min(trial.bits for trial in tried)
        if not 2 <= self.samples.channels <= MOST_AXES:
            return
        if self.samples.group.values > self.sizes.whole and trained < WELL_TRAINED * least:
            return
        magnitude = 2.0 ** min(max(round((snr - 2) / 6), 1), 6)
        axes = None
        whole = []
        for count in (self.samples.channels - 1, self.samples.channels // 4):
            if count < 1 or _reflector_bits(self.samples.channels, count, magnitude) > least / 3:
                continue
            if axes is None:
                wide = self._fitted_to(self.samples.ones, values)
                centre = fitting.centre_of(wide)
                axes = fitting.klt(wide, centre)
            for shape in dict.fromkeys((block, self.samples.ones)):
                model = fitting.linear_model(shape, axes, count, magnitude, centre)
                trial = consider(Recipe(model, None, values, TRADE))
                whole += [trial] if shape == block else []
        close = [trial for trial in whole if trial.bits < BANDS_HELP * least]
        if close and math.prod(block) > 1:
            self._banded_recipes(consider, close, magnitude)

    def _fitted_to(self, block: Sizes, values: ValueAlignment) -> Classes:
        """Return the sample for KLTs of the group's own."""
        return self.samples.sample(block, self.sizes.fit, values, apart=True)[0][False]

    def _banded_recipes(
        self,
        consider: Callable[[Recipe], Trial],
        whole: list[Trial],
        magnitude: float,
    ) -> None:
        """Try KLTs for three bands instead of those of one, and for two when it is a near thing."""
        model, values = whole[0].recipe.model, whole[0].recipe.values
        moments = Moments(radial(model.block, 3), model.channels)
        classes = self._fitted_to(model.block, values)
        for sizes, a in classes.items():
            moments.add(a - model.centres.astype(a.dtype)[:, None, None], sizes)
        best = min(trial.bits for trial in whole)
        for wanted in range(len(moments.tokens), 1, -1):
            fewer = moments.merged(radial(model.block, wanted))
            axes = fewer.axes()
            banded = []
            for count in (trial.recipe.model.vectors.shape[2] for trial in whole):
                more = (wanted - 1) * _reflector_bits(model.channels, count, magnitude)
                if more < BANDS_GAIN * best:
                    made = banded_model(fewer.bands, axes, count, magnitude, model.centre)
                    banded.append(consider(Recipe(made, None, values, TRADE)).bits)
            if banded and not NEAR[0] < min(banded) / best < NEAR[1]:
                return

    # --- the chosen one -------------------------------------------------------------------------

    def _finished(self, trial: Trial, target: float) -> Choice:
        """Return the choice of a trial, with dependent quantisation where that may serve."""
        # Spacings of two kinds cannot both divide a spike.
        if trial.recipe.model.transform not in DEPENDENT or trial.recipe.on_spike:
            return self._finish(trial, target)
        choice = self._finish(trial, target, dependent=True)
        certain = SCARCE * self.samples.group.values
        if trial.recipe.model.transform == "restored":
            certain = max(certain, MANY_BITS)
        if choice.sound and choice.bits > certain:
            return choice
        scalar = self._finish(trial, target)
        return scalar if not choice.sound or scalar.bits < choice.bits else choice

    def _finish(self, trial: Trial, target: float, dependent: bool = False) -> Choice:
        """Fit scales, tables and step of a model on a larger sample."""
        values, step = trial.recipe.values, trial.step
        goal = self._goal(values, target)
        grid = self.candidate(trial.recipe, target, self.sizes.fit)
        classes, share = self.samples.sample(grid.model.block, self.sizes.fit, values)
        candidates = {False: grid}
        if True in classes:
            candidates[True] = self._prefix(classes[True], share, values, step, dependent)
        for candidate in candidates.values():
            candidate.dependent = dependent
            candidate.even = any(c.entry is None for c in candidates.values())
        finish = Finish(self.samples, values, candidates, goal, trial.recipe.on_spike)
        return finish.choice(step)

    def _prefix(
        self,
        classes: Classes,
        share: float,
        values: ValueAlignment,
        step: float,
        dependent: bool,
    ) -> search.Candidate:
        """Return the best model for the prefix tokens at the step of the grid."""
        found = []
        for index, entry in self._matching(prefix=True):
            if (entry.mean, entry.std) == (values.mean, values.std):
                model = GridModel.unpack(entry.model, entry.channels)
                found.append(self._candidate(model, index, classes, share))
        centre = fitting.centre_of(classes)
        count = sum(a[0].size for a in classes.values()) / share
        for reflectors in (0, len(centre) - 1):
            if reflectors and (count < len(centre) or len(centre) > MOST_AXES):
                continue
            axes = fitting.klt(classes, centre) if reflectors else None
            model = fitting.linear_model((1,), axes, reflectors, 8, centre)
            if dependent:  # which quantiser is for which latents is a matter of scales
                model = replace(model, transform="linear")
            found.append(self._candidate(model, None, classes, share))
        return min(found, key=lambda c: search.lagrangian(c, step, TRADE))


def _reflector_bits(channels: int, count: int, magnitude: float) -> float:
    """Return about how many bits the integers of a KLT take."""
    return (math.log2(magnitude) + 2) * (count * channels - count * count / 2)
