"""Rows that are near to others, though not equal, stand for each other where that takes less."""

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec.align.layout import Layout
from featcodec.container.reader import Reader
from featcodec.encoding.tensors.group import Group
from featcodec.encoding.tensors.near_rows import NearRows

from .producers import tokens

WIDTH = 24


def rows(kinds: int, count: int, apart: float, seed: int = 0) -> np.ndarray:
    """Return (count, WIDTH) rows, each one of some kinds but for noise so much weaker."""
    random = np.random.default_rng(seed)
    found = random.normal(size=(kinds, WIDTH))[random.integers(kinds, size=count)]
    return (found + apart * random.normal(size=found.shape)).astype("f4")


def group(x: np.ndarray) -> Group:
    return Group("F32", "", Layout("LD"), ["x"], [x.shape], lambda _: x, "")


def snr_of(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype("f8"), y.astype("f8")
    return 10 * float(np.log10(np.square(x - x.mean()).sum() / np.square(x - y).sum()))


@pytest.mark.parametrize(("snr", "dtype"), [(10.0, "f2"), (20.0, "f4")])
def test_edges_stored_once_for_each_end_cost_little_more_than_once(snr: float, dtype: str) -> None:
    """The ends of an edge of a graph see it alike, but for what rounding makes of it."""
    once = tokens(300, WIDTH)
    both = np.concatenate([once, once[::-1] + 1e-3 * np.roll(once, 1)])
    both = both[np.random.default_rng(2).permutation(len(both))].astype(dtype)
    sizes = [len(fc.save({"x": x}, snr=snr)) for x in (once.astype(dtype), both)]
    assert sizes[1] < 1.05 * sizes[0] + 2 * len(both)


@pytest.mark.long
def test_a_prefix_that_prompts_share_costs_once() -> None:
    """Batches of other lengths round otherwise, so that no row of a prefix equals another."""
    prefix, rest = tokens(200, WIDTH), tokens(200, WIDTH, seed=1)
    apart = [prefix * (1 + 1e-6 * i) for i in range(8)]
    pairs = zip(apart, np.split(rest, np.cumsum(range(15, 29, 2))), strict=True)
    prompts = [np.concatenate(pair).astype("f4") for pair in pairs]
    once = len(fc.save({"x": np.concatenate([prefix, rest]).astype("f4")}, snr=20))
    assert len(fc.save({f"x{i}": x for i, x in enumerate(prompts)}, snr=20)) < 1.1 * once + 512


@pytest.mark.long
@settings(max_examples=5, deadline=None)
@given(st.integers(1, 300), st.floats(0.001, 0.6), st.sampled_from([6.0, 14.0, 25.0]))
def test_the_snr_is_that_of_all_rows_as_they_are(kinds: int, apart: float, snr: float) -> None:
    x = rows(kinds, 900, apart)
    y = fc.load(fc.save({"x": x}, snr=snr))["x"]
    assert snr_of(x, y) >= snr - 0.005


def test_the_stated_snr_is_what_a_script_measures() -> None:
    x = rows(40, 2000, 0.02)
    data = fc.save({"x": x}, snr=18)
    (header,) = Reader(io.BytesIO(data), "file").groups()
    assert header.lossy and header.repeats
    assert header.snr_db == pytest.approx(snr_of(x, fc.load(data)["x"]), abs=0.006)


@pytest.mark.long
def test_tensors_of_unlike_scale_have_the_snr_each() -> None:
    random = np.random.default_rng(0)
    kinds = random.normal(size=(12, WIDTH))
    dump = {}
    for i in range(10):
        x = kinds[random.integers(12, size=64)] + 0.03 * random.normal(size=(64, WIDTH))
        dump[f"x{i}"] = (x * (1 if i % 5 else 0.05)).astype("f4")
    back = fc.load(fc.save(dump, snr=20))
    assert min(snr_of(x, back[name]) for name, x in dump.items()) > 18.9


def test_what_is_looked_at_is_little_where_rows_are_many() -> None:
    x = np.random.default_rng(0).normal(size=(60_000, 8)).astype("f4")
    near = NearRows.of(group(x))
    assert near is not None
    tracemalloc.start()
    near.promise(0.1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * x.nbytes


@given(st.integers(1, 80), st.integers(64, 700), st.floats(0, 0.5), st.floats(0.01, 40))
@settings(deadline=None)
def test_no_row_is_further_from_the_one_that_stands_for_it(
    kinds: int, count: int, apart: float, most: float
) -> None:
    x = rows(kinds, count, apart)
    near = NearRows.of(group(x))
    assert near is not None
    found = near.within(most)
    if found is None:
        distances = np.square(x[:, None] - x).sum(axis=2) + 1e9 * np.eye(count)
        assert distances.min() > most * (1 - 1e-6)
        return
    reduced, error = found
    assert reduced.rows is not None
    errors = np.square(x.astype("f8") - x[reduced.rows.kept[reduced.rows.source]]).sum(axis=1)
    assert errors.max() < most * (1 + 1e-6)
    assert error == pytest.approx(errors.sum())
    assert (reduced.rows.kept[reduced.rows.source] <= np.arange(count)).all()


@given(st.lists(st.sampled_from([None, 0.0, -0.0, 1.0]), min_size=64, max_size=300))
@settings(deadline=None)
def test_constant_rows_stay_and_stand_for_none(constants: list[float | None]) -> None:
    x = rows(5, len(constants), 0.01)
    for row, constant in zip(x, constants, strict=True):
        row[:] = row if constant is None else constant
    near = NearRows.of(group(x))
    found = near and near.within(4 * WIDTH)  # zeros are as near to most rows
    if not found or found[0].rows is None:
        return
    kept = found[0].rows
    told = np.array([constant is not None for constant in constants])
    assert np.array_equal(kept.constant >= 0, told)
    listed = np.array(kept.runs.constants, "u4").view("f4")[kept.constant[told]]
    assert np.array_equal(listed.view("u4"), x[told, 0].view("u4"))


def test_padding_between_rows_that_are_near_comes_back_and_costs_little() -> None:
    random = np.random.default_rng(1)
    sentences = random.normal(size=(30, 10, WIDTH))[random.integers(30, size=300)]
    padded = np.zeros((300, 20, WIDTH), "f4")
    padded[:, :10] = sentences + 0.01 * random.normal(size=sentences.shape)
    packed = fc.save({"x": padded}, layout="NLD", snr=15)
    assert not fc.load(packed)["x"][:, 10:].any()
    trimmed = padded[:, :10].reshape(-1, WIDTH)
    assert len(packed) < 1.03 * len(fc.save({"x": trimmed}, layout="LD", snr=15)) + 3 * len(padded)


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e4])
def test_values_that_are_kept_beside_the_rest_stay_as_they_are(odd: float) -> None:
    x = rows(20, 3000, 0.01)
    x[7, 3] = x[1700, 5] = odd
    y = fc.load(fc.save({"x": x}, snr=15))["x"]
    assert np.array_equal(y[7, 3], x[7, 3], equal_nan=True)
    assert np.array_equal(y[1700, 5], x[1700, 5], equal_nan=True)
