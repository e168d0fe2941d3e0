"""Coding bit for bit: planes, bins, packed elements (SPEC §8)."""

import io
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec.container.reader import Reader
from featcodec.entropy import bin_choice, bin_sets, bins, exact, swaps
from featcodec.entropy.errors import SymbolError
from featcodec.entropy.raster import GRADES, MIDDLE, SUMS, Kinds, Raster

PLANES, BINS, PACKED = range(3)
KINDS = {exact.BINS: BINS, exact.PACKED: PACKED}
unsigned = st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64])
rasters = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=3)


def kind_of(data: bytes) -> int:
    return KINDS.get(data[4], PLANES)


def smooth(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    """Return maps (samples, channels, rows, columns) in which neighbours are alike."""
    draws = np.random.default_rng(seed).normal(size=shape)
    return np.cumsum(np.cumsum(draws, axis=-1), axis=-2).astype(dtype)


def stored(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(f"<u{array.itemsize}")


@given(
    unsigned.flatmap(lambda kind: hnp.arrays(kind, st.integers(0, 500))),
    st.integers(1, 9),
    st.booleans(),
    rasters,
)
def test_any_numbers_come_back(
    numbers: np.ndarray, times: int, floating: bool, shapes: list[tuple[int, int]]
) -> None:
    numbers = np.tile(numbers, times)
    data = exact.ExactEncoder(floating, shapes).encode(numbers)
    back = exact.decode(data, len(numbers), numbers.itemsize, floating)
    np.testing.assert_array_equal(back, numbers)


@given(
    unsigned.flatmap(lambda kind: hnp.arrays(kind, st.integers(64, 700))),
    st.integers(0, 60),
    st.booleans(),
    rasters,
)
def test_any_numbers_come_back_from_bins(
    numbers: np.ndarray, shift: int, floating: bool, shapes: list[tuple[int, int]]
) -> None:
    """Even where they do not pay."""
    numbers = numbers << numbers.dtype.type(shift % (8 * numbers.itemsize))
    choice = bin_choice.choose_bins(numbers, floating, shapes)
    if choice is not None:
        data = memoryview(bins.encode(numbers, *choice[1:]))
        back, end = bins.decode(data, 0, len(numbers), numbers.itemsize)
        np.testing.assert_array_equal(back, numbers)
        assert end == len(data)


# Row and column, modulo what, and where the neighbours lie: the table of SPEC 8.1.
FAR, NEAR = ((-2, 0), (2, 0), (0, -2), (0, 2)), ((-1, 0), (1, 0), (0, -1), (0, 1))
PASSES = (
    ((0, 0), 4, ()),
    ((2, 2), 4, ((-2, -2), (-2, 2), (2, -2), (2, 2))),
    ((2, 0), 4, FAR),
    ((0, 2), 4, FAR),
    ((1, 1), 2, ((-1, -1), (-1, 1), (1, -1), (1, 1))),
    ((1, 0), 2, NEAR),
    ((0, 1), 2, NEAR),
)


def cells_by_hand(raster: Raster, grades: np.ndarray, kinds: Kinds) -> list[dict[int, int]]:
    """Return the cell of each element, pass after pass."""
    width, channels = raster.width, raster.channels
    found = []
    for (top, left), step, neighbours in PASSES:
        cells = {}
        for i in range(raster.count):
            place, channel = divmod(i, channels)
            row, column = divmod(place, width)
            if row % step != top or column % step != left:
                continue
            around = [(row + y, column + x) for y, x in neighbours]
            inside = [
                (y * width + x) * channels + channel if y >= 0 and 0 <= x < width else -1
                for y, x in around
            ]
            total = sum(int(grades[j]) if 0 <= j < raster.count else MIDDLE for j in inside)
            kind = int(kinds.places[place]) * kinds.different[1] + int(kinds.channels[channel])
            cells[i] = (2 * kind + (neighbours is NEAR)) * SUMS + (total if around else SUMS - 1)
        found += [cells] if cells else []
    return found


@given(st.integers(0, 300), st.integers(1, 9), st.integers(1, 9), st.data())
def test_passes_visit_each_element_once_and_know_its_neighbours(
    count: int, width: int, channels: int, data: st.DataObject
) -> None:
    raster = Raster(count, width, channels)
    known = data.draw(hnp.arrays(np.uint8, count, elements=st.integers(0, GRADES - 1)))
    places = np.arange(raster.places) % 3
    kinds = Kinds(places.astype(np.uint8), np.arange(channels).astype(np.uint8), (3, channels))
    expected = cells_by_hand(raster, known, kinds)
    bordered, inside = raster.bordered()
    order, seen = raster.filled(np.arange(count), -1), []
    for one, cells in raster.passes(bordered, kinds):
        elements = one.take(order)
        assert dict(zip(elements.tolist(), cells.tolist(), strict=True)) == expected[len(seen)]
        seen.append(elements)
        one.put(inside, known[elements], MIDDLE)
    assert len(seen) == len(expected)
    assert sorted(np.concatenate([*seen, np.zeros(0, int)]).tolist()) == list(range(count))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_bins_make_smooth_maps_smaller(dtype: type) -> None:
    numbers = stored(smooth((4, 6, 20, 24), dtype))
    data = exact.ExactEncoder(True, [(24, 1), (1, 24)]).encode(numbers)
    assert kind_of(data) == BINS
    assert len(data) < len(exact.ExactEncoder(True).encode(numbers)) - len(numbers) // 10


@pytest.mark.parametrize("classes", [2, 10, 80])
def test_labels_take_hardly_more_than_their_classes_need(classes: int) -> None:
    labels = np.random.default_rng(0).integers(0, classes, 40 * classes, np.uint32)
    data = exact.ExactEncoder(floating=False).encode(labels)
    rest = 4 + 3 * 2 + 3 + 4  # a CRC, planes of zeros, the head of a plane, what a coder rounds up
    packed = 32  # levels, at most
    assert len(data) <= len(labels) * np.log2(classes) / 8 + rest + packed
    np.testing.assert_array_equal(exact.decode(data, len(labels), 4, False), labels)


def test_channels_of_many_scales_have_kinds() -> None:
    scales = np.geomspace(0.01, 100, 24)
    tokens = np.random.default_rng(1).normal(size=(3000, 24)) * scales
    choice = bin_choice.choose_bins(stored(tokens.astype(np.float32)), True, [(24, 1), (1, 24)])
    assert choice is not None
    assert (choice.model.width, len(choice.model.kinds.channels)) == (1, 24)
    assert choice.model.kinds.different == (1, bin_choice.KINDS)


@pytest.mark.parametrize("cut", [0, 7, 7 * 24 + 3])
@pytest.mark.parametrize("width", [1, 13])
def test_places_of_many_scales_have_kinds(width: int, cut: int) -> None:
    rng = np.random.default_rng(5)
    scales = np.geomspace(0.01, 100, 24) * 4.0 ** rng.integers(-2, 3, (4000, 1))
    tokens = (rng.normal(size=(4000, 24)) * scales).astype(np.float32)
    numbers = stored(tokens)[: tokens.size - cut]
    coder = exact.ExactEncoder(True, [(width, 24)])
    data = [coder.encode(part) for part in (numbers, numbers[: -5 * 24 * 13])]
    choice = bin_choice.choose_bins(numbers, True, coder.rasters)
    assert choice is not None
    assert choice.model.kinds.different == (bin_choice.PLACES, bin_choice.KINDS)
    for part, wanted in zip(data, (numbers, numbers[: -5 * 24 * 13]), strict=True):
        back = exact.decode(part, len(wanted), 4, True)
        np.testing.assert_array_equal(back, wanted)


def test_a_frequent_value_has_its_own_bin() -> None:
    relu = np.clip(smooth((6, 8, 30, 30), np.float32), 0, 6)
    choice = bin_choice.choose_bins(stored(relu), True, [(30, 1)])
    assert choice is not None
    assert stored(np.float32([0, 6]))[1] >> choice.model.shift in choice.model.values


def test_many_values_that_each_occur_often_have_bins() -> None:
    rng = np.random.default_rng(7)
    counts = np.minimum(rng.geometric(1 / 300, 40_000), 2000)
    sigmoids = np.float32(counts * 2.0**-24)  # whose small values lie on a grid
    choice = bin_choice.choose_bins(stored(sigmoids), True, [(200, 1), (1, 1)])
    assert choice is not None
    _, often = np.unique(counts, return_counts=True)
    entropy = -float(often @ np.log2(often / len(counts)))
    assert choice.bits < 1.1 * entropy


def test_multiples_of_a_step_have_a_bin_each() -> None:
    """What rounding leaves are few numbers, most of them rare, whose low bits look like noise."""
    draws = np.random.default_rng(4)
    steps = np.rint(200 * draws.standard_exponential(40_000)).astype(np.int64)
    numbers = stored((steps * np.float32(0.0137)).astype(np.float32))
    chosen = bin_choice.choose_bins(numbers, True, [(200, 1)])
    assert chosen is not None and not chosen.model.low
    counts = np.unique(steps, return_counts=True)[1]
    entropy = -float(counts @ np.log2(counts / counts.sum())) / 8
    data = exact.ExactEncoder(True, [(200, 1)]).encode(numbers)
    assert len(counts) > bin_sets.FEW and len(data) < 1.06 * entropy
    np.testing.assert_array_equal(exact.decode(data, len(numbers), 4, True), numbers)


def test_grades_tell_rare_numbers_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all of a map of chances are 0; how far the others are from it, neighbours tell."""
    draws = np.random.default_rng(5)
    at = draws.integers(20, 340, 200)[:, None] - np.arange(360)
    bumps = np.exp(-np.square(at / draws.uniform(2, 6, (200, 1))))
    numbers = stored(np.rint(40 * bumps).astype(np.float32))

    def size() -> int:
        return len(exact.ExactEncoder(True, [(360, 1), (1, 1)]).encode(numbers))

    least = size()
    monkeypatch.setattr(bin_sets, "FLAT", 1.0)
    assert least < 0.98 * size()


def test_frequent_numbers_of_channels_are_swapped_only_where_that_pays() -> None:
    """Of a plain picture, neighbours tell more than which level is usual in a column."""
    levels = np.repeat(np.repeat(np.arange(1, 101) % 7, 32).reshape(10, 320), 32, axis=0)
    levels[:, ::40] = 0
    numbers = stored(np.roll(levels, 5, axis=1).astype(np.float32))
    plain = exact.ExactEncoder(True, [(320, 1)]).encode(numbers)
    swapped = exact.ExactEncoder(True, [(320, 1)], [(1, 320)])
    assert swaps.choose(numbers, [(1, 320)], 0) is not None
    assert len(swapped.encode(numbers)) <= len(plain)


def test_halves_in_singles_take_what_halves_take() -> None:
    half = smooth((5, 6, 30, 30), np.float16)
    sizes = [
        len(exact.ExactEncoder(True, [(30, 1)]).encode(stored(maps)))
        for maps in (half, half.astype("f4"))
    ]
    assert sizes[1] < 1.01 * sizes[0]


def test_what_repeats_is_packed() -> None:
    row = np.random.default_rng(2).normal(size=700).astype(np.float32)
    data = exact.ExactEncoder(True, [(700, 1)]).encode(stored(np.tile(row, 40)))
    assert kind_of(data) == PACKED
    assert len(data) < 3 * row.nbytes


def test_maps_come_back_from_bins() -> None:
    maps = smooth((4, 6, 20, 24), np.float32)
    data = fc.save({"x": maps}, lossless=True)
    assert Reader(io.BytesIO(data), "maps").section(0, b"ROWS")[4] == exact.BINS
    np.testing.assert_array_equal(fc.load(data)["x"], maps)


@pytest.mark.long
@pytest.mark.parametrize("numbers", [
    stored(smooth((2, 3, 12, 11), np.float16)),
    stored(np.tile(np.arange(100.0), 20)),
])  # fmt: skip
def test_damage_is_found(numbers: np.ndarray) -> None:
    """Whatever the byte, and wherever the end: SymbolError, or what was there before."""
    data = exact.ExactEncoder(True, [(11, 1)]).encode(numbers)
    assert kind_of(data) != PLANES
    rng = np.random.default_rng(4)
    for place, bit in enumerate(rng.integers(0, 8, len(data))):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(bit)
        for wrong in (bytes(damaged), data[:place]):
            try:  # some bits have no meaning
                back = exact.decode(wrong, len(numbers), numbers.itemsize, True)
            except SymbolError:
                continue
            assert len(wrong) == len(data)
            np.testing.assert_array_equal(back, numbers)


TYPES = {"<u1": 8, "<u2": 16, "<u4": 32, "<u8": 64}


def bytes_or(draw: st.DrawFn, sound: int, count: int) -> bytes:
    """Return bytes below a bound, and now and then a byte beyond it."""
    found = bytearray(draw(st.binary(min_size=count, max_size=count)))
    for place, byte in enumerate(found):
        found[place] = byte % sound
    if count and draw(st.integers(0, 9)) == 0:
        found[draw(st.integers(0, count - 1))] = draw(st.integers(0, 255))
    return bytes(found)


@st.composite
def models(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """Packed models whose length is that of their numbers, with their itemsize and elements."""
    dtype = draw(st.sampled_from(sorted(TYPES)))
    itemsize, count = TYPES[dtype] // 8, draw(st.integers(0, 40))
    few = st.sampled_from([1] * 5 + [2] * 4 + [0])
    prefixes, values, tables, width, channels, p, q = (draw(few) for _ in range(7))
    shift, low, cells = draw(st.integers(0, 3)), draw(st.integers(0, 9)), 2 * p * q * SUMS
    some = prefixes + values
    gap = st.sampled_from([1, 1, 1, 2, 3, 3, 9, 9, 9, 30, 30, 0])
    gaps = draw(st.lists(gap, min_size=some, max_size=some))
    head = struct.pack("<BBHHHIIBB", shift, low, prefixes, values, tables, width, channels, p, q)
    parts = [head, np.array(gaps, dtype).tobytes(), bytes_or(draw, GRADES, some)]
    parts += [bytes_or(draw, p, -(-count // max(channels, 1)))] if p > 1 else []
    parts += [bytes_or(draw, q, channels)] if q > 1 else []
    parts += [bytes_or(draw, max(tables, 1), cells)]
    parts += [bytes_or(draw, bins.MOST_CODE + 1, tables * some)]
    return b"".join(parts), itemsize, count


def model_of(unpacked: bytes, itemsize: int, count: int) -> bins.BinModel | None:
    """Return a model, None when it is refused."""
    try:
        return bins.BinModel.unpack(memoryview(zlib.compress(unpacked, 9)), itemsize, count)
    except SymbolError:
        return None


def test_a_model_is_one_for_the_reference_decoder_too_or_is_refused() -> None:
    verdicts = Counter[bool]()

    @given(models())
    @settings(max_examples=500)
    def judge(made: tuple[bytes, int, int]) -> None:
        found = model_of(*made)
        verdicts[found is not None] += 1
        unpacked, itemsize, count = made
        try:
            other = reference.read_bins(zlib.compress(unpacked, 9), itemsize, count)
        except reference.FormatError:
            assert found is None
            return
        assert found is not None
        assert (found.shift, found.low, found.width) == (other.shift, other.low, other.width)
        assert found.starts.tolist() == other.starts
        assert found.grades.tobytes() == other.grades
        assert found.kinds.places.tobytes() == other.places
        assert found.kinds.channels.tobytes() == other.channels
        assert found.maps.tobytes() == b"".join(other.map)
        assert bins.level(found.codes).tolist() == other.levels
        assert zlib.decompress(found.pack(itemsize)) == unpacked

    judge()
    assert min(verdicts[True], verdicts[False]) > 50, verdicts


@given(st.binary(max_size=300), st.integers(0, 200), st.sampled_from([1, 2, 4, 8]))
def test_no_bytes_crash_the_model(data: bytes, count: int, itemsize: int) -> None:
    """Few are as long as they state: see above for what lies behind that check."""
    with pytest.raises(SymbolError):
        bins.BinModel.unpack(memoryview(zlib.compress(data)), itemsize, count)


def test_the_vectors_have_all_codings() -> None:
    folder = Path(__file__).parents[1] / "bitstream_spec" / "vectors" / "valid"
    found = set()
    for path in folder.glob("14*/in.fcz"):
        reader = Reader(io.BytesIO(path.read_bytes()), path.name)
        found |= {
            kind_of(reader.section(i, b"ROWS"))
            for i, (kind, _) in enumerate(reader.index.sections)
            if kind == b"ROWS"
        }
    assert {BINS, PACKED} <= found


def test_what_repeats_but_in_the_middle_is_packed() -> None:
    rng = np.random.default_rng(3)
    row = rng.integers(0, 1 << 32, 4096, np.uint32)
    middle = rng.integers(0, 1 << 32, 1 << 15, np.uint32)
    numbers = np.concatenate([np.tile(row, 16), middle, np.tile(row, 16)])
    coded = exact.ExactEncoder(True, [(1, 1)]).encode(numbers)
    assert len(coded) < 1.2 * (middle.nbytes + row.nbytes)
    np.testing.assert_array_equal(exact.decode(coded, len(numbers), 4, True), numbers)
