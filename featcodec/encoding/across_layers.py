"""Layers made alike in scale before a KLT across them, so that all have the same quality."""

from .choice import Choice
from .choosing import Chooser
from .layers import UNLIKE, evened
from .search.race import best_of
from .tensors.samples import Samples

LIKE = 1.1  # of the least bits: with layers made alike in scale, a KLT across them may take fewer


def across_layers(chooser: Chooser, choice: Choice, snr: float) -> tuple[Chooser, Choice] | None:
    """Return how layers made alike in scale are coded, where a KLT across them serves best.

    So far the chooser made a choice for layers as they are, at an SNR in dB. Where they are unlike
    in scale, it says little: one SNR for all leaves the weak ones with none.
    """
    race = chooser.first
    across = [trial for trial in race.trials if trial.of_layers] if race else []
    near = race is not None and across and best_of(across).bits <= LIKE * race.least
    unlike = evened(chooser.samples.group, UNLIKE).slices is not None
    if not (near or unlike):
        return None
    scaled = Samples(evened(chooser.samples.group), chooser.options.samples)
    another = Chooser(scaled, chooser.profile, chooser.options)
    found = another.choice(snr)
    if found is None or not (unlike or found.of_layers):
        return None
    better = unlike or choice.of_layers or found.estimate.bits < choice.estimate.bits
    return (another, found) if better else None
