"""Entries with the metric of a task, fitted to features and gradients (SPEC §6.7)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..coding.model import GridModel
from ..coding.parts.base import Sizes
from ..container.model import ProfileEntry
from ..encoding.fit import fitting
from ..encoding.fit.fitting import Classes
from ..encoding.tensors.group import Group
from ..modes.weighted.coder import UNIT, Metric
from ..tensors import Source
from ..transform import householder
from .gradients import Gathered, Reactions, gather
from .pools import Pool
from .strength import NONE, chosen
from .tables import learn_tables
from .verdict import pays
from .weighing import Axes, Part, Strength

MAGNITUDE = 64.0  # of the reflectors' integers


def weighted_entries(
    parts: Sequence[Part], task: str, known: Strength | None = None, needed: bool = False
) -> tuple[Strength | None, list[ProfileEntry]]:
    """Return the strength of a metric, unless it is known, and entries with the metric.

    One is for a grid, the one behind it for its prefix tokens. There are none where no gradient is;
    where a metric saves no bits, they weigh nothing when they are needed, and there are none else.
    """
    found = chosen(parts, known)
    if found is None:
        return None, []
    block, strength = found
    if known is None and strength != NONE and not _pays(parts, block, strength, task):
        strength = NONE
    if strength == NONE and not needed:
        return NONE, []
    return strength, _entries(parts, block, strength, task)


def _pays(parts: Sequence[Part], block: Sizes, strength: Strength, task: str) -> bool:
    """Return whether a metric pays on what is held out, fitted to the gradients of the rest."""
    rest = [replace(part, gathered=replace(g := part.gathered, whole=g.fitted)) for part in parts]
    return pays(rest, block, _entries(rest, block, strength, task))


def _entries(
    parts: Sequence[Part], block: Sizes, strength: Strength, task: str
) -> list[ProfileEntry]:
    usual = usual_square([part.gathered for part in parts], block)
    models = []
    for part in parts:
        axes = Axes.of(part, part.gathered.whole, block, usual)
        model = _stored(axes, strength, task)
        models.append((model, fitting.latents_of(model, part.classes(block), "float32")))
    # The latents of all parts together have a mean square of 1, as those of plain entries have.
    energy = [_mean_square(latents) for _, latents in models]
    weights = [part.pool.count for part in parts]
    shift = round(UNIT / 2 * math.log2(np.average(energy, weights=weights)))
    entries = []
    for part, (model, latents) in zip(parts, models, strict=True):
        own = replace(model.own, places=model.own.places - shift)
        scaled = {s: a * np.float32(2 ** (-shift / UNIT)) for s, a in latents.items()}
        model = replace(model, own=own, scales=fitting.energy_of(scaled, model.block).scales())
        model = replace(model, tables=learn_tables([(model, scaled)]))
        entries.append(replace(part.plain, model=model.pack()))
    return entries


def usual_square(gathered: Sequence[Gathered], block: Sizes) -> float:
    """Return the mean squared gradient of all parts."""
    power, count = np.sum([each.whole.total(block) for each in gathered], axis=0)
    return float(power / count)


def _mean_square(latents: Classes) -> float:
    return sum(float(np.vdot(a, a)) for a in latents.values()) / sum(
        a.size for a in latents.values()
    )


def _stored(axes: Axes, strength: Strength, task: str) -> GridModel:
    """Return the model of a metric as it is stored, without scales."""
    count = len(axes.centre) - 1
    gains = [strength.of_channels(squares) for squares in axes.squares]
    metric = [householder.factor(turn, count, MAGNITUDE) for turn in axes.turns]
    turns = [householder.basis(vectors, count + 1) for vectors in metric]
    klts = [
        householder.factor(klt, count, MAGNITUDE)
        for klt in replace(axes, turns=turns).klts([2.0 ** (g / UNIT) for g in gains])
    ]
    return GridModel(
        "weighted",
        axes.bands.shape,
        axes.centre,
        axes.centre_exponent,
        np.stack([*metric, *klts]),
        np.zeros((count + 1, *axes.bands.shape), np.int64),
        own=Metric(task, 0.0, axes.bands, np.stack(gains), strength.of_places(axes.power)),
    )


# A dump and its groups of features to the name and the dump of their gradients.
Gradients = Callable[[Source, Sequence[Group]], tuple[str, Source]]


@dataclass
class TaskGradients:
    """The gradients of a task, taken in with the features, and the entries that they make."""

    task: str  # the name
    of: Gradients
    made: bool = False  # of the features at hand; others are read, for all features of a dump
    needed: bool = False  # an entry, even where no metric saves bits
    strengths: dict[tuple, Strength] = field(default_factory=dict)  # chosen, by kind
    reactions: Reactions = field(default_factory=dict)
    unpaid: list[str] = field(default_factory=list)  # kinds of features without a metric

    def gather(self, groups: Sequence[Group], source: Source) -> None:
        """Take in the gradients of the groups of a dump."""
        name, gradients = self.of(source, groups)
        for group in groups:
            gather(self.reactions, group, gradients, name)

    def entries(
        self, kind: tuple, pools: Sequence[Pool | None], plain: Sequence[ProfileEntry]
    ) -> list[ProfileEntry]:
        """Return the entries with a metric for a kind of features with plain entries."""
        mine = [self.reactions.get((*kind, prefix)) for prefix in (False, True)]
        triples = zip(pools, mine, plain, strict=False)
        parts = [Part(p, g, e) for p, g, e in triples if p is not None and g is not None]
        if not parts:
            return []
        known = self.strengths.get(kind)
        strength, entries = weighted_entries(parts, self.task, known, self.needed)
        if strength is not None:
            self.strengths[kind] = strength
        if strength == NONE:
            self.unpaid.append(plain[0].name)
        return entries
