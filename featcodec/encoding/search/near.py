"""Which trials of a race are worth another look beside the best."""

from typing import TYPE_CHECKING

from ... import modes
from .. import tuning

if TYPE_CHECKING:
    from .race import Trial


def other_block(trials: list["Trial"], looks: int) -> list["Trial"]:
    """Return the first trial of another block than the first ones have, where they have one.

    The scales of long blocks fit a small sample too well.
    """
    seen = {trial.recipe.model.block for trial in trials[:looks]}
    others = [trial for trial in trials if trial.recipe.model.block not in seen]
    return others[:1] if len(seen) == 1 else []


def unlike(trials: list["Trial"]) -> list["Trial"]:
    """Return those that differ from better ones in mode, in block, or in being of a profile."""
    found: dict[tuple, Trial] = {}
    for trial in trials:
        found.setdefault(_kind(trial), trial)
    return list(found.values())


def _kind(trial: "Trial") -> tuple:
    model = trial.recipe.model
    return modes.search_of(model.transform), model.block, trial.recipe.of_profile


def ahead(trials: list["Trial"]) -> list["Trial"]:
    """Return those that no other of their kind, of the same mode and block, is far ahead of.

    What more of a sample shows changes their bits by much the same.
    """
    least: dict[tuple, float] = {}
    for trial in trials:
        kind = _kind(trial)
        least[kind] = min(trial.bits, least.get(kind, trial.bits))
    return [trial for trial in trials if trial.bits <= tuning.BEHIND_LIKE * least[_kind(trial)]]


def rival(trials: list["Trial"]) -> list["Trial"]:
    """Return the first trial that differs from the best in whether it is of a profile."""
    other = [t for t in trials if t.recipe.of_profile != trials[0].recipe.of_profile]
    return other[:1]
