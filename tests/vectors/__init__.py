"""What makes the test vectors of bitstream_spec/vectors, one module a topic.

`python -m tests.vectors` from the root of the repository writes those that are missing there, and
never touches one that is there: what was written is to be read for ever. To add one, add
it to the module of its topic, run that, and commit what it wrote.

Vectors come in two kinds. Those by hand, and all faulty ones, are made from the text of the
specification and from stored vectors, with chance from fixed seeds: a test makes them anew and
compares them byte for byte with what is stored. Those of `encoder` are what an encoder made of
features once; encoders change, and then so would their bytes. A test asks that what is stored still
decodes as it did, and that the encoder of today still makes such files.
"""

import itertools
from collections.abc import Iterator

from .store import Vector


def by_hand() -> Iterator[Vector]:
    """Yield all vectors whose bytes are always the same, those first that others need."""
    from . import (
        bands,
        beside,
        contexts,
        curves,
        cuts,
        dependent,
        exact,
        far_steps,
        frames,
        hostile,
        interpolated,
        joined,
        layers,
        limits,
        low_rank,
        messages,
        metrics,
        networks,
        predicted,
        refined,
        repeats,
        shared,
        slices,
        split,
        stacks,
    )

    topics = (networks, far_steps, contexts, bands, predicted, split, exact, curves, dependent)
    topics += (repeats, refined, cuts, metrics, frames, hostile, limits, messages, interpolated)
    topics += (low_rank, beside, joined, slices, layers, stacks, shared)
    return itertools.chain.from_iterable(topic.made() for topic in topics)
