"""Compiled loops return what NumPy returns, bit for bit, and are used where there is much to do."""

import io
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featcodec import compiled
from featcodec.coding.parts import chains
from featcodec.encoding import measured
from featcodec.encoding.dump import encode
from featcodec.entropy import contexts, shapes, symbols
from featcodec.entropy import dependent_family as family
from featcodec.entropy.contexts import Contexts
from featcodec.entropy.errors import SymbolError
from featcodec.entropy.tables import Table, by_table
from featcodec.modes.context import reconstruction
from featcodec.numpy import Arrays, load_file
from featcodec.quantise import dependent
from featcodec.request import Quality

from . import internals

Found = TypeVar("Found")
SEEDS = st.integers(0, 1 << 16)
NUMBERS = st.lists(st.integers(family.LEAST, 40), min_size=0, max_size=5)
A_MODULE = "featcodec.entropy.compiled_contexts"


compiles = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")


def both(work: Callable[[], Found]) -> tuple[Found, Found]:
    """Return what NumPy and what compiled loops make of the same work."""
    found = []
    for are_compiled in (False, True):
        with internals.loops(are_compiled):
            found.append(work())
    return found[0], found[1]


def equal(one: object, other: object) -> bool:
    """Return whether nested arrays and numbers are the same, their types included."""
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, (list, tuple)):
        assert isinstance(other, (list, tuple))
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def tables_of(number: int) -> tuple[Table, Table]:
    first, second = (family.table(family.number(number, q)) for q in (0, 1))
    return first, second


@compiles
@given(NUMBERS, st.integers(0, 3000), st.floats(0.1, 40), st.sampled_from(["f4", "f8"]), SEEDS)
def test_a_trellis_has_the_same_path(
    numbers: list[int], count: int, spacing: float, dtype: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    runs = [(count, chains.levels(*tables_of(n), dependent.LAMBDA)) for n in sorted(numbers)]
    latents = rng.laplace(scale=8, size=count * len(runs)).astype(dtype)
    latents[::97] *= 1000
    latents[rng.random(latents.size) < 0.1] = 0
    assert equal(*both(lambda: dependent.quantise(latents, spacing, runs)))


@compiles
@given(NUMBERS, st.integers(0, 2000), SEEDS)
def test_chains_are_coded_in_the_same_order_and_decoded_to_the_same_symbols(
    numbers: list[int], count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    numbers = sorted(numbers)
    runs = [(number, count) for number in numbers]
    levels = [(count, chains.levels(*tables_of(n), dependent.LAMBDA)) for n in numbers]
    latents = rng.laplace(scale=4, size=count * len(runs)).astype(np.float32)
    latents[::101] *= 500  # escapes
    found, second, _ = dependent.quantise(latents, 1.0, levels)
    ordered = both(lambda: chains.by_quantiser(runs, second, family.number))
    assert equal(*ordered)
    order, arrays = ordered[0]
    coded = found.take(order)
    data = symbols.encode([(coded[some], family.table(n)) for n, some in arrays])

    def decoded() -> tuple[np.ndarray, np.ndarray]:
        decoder = symbols.decoder(data, len(found))
        table = lambda n, q: family.table(family.number(n, q))  # noqa: E731
        back = chains.decode(decoder, runs, table)
        decoder.end()
        return back

    assert all(equal(back, (found, second)) for back in both(decoded))


ARRAYS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 127), st.integers(0, 24)), max_size=6
)


def arrays_of(
    sizes: list[tuple[int, int, int]], seed: int
) -> tuple[list[tuple[np.ndarray, Table]], bytes]:
    """Return arrays and tables of magnitudes and low bits, and what they are coded to."""
    rng = np.random.default_rng(seed)
    found = []
    for count, magnitude, shift in sizes:
        table = Table(magnitude, shift if magnitude else 0, 110, 128, (120,) if magnitude else ())
        values = rng.laplace(scale=max(magnitude, 1) << table.shift, size=count) / 2
        most = (1 << 30) - 1 if magnitude else 0
        found.append((np.clip(np.rint(values), -most, most).astype(np.int32), table))
    return found, symbols.encode(found)


@compiles
@given(ARRAYS, SEEDS)
def test_arrays_of_symbols_are_coded_to_the_same_and_decoded(
    sizes: list[tuple[int, int, int]], seed: int
) -> None:
    arrays, data = arrays_of(sizes, seed)

    assert both(lambda: symbols.encode(arrays, seed)) == (symbols.encode(arrays, seed),) * 2

    def decoded() -> list[np.ndarray]:
        decoder = symbols.decoder(data, 0)
        found = [decoder(len(values), table) for values, table in arrays]
        decoder.end()
        return found

    assert all(equal(found, [values for values, _ in arrays]) for found in both(decoded))


