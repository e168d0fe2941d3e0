"""How a group is coded by the network: its step, and what codes the values that it leaves."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .. import modes
from ..align.layout import Layout
from ..align.value import ValueAlignment
from ..coding.model import GridModel
from ..coding.parts.base import PartCoder, Sizes
from ..coding.picture import NeuralCoder, NeuralModel
from ..container.part import Part
from ..entropy import family
from . import tuning
from .choice import Choice, Estimate, Picture, Quantiser
from .fit import counting, fitting
from .search.candidate import Candidate, scale_of
from .search.cost import total_bits
from .search.solve import solve_step
from .tensors.group import Group
from .tensors.samples import Samples

MOST_AXES = 512  # beyond so many channels no KLT of what is left is tried
EMPTY_SCALE = -2 * family.UNIT  # beside the step's: the table of a scale so low codes nothing


def as_tokens(group: Group) -> Group:
    """Return the group with all tokens of a sample in one line, as the network wants them."""
    return replace(group, layout=Layout(group.layout.axes))


def neural_choice(samples: Samples, network: NeuralModel, snr: float) -> Choice:
    """Return the choice that reaches the SNR on a sample of a group of tokens.

    As far as its qualities reach, the network alone codes the values or, where that takes fewer
    bits, codes them worse, and what its picture leaves is coded, too: a network that was trained
    with a metric is coarse in directions that the SNR counts. Beyond, what is left always is. Of
    the qualities in PICTURE_LEVELS, that which takes the fewest bits is taken.
    """
    values = samples.alignment()
    if not network.normalised:
        values = replace(values, mean=0.0, std=1.0)
    goal = 10 ** (-snr / 10) * (samples.std / values.std) ** 2
    trial = PictureTrial.of(samples, network, values, 2 * samples.sizes.trial)
    coarsest, finest = network.weights.largest_step, network.weights.finest_step
    if trial.error(coarsest) <= goal:
        return trial.alone(coarsest)
    larger = PictureTrial.of(samples, network, values, samples.sizes.fit)
    found: list[tuple[float, Choice]] = []
    finer = 0.0  # than pictures of which the rest is coded
    if trial.error(finest) <= goal:
        start = min(max(math.sqrt(12 * goal), finest), coarsest)
        finer = solve_step(trial.error, goal, start, precision=0.003)
        alone = larger.alone(finer)
        found.append((tuning.REST_PAYS * alone.estimate.bits, alone))
    for level in tuning.PICTURE_LEVELS:
        if (step := network.weights.coarsest_step * 2 ** (-level / 2)) > finer:
            choice = larger.with_rest(step, goal)
            found.append((choice.estimate.bits, choice))
    return min(found, key=lambda one: one[0])[1]


@dataclass(frozen=True)
class PictureTrial:
    """A sample of a group as a picture, and what the network makes of it."""

    samples: Samples
    network: NeuralModel
    values: ValueAlignment
    picture: np.ndarray  # (tokens, channels)
    latents: np.ndarray
    fraction: float  # of the group that is in the sample

    @classmethod
    def of(
        cls, samples: Samples, network: NeuralModel, values: ValueAlignment, budget: int
    ) -> "PictureTrial":
        classes, fraction = samples.sample(samples.ones, budget, values)
        aligned = next(iter(classes[False].values()))
        picture = np.ascontiguousarray(aligned[:, 0].T, np.float32)
        return cls(samples, network, values, picture, network.network.analysis(picture), fraction)

    def rest(self, step: float) -> np.ndarray:
        """Return what a picture of that step leaves, (channels, 1, tokens)."""
        coder = NeuralCoder(self.network, step)
        decoded = coder.picture(coder.quantise(self.latents), self.picture.shape)
        values = self.values
        low, high = ((bound - values.mean) / values.std for bound in (values.lower, values.upper))
        return np.ascontiguousarray((self.picture - np.clip(decoded, low, high)).T[:, None])

    def error(self, step: float) -> float:
        """Return the mean squared error of a picture of that step."""
        return float(np.mean(self.rest(step) ** 2, dtype=np.float64))

    def picture_bits(self, step: float) -> float:
        """Return the bits of pictures of that step, for the whole group."""
        coder = NeuralCoder(self.network, step)
        return 8 * len(coder.pack(coder.quantise(self.latents))) / self.fraction

    def alone(self, step: float) -> Choice:
        """Return a picture of a step and nothing else."""
        part = _nothing(self.samples, step)
        choice = _choice(self.samples, self.network, self.values, step, part)
        return replace(choice, estimate=Estimate(self.picture_bits(step)))

    def with_rest(self, picture_step: float, goal: float) -> Choice:
        """Return a picture of some step with what it leaves coded."""
        rest = {self.samples.ones: self.rest(picture_step)}
        start = math.sqrt(12 * goal)
        tried = [
            (*total_bits(candidate, goal, start), candidate)
            for candidate in _candidates(self.samples, rest, self.fraction, goal)
        ]
        bits, step, candidate = min(tried, key=lambda found: found[0])
        coder = candidate.tuned(step)[0]

        def error(step: float) -> float:
            coded = replace(coder, step=step)
            return counting.squared_error(coded, candidate.latents) / candidate.size

        step = solve_step(error, goal, step)
        picture = Picture(self.network, round(8 * math.log2(picture_step / step)))
        part = (candidate.part(coder), coder)
        choice = _choice(self.samples, self.network, self.values, step, part, coder.step_scale)
        estimate = Estimate(bits + self.picture_bits(picture_step))
        return replace(choice, picture=picture, estimate=estimate)


def _nothing(samples: Samples, step: float) -> tuple[Part, PartCoder]:
    """Return a part that codes every value as zero."""
    scales = np.full((samples.channels, *samples.ones), scale_of(step) + EMPTY_SCALE)
    centre = np.zeros(samples.channels, np.int64)
    model = GridModel("none", samples.ones, centre, 0, np.zeros((1, len(centre), 0), int), scales)
    compute_dtype = samples.group.compute_dtype
    coder = PartCoder(
        model.transform_in(compute_dtype), scales, {}, step, scale_of(step), compute_dtype
    )
    return Part("none", model.pack()), coder


def _candidates(
    samples: Samples, rest: dict[Sizes, np.ndarray], fraction: float, goal: float
) -> Iterator[Candidate]:
    """Yield ways to code what the network leaves: channels as they are, and their KLT."""
    compute_dtype = samples.group.compute_dtype
    centre = fitting.centre_of(rest)
    models = [fitting.linear_model(samples.ones, None, 0, 1, centre)]
    tokens = rest[samples.ones].shape[-1]
    if 2 <= samples.channels <= min(MOST_AXES, tokens // tuning.TOKENS_PER_AXIS):
        axes = fitting.klt(rest, centre)
        magnitude = 2.0 ** min(max(round(-math.log2(goal) / 2), 1), 6)
        models.append(
            fitting.linear_model(samples.ones, axes, samples.channels - 1, magnitude, centre)
        )
    for model in models:
        latents = fitting.latents_of(model, rest, compute_dtype)
        energy = fitting.energy_of(latents, model.block)
        kind = modes.search_of(model.transform).candidate
        yield kind(model, None, compute_dtype, rest, latents, energy, fraction, True)


def _choice(
    samples: Samples,
    network: NeuralModel,
    values: ValueAlignment,
    step: float,
    part: tuple[Part, PartCoder],
    step_scale: int | None = None,
) -> Choice:
    return Choice(
        stats=samples.stats,
        values=values,
        parts={False: part},
        block=samples.ones,
        quantiser=Quantiser(step, scale_of(step) if step_scale is None else step_scale),
        clamp=True,
        uses_profile=True,
        compute_dtype=samples.group.compute_dtype,
        picture=Picture(network),
    )
