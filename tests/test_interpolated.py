"""Interpolation: what neighbours and other channels let expect chooses the table of a symbol."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec.container.reader import Reader
from featcodec.entropy import located, symbols
from featcodec.entropy.interpolation import lattice
from featcodec.entropy.tables import TOTAL, Table
from featcodec.modes.interpolated import search
from featcodec.modes.interpolated.coder import pack, unpack
from featcodec.modes.interpolated.fit import fit_weights
from featcodec.modes.interpolated.part import InterpolatedCoder, Own, numbers_of
from tests.vectors.interpolated import SIZE, fields_of

SEEDS = st.integers(0, 2**32 - 1)
SIGNS = st.booleans()
MAPS = st.tuples(st.integers(1, 16), st.integers(1, 16))
NOTHING = np.zeros(located.CLASSES, np.int64), np.zeros(located.NUMBERS, np.int64)


def coder_of(own: Own, positive: bool, step: float = 1.0) -> InterpolatedCoder:
    class Identity:
        def inverse(self, latents: np.ndarray, _: tuple[int, ...]) -> np.ndarray:
            return latents

    channels = len(own.weights.groups)
    scales = np.zeros((channels, 1), np.int64)
    return InterpolatedCoder(Identity(), scales, {}, step, 0, "float64", own=own, positive=positive)


@pytest.mark.long
@given(SEEDS, MAPS, st.integers(0, 1), SIGNS, st.floats(0.01, 1e6))
def test_a_decoder_finds_the_symbols_and_values_of_the_encoder(seed, sizes, axis, positive, spread):
    latents = np.random.default_rng(seed).laplace(scale=spread, size=(SIZE, np.prod(sizes), 2))
    latents = np.maximum(latents, 0) if positive else latents
    own = fields_of(axis)
    coder = coder_of(own, positive)
    coded, error = coder.encode_latents(latents, sizes)
    data = symbols.encode([(found, coder.table(number)) for number, found in coded])
    decoder = symbols.SymbolDecoder(data)
    values = coder_of(unpack(pack(own), SIZE), positive).decode(decoder.take, sizes, 2)
    decoder.end()
    assert np.square(values - latents).sum() == pytest.approx(error)


@pytest.mark.long
@given(SIGNS, st.integers(-32, 32), st.integers(-96, 96))
def test_frequencies_of_any_table_are_positive_and_sum_to_the_total(positive, tweak, zeros):
    tweaks, of_zeros = np.full_like(NOTHING[0], tweak), np.full_like(NOTHING[1], zeros)
    for number in numbers_of(positive):
        found = located.table(number, positive, tweaks, of_zeros).expanded()
        assert found.sum() == TOTAL and found.min() >= 1


@given(st.integers(-(2**21), 2**21), st.integers(0, located.CLASSES - 1), SIGNS)
def test_a_table_is_where_the_prediction_is(predicted, kind, positive):
    numbers, bases = located.locate(np.array([predicted], "i4"), np.array([kind]), positive)
    assert numbers[0] in numbers_of(positive)
    table = located.table(int(numbers[0]), positive, *NOTHING)
    place = 64 * int(bases[0]) + table.place
    low = -(int(located.LOW[kind]) << int(located.SHIFT[kind])) if positive else -(2**30)
    assert abs(place - max(predicted, low)) <= 1 << int(located.SHIFT[kind]) - 1


@given(MAPS, st.integers(0, 1))
def test_neighbours_are_of_earlier_passes_and_every_place_is_of_one(sizes, axis):
    passes = lattice(sizes, axis)
    order = np.full(np.prod(sizes) + 1, -1)
    for number, (places, around) in enumerate(passes):
        assert (order[around[around < len(order) - 1]] >= 0).all()
        assert (order[places] < 0).all()
        order[places] = number
    assert (order[:-1] >= 0).all()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), max_size=9), SEEDS)
def test_many_arrays_at_once_are_the_arrays_one_by_one(sizes, seed):
    rng = np.random.default_rng(seed)
    runs = [(count, Table(m, 0, 100, 128, (128,))) for count, m in sizes]
    arrays = [(rng.integers(-7, 8, count).astype("i4"), table) for count, table in runs]
    data = symbols.encode(arrays, 7)
    decoder = symbols.SymbolDecoder(data, 7)
    total = sum(count for count, _ in runs)
    found = decoder.take(total, runs)
    decoder.end()
    assert found.tolist() == [k for array, _ in arrays for k in array.tolist()]
    assert decoder._crc == zlib.crc32(found.tobytes(), 7)


def alike(seed: int, samples: int = 4, channels: int = 12, side: int = 56) -> np.ndarray:
    """Return rectified maps whose channels are mixtures of a few smooth ones, as ReLU maps are."""
    rng = np.random.default_rng(seed)
    few = rng.normal(size=(samples, 4, side, side))
    for axis in (2, 3):
        for _ in range(3):
            few = few + np.roll(few, 1, axis)
    few /= few.std()
    mixed = np.einsum("oc,ncyx->noyx", rng.normal(size=(channels, 4)), few)
    mixed += 0.1 * rng.normal(size=mixed.shape)
    return np.maximum(mixed, 0).astype("f4")


def test_weights_of_other_channels_are_fitted_where_these_tell_more():
    maps = alike(0)
    whole = np.rint(maps.reshape(4, 12, -1)[:, :, : 16 * 16].transpose(1, 2, 0) * 4).astype("i4")
    weights = fit_weights({(16, 16): whole}, 1.0, True, 0)
    assert weights.across.any() and weights.near.any()
    weights.check()


@pytest.mark.long
def test_maps_whose_channels_are_alike_take_fewer_bits_with_interpolation(monkeypatch) -> None:
    maps = {"x": alike(1)}
    chosen = fc.save(maps, layout="NCHW", snr=25)
    monkeypatch.setattr(search, "MOST_CHANNELS", 0)
    without = fc.save(maps, layout="NCHW", snr=25)
    headers = [Reader(io.BytesIO(f), "f").groups()[0].lossy for f in (chosen, without)]
    assert headers[0].transform == "interpolated"
    assert headers[1] is None or headers[1].transform != "interpolated"
    assert len(chosen) < 0.95 * len(without)
    noise = fc.load(chosen)["x"] - maps["x"]
    assert np.var(maps["x"]) / np.mean(noise**2) > 10**2.49