@compiles
@given(ARRAYS, SEEDS, st.integers(0, 1 << 30), st.binary(max_size=40))
def test_what_is_damaged_is_refused_by_both(
    sizes: list[tuple[int, int, int]], seed: int, place: int, noise: bytes
) -> None:
    arrays, data = arrays_of(sizes, seed)
    at = place % len(data)
    data = data[:at] + noise + data[at + len(noise) :]

    def outcome() -> object:
        try:
            decoder = symbols.decoder(data, 0)
            found = [decoder(len(values), table) for values, table in arrays]
            decoder.end()
        except SymbolError:
            return "refused"
        return found

    assert equal(*both(outcome))


@compiles
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), SEEDS, st.booleans())
def test_contexts_choose_the_same_tables_and_points(
    rows: int, columns: int, blocks: int, seed: int, dependently: bool
) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.integers(-20, 12, 6)
    own = rng.random((shapes.SHAPES, contexts.TABLES)) < rng.choice([0.0, 0.3, 1.0])
    offsets = rng.integers(-128, 129, (3 if dependently else 1, reconstruction.CLASSES, 3))
    values = rng.laplace(scale=4.0 ** rng.integers(0, 5), size=(rows * columns, 6 * blocks))
    quantisers = rng.integers(0, 3, values.shape) if dependently else np.zeros(values.shape)

    def chosen() -> list:
        found: list = []
        for known in (
            Contexts((rows, columns), levels, blocks),
            shapes.ShapedContexts((rows, columns), levels, blocks, own),
        ):
            for number, (places, _) in enumerate(known.lattice):
                found.append(known.runs(number))
                known.learn(number, np.rint(values[places]), quantisers[places])
            for dtype in ("float32", "float64"):
                found.append(reconstruction.from_neighbours(known, offsets, 0.3, dtype))
        return found

    assert equal(*both(chosen))


@compiles
@given(st.integers(0, 3000), st.integers(1, 256), SEEDS)
def test_numbers_are_sorted_alike(count: int, most: int, seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(0, most, count).astype(np.uint8)
    assert equal(*both(lambda: by_table(numbers)))


@compiles
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 60), st.integers(1, 40)),
    st.sampled_from(["f4", "f8"]),
    st.floats(0, 0.3),
    SEEDS,
)
def test_what_slices_reach_is_summed_alike(
    shape: tuple[int, int, int], dtype: str, odd: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.standard_normal(shape).astype(dtype)
    decoded = stored + rng.standard_normal(shape).astype(dtype) / 10
    stored[rng.random(shape) < odd] = rng.choice([np.nan, np.inf, -np.inf, 50.0])
    counted = rng.random(shape[0]) < 0.8
    from featcodec.encoding import compiled_measured  # needs numba

    arguments = (stored, decoded, counted, -3.0, 3.0, 0.1)
    if shape[2] > 1:
        for one, other in zip(
            measured.sums(*arguments), compiled_measured.sums(*arguments), strict=True
        ):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def maps(sparse: bool) -> np.ndarray:
    rng = np.random.default_rng(7)
    smooth = rng.standard_normal((40, 16, 14, 14)).cumsum(axis=2).cumsum(axis=3)
    smooth -= smooth.mean(axis=(2, 3), keepdims=True)
    noisy = smooth / smooth.std() + rng.standard_normal(smooth.shape) / 4
    return np.maximum(noisy, 0).astype(np.float32) if sparse else noisy.astype(np.float32)


@compiles
@pytest.mark.parametrize("snr", [6.0, 20.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_file_is_the_same_and_decodes_to_the_same(
    sparse: bool, snr: float, tmp_path: Path
) -> None:
    source = Arrays({"x": (maps(sparse), "F32")}, {"layout": "NCHW"})

    def file() -> bytes:
        out = io.BytesIO()
        encode(source, out, Quality(snr=snr))
        return out.getvalue()

    first, second = both(file)
    assert first == second
    path = tmp_path / "x.fcz"
    path.write_bytes(first)
    assert equal(*both(lambda: load_file(path)["x"]))


@compiles
def test_they_are_loaded_once_they_would_have_saved_as_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiled, "_missed", 0.0)
    third = compiled.LOADING * 0.4
    assert [compiled.loops(A_MODULE, third) is not None for _ in range(4)] == [False] * 2 + [
        True
    ] * 2


def test_numpy_does_the_work_where_numba_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_missing", False)
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, A_MODULE, raising=False)
    with internals.loops(are_compiled=True):
        assert compiled.loops(A_MODULE, 1.0) is None
        assert by_table(np.array([1, 0, 1], np.uint8))[1][1].tolist() == [0, 2]
    assert compiled._missing
