"""A dump of few values is no larger than its axes make it."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec.encoding.choice import Choice
from featcodec.encoding.choosing import Chooser
from featcodec.encoding.dump import encode
from featcodec.encoding.features import FeatureEncoder
from featcodec.encoding.tensors.samples import Samples
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


@pytest.mark.long
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


def test_what_misses_the_snr_is_not_kept_for_what_reaches_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where some slice of what reaches it has less than is promised, too."""
    values = np.random.default_rng(1).standard_normal((60, 40)).cumsum(axis=0).astype("f4")
    at_snr, beside = FeatureEncoder._at_snr, []

    def others(_: Chooser, choice: Choice) -> list[Choice]:
        beside.append(replace(choice))
        return beside[-1:]

    def one_misses(self: FeatureEncoder, samples: Samples, choice: Choice, *more: Any) -> Any:
        header = at_snr(self, samples, choice, *more)
        missed = any(choice is other for other in beside)
        self.lowest = np.inf if missed else -np.inf
        return None if missed else header

    monkeypatch.setattr(Chooser, "others", others)
    monkeypatch.setattr(Chooser, "higher", lambda *_: None)
    monkeypatch.setattr(FeatureEncoder, "_at_snr", one_misses)
    assert size(values, 8) < size(values, 60) / 2
    assert beside
