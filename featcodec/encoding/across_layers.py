"""Layers made alike in scale before a KLT across them, so that all have the same quality."""

from .choice import Choice
from .choosing import Chooser
from .layers import evened
from .search.race import best_of
from .tensors.samples import Samples

LIKE = 1.1  # of the least bits: with layers made alike in scale, a KLT across them may take fewer


def across_layers(chooser: Chooser, choice: Choice, snr: float) -> tuple[Chooser, Choice] | None:
    """Return how layers made alike in scale are coded, where a KLT across them serves best.

    So far the chooser made a choice for layers as they are, at an SNR in dB.
    """
    race = chooser.first
    across = [trial for trial in race.trials if trial.of_layers] if race else []
    if not across or race is None or best_of(across).bits > LIKE * race.least:
        return None
    even = even_layers(chooser, snr)
    if even is None or not even[1].of_layers:
        return None
    better = choice.of_layers or even[1].estimate.bits < choice.estimate.bits
    return even if better else None


def even_layers(chooser: Chooser, snr: float) -> tuple[Chooser, Choice] | None:
    """Return how layers made alike in scale are coded; None where there are none, or it fails."""
    group = evened(chooser.samples.group)
    if group is chooser.samples.group:
        return None
    another = Chooser(Samples(group, chooser.options.search), chooser.profile, chooser.options)
    found = another.choice(snr)
    return None if found is None else (another, found)
