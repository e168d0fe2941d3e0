"""Tables, coded symbols, side information and byte planes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from featcodec.entropy import exact, family, fit, integers, symbols, varints
from featcodec.entropy.errors import SymbolError
from featcodec.entropy.tables import MAX_MAGNITUDE, TOTAL, Table, bits, frequencies
from featcodec.quantise.scalar import PLAIN, quantise, thresholds

codes = st.integers(0, 255)
tables = st.builds(
    Table,
    magnitude=st.integers(1, MAX_MAGNITUDE),
    shift=st.integers(0, 12),
    zero=codes,
    positive=codes,
    hazards=st.lists(codes, min_size=1, max_size=14).map(tuple),
    first=codes,
    further=codes,
)
arrays = hnp.arrays(np.int32, st.integers(0, 300), elements=st.integers(-(2**20), 2**20))


@given(tables)
def test_every_description_gives_positive_frequencies_that_fill_the_total(table: Table) -> None:
    counts = frequencies(table)
    assert counts.sum() == TOTAL
    assert counts.min() >= 1


@given(tables)
def test_a_table_survives_its_packed_form(table: Table) -> None:
    packed = integers.pack_table(table)
    assert integers.unpack_table(packed, 0) == (table, len(packed))


@given(st.lists(st.tuples(arrays, tables), max_size=4))
def test_symbols_of_any_size_come_back_under_any_table(pairs: list) -> None:
    coded = symbols.encode(pairs)
    decoded = symbols.decode(coded, [(len(a), t) for a, t in pairs])
    for (array, _), back in zip(pairs, decoded, strict=True):
        np.testing.assert_array_equal(array, back)


@given(arrays)
def test_side_information_comes_back(values: np.ndarray) -> None:
    np.testing.assert_array_equal(integers.unpack(integers.pack(values), len(values)), values)


def test_zeros_as_side_information_take_no_bytes() -> None:
    assert integers.pack(np.zeros(1000, np.int32)) == b""


@given(arrays.filter(len), st.data())
def test_a_flipped_bit_in_coded_symbols_is_noticed(values: np.ndarray, data: st.DataObject) -> None:
    table = fit.fit(fit.Histogram.of(values))
    coded = bytearray(symbols.encode([(values, table)]))
    place = data.draw(st.integers(0, len(coded) - 1))
    coded[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        back = symbols.decode(bytes(coded), [(len(values), table)])[0]
    except SymbolError:
        return
    np.testing.assert_array_equal(back, values)


def test_a_wrong_seed_is_noticed() -> None:
    values = np.arange(-5, 6, dtype=np.int32)
    table = fit.fit(fit.Histogram.of(values))
    with pytest.raises(SymbolError):
        symbols.decode(symbols.encode([(values, table)], seed=1), [(len(values), table)], seed=2)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1, 4, 20, 300])
def test_fitted_tables_cost_little_more_than_the_entropy(scale: float) -> None:
    draws = np.random.default_rng(0).laplace(scale=scale, size=200_000)
    values = np.rint(draws).astype(np.int32)
    histogram = fit.Histogram.of(values)
    chances = histogram.counts / histogram.total
    entropy = -(chances * np.log2(chances)).sum()
    assert fit.cost(histogram, fit.fit(histogram)) / histogram.total < 1.012 * entropy + 0.001


@given(st.integers(0, 2**32), st.floats(0.01, 0.6), st.integers(8, 24))
def test_symbols_of_several_kinds_cost_no_more_with_a_table_for_them(
    seed: int, few: float, octaves: int
) -> None:
    rng = np.random.default_rng(seed)
    large = rng.random(2000) < few
    values = np.rint(rng.laplace(size=2000) * np.where(large, 2.0**octaves, 0.3))
    histogram = fit.Histogram.of(values.astype(np.int32))
    costs = [
        fit.cost(histogram, table, exactly=True)
        for table in (fit.fit_mixture(histogram), fit.fit(histogram))
    ]
    assert costs[0] <= costs[1]
    if few < 0.05 and octaves > 12:  # no zero pays for the low bits of what is large
        assert costs[0] < 0.5 * costs[1]


@given(st.lists(st.integers(0, (1 << 29) - 1), min_size=1))
def test_bytes_of_varints_are_counted_as_they_are_packed(numbers: list[int]) -> None:
    counted = fit.varint_bytes(np.array(numbers))
    assert counted.tolist() == [len(varints.pack(number)) for number in numbers]


@pytest.mark.parametrize("number", range(2, 24))
def test_built_in_tables_suit_latents_of_their_deviation(number: int) -> None:
    deviation = 2 ** ((number - family.UNIT) / 2)
    draws = np.random.default_rng(0).laplace(scale=deviation / np.sqrt(2), size=100_000)
    table = family.table(number)
    limits = PLAIN if table.shift else thresholds(bits(table), table.offsets)
    histogram = fit.Histogram.of(quantise(draws, 1.0, limits))
    own = fit.cost(histogram, fit.fit(histogram))
    assert fit.cost(histogram, table) < 1.1 * own + 0.01 * histogram.total


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]),
        st.integers(0, 400),
        elements=st.integers(0, 255),
    ),
    st.integers(0, 24),
    st.booleans(),
)
def test_planes_come_back_bit_for_bit(numbers: np.ndarray, shift: int, rotate: bool) -> None:
    numbers = numbers << numbers.dtype.type(shift % (8 * numbers.itemsize))
    coded = exact.ExactEncoder(rotate).encode(numbers)
    back = exact.decode(coded, len(numbers), numbers.itemsize, rotate)
    np.testing.assert_array_equal(back, numbers)


def test_planes_of_small_numbers_are_smaller_than_raw() -> None:
    numbers = np.random.default_rng(0).integers(0, 40, 5000).astype(np.uint64)
    assert len(exact.ExactEncoder(False).encode(numbers)) < 0.7 * 5000
