"""A bound on every error: prediction in integers, split symbols, and what they save."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec import modes
from featcodec.coding.parts.base import in_order
from featcodec.container.reader import Reader
from featcodec.encoding.bounded.rounded import Rounding
from featcodec.entropy import fit, prediction, split
from featcodec.entropy.prediction import Prediction, PredictionError, Predictor
from featcodec.modes.plain.clusters import cluster
from featcodec.modes.predicted import fit as prediction_fit
from featcodec.modes.predicted.part import PredictedCoder
from featcodec.modes.split.part import SplitCoder
from featcodec.quantise.scalar import PLAIN, quantise
from featcodec.transform.linear import Centred

SIZES = st.one_of(
    st.just(()),
    st.tuples(st.integers(1, 16)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5)),
)


@st.composite
def predictions(draw: st.DrawFn) -> Prediction:
    channels = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Prediction(
        rng.integers(-256, 257, (prediction.PASSES - 1, prediction.LINES, channels)),
        draw(st.integers(0, 8)),
        rng.integers(-3, 4, channels),
        np.tril(rng.integers(-9, 10, (channels, channels)) * draw(st.integers(0, 1)), -1),
    )


def indices_by_hand(fitted: Prediction, left: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """The indices (channels, points) of one block, as SPEC 7.11 has them."""
    rows, columns = (1, 1, *sizes)[-2:]
    channels = len(left)
    q = np.zeros((channels, rows, columns), object)
    k, o = fitted.rows, fitted.octaves.tolist()
    for number in range(5):
        for y in range(rows):
            for x in range(columns):
                d = 2 if number < 3 else 1
                lines = [((-d, -d), (d, d)), ((-d, d), (d, -d))]
                lines = lines if number % 2 else [((-d, 0), (d, 0)), ((0, -d), (0, d))]
                if (y + x) % 2:
                    mine = 4
                elif y % 2:
                    mine = 3
                elif (y + x) % 4:
                    mine = 2
                else:
                    mine = 1 if y % 4 else 0
                if mine != number:
                    continue
                u: list[int] = []
                for c in range(channels):
                    p = 0
                    for line, near in enumerate(lines if number else []):
                        for j, i in near:
                            v = y + j if 0 <= y + j < rows else y - j
                            h = x + i if 0 <= x + i < columns else x - i
                            if 0 <= v < rows and 0 <= h < columns:
                                p += int(fitted.neighbours[number - 1, line, c]) * q[c, v, h]
                    total = 0
                    for j in range(c):
                        scale = 2.0 ** (16 - fitted.precision + o[c] - o[j])
                        total += math.floor(int(k[c, j]) * scale + 0.5) * u[j]
                    p += (total + 2**15) >> 16
                    q[c, y, x] = int(left[c, y * columns + x]) + ((p + 32) >> 6)
                    u.append(64 * q[c, y, x] - p)
    return q.reshape(channels, -1)


@given(predictions(), SIZES, st.integers(0, 2**32))
def test_indices_follow_from_residuals_as_the_text_says(
    fitted: Prediction, sizes: tuple[int, ...], seed: int
) -> None:
    channels = fitted.neighbours.shape[-1]
    left = np.random.default_rng(seed).integers(-9, 10, (channels, math.prod(sizes), 2), np.int32)
    wanted = [indices_by_hand(fitted, left[..., block], sizes) for block in range(2)]
    if max(np.abs(q).max() for q in wanted) > prediction.LARGEST:
        with pytest.raises(PredictionError, match="too large"):
            Predictor(fitted).indices(left, sizes)
    else:
        found = Predictor(fitted).indices(left, sizes)
        assert np.array_equal(found, np.stack(wanted, axis=2).astype(float))


@given(predictions(), SIZES, st.integers(0, 2**32), st.integers(0, 12))
def test_residuals_lead_back_to_any_indices(
    fitted: Prediction, sizes: tuple[int, ...], seed: int, bits: int
) -> None:
    channels, large = fitted.neighbours.shape[-1], 1 << bits
    rng = np.random.default_rng(seed)
    indices = rng.integers(-large, large + 1, (channels, math.prod(sizes), 3), np.int32)
    predictor = Predictor(fitted)
    found = predictor.indices(predictor.residuals(indices, sizes), sizes)
    assert np.array_equal(found, indices)


def test_the_largest_weights_are_exact() -> None:
    rows = np.zeros((513, 513), np.int64)
    rows[512, :512] = 1
    fitted = Prediction(np.zeros((4, 2, 513), np.int64), 0, np.zeros(513, np.int64), rows)
    left = np.full((513, 1, 1), prediction.LARGEST, np.int32)
    left[512] = -(2 << 20)
    with pytest.raises(PredictionError, match="residual"):
        Predictor(fitted).indices(left, ())
    left[:512] = 2047
    left[512] = 1 - 512 * 2047
    assert Predictor(fitted).indices(left, ())[512] == 1


def test_blocks_are_decoded_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    rows = np.tril(rng.integers(-9, 10, (3, 3)), -1)
    fitted = Prediction(rng.integers(-40, 41, (4, 2, 3)), 4, np.zeros(3, np.int64), rows)
    left = rng.integers(-5, 6, (3, 12, 7), np.int32)
    together = Predictor(fitted).indices(left, (3, 4))
    monkeypatch.setattr(prediction, "CHUNK", 2 * 3 * 12)
    assert np.array_equal(Predictor(fitted).indices(left, (3, 4)), together)


def test_the_least_symbol_is_no_residual() -> None:
    fitted = Prediction(np.zeros((4, 2, 1), np.int64), 0, np.zeros(1, np.int64), np.zeros((0, 0)))
    with pytest.raises(PredictionError, match="residual"):
        Predictor(fitted).indices(np.full((1, 1, 1), -(1 << 31), np.int32), ())


def test_only_weights_that_are_not_0_have_an_exponent() -> None:
    rows = np.array([[0, 0, 0], [0, 0, 0], [0, 3, 0]])
    octaves = np.array([1 << 40, -17, 0])
    fitted = Prediction(np.zeros((4, 2, 3), np.int64), 0, octaves, rows)
    with pytest.raises(PredictionError, match="too large or too small"):
        fitted.weights()
    octaves[1] = 16
    found = fitted.weights()
    assert found is not None
    assert np.array_equal(found, rows)


def test_weights_of_channels_follow_a_mixture() -> None:
    rng = np.random.default_rng(3)
    sources = rng.normal(size=(4, 1, 20000)) * np.array([200, 50, 30, 20]).reshape(4, 1, 1)
    mixing = np.array([[1, 0, 0, 0], [0.8, 1, 0, 0], [-0.5, 0.3, 1, 0], [0.1, 0, 0.7, 1]])
    indices = np.rint(np.einsum("ij,jpn->ipn", mixing, sources)).astype(np.int32)
    fitted = prediction_fit.fit_prediction({(): indices})
    weights = Predictor(fitted).weights
    assert weights is not None
    assert np.abs(weights / 65536 + np.eye(4) - mixing).max() < 0.03
    left = Predictor(fitted).residuals(indices, ())
    assert np.allclose(left.std(axis=(1, 2)), [200, 50, 30, 20], rtol=0.02)


def test_chance_is_no_reason_for_a_weight() -> None:
    noise = np.random.default_rng(4).normal(size=(64, 1, 400)) * 30
    fitted = prediction_fit.fit_prediction({(): np.rint(noise).astype(np.int32)})
    assert np.count_nonzero(fitted.rows) < 64 * 63 / 2 / 20


@given(st.integers(2, 1 << 40))
def test_classes_are_half_octaves(x: int) -> None:
    b = math.floor(math.log2(x))
    wanted = min(max(2 * b + (x << 15 >= 46341 << b) - 12, 0), split.CLASSES - 1)
    assert split.class_of(np.array([float(x)]))[0] == wanted


@given(SIZES, st.integers(0, 2**32), st.sampled_from([0, 1, 5]), st.booleans())
def test_split_symbols_come_back(
    sizes: tuple[int, ...], seed: int, peak: int, positive: bool
) -> None:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-1, 5, (3, 1, 1))
    latents = np.rint(rng.laplace(scale=scale, size=(3, math.prod(sizes), 4)))
    latents *= rng.random(latents.shape) < 0.7
    latents = np.abs(latents) if positive else latents
    scales = rng.integers(-40, 90, (3, 1))
    coder = SplitCoder(Centred(np.zeros(3), "float64"), scales, {}, 1.0, 2, "float64")
    coder.positive, coder.peak, coder.top = positive, peak, np.array([2.0, 50.0, 1e4])
    latents = np.minimum(latents, coder.top[:, None, None]) if peak else latents
    coded, error = coder.encode_latents(latents, sizes)
    assert error == 0
    assert np.array_equal(coder.decode(in_order(coded), sizes, 4), latents)


def maps() -> np.ndarray:
    rng = np.random.default_rng(5)
    slow = np.cumsum(np.cumsum(rng.normal(size=(40, 8, 9, 10)), axis=2), axis=3)
    return np.einsum("nchw,dc->ndhw", slow, rng.normal(size=(8, 8))).astype(np.float32)


@pytest.mark.parametrize(
    ("transform", "values", "layout", "coarsest"),
    [
        ("predicted", maps(), "NCHW", 0.002),
        ("predicted", maps().reshape(40, 8, 90), "NDL", 0.01),
        ("predicted", maps().transpose(0, 2, 3, 1).reshape(-1, 8), "NC", 0.01),
        ("split", np.clip(maps(), 0, 8), "NCHW", 0.003),
    ],
)
def test_it_pays_and_the_bound_holds(
    transform: str, values: np.ndarray, layout: str, coarsest: float
) -> None:
    for bound in values.std() * np.array([coarsest, 0.001]):
        data = fc.save({"x": values}, {"layout": layout}, max_error=float(bound))
        reader = Reader(io.BytesIO(data), "x")
        (header,) = reader.groups()
        assert header.lossy is not None
        assert header.lossy.transform == transform
        change = np.abs(fc.load(data)["x"].astype(float) - values)
        assert change.max() <= bound
        assert header.max_error == pytest.approx(change.max())
        # Without any context, a symbol takes the entropy of all.
        _, counts = np.unique(np.rint(values / (2 * bound)), return_counts=True)
        entropy = -(counts * np.log2(counts / values.size)).sum()
        assert 8 * len(data) < 0.97 * entropy


@pytest.mark.parametrize(
    ("transform", "values"),
    [
        ("interpolated", maps()),
        ("context", np.maximum(maps() - 6, 0)),
    ],
)
def test_neighbours_tell_tables_at_a_coarse_bound(
    transform: str, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at an SNR, but each symbol stands for the middle of its cell, so that the bound holds."""
    bound = 0.1 * float(values.std())

    def coded() -> bytes:
        return fc.save({"x": values}, {"layout": "NCHW"}, max_error=bound)

    data = coded()
    (header,) = Reader(io.BytesIO(data), "x").groups()
    assert header.lossy is not None and header.lossy.transform == transform
    assert np.abs(fc.load(data)["x"].astype(float) - values).max() <= bound
    for mode in ("interpolated", "context"):
        monkeypatch.setattr(type(modes.search_of(mode)), "ways", lambda *_: [])
    assert len(data) < 0.97 * len(coded())


