"""The first step of a large group, and errors to expect: by values that nothing was fitted to."""

from dataclasses import replace

import numpy as np

from .choice import Choice
from .rate_control.fine_step import RESPONSE, Foreseen
from .tensors.group import GOLDEN
from .tensors.samples import Samples

BUDGET, STRATA = 1 << 19, 64  # values that are looked at, from so many parts of the group at most
LEAST_STRATA = 8
DEAD, EVEN = 0.6, 1 / 12  # steps: latents below become zero; squared steps that others err by


def first_step(samples: Samples, choice: Choice, snr: float) -> tuple[Choice, Foreseen | None]:
    """Return a choice at the step at which other values have about the SNR in dB, and their errors.

    Models are fitted to a sample, whose error flatters them: of a ViT of 512 channels at 20 dB all
    the rest erred by a tenth more, and was written twice. None where errors are not known.
    """
    quantiser, group = choice.quantiser, samples.group
    fixed = quantiser.on_saturation or choice.picture or choice.clamp or choice.of_task
    if group.values <= samples.sizes.whole or fixed or group.slices is not None:
        return choice, None
    grid = group.grid(choice.block)
    strata = min(BUDGET // max(grid.largest_slab(), 1), STRATA)
    if strata < LEAST_STRATA or grid.slabs < strata:
        return choice, None
    each = max(BUDGET // (strata * max(grid.largest_slab(), 1)), 1)
    edges = np.linspace(0, grid.slabs, strata + 1)
    room = np.maximum(np.diff(edges) - each, 0) * ((0.5 + np.arange(strata) * GOLDEN) % 1)
    error, sizes_of = 0.0, np.zeros(strata)
    shares = np.zeros(strata)  # of the error, about
    found = samples.at(choice.block, (edges[:-1] + room).astype(int), each, choice.values)
    for (prefix, sizes), (values, stratum) in found.items():
        coder = replace(choice.parts[prefix][1], step=quantiser.step)
        latents = coder.transform.forward(values.astype(choice.compute_dtype), sizes)
        error += coder.encode_latents(latents, sizes)[1]
        squares = np.square(latents, dtype=np.float32)
        squares[squares > (DEAD * quantiser.step) ** 2] = EVEN * quantiser.step**2
        shares += np.bincount(stratum, squares.sum(axis=(0, 1)), strata)
        sizes_of += np.bincount(stratum, minlength=strata) * (values.size // values.shape[2])
    goal = 10 ** (-snr / 10) * samples.varying * (samples.std / choice.values.std) ** 2
    if not (error > 0 and sizes_of.all()):
        return choice, None
    mean = error / sizes_of.sum()
    found_step = quantiser.step * (goal / mean) ** (1 / RESPONSE)
    profile = shares / sizes_of * np.diff(edges)
    return choice.at_step(found_step), Foreseen(edges, profile)
