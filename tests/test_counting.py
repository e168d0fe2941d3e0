"""What an encoder counts of a sample is what coding it gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featcodec.coding.parts.base import PartCoder, Sizes
from featcodec.coding.parts.dependent import DependentCoder
from featcodec.encoding.fit import counting
from featcodec.entropy.tables import EMPTY
from featcodec.transform.linear import Linear

SIZES: list[Sizes] = [(4,), (3,)]


def coder_of(kind: type[PartCoder], step_scale: int, rng: np.random.Generator) -> PartCoder:
    scales = rng.integers(-24, 24, (6, 4))
    step = 2 ** (step_scale / 4)
    transform = Linear(np.zeros(6), None, "float32")
    return kind(transform, scales, {1: EMPTY}, step, step_scale, "float32")


@settings(max_examples=60)
@given(
    st.sampled_from([PartCoder, DependentCoder]),
    st.sampled_from([-24, -8, 0, 8]),
    st.integers(0, 1 << 16),
    st.sampled_from([1.0, 1e4]),
)
def test_counts_are_those_of_coding(
    kind: type[PartCoder], step_scale: int, seed: int, largest: float
) -> None:
    rng = np.random.default_rng(seed)
    coder = coder_of(kind, step_scale, rng)
    latents = {s: rng.laplace(size=(6, s[0], 50)).astype(np.float32) for s in SIZES}
    latents[SIZES[0]][0, 0, 0] *= largest
    counts = counting.count_symbols(coder, latents)
    symbols: dict[int, list[np.ndarray]] = {}
    error = 0.0
    for sizes, values in latents.items():
        coded, more = coder.encode_latents(values, sizes)
        error += more
        for number, some in coded:
            symbols.setdefault(number, []).append(some.ravel())
    assert counts.error == pytest.approx(error, rel=1e-4)
    assert counting.squared_error(coder, latents) == pytest.approx(error, rel=1e-4)
    assert counts.total == sum(values.size for values in latents.values())
    for number, some in symbols.items():
        each = dict(zip(*np.unique(np.concatenate(some), return_counts=True), strict=True))
        histogram = counts.histograms[number]
        assert dict(zip(histogram.values, histogram.counts, strict=True)) == each
    none = counts.histograms.keys() - symbols.keys()
    assert all(counts.histograms[number].total == 0 for number in none)
