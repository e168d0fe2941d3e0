"""A dump of few values is no larger than its axes make it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec.encoding.dump import encode
from featcodec.request import Options, Quality

SIZES = {  # shapes of few values, and the layouts that may suit them
    (1500,): ("D", "L"),
    (1, 400): ("LD", "DL"),
    (6, 400): ("LD", "DL"),
    (160, 110): ("LD", "DL", "HW", "NL"),
}


def size(values: np.ndarray, snr: float, layout: str | None = None) -> int:
    out = io.BytesIO()
    layouts = {"": layout} if layout else {}
    dump = fc.Arrays({"x": (values, "F32")}, None)
    return encode(dump, out, Quality(snr=snr), options=Options(layouts=layouts)).output_bytes


@pytest.mark.parametrize("shape", SIZES)
@given(st.floats(5, 30), st.sampled_from(["noise", "smooth", "probabilities"]), st.integers(0, 9))
@settings(max_examples=4, deadline=None)
def test_a_small_dump_has_the_axes_of_the_fewest_bytes(
    shape: tuple[int, ...], snr: float, kind: str, seed: int
) -> None:
    values = np.random.default_rng(seed).standard_normal(shape)
    if kind != "noise":
        values = values.cumsum(axis=-1)
    if kind == "probabilities":
        values = 1 / (1 + np.exp(-values))
    mine = size(values.astype("f4"), snr)
    least = min(size(values.astype("f4"), snr, layout) for layout in SIZES[shape])
    assert mine <= 1.15 * least