def test_what_interpolation_wins_by_is_seen_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights fit a sample too well: it took 4 % more of a ViT's features than prediction."""
    noise = np.random.default_rng(0).normal(size=(64, 2, 32, 32)).astype(np.float32)

    def coded() -> bytes:
        return fc.save({"x": noise}, {"layout": "NCHW"}, max_error=0.1)

    least = len(coded())
    search = type(modes.search_of("interpolated"))
    ways = search.ways
    monkeypatch.setattr(search, "ways", lambda *of: [replace(w, bits=1.0) for w in ways(*of)])
    assert len(coded()) == least


def test_what_cannot_be_predicted_is_coded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PredictionError

    values = maps()
    monkeypatch.setattr(PredictedCoder, "encode_latents", fail)
    data = fc.save({"x": values}, {"layout": "NCHW"}, max_error=0.01)
    assert np.abs(fc.load(data)["x"] - values).max() <= 0.01
    assert Reader(io.BytesIO(data), "x").groups()[0].lossy.transform == "none"  # type: ignore[union-attr]


def test_steps_too_small_to_predict() -> None:
    values = maps().astype(np.float64)
    data = fc.save({"x": values}, {"layout": "NCHW"}, max_error=1e-7)
    assert np.abs(fc.load(data)["x"] - values).max() <= 1e-7


