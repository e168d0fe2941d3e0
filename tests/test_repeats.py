"""Rows that repeat earlier ones, or are constant, are left out and come back where they were."""

import io
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec.align.layout import Layout, parse
from featcodec.align.numbers import STORED
from featcodec.align.repeats import Rows, Runs
from featcodec.arrays import to_stored
from featcodec.container.group import GroupHeader
from featcodec.container.reader import Reader
from featcodec.container.source import source_of
from featcodec.decoding.decoder import Decoder
from featcodec.encoding.tensors.repeats import find
from featcodec.request import Quality
from featcodec.verification import verify

from . import internals

LAYOUTS = ["ND", "NLD", "NDL", "LND", "LD", "DL", "HWC", "NCHW", "NHWC", "NNLD", "NCTHW", "NL"]
LAYOUTS += ["HW", "NLD:1+2x3", "NLD:0+3x2", "LD:0+2x3", "DL:0+3x2", "LND:2+1x3"]


@contextmanager
def always() -> Iterator[None]:
    """Small row groups, with loss, repeated rows left out however few there are."""
    with ExitStack() as stack:
        stack.enter_context(internals.lossy_always())
        stack.enter_context(internals.repeats_always())
        stack.enter_context(internals.row_groups(64, 23))
        yield


def rows_of(array: np.ndarray, layout: Layout, whole: bool) -> list[np.ndarray]:
    """Views of the rows of an array: the specification's words, one row after the other."""
    ordered = array.transpose(layout.order())
    samples = layout.axes.count("N")
    ordered = ordered.reshape(math.prod(ordered.shape[:samples]), *ordered.shape[samples:])
    if layout.grid and not layout.prefix:
        ordered = ordered.reshape(len(ordered), *layout.grid, *ordered.shape[2:])
    assert np.shares_memory(ordered, array)
    if whole or layout.slabs_are_samples:
        return [ordered[i, ...] for i in range(len(ordered))]
    return [ordered[i, j, ...] for i in range(len(ordered)) for j in range(ordered.shape[1])]


@st.composite
def dumps(draw: st.DrawFn) -> tuple[Layout, dict[str, np.ndarray]]:
    """Tensors of one layout, of which rows or samples repeat others or are constant at random."""
    layout = parse(draw(st.sampled_from(LAYOUTS)))
    kind = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    tokens = layout.prefix + math.prod(layout.grid)
    lengths = {axis: draw(st.integers(1, 4)) for axis in "NLHWTCD"}
    lengths["N"] = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    tensors = {}
    for i in range(draw(st.integers(1, 3))):
        if not layout.grid and layout.grid_axes:
            first = next(axis for axis in layout.axes if axis in "LHWT")
            lengths[first] = draw(st.integers(1, 9))
        sizes = {"L": tokens} if layout.grid else {}
        if layout.grid_axes > 1 and draw(st.booleans()):
            sizes["W"] = draw(st.integers(1, 4))
        shape = tuple(sizes.get(axis) or lengths[axis] for axis in layout.axes)
        tensors[f"t{i}"] = rng.normal(size=shape).astype(kind)
    rows = [r for t in tensors.values() for r in rows_of(t, layout, draw(st.booleans()))]
    fill = draw(st.sampled_from([0.0, -0.0, 1.5, np.nan, -np.inf]))
    for i in range(1, len(rows)):
        if draw(st.integers(0, 4)) == 0:
            rows[i][...] = draw(st.sampled_from([0.0, fill]))
        elif draw(st.booleans()):
            j = draw(st.integers(0, i - 1))
            if rows[j].shape == rows[i].shape:
                rows[i][...] = rows[j]
    return layout, tensors


def encoded(tensors: dict[str, np.ndarray], layout: Layout | None, **quality: object) -> bytes:
    """Encode, and compare what was written with the tensors."""
    options = {} if layout is None else {"layout": str(layout)}
    packed = fc.save(tensors, None, **options, **quality)
    stored = {name: to_stored(array) for name, array in tensors.items()}
    verify(fc.Arrays(stored, None), source_of(io.BytesIO(packed), "x"), Quality.choose(**quality))
    return packed


