"""The race: recipes that modes enter are tried on samples, and the smallest wins.

All are tried on a small sample, those near the best once more on a larger one, and what is left is
fitted to the largest; `finalist` makes it a choice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ... import modes
from ...align.value import ValueAlignment
from ...coding.model import GridModel
from ...coding.profile import model_of
from ...container.model import ProfileEntry
from ...quantise.scalar import LAMBDA
from ...request import SampleSizes
from .. import tuning
from ..choice import Choice
from ..tensors.samples import Samples
from . import cost
from .build import CandidateBuilder
from .candidate import Candidate
from .entries import matching
from .final import Final
from .known import Look, known
from .near import ahead, other_block, rival, unlike
from .serving import serving


@dataclass(frozen=True)
class Recipe:
    """What a candidate for the grid is made of, whatever the sample."""

    model: GridModel
    entry: int | None  # of the profile
    values: ValueAlignment
    lmbda: float = LAMBDA  # of the quantiser
    on_saturation: bool = False  # the step divides the saturation value

    @property
    def of_profile(self) -> bool:
        return self.entry is not None


@dataclass(frozen=True, eq=False)
class Trial:
    """A recipe tried on a sample."""

    recipe: Recipe
    bits: float  # for the whole group
    step: float
    budget: int  # of the sample, in values

    @property
    def key(self) -> tuple:
        """What tells trials of a race apart, whatever their samples."""
        recipe = self.recipe
        return id(recipe.model), self.step if recipe.on_saturation else recipe.lmbda

    @property
    def of_layers(self) -> bool:
        """Whether there is a KLT across layers."""
        return modes.MODES[self.recipe.model.transform].of_layers

    @property
    def exhausted(self) -> bool:
        """Whether no smaller lambda is left to reach the SNR with."""
        return self.recipe.on_saturation and self.recipe.lmbda < tuning.LEAST_LAMBDA


@dataclass
class Race:
    """Recipes for a group at a wanted SNR, and what their trials came to."""

    samples: Samples
    entries: Sequence[tuple[int, ProfileEntry]]  # of the profile
    family: str  # auto, or the only family of modes allowed
    snr: float
    like: Choice | None = None  # of whose mode alone recipes are
    brief: bool = False  # of whose block, too; the best trial alone is fitted to more
    trials: list[Trial] = field(default_factory=list)
    klt: Trial | None = None  # with one KLT of the group's own, that helps
    # What trials were found to be on the larger sample, and the choices made of them.
    again: dict[Trial, Trial] = field(default_factory=dict)
    made: dict[tuple[Trial, bool], Choice] = field(default_factory=dict)
    final: Final = field(init=False)

    def __post_init__(self) -> None:
        self.target = 10 ** (-self.snr / 10)  # mean squared error, of the variance
        self.build = CandidateBuilder(self.samples, self.target)
        self.final = Final(self)

    @property
    def sizes(self) -> SampleSizes:
        return self.samples.sizes

    @property
    def thorough(self) -> bool:
        """Whether trellises and slow modes are tried."""
        return self.samples.search.thorough

    def allows(self, family: str) -> bool:
        """Return whether a family of modes may be tried."""
        return self.family in ("auto", family)

    def goal(self, values: ValueAlignment) -> float:
        """Return the wanted mean squared error of aligned values."""
        return self.build.goal(values)

    # --- what modes call ------------------------------------------------------------------------

    def consider(self, recipe: Recipe) -> Trial:
        """Try a recipe on the small sample; its step begins at that of the trial before."""
        start = math.sqrt(12 * self.goal(recipe.values))
        if self.trials:
            last = self.trials[-1]
            start = last.step * last.recipe.values.std / recipe.values.std
        return self.consider_at(recipe, start)

    def consider_at(self, recipe: Recipe, step: float) -> Trial:
        """Try a recipe on a sample from a step, or at it when that is to stay.

        It is the small one, unless that shows too few bits to compare KLTs by.
        """
        scarce = self.least < tuning.HARDLY * self.samples.group.values
        scarce = scarce and recipe.model.vectors.size > 0
        self.trials.append(
            self._try(recipe, step, self.sizes.final if scarce else self.sizes.trial)
        )
        return self.trials[-1]

    def enter_at(self, recipe: Recipe, candidate: Candidate, bits: float) -> None:
        """Enter a recipe of which about the bits are known, at about its step."""
        goal = self.goal(recipe.values)
        step = cost.rough_step(candidate, goal, math.sqrt(12 * goal), self.samples.search.rounds)
        self.trials.append(Trial(recipe, bits, step, candidate.size))

    @property
    def least(self) -> float:
        """The bits of the best trial so far."""
        return min((trial.bits for trial in self.trials), default=math.inf)

    # --- the race -------------------------------------------------------------------------------

    def run(self) -> Choice | None:
        """Return the smallest choice that reaches the SNR on the sample, None if there is none."""
        if not self.trials:
            self.enter()
        first = [trial for trial in self.trials if math.isfinite(trial.bits)]
        first = [trial for trial in first if not trial.exhausted] or first
        if not first:
            return None
        finalists = self._finalists(self._second_look(first))
        final = self.final
        final.run(finalists)
        if final.least > tuning.MISJUDGED * min(trial.bits for trial in finalists):
            # At very low rates a small sample may have nothing to code, and looks like a bargain.
            tried = {trial.key for trial in finalists}
            rest = [t for t in first if t.key not in tried and t.bits < final.least]
            final.run(sorted(rest, key=lambda trial: trial.bits))
        return final.best()

    def without_profile(self) -> "Race":
        """Return the race as it is without the profile, its trials known."""
        trials = [trial for trial in self.trials if not trial.recipe.of_profile]
        if self.samples.group.layout.prefix:  # which entries serve, whatever codes the grid
            return replace(self, entries=(), trials=trials, made={})
        return replace(self, entries=(), trials=trials)

    def run_near(self, other: "Race", most: float) -> Choice | None:
        """Return the smallest choice of recipes that were close to the best at another SNR.

        Of all, where none of them reaches it. None where trials show far more bits than `most`.
        """
        near = other.final.close()
        close = [self._try(trial.recipe, trial.step, self.sizes.final) for trial in near]
        close = [trial for trial in close if math.isfinite(trial.bits) and not trial.exhausted]
        self.trials = close
        if not close:
            self.trials = []
            return self.run()
        if self.least > tuning.DOUBTFUL * most:
            return None
        self.final.run(self._finalists(close))
        return self.final.best()

    def promises(self, lower: "Race", found: Choice) -> bool:
        """Return whether more SNR than in another race may take no more bits than found there.

        So it is where bits were misjudged there, or the best of its trials takes no more here.
        """
        if found.estimate.bits > tuning.FAR_MISJUDGED * lower.least:
            return True
        best = min(lower.trials, key=lambda trial: trial.bits)
        return self._try(best.recipe, best.step, self.sizes.trial).bits < best.bits

    def enter(self) -> None:
        """Try the recipes of all modes on the small sample, then those of the profile.

        So the others are tried as if there were none. Few values of the kind that the profile was
        trained on are tried with it alone.
        """
        kind = self.known
        if self.alone:
            self.trials += self.serving if self.samples.sparse else []
            for look in () if self.samples.sparse else kind:
                self.enter_at(look.recipe, look.candidate, look.bits(self))
            return
        for search in modes.searches(None if self.like is None else self.like.transform):
            if (search.quick or self.thorough) and not (kind and search.family == "linear"):
                search.enter(self)
        for recipe in self.of_profile:
            self.consider(recipe)

    @cached_property
    def known(self) -> list[Look]:
        """Recipes of the profile that no other transform beats."""
        return known(self)

    @cached_property
    def serving(self) -> list[Trial]:
        """Trials of entries of the profile that serve sparse features; none where others might."""
        return serving(self)

    @property
    def alone(self) -> bool:
        """Whether entries of the profile are tried alone."""
        return bool(self.serving if self.samples.sparse else self.known)

    @cached_property
    def of_profile(self) -> list[Recipe]:
        """The recipes of the profile."""
        found = matching(self.samples, self.entries, self.family, prefix=False)
        models = [(index, entry, model_of(entry)) for index, entry in found]
        return [Recipe(m, i, self.samples.alignment(entry)) for i, entry, m in models]

    def _try(self, recipe: Recipe, start: float, budget: int) -> Trial:
        size = self.build.budget(recipe, budget)
        candidate = self.build.candidate(recipe, budget)
        goal = self.build.goal_on(recipe.values, candidate)
        if recipe.on_saturation:
            candidate.lmbda = cost.lambda_for(candidate, start, goal, candidate.nearly)
            recipe = replace(recipe, lmbda=candidate.lmbda)
            bits = cost.bits_at(candidate, goal, start, stays=True)[0]
            return Trial(recipe, bits, start, size)
        bits, step = cost.total_bits(candidate, goal, start, self.samples.search.rounds)
        gain = modes.search_of(recipe.model.transform).trellis_gain if self.thorough else None
        return Trial(recipe, bits * (gain or 1), step, size)

    def _second_look(self, first: list[Trial]) -> list[Trial]:
        """Return the trials near the best, the best of a profile or without one among them."""
        least = min(trial.bits for trial in first)
        if least < tuning.HARDLY * self.samples.group.values:
            first = self._with_best_on_larger(first)
            least = min(trial.bits for trial in first)
        scarce = least < tuning.SCARCE * self.samples.group.values
        more, looks = tuning.CLOSE_SCARCE if scarce else tuning.CLOSE
        near = [trial for trial in first if trial.bits <= least + more * abs(least)]
        near.sort(key=lambda trial: trial.bits)
        close = list(dict.fromkeys((*near[:looks], *rival(near), *other_block(near, looks))))
        if len(close) > 1 and self.samples.group.values > 2 * self.sizes.trial:
            close = close if scarce else ahead(close)
            close = [self._looked_at_again(trial) for trial in close]
            close.sort(key=lambda trial: trial.bits)
        return close

    def _with_best_on_larger(self, trials: list[Trial]) -> list[Trial]:
        """Return trials of which the best is on the larger sample, as some others are."""
        found = list(trials)
        while True:
            best = best_of(found)
            again = self._looked_at_again(best)
            if again is best:
                return found
            found[found.index(best)] = again

    def _looked_at_again(self, trial: Trial) -> Trial:
        """Return a trial on the larger sample, the same where that is what it was tried on."""
        if trial.budget == self.build.budget(trial.recipe, self.sizes.final):
            return trial
        if trial not in self.again:
            self.again[trial] = self._try(trial.recipe, trial.step, self.sizes.final)
        return self.again[trial]

    def _finalists(self, close: list[Trial]) -> list[Trial]:
        """Return those to be fitted to the large sample; of a large group, hardly more than one."""
        best = close[0]
        if self.samples.group.values <= self.sizes.whole and not self.brief:
            scarce = best.bits < tuning.SCARCE * self.samples.group.values
            most = math.inf if scarce else tuning.FITTED * best.bits
            return unlike([trial for trial in close if trial.bits < most]) or [best]
        near = [trial for trial in close if trial is best or trial.bits < tuning.DOUBT * best.bits]
        return [best, *rival(near)]


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial of the fewest bits."""
    return min(trials, key=lambda trial: trial.bits)