def test_split_symbols_serve_a_high_snr() -> None:
    values = np.clip(maps(), 0, 8)
    data = fc.save({"x": values}, {"layout": "NCHW"}, snr=55)
    (header,) = Reader(io.BytesIO(data), "x").groups()
    assert header.lossy is not None
    assert header.lossy.transform == "split"
    noise = np.square(fc.load(data)["x"].astype(float) - values).sum()
    signal = np.square(values - values.mean(dtype=float)).sum()
    assert 55 <= 10 * np.log10(signal / noise) <= 55.05


KINDS = {
    "noise": lambda rng, shape: rng.normal(size=shape),
    "alike": lambda rng, shape: rng.normal(size=(*shape[:-1], 2)) @ rng.normal(size=(2, shape[-1])),
    "rectified": lambda rng, shape: (
        np.maximum(rng.normal(size=shape), 0) + rng.normal(size=shape[-1])
    ),
    "probabilities": lambda rng, shape: softmax(4 * rng.normal(size=shape)),
    "codes": lambda rng, shape: rng.integers(0, 7, shape) - 3.0,
    "heavy": lambda rng, shape: rng.standard_t(1.5, size=shape),
    "repeated": lambda rng, shape: rng.normal(size=shape)[rng.integers(0, 3, shape[0])],
}


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["float16", "float32", "float64"]),
    st.sampled_from([(700, 9), (40, 6, 30), (4, 3, 20, 25)]),
    st.floats(-4, -0.5),
    st.integers(0, 2**32),
)
def test_a_bounded_file_is_below_its_floors(
    kind: str, dtype: str, shape: tuple[int, ...], fineness: float, seed: int
) -> None:
    """It is no larger than bit for bit, and than the entropy of its integers and their table."""
    values = KINDS[kind](np.random.default_rng(seed), shape).astype(dtype)
    bound = float(values.astype(np.float64).std() * 10**fineness)
    if kind == "codes":
        bound = min(bound, 0.49)  # they are kept bit for bit whatever the bound
    data = fc.save({"x": values}, max_error=bound)
    exact = fc.save({"x": values}, lossless=True)
    assert np.abs(fc.load(data)["x"].astype(float) - values.astype(float)).max() <= bound
    assert len(data) <= len(exact)
    steps = np.unique(np.rint(values.astype(np.float64) / (2 * bound)), return_counts=True)[1]
    entropy = -(steps * np.log2(steps / values.size)).sum() / 8
    assert len(data) <= 1.02 * entropy + 400 + 4 * len(steps)