def check(tensors: dict[str, np.ndarray], packed: bytes, tolerance: float) -> bool:
    """Hold both decoders and all slices against each other; return whether rows are left out."""
    found = fc.load(packed)
    dump = reference.decode(packed)
    reader = Reader(io.BytesIO(packed), "x")
    decoder = Decoder(reader)
    for entry in reader.index.tensors:
        one, kind = found[entry.name], tensors[entry.name].dtype
        other = np.frombuffer(dump.tensors[entry.name].data, kind).reshape(one.shape)
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=tolerance)
        for first in range(entry.shape[0]):
            for last in {first + 1, entry.shape[0]}:
                some = decoder.rows(entry, first, last).view(kind)
                wanted = one[first:last]
                np.testing.assert_allclose(some.reshape(wanted.shape), wanted, atol=tolerance)
        alone = np.zeros(one.size, STORED[entry.dtype])
        decoder.decode([entry], lambda _, alone=alone: alone)
        np.testing.assert_allclose(alone, one.reshape(-1), atol=tolerance)
    repeating = any(group.repeats is not None for group in reader.groups())
    constant = any(g.repeats.constants for g in reader.groups() if g.repeats is not None)
    event(f"repeating {repeating}, constant {constant}")
    event(f"lossy {any(g.lossy for g in reader.groups())}")
    return repeating


@settings(max_examples=40)
@given(dumps())
@always()
def test_any_pattern_comes_back_bit_for_bit(made: tuple[Layout, dict[str, np.ndarray]]) -> None:
    _, tensors = made
    packed = encoded(tensors, None, lossless=True)
    check(tensors, packed, 0)
    for name, array in fc.load(packed).items():
        assert array.tobytes() == tensors[name].tobytes()


@pytest.mark.long
@settings(max_examples=30)
@given(dumps(), st.sampled_from([3.0, 12.0, 25.0]))
@always()
def test_any_pattern_meets_the_snr_of_whole_tensors(
    made: tuple[Layout, dict[str, np.ndarray]], snr: float
) -> None:
    layout, tensors = made
    packed = encoded(tensors, layout, snr=snr)
    check(tensors, packed, 1e-4)


@settings(max_examples=30)
@given(dumps(), st.sampled_from([0.3, 0.01]))
@always()
def test_any_pattern_keeps_to_the_bound(
    made: tuple[Layout, dict[str, np.ndarray]], bound: float
) -> None:
    layout, tensors = made
    packed = encoded(tensors, layout, max_error=bound)
    check(tensors, packed, 1e-4)
    for name, array in fc.load(packed).items():
        given_ones = tensors[name].astype(float)
        finite = np.isfinite(given_ones)
        error = np.abs(array.astype(float)[finite] - given_ones[finite])
        assert error.max(initial=0) <= bound
        assert np.array_equal(array[~finite], tensors[name][~finite], equal_nan=True)


# --- what it saves, and what it must not cost ---------------------------------------------------


def tokens(count: int, channels: int = 24) -> np.ndarray:
    rng = np.random.default_rng(count)
    mixed = rng.normal(size=(count, channels)) @ rng.normal(size=(channels, channels))
    return mixed.astype(np.float16)


def groups_of(packed: bytes) -> list[GroupHeader]:
    return Reader(io.BytesIO(packed), "x").groups()


QUALITIES = pytest.mark.parametrize(
    "quality", [{"snr": 5}, {"snr": 20}, {"max_error": 0.05}, {"lossless": True}], ids=str
)


@QUALITIES
def test_columns_held_for_a_while_cost_as_if_there_once(quality: dict) -> None:
    once = tokens(300)
    times = np.random.default_rng(1).integers(1, 8, 300)
    held = {"x": np.repeat(once, times, axis=0).T.copy()}
    layout = {} if "lossless" in quality else {"layout": "DL"}
    packed = fc.save(held, None, **quality, **layout)
    alone = fc.save({"x": once.T.copy()}, None, **quality, **layout)
    assert len(packed) < 1.1 * len(alone) + 2 * len(once)


