"""What samples say of a choice is what it comes to."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec.container.reader import Reader
from featcodec.container.sections import FEATURES
from featcodec.container.writer import Writer
from featcodec.encoding.choosing import Chooser
from featcodec.encoding.familiar import Familiar
from featcodec.encoding.fit import fitting
from featcodec.encoding.group_writer import GroupWriter
from featcodec.encoding.judge import judge_at
from featcodec.encoding.rate_control.fine_step import Spendable
from featcodec.encoding.reached import Signals
from featcodec.encoding.search.race import Race
from featcodec.encoding.tensors.group import Group
from featcodec.encoding.tensors.grouping import group_tensors
from featcodec.encoding.tensors.samples import Samples
from featcodec.request import Options, RowGroupSize


def group_of(features: np.ndarray, layout: str) -> Group:
    dump = fc.Arrays({"x": (features, "F32")}, None)
    (group,) = group_tensors(dump, Options(layouts={"": layout}), lossless=False)
    assert isinstance(group, Group)
    return group.with_constants


@pytest.mark.parametrize("channels", [400, 700])
def test_estimates_know_that_channels_of_wide_maps_are_few_in_truth(channels: int) -> None:
    """Without axes the estimate is several times the bytes, and another layout looks better."""
    rng = np.random.default_rng(channels)
    few = rng.standard_normal((4, 10, 12, 40)) @ rng.standard_normal((40, channels))
    group, judged = group_of(few.astype("f4"), "NHWC"), judge_at(20.0, None, Options())
    assert judged is not None
    size = len(fc.save({"x": few.astype("f4")}, snr=20, layout="NHWC"))
    assert 0.8 * size < judged(group) / 8 < 1.4 * size


def maps(channels: int, seed: int) -> np.ndarray:
    """Return smooth maps whose channels are alike."""
    draw = np.random.default_rng(seed)
    smooth = draw.standard_normal((8, channels, 8, 8)).cumsum(axis=2).cumsum(axis=3)
    mixed = np.einsum("oc,nchw->nohw", draw.standard_normal((channels, channels)), smooth)
    return mixed.astype("f4")


@pytest.mark.parametrize("height", [1, 2, 4, 8, 16])
def test_a_sample_of_maps_that_are_strong_in_few_rows_holds_some_of_them(height: int) -> None:
    """Boxes and scores of a detector: what lies in four rows of 22 is all of the variance."""
    rng = np.random.default_rng(height)
    features = rng.standard_normal((10, 22, 2100)).astype("f4")
    features[:, 4:] *= 1e-4
    quick = replace(Options().search, samples=replace(Options().search.samples, trial=1 << 16))
    samples = Samples(group_of(features, "NHW"), quick)
    arrays = samples.sample((height, 16), samples.sizes.trial, samples.alignment())[0][False]
    assert samples.variance_of(arrays.values()) > 0.2


@given(st.integers(4, 12), st.floats(5, 20), st.booleans(), st.integers(0, 9))
@settings(max_examples=6, deadline=None)
def test_the_first_attempt_is_near_the_snr_whatever_channels_are_constant(
    constant: int, snr: float, sparse: bool, seed: int
) -> None:
    features = maps(16, seed)
    features = np.maximum(features, 0) if sparse else features
    features[:, :constant] = 0.5
    group = group_of(features, "NCHW")
    assert len(group.constants) >= constant
    samples = Samples(group, Options().search)
    assert samples.varying == pytest.approx(1 - len(group.constants) / 16)
    choice = Chooser(samples, None, Options()).choice(snr)
    assert choice is not None
    written = GroupWriter(Writer(io.BytesIO(), FEATURES), group, None).write(choice, False)
    reached = Signals.of(group, choice.stats, None).reached(written)
    assert abs(reached - snr) < 0.4  # a quarter of the energy would be 1.2 dB


def test_errors_of_row_groups_in_other_blocks_say_nothing_of_those_that_follow() -> None:
    group = group_of(np.tile(maps(16, 0), (16, 1, 1, 1)), "NCHW")
    choice = Chooser(Samples(group, Options().search), None, Options()).choice(10.0)
    assert choice is not None
    budget = Spendable(0.1 * group.values, 0.0, math.inf)

    def written(errors: np.ndarray | None) -> bytes:
        file, size = io.BytesIO(), RowGroupSize(samples=2)
        rows = GroupWriter(Writer(file, FEATURES), group, None, size=size, errors=errors)
        rows.write(choice, False, budget=budget)
        return file.getvalue()

    assert written(np.ones(3)) == written(None)


def test_long_sequences_whose_channels_swing_slowly_have_long_blocks() -> None:
    time, phases = np.arange(12_000)[:, None], np.linspace(0, 6, 16)
    tones = [np.sin(2 * np.pi * time * tone / 1024 + phases) for tone in (5, 9, 17, 31)]
    noise = np.random.default_rng(0).standard_normal((12_000, 16))
    features = (sum(tones) + noise / 30).astype("f4")[None]
    data = fc.save({"x": features}, layout="NLD", snr=20.0)
    (group,) = Reader(io.BytesIO(data), "x").groups()
    assert group.lossy is not None and group.lossy.parts[0].model is not None
    assert group.lossy.parts[0].model.block[0] > 64
    assert fitting.blocks_worth_trying([(1000,)], 1000) == fitting.blocks_worth_trying([(1000,)])


@given(st.integers(0, 9))
@settings(max_examples=2, deadline=None)
def test_a_higher_snr_is_chosen_for_only_where_it_may_take_no_more(seed: int) -> None:
    chooser = Chooser(Samples(group_of(maps(16, seed), "NCHW"), Options().search), None, Options())
    assert chooser.higher(9.0, math.inf) is None  # nothing was chosen before
    choice = chooser.choice(8.0)
    assert choice is not None
    bits = choice.estimate.bits
    assert chooser.higher(20.0, bits) is None
    higher = chooser.higher(9.0, 2 * bits)
    assert higher is not None
    assert higher.estimate.bits <= 2 * bits  # and maybe fewer than at the lower SNR


def test_what_was_written_to_judge_its_layout_is_tried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layers = np.random.default_rng(0).standard_normal((6, 100, 48)).cumsum(axis=0).astype("f4")
    tried, enter = [], Race.enter
    with monkeypatch.context() as patch:
        patch.setattr(Race, "enter", lambda race: tried.append(race.samples.group) or enter(race))
        data = fc.save({"x": layers}, snr=10.0)
    seen = [(group.layout, len(group.names), group.gains is None) for group in tried]
    assert len(seen) > 1 and len(set(seen)) == len(seen)  # several layouts, each of them once
    monkeypatch.setattr(Familiar, "keep", lambda *_: None)
    assert fc.save({"x": layers}, snr=10.0) == data