@given(
    st.sampled_from(["float16", "float32", "float64"]),
    st.floats(-3, 3),
    st.floats(-6, 0),
    st.integers(0, 2**32),
)
def test_rounded_elements_are_few_and_within_the_bound(
    dtype: str, size: float, fineness: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.standard_t(2, 500) * 10**size).astype(dtype)
    values[:5] = np.nan, np.inf, -np.inf, 0, -0.0
    bound = 10 ** (size + fineness)
    name = {"float16": "F16", "float32": "F32", "float64": "F64"}[dtype]
    numbers = values.view(f"<u{values.itemsize}")
    with np.errstate(invalid="ignore"):
        rounded = Rounding(name, bound).of(numbers).view(values.dtype)
    usual = np.isfinite(values)
    assert np.array_equal(values[~usual], rounded[~usual], equal_nan=True)
    change = np.abs(rounded[usual].astype(float) - values[usual].astype(float))
    assert change.max() <= bound
    assert not rounded[values == 0].any()
    steps = np.unique(np.rint(values[usual].astype(float) / (2 * bound)))
    sparse = np.spacing(np.abs(values[usual])).astype(float) > bound / 16
    assert len(np.unique(rounded[usual][~sparse])) <= 2 * len(steps) + 2


def test_clusters_count_what_symbols_far_from_each_other_take() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_cauchy((4, 5000)) * 40
    labels, tables, bits = cluster(rows, 1.0, 2, 1.0, 0.0, PLAIN)
    symbols = quantise(rows, 1.0, PLAIN)
    counted = sum(
        fit.cost(fit.Histogram.of(symbols[labels == label]), tables[label], exactly=True)
        for label in np.unique(labels)
    )
    assert counted <= bits < 1.01 * counted + 1000


def test_probabilities_are_split_where_most_are_many_steps_but_small() -> None:
    logits = np.random.default_rng(6).normal(size=(4, 6, 48, 48)).cumsum(2).cumsum(3) / 8
    chances = np.exp(logits)
    chances = np.float32(chances / chances.sum(axis=-1, keepdims=True))
    data = fc.save({"x": chances}, max_error=1e-3 * float(chances.std()), layout="NCHW")
    (header,) = Reader(io.BytesIO(data), "x").groups()
    assert header.lossy is not None and header.lossy.transform == "split"