@QUALITIES
def test_a_tensor_stored_twice_and_windows_that_overlap_cost_little(quality: dict) -> None:
    long = tokens(400)
    alone = fc.save({"x": long}, None, **quality)
    twice = fc.save({"x": long, "y": long}, None, **quality)
    windows = np.stack([long[i : i + 100] for i in range(0, 301, 50)])
    moved = fc.save({"x": windows}, None, **quality)
    assert len(twice) < 1.02 * len(alone) + 100
    assert len(moved) < 1.1 * len(alone) + 150


def without_finding(tensors: dict[str, np.ndarray], **options: object) -> bytes:
    """Encode without a look for repeated rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("featcodec.encoding.tensors.group.find", lambda *_, **__: None)
        return fc.save(tensors, None, **options)


@pytest.mark.parametrize("axes", ["NLD", "NCHW"])
def test_without_repeated_rows_nothing_changes(axes: str) -> None:
    shape = {"NLD": (9, 40, 16), "NCHW": (9, 16, 8, 8)}[axes]
    values = np.maximum(np.random.default_rng(2).normal(size=shape), 0).astype(np.float32)
    if axes == "NCHW":  # rows of maps that hold one value do not count
        values[:, :, -3:] = 0
    packed = fc.save({"x": values}, None, snr=12, layout=axes)
    assert packed == without_finding({"x": values}, snr=12, layout=axes)


def test_a_few_repeated_rows_do_not_make_a_file_larger() -> None:
    rng = np.random.default_rng(4)
    maps = np.maximum(rng.normal(size=(60, 32, 64)), 0)
    maps += rng.normal(size=(32, 1))  # what a normalisation makes of the zeros of a rectifier
    dead = maps.copy()
    sample, channel = np.nonzero(rng.random((60, 32)) < 0.05)
    dead[sample, channel] = maps.min(axis=(0, 2))[channel, None]
    sizes = [len(fc.save({"x": x.astype(np.float16)}, lossless=True)) for x in (dead, maps)]
    assert sizes[0] < sizes[1]


def test_what_would_take_more_bytes_is_not_done() -> None:
    few = np.random.default_rng(3).integers(0, 5, (4000, 8)) == 0
    rows = few.astype(np.float32) * 3
    rows += np.random.default_rng(4).normal(size=rows.shape).astype(np.float32) * 1e-3 * ~few
    rows[::2] = rows[np.random.default_rng(5).integers(0, 50, 2000)]
    packed = fc.save({"x": rows}, None, snr=3, layout="ND")
    before = without_finding({"x": rows}, snr=3, layout="ND")
    assert len(packed) <= len(before)


@pytest.mark.parametrize("snr", [4.0, 14.0, 27.0])
def test_the_snr_is_that_of_whole_tensors_however_unevenly_rows_repeat(snr: float) -> None:
    once = tokens(500).astype(np.float32) * np.geomspace(0.2, 3, 500)[:, None]
    held = np.repeat(once, np.r_[[1] * 250, [12] * 250], axis=0).astype(np.float32)
    packed = fc.save({"x": held}, None, snr=snr, layout="LD")
    assert groups_of(packed)[0].repeats is not None
    error = fc.load(packed)["x"] - held
    reached = 10 * np.log10(held.var() / np.mean(error.astype(float) ** 2))
    assert snr - 0.001 <= reached <= snr + 0.05
    assert groups_of(packed)[0].snr_db == pytest.approx(reached, abs=0.01)


@always()
def test_a_slice_decodes_the_row_groups_that_its_rows_are_in() -> None:
    once = tokens(64, 16)
    packed = fc.save({"x": once, "y": once[::-1].copy()}, None, snr=20, layout="LD")
    decoder = Decoder(Reader(io.BytesIO(packed), "x"))
    (group,) = decoder.groups
    assert group.header.repeats is not None and group.header.row_groups == 16
    asked: list[int] = []
    pieces = decoder.pieces
    decoder.pieces = lambda group, number: (asked.append(number), pieces(group, number))[1]  # type: ignore[method-assign]
    found = decoder.rows(group.entries[1], 2, 3)
    assert asked == [61 // 4]
    np.testing.assert_array_equal(found[0], fc.load(packed)["y"][2])


# --- constant rows ------------------------------------------------------------------------------


# Zero and NaN in both arrangements at two qualities, each other pair of those in one of them.
FILLS = (0.0, np.nan, -0.0, 1.0, np.float16(-65504))
PADDED = [
    (asked, fill, batch)
    for i, asked in enumerate(("snr=20", "max_error=0.3"))
    for k, fill in enumerate(FILLS)
    for batch in (False, True)
    if k < 2 or batch == (i + k) % 2
]
PADDED += [("snr=3", 0.0, True), ("snr=3", np.nan, False)]
PADDED += [("bpfp=1", 0.0, False), ("bpfp=1", np.nan, True)]


@cache
def prompts() -> list[np.ndarray]:
    lengths = np.random.default_rng(8).integers(5, 60, 40)
    return np.split(tokens(int(lengths.sum())), np.cumsum(lengths)[:-1])


@cache
def bytes_of_prompts(asked: str) -> float:
    """Return the bytes of prompts without padding; a rate says what those are to be."""
    if asked.startswith("bpfp"):
        return math.inf
    return len(fc.save({f"p{i}": p for i, p in enumerate(prompts())}, None, **quality_of(asked)))


def quality_of(asked: str) -> dict[str, float]:
    name, _, number = asked.partition("=")
    return {name: float(number)}


@given(st.lists(st.sampled_from(["+", "-", "both"]), min_size=2, max_size=4))
@settings(max_examples=8)
def test_zeros_of_one_sign_keep_it_and_those_of_both_have_none(signs: list[str]) -> None:
    x = tokens(400).astype(np.float32)
    zeros = {"+": 0.0, "-": -0.0, "both": 0.0 * x[:20]}
    padding = np.concatenate([np.broadcast_to(zeros[sign], (20, 24)) for sign in signs])
    x[400 - len(padding) :] = padding
    data = fc.save({"h": x}, snr=20)
    dump = fc.Arrays({"h": (x, "F32")}, None)
    verify(dump, source_of(io.BytesIO(data), "x"), Quality(snr=20))
    wanted = padding if len({*signs}) == 1 and "both" not in signs else np.zeros_like(padding)
    assert fc.load(data)["h"][400 - len(padding) :].tobytes() == wanted.astype("f4").tobytes()


@pytest.mark.long
@pytest.mark.parametrize(("asked", "fill", "batch"), PADDED)
def test_padding_comes_back_exactly_and_costs_next_to_nothing(
    asked: str, fill: float, batch: bool
) -> None:
    trimmed, most = prompts(), 1.02 * bytes_of_prompts(asked) + 200
    padded = [np.pad(p, ((0, 60 - len(p)), (0, 0)), constant_values=fill) for p in trimmed]
    tensors = {"batch": np.stack(padded)} if batch else {f"p{i}": p for i, p in enumerate(padded)}
    packed = fc.save(tensors, None, layout="NLD" if batch else "LD", **quality_of(asked))
    assert len(packed) < most
    back = [row for tensor in fc.load(packed).values() for row in tensor.reshape(-1, 60, 24)]
    for prompt, found in zip(trimmed, back, strict=True):
        rest = found[len(prompt) :]
        assert rest.tobytes() == np.full(rest.shape, fill, "f2").tobytes()


def test_padding_does_not_lower_the_snr_of_the_rest() -> None:
    x = np.pad(tokens(300), ((0, 2700), (0, 0)))
    back = fc.load(fc.save({"x": x}, None, snr=15, layout="LD"))["x"]
    kept, error = x[:300].astype(float), (back - x)[:300].astype(float)
    assert 10 * np.log10(kept.var() / np.mean(error**2)) >= 14.99


def test_one_constant_row_among_many_is_exact() -> None:
    x = tokens(500).reshape(10, 50, 24)
    x[7, 13] = 0
    back = fc.load(fc.save({"x": x}, None, snr=4, layout="NLD:0"))["x"]
    assert not back[7, 13].any()


@cache
def living(axes: str, asked: str) -> tuple[np.ndarray, int]:
    """Return channels as the last axis, and the bytes that they take in a layout at a quality."""
    x = tokens(2000).reshape(*{"ND": (2000,), "NLD": (40, 50), "NCHW": (20, 10, 10)}[axes], 24)
    stored = x.transpose(0, 3, 1, 2) if axes == "NCHW" else x
    return x, len(fc.save({"x": stored}, None, layout=axes, **quality_of(asked)))


AXES, ASKED = ("ND", "NLD", "NCHW"), ("snr=10", "snr=20", "max_error=0.3")
# Zero with all pairs of axes and quality, each other value with each of the axes and the qualities.
DEAD = [(axes, asked, 0.0) for axes in AXES for asked in ASKED]
DEAD += [
    (axes, ASKED[(i + k) % 3], fill)
    for k, fill in enumerate((-0.0, 7.25, np.float16(-65504), np.inf))
    for i, axes in enumerate(AXES)
]


@pytest.mark.parametrize(("axes", "asked", "fill"), DEAD)
def test_dead_channels_come_back_exactly_and_cost_next_to_nothing(
    axes: str, asked: str, fill: float
) -> None:
    x, alone = living(axes, asked)
    some = np.insert(x, [0, 5, 5, 24], fill, axis=-1)
    dead = some.transpose(0, 3, 1, 2) if axes == "NCHW" else some
    packed = fc.save({"x": dead}, None, layout=axes, **quality_of(asked))
    assert len(packed) < 1.02 * alone + 100
    back = fc.load(packed)["x"]
    found = np.moveaxis(back, 1, -1) if axes == "NCHW" else back
    assert found[..., [0, 6, 7, 27]].tobytes() == np.full((2000, 4), fill, "f2").tobytes()
    reference_found = reference.decode(packed).tensors["x"].data
    other = np.frombuffer(reference_found, "f2").reshape(back.shape)
    assert np.allclose(other, back, rtol=2**-10, atol=1e-2)  # one may be rounded the other way


# --- runs ---------------------------------------------------------------------------------------


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, Runs]:
    new, repeated, distances, rows = [], [], [], 0
    for _ in range(draw(st.integers(0, 6))):
        new.append(draw(st.integers(0 if rows else 1, 4)))
        repeated.append(draw(st.integers(1, 9)))
        distances.append(draw(st.integers(0, rows + new[-1])))
        rows += new[-1] + repeated[-1]
    constants = list(range(distances.count(0)))
    return rows + draw(st.integers(0, 3)), Runs(new, repeated, distances, constants)


@given(runs())
def test_each_row_of_a_run_is_the_one_a_distance_before(made: tuple[int, Runs]) -> None:
    count, listed = made
    rows = Rows(parse("LD"), [(max(count, 1), 2)], False, listed)
    kept: list[int] = []
    wanted: list[int] = []
    constant: list[int] = []
    for new, repeated, distance in zip(listed.new, listed.repeated, listed.distances, strict=True):
        for _ in range(new):
            kept.append(len(wanted))
            wanted.append(len(kept) - 1)
            constant.append(-1)
        number = max(constant, default=-1) + 1
        for _ in range(repeated):
            wanted.append(wanted[-distance] if distance else -1)
            constant.append(constant[-distance] if distance else number)
    for _ in range(len(wanted), max(count, 1)):
        kept.append(len(wanted))
        wanted.append(len(kept) - 1)
        constant.append(-1)
    assert rows.source.tolist() == wanted and rows.kept.tolist() == kept
    assert rows.constant.tolist() == constant
    assert rows.counts.tolist() == np.bincount([row for row in wanted if row >= 0]).tolist()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 40))
@always()
def test_rows_that_are_equal_are_found(kinds: list[int], size: int) -> None:
    values = np.random.default_rng(size).normal(size=(6, size))[kinds]
    found = find("F64", [parse("LD")], [values.shape], lambda _: values)
    distinct = len(set(kinds))
    if distinct == len(kinds):
        assert found is None
    else:
        assert found is not None and len(found.kept) == distinct
        assert np.array_equal(values[found.kept][found.source], values)


@always()
def test_zeros_of_two_signs_and_numbers_that_are_none_are_told_apart_by_their_bits() -> None:
    values = np.zeros((4, 8), np.float32)
    values[1] = -0.0
    values[2] = np.nan
    values[3] = values[1]
    found = find("F32", [parse("LD")], [values.shape], lambda _: values)
    assert found is not None and found.source.tolist() == [0, 1, 2, 1]
