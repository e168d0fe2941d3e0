"""Contexts: neighbours that are known in time, and numbers of tables as the text says."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import featcodec.numpy as fc
from featcodec.container.reader import Reader
from featcodec.container.source import Memory
from featcodec.entropy import contexts, shapes
from featcodec.entropy import symbols as coded_symbols
from featcodec.entropy.tables import Table
from featcodec.errors import InvalidInput
from featcodec.files import decode_file, encode_file
from featcodec.modes.context import candidate, means, reconstruction
from featcodec.modes.context import fit as own_tables
from featcodec.modes.context.coder import pack_tables, unpack_tables
from featcodec.modes.context.dependent import DependentContextCoder
from featcodec.modes.context.scalar import ContextCoder
from featcodec.modes.context.search import ContextSearch
from featcodec.request import Options, Quality
from featcodec.transform.linear import Centred

SIZES = st.tuples(st.integers(1, 16), st.integers(1, 16))
LINES = st.tuples(st.integers(1, 64))


@given(SIZES | LINES)
def test_a_place_is_coded_once_and_after_its_neighbours(sizes: tuple[int, ...]) -> None:
    known: set[int] = set()
    for places, around in contexts.lattice(sizes):
        if places.size:
            assert set(around.ravel().tolist()) <= known | {math.prod(sizes)}
        assert not known & set(places.tolist())
        known |= set(places.tolist())
    assert known == set(range(math.prod(sizes)))


def number_by_hand(symbols: list[list[int]], y: int, x: int, level: int) -> int:
    """The table number of a symbol, as SPEC 7.9 has it."""
    rows, columns = len(symbols), len(symbols[0])
    if (y + x) % 2:
        near, a, b, family = [(-1, 0), (1, 0), (0, -1), (0, 1)], 2, 14, 2
    elif y % 2:
        near, a, b, family = [(-1, -1), (-1, 1), (1, -1), (1, 1)], 10, 13, 1
    elif (y + x) % 4:
        near, a, b, family = [(-2, 0), (2, 0), (0, -2), (0, 2)], 10, 12, 0
    elif y % 4:
        near, a, b, family = [(-2, -2), (-2, 2), (2, -2), (2, 2)], 29, 8, 0
    else:
        near, a, b, family = [], 60, 0, 0
    total = 0
    for j, k in near:
        v = y + j if 0 <= y + j < rows else y - j
        u = x + k if 0 <= x + k < columns else x - k
        if 0 <= v < rows and 0 <= u < columns:
            total += min(abs(symbols[v][u]), 127)
    prediction = a * max(round(64 * 2 ** (level / 2)), 1) + 64 * b * total
    return 26 * family + sum(
        round(4096 * 2 ** ((k - 12) / 2)) <= prediction for k in range(1, contexts.CLASSES)
    )


@given(SIZES, st.integers(0, 2**32), st.integers(-14, 9))
def test_numbers_are_those_of_the_specification(
    sizes: tuple[int, int], seed: int, level: int
) -> None:
    rng = np.random.default_rng(seed)
    symbols = np.rint(rng.laplace(scale=2 ** (level / 2 + 1), size=sizes)).astype(np.int32)
    known = contexts.Contexts(sizes, np.array([level]), 1)
    for number, (places, _) in enumerate(known.lattice):
        found = known.numbers(number)[:, 0].tolist()
        wanted = [number_by_hand(symbols.tolist(), *divmod(p, sizes[1]), level) for p in places]
        assert found == wanted
        known.learn(number, symbols.reshape(-1, 1)[places])


def shape_by_hand(symbols: list[list[int]], y: int, x: int, line: bool) -> int | None:
    """The shape of a neighbourhood, as SPEC 7.15 has it; None in passes without."""
    rows, columns = len(symbols), len(symbols[0])
    if (y + x) % 2:
        near = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    elif y % 2:
        near = [(-1, -1), (1, 1), (-1, 1), (1, -1)]
    elif (y + x) % 4:
        near = [(-2, 0), (2, 0), (0, -2), (0, 2)]
    else:
        return None
    sizes = []
    for j, k in near:
        j, k = (0, j + k) if line else (j, k)
        v = y + j if 0 <= y + j < rows else y - j
        u = x + k if 0 <= x + k < columns else x - k
        inside = 0 <= v < rows and 0 <= u < columns
        sizes.append(min(abs(symbols[v][u]), 127) if inside else 0)
    a, b, c, d = sizes
    differ = abs(a - b) + abs(c - d)
    zeros = [a, b, c, d].count(0)
    return 3 * max(2 - zeros, 0) + sum(q * differ > a + b + c + d for q in (2, 4))


@given(SIZES | LINES, st.integers(0, 2**32), st.integers(-14, 9), st.floats(0, 1))
def test_shapes_that_have_tables_are_those_of_the_specification(
    sizes: tuple[int, ...], seed: int, level: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    block = (1, *sizes)[-2:]
    symbols = np.rint(rng.laplace(scale=2 ** (level / 2 + 1), size=block)).astype(np.int32)
    own = rng.random((shapes.SHAPES, contexts.TABLES)) < share
    plain = contexts.Contexts(sizes, np.array([level]), 1)
    known = shapes.ShapedContexts(sizes, np.array([level]), 1, own)
    for number, (places, _) in enumerate(known.lattice):
        found = np.zeros(len(places), int)
        runs = known.runs(number)
        assert [n for n, _ in runs] == sorted({n for n, _ in runs})
        for chosen, where in runs:
            found[where] = chosen
            assert (np.diff(where) > 0).all()
        numbers = plain.numbers(number)[:, 0].tolist()
        for place, which, one in zip(places.tolist(), found.tolist(), numbers, strict=True):
            shape = shape_by_hand(symbols.tolist(), *divmod(place, block[1]), len(sizes) == 1)
            shaped = shape is not None and own[shape, one]
            assert which == (234 * (1 + shape) + one if shaped else one)
        for contexts_of in (plain, known):
            contexts_of.learn(number, symbols.reshape(-1, 1)[places])


def latents_by_hand(symbols: np.ndarray, offsets: np.ndarray, quantisers: np.ndarray) -> np.ndarray:
    """The latents of a block at a step of one, as SPEC 7.13 and 7.14 have it.

    Of `quantisers` 0 is the scalar one, the others are those that take turns.
    """
    rows, columns = symbols.shape
    latents = np.zeros(symbols.shape)
    for y in range(rows):
        for x in range(columns):
            n = 0
            for j, k in [(-1, 0), (1, 0), (0, -1), (0, 1)]:
                v = y + j if 0 <= y + j < rows else y - j
                u = x + k if 0 <= x + k < columns else x - k
                if 0 <= v < rows and 0 <= u < columns:
                    n += min(abs(int(symbols[v, u])), 127)
            edges = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 32, 46, 64, 91)
            m, kind = abs(int(symbols[y, x])), quantisers[y, x]
            size = m + offsets[kind, sum(edge <= n for edge in edges), min(m, 2)] / 64
            size -= 0.5 if m and kind == 2 else 0
            size *= 9 / 8 if kind else 1
            latents[y, x] = size if symbols[y, x] >= 0 else -size
    return latents


@given(SIZES, st.integers(0, 2**32), st.floats(0.1, 100), st.sampled_from([1, reconstruction.SETS]))
def test_symbols_are_reconstructed_as_the_specification_says(
    sizes: tuple[int, int], seed: int, scale: float, sets: int
) -> None:
    rng = np.random.default_rng(seed)
    offsets = rng.integers(-128, 129, (sets, reconstruction.CLASSES, reconstruction.KINDS))
    quantisers = rng.integers(0, sets, sizes)
    symbols = np.rint(rng.laplace(scale=scale, size=sizes)).astype(np.int32)
    known = contexts.Contexts(sizes, np.array([0]), 1)
    for number, (places, _) in enumerate(known.lattice):
        both = (a.reshape(-1, 1)[places] for a in (symbols, quantisers))
        known.learn(number, *both)
    found = reconstruction.from_neighbours(known, offsets, 1.0, "float64")[:, 0].reshape(sizes)
    assert np.array_equal(found, latents_by_hand(symbols, offsets, quantisers))


@given(SIZES, st.integers(1, 5), st.integers(0, 2**32))
def test_fitted_offsets_err_less_than_none(sizes: tuple[int, int], columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(math.prod(sizes), columns)) * rng.gamma(0.5, size=columns)
    known = contexts.Contexts(sizes, np.zeros(columns, np.int64), 1)
    symbols = np.trunc(rows / 0.3 + 0.4 * np.sign(rows)).astype(np.int32)
    for number, (places, _) in enumerate(known.lattice):
        known.learn(number, symbols[places])
    fitted = reconstruction.fit_offsets(reconstruction.excess(known, rows, 0.3))
    errors = [
        ((reconstruction.from_neighbours(known, offsets, 0.3, "float64") - rows) ** 2).sum()
        for offsets in (fitted, np.zeros_like(fitted))
    ]
    assert errors[0] <= errors[1] + 1e-9


@given(SIZES, st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32), st.booleans())
def test_decoding_meets_the_contexts_of_encoding(
    sizes: tuple[int, int], channels: int, blocks: int, seed: int, dependent: bool
) -> None:
    rng = np.random.default_rng(seed)
    shape = (channels, math.prod(sizes), blocks)
    values = np.maximum(rng.normal(size=shape) * rng.gamma(0.5, size=shape), 0).astype(np.float32)
    scales = rng.integers(-30, 10, (channels, *sizes))
    transform = Centred(np.zeros(channels), "float32")
    kind, sets = (DependentContextCoder, reconstruction.SETS) if dependent else (ContextCoder, 1)
    offsets = rng.integers(-128, 129, (sets, reconstruction.CLASSES, reconstruction.KINDS))
    coder = kind(transform, scales, {}, 0.3, 0, "float32", positive=True, offsets=offsets)
    coded, error = coder.encode(values.copy(), sizes)
    packed = coded_symbols.encode([(symbols, coder.table(number)) for number, symbols in coded])
    decoder = coded_symbols.SymbolDecoder(packed)
    back = coder.decode(decoder.take, sizes, blocks)
    decoder.end()
    assert sum(symbols.size for _, symbols in coded) == values.size
    assert float(((back - values) ** 2).sum()) == pytest.approx(error, rel=1e-4, abs=1e-5)


def test_tables_of_quantisers_are_not_empty() -> None:
    scales, transform = np.zeros((1, 1, 1)), Centred(np.zeros(1), "float32")
    for number in (2, contexts.TABLES - 1):
        DependentContextCoder(transform, scales, {number: Table(0)}, 1.0, 0, "float32")
        own = {contexts.of_quantiser(number, 0): Table(0)}
        with pytest.raises(ValueError, match="empty table"):
            DependentContextCoder(transform, scales, own, 1.0, 0, "float32")


@pytest.mark.parametrize("snr", [10, 30])
def test_dependent_quantisation_shortens_maps(
    digits: Path, snr: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = load_file(digits / "cnn_eval.safetensors")["features"].astype(np.float64)
    tensors = {"x": np.maximum(maps, 0)}

    def saved() -> bytes:
        return fc.save(tensors, {"layout": "NCHW"}, snr=snr, transform="context")

    monkeypatch.setattr(own_tables, "WORTHWHILE", math.inf)  # no shapes on either side
    ours = saved()
    assert Reader(io.BytesIO(ours), "file").groups()[0].lossy.dependent
    back = fc.load(ours)["x"]
    reached = 10 * np.log10(tensors["x"].var() / np.square(back - tensors["x"]).mean())
    assert snr - 0.01 <= reached <= snr + 0.1
    monkeypatch.setattr(ContextSearch, "trellis_gain", None)
    assert len(ours) < 0.99 * len(saved())


def test_values_on_a_bound_are_left_to_the_scalar_quantiser() -> None:
    rng = np.random.default_rng(1)
    values = np.clip(rng.normal(size=(40, 8, 12, 12)).cumsum(2).cumsum(3), 0, 6)
    data = fc.save({"x": values}, {"layout": "NCHW"}, snr=25, transform="context")
    assert not Reader(io.BytesIO(data), "file").groups()[0].lossy.dependent


@pytest.mark.parametrize("snr", [8, 25])
def test_sparse_maps_take_fewer_bits(digits: Path, tmp_path: Path, snr: float) -> None:
    maps = load_file(digits / "cnn_eval.safetensors")["features"][:120]
    save_file({"x": np.maximum(maps, 0)}, tmp_path / "relu.safetensors", {"layout": "NCHW"})
    sizes = {}
    for transform in ("none", "context", "auto"):
        out = tmp_path / f"{transform}.fcz"
        encode_file(
            tmp_path / "relu.safetensors", out, Quality(snr=snr), options=Options(transform)
        )
        sizes[transform] = out.stat().st_size
        decode_file(out, tmp_path / "back", overwrite=True)
        x, y = (load_file(p)["x"] for p in (tmp_path / "relu.safetensors", tmp_path / "back"))
        x, y = x.astype(np.float64), y.astype(np.float64)
        reached = 10 * math.log10(((x - x.mean()) ** 2).sum() / ((x - y) ** 2).sum())
        assert snr - 0.01 <= reached <= snr + 0.1
    assert sizes["context"] < sizes["none"]
    assert sizes["auto"] <= 1.01 * sizes["context"]


@given(SIZES, st.integers(1, 5), st.integers(1, 6), st.floats(1e-3, 1e3), st.integers(0, 2**32))
def test_means_leave_less_than_half_a_symbol(
    sizes: tuple[int, int], channels: int, blocks: int, step: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    known = contexts.Contexts(sizes, np.zeros(channels, np.int64), blocks)
    points = math.prod(sizes)
    shape = (points, channels * blocks)
    known.magnitudes[:-1] = rng.integers(0, 128, shape) * (rng.random(shape[1]) < 0.5)
    activities = means.activity_of(known)
    lengths = [int(total).bit_length() for total in known.magnitudes[:-1].sum(0, dtype=int)]
    assert activities.tolist() == [min(length, 15) for length in lengths]
    errors = step * rng.normal(size=shape)
    found = means.Means(
        rng.integers(-4096, 4097, channels), rng.integers(-99, 99, 16), Table(3, 0, 9, 9, (9,))
    )
    symbols = found.symbols(errors, known, step)
    left = (errors - found.shift(symbols, known, step)).mean(axis=0)
    assert np.abs(left).max() <= 0.81 * means.spacing(points, step)


def weak_maps(shape: tuple[int, ...] = (100, 16, 8, 8)) -> np.ndarray:
    """Return rectified maps, most of them weak."""
    rng = np.random.default_rng(3)
    strength = rng.gamma(0.3, size=(*shape[:2], 1, 1))
    rough = rng.normal(size=shape)
    return np.maximum(strength * (rough + np.roll(rough, 1, 2) + np.roll(rough, 1, 3)), 0)


@pytest.mark.parametrize("snr", [5, 12])
def test_weak_maps_keep_their_means(snr: float, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = weak_maps()

    def saved() -> tuple[int, float, str]:
        """Return the size, the mean squared error of the means of maps, and the mode."""
        data = fc.save({"x": maps}, {"layout": "NCHW"}, snr=snr, transform="context")
        (header,) = Reader(Memory(data), "file").groups()
        error = np.square((fc.load(data)["x"] - maps).mean(axis=(2, 3))).mean()
        return len(data), float(error), header.lossy.transform

    size, error, mode = saved()
    assert mode == "context-means"
    monkeypatch.setattr(candidate, "fitted", lambda *_: (None, 0.0))
    size_before, error_before, mode = saved()
    assert mode != "context-means"
    assert error < 0.6 * error_before
    assert size < 1.003 * size_before


@pytest.mark.long
def test_maps_of_all_kinds_decode_to_their_means() -> None:
    lines = weak_maps((60, 8, 4, 40))[:, :, 0]
    uneven = weak_maps((20, 6, 21, 18))
    for values, layout in ((lines, "NCL"), (uneven, "NCHW"), (uneven - 1.0, "NCHW")):
        data = fc.save({"x": values}, {"layout": layout}, snr=7, transform="context")
        (header,) = Reader(Memory(data), "file").groups()
        error = np.square(fc.load(data)["x"] - values).mean()
        assert 10 * math.log10(values.var() / error) == pytest.approx(header.snr_db, abs=0.02)


def test_tokens_behind_others_have_no_contexts(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="without prefix"):
        encode_file(digits / "vit_eval.safetensors", tmp_path / "x", options=Options("context"))


def test_a_misspelt_transform_is_refused(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="use one of auto, none"):
        encode_file(digits / "vit_eval.safetensors", tmp_path / "x", options=Options("linaer"))


def sparse_waves(*shape: int) -> np.ndarray:
    """Smooth random values, half of them cut to zero."""
    walk = np.random.default_rng(4).normal(size=shape).cumsum(-1)
    return np.maximum(walk, 0).astype(np.float32)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [("NCHW", (8, 8, 40, 40)), ("NCL", (400, 8, 64)), ("NCTHW", (2, 8, 4, 40, 40))],
)
def test_shapes_of_neighbourhoods_shorten_lines_maps_and_volumes(
    layout: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = sparse_waves(*shape)
    monkeypatch.setattr(candidate, "fitted", lambda *_: (None, 0.0))

    def saved() -> bytes:
        return fc.save({"x": values}, {"layout": layout}, snr=20, transform="context")

    ours = saved()
    back = fc.load(ours)["x"].astype(np.float64)
    assert 10 * np.log10(values.var() / np.square(back - values).mean()) >= 19.99
    assert Reader(io.BytesIO(ours), "file").groups()[0].lossy.transform == "context"
    monkeypatch.setattr(own_tables, "WORTHWHILE", math.inf)
    assert len(ours) < 0.99 * len(saved())


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_tables_of_shapes_are_read_as_they_were_written(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.choice(shapes.NUMBERS * (1 + shapes.SHAPES), count, replace=False).tolist()
    tables = {
        n: Table(int(rng.integers(2, 128)), hazards=tuple(rng.integers(0, 256, 3).tolist()))
        for n in numbers
    }
    assert unpack_tables(pack_tables(tables)) == tables
