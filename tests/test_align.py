"""Layouts, blocks and slabs, element types."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featcodec.align import blocks, layout, numbers
from featcodec.align.grids import GroupGrid

LAYOUTS = ["NCHW", "NHWC", "CHW", "HWC", "NLD", "LD", "ND", "D", "L", "NCTHW", "NNLD", "LND", "NHW"]


@st.composite
def groups(draw: st.DrawFn) -> tuple[layout.Layout, list[tuple[int, ...]], tuple[int, ...]]:
    """A layout, shapes that fit it with the same channels, and a longest block."""
    axes = draw(st.sampled_from(LAYOUTS))
    channels = draw(st.integers(1, 4))
    shapes = [
        tuple(channels if a in "CD" else draw(st.integers(1, 9)) for a in axes)
        for _ in range(draw(st.integers(1, 3)))
    ]
    found = layout.Layout(axes)
    if axes == "NLD" and draw(st.booleans()):
        prefix, grid = draw(st.integers(0, 2)), (draw(st.integers(1, 3)), draw(st.integers(1, 4)))
        found = layout.Layout(axes, prefix, grid)
        shapes = [(n, prefix + math.prod(grid), c) for n, _, c in shapes]
    rank = len(found.grid or found.token_grid(shapes[0])[1:-1])
    return found, shapes, tuple(draw(st.integers(1, 4)) for _ in range(rank))


@given(groups(), st.data())
def test_blocks_of_any_range_of_slabs_go_back_where_they_came_from(
    group: tuple, data: st.DataObject
) -> None:
    found, shapes, block = group
    grid = GroupGrid(found, shapes, block)
    sizes = [math.prod(shape) for shape in shapes]
    tensors = [
        np.arange(n, dtype=np.float64).reshape(s) for n, s in zip(sizes, shapes, strict=True)
    ]
    back = [np.full(shape, -1.0) for shape in shapes]
    cuts = sorted({0, grid.slabs, *data.draw(st.lists(st.integers(0, grid.slabs), max_size=3))})
    for first, last in itertools.pairwise(cuts):
        for (_, points), boxes in grid.boxes(first, last).items():
            values = grid.collect(boxes, tensors.__getitem__, lambda a: a)
            assert values.shape[:2] == (grid.channels, math.prod(points))
            grid.scatter(values, boxes, back.__getitem__)
    for one, other in zip(tensors, back, strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.integers(1, 500), st.integers(1, 40))
def test_an_axis_is_cut_into_few_blocks_of_even_length(length: int, longest: int) -> None:
    runs = blocks.cut(length, longest)
    sizes = [size for _, count, size in runs for _ in range(count)]
    assert sum(sizes) == length
    assert len(sizes) == -(-length // longest)
    assert max(sizes) <= longest
    assert max(sizes) - min(sizes) <= 1


@given(groups(), st.data())
def test_rows_of_the_leading_axis_lie_in_the_slabs_named(group: tuple, data: st.DataObject) -> None:
    found, shapes, block = group
    grid = GroupGrid(found, shapes, block)
    which = data.draw(st.integers(0, len(shapes) - 1))
    shape = shapes[which]
    first = data.draw(st.integers(0, shape[0] - 1))
    last = data.draw(st.integers(first + 1, shape[0]))
    low, high = grid.slabs_of_rows(which, shape, first, last)
    covered = [np.zeros(s, bool) for s in shapes]
    for boxes in grid.boxes(low, high).values():
        values = np.ones((grid.channels, math.prod(boxes[0].sizes), sum(b.count for b in boxes)))
        grid.scatter(values, boxes, covered.__getitem__)
    assert covered[which][first:last].all()


@pytest.mark.parametrize(
    ("shape", "metadata", "expected"),
    [
        ((8, 64, 14, 14), {}, "NCHW"),
        ((8, 14, 14, 64), {}, "NHWC"),
        ((64, 14, 14), {}, "CHW"),
        ((8, 65, 128), {}, "NLD:1+8x8"),
        ((8, 197, 768), {}, "NLD:1+14x14"),
        ((8, 201, 768), {"layout": "NLD"}, "NLD:5+14x14"),
        ((8, 60, 128), {}, "NLD"),
        ((8, 51, 16), {"layout": "NLD", "prefix_tokens": "3", "grid": "6x8"}, "NLD:3+6x8"),
        ((37, 384), {}, "LD"),
        ((2, 3, 4, 5, 6), {}, "NCTHW"),
        ((3, 100_000), {}, "NL"),
    ],
)
def test_the_layout_follows_from_metadata_or_shape(shape: tuple, metadata: dict, expected: str):
    architecture = layout.architecture_of(shape, metadata, None)
    assert str(layout.choose(shape, metadata, architecture, None)) == expected


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("nchw", (2, 9, 9, 9), "NCHW"),
        ("[N, C, H, W]", (2, 9, 9, 9), "NCHW"),
        ('["N", "H", "W", "C"]', (2, 9, 9, 9), "NHWC"),
        ("( n,h,w,c )", (2, 9, 9, 9), "NHWC"),
        ("N H W C", (2, 9, 9, 9), "NHWC"),
        ("NHWC (channels last)", (2, 9, 9, 9), "NHWC"),
        ("BCHW", (2, 9, 9, 9), "NCHW"),
        ("bld (batch, tokens, features)", (2, 3, 4), "NLD"),
        ("channels_last", (2, 9, 8, 9), "NHWC"),
        ("Channels-First", (2, 9, 9, 3), "NCHW"),
        ("channels last", (2, 3, 9, 8, 4), "NTHWC"),
        ("NLD: 2 + 3x5", (2, 17, 4), "NLD:2+3x5"),
        ("(L, D)", (2, 17), "LD"),
    ],
)
def test_what_other_tools_plainly_mean_is_taken(text: str, shape: tuple, expected: str) -> None:
    metadata = {"layout": text}
    assert str(layout.choose(shape, metadata, "generic", None)) == expected
    assert layout.remarks(metadata, [shape]) == []


FOREIGN = st.sampled_from(
    ["row-major", "kv_blocks", "channels_last", "NHWC", "NLD:1+8x8", "NLD:", "NLD:1", ":", "ND:2x2",
     "9" * 5000, "NLD:" + "9" * 5000 + "+1x1", "1e9", "-1", "\u0663", "\u00b2", "8x8", "(2, 2)",
     "0x0", "9" * 5000 + "x1", "\x1b[2J\n", "N" * 5000, "resnet50", "CNN", " transformer "]
) | st.text(max_size=12) | st.text("NLHWTCDB:+x0123456789 ,()[]", max_size=12)  # fmt: skip


@given(
    metadata=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("layout", "architecture", "prefix_tokens", "grid"), FOREIGN)
    ),
    shape=st.lists(st.integers(0, 20), min_size=1, max_size=17).map(tuple),
)
def test_no_word_of_another_tool_does_harm(metadata: dict[str, str], shape: tuple) -> None:
    architecture = layout.architecture_of(shape, metadata, None)
    assert architecture in layout.ARCHITECTURES
    chosen = layout.choose(shape, metadata, architecture, None)
    assert math.prod(chosen.token_grid(shape)) == math.prod(shape)
    for line in layout.remarks(metadata, [shape]):
        assert line.isprintable()
        assert len(line) < 400


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"layout": "kv_blocks"}, ["layout 'kv_blocks'"]),
        ({"layout": "NLD"}, ["layout 'NLD'"]),
        ({"layout": "NCHW:1+2x2"}, ["layout 'NCHW:1+2x2'"]),
        ({"architecture": "resnet50"}, ["architecture 'resnet50'"]),
        ({"prefix_tokens": "one", "grid": "square"}, ["prefix_tokens 'one'", "grid 'square'"]),
        ({"grid": "9" * 5000}, ["grid '99999"]),
        ({"layout": "NCHW", "architecture": "CNN", "prefix_tokens": "1", "grid": "[7,7]"}, []),
        ({"model": "x"}, []),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_ignored_of_the_metadata_is_said(metadata: dict, words: list[str]) -> None:
    lines = layout.remarks(metadata, [(2, 3, 7, 7), (5, 4)])
    assert len(lines) == len(words)
    for line, word in zip(lines, words, strict=True):
        assert word in line
        assert "ignored" in line


@given(
    asked=st.sampled_from(["NHWC", "NLD:1+8x8", "kv_blocks", "NLD:9", "LD", "NLD:1+" + "9" * 5000]),
    shape=st.sampled_from([(2, 3, 3), (8, 9), (5,), (1, 1, 1, 1, 1, 1)]),
)
def test_a_layout_asked_for_that_does_not_fit_is_refused_with_one_that_does(
    asked: str, shape: tuple
) -> None:
    try:
        layout.choose(shape, {"layout": "NCHW"}, "generic", asked)
    except layout.LayoutError as error:
        text = str(error)
        layout.parse(text.removesuffix(" would fit").split()[-1]).token_grid(shape)
        assert len(text) < 200
    else:
        assert len(asked) == len(shape)


@pytest.mark.parametrize(
    "text", ["NCXW", "NHHC", "NCD:1+2x2", "LD/4", "LD/0+4", "NLD:9", "NCHW:1+2x2", "NLND"]
)
def test_a_layout_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(layout.LayoutError):
        layout.parse(text)


@pytest.mark.parametrize("dtype", sorted(numbers.STORED))
def test_every_stored_value_survives_conversion_to_float_and_back(dtype: str) -> None:
    kind = numbers.STORED[dtype]
    if kind.itemsize <= 2:
        stored = np.arange(1 << 8 * kind.itemsize, dtype=f"<u{kind.itemsize}").view(kind)
    else:
        stored = np.random.default_rng(0).normal(size=1000).astype(kind)
    with np.errstate(invalid="ignore"):
        values = numbers.to_float(stored, dtype)
        alone = numbers.to_float(stored[7:8].reshape(()), dtype)
    np.testing.assert_array_equal(alone, values[7])
    finite = np.isfinite(values)
    back = numbers.from_float(values[finite], dtype)
    np.testing.assert_array_equal(
        back.view(f"u{kind.itemsize}"), stored[finite].view(f"u{kind.itemsize}")
    )


@pytest.mark.parametrize("dtype", sorted(numbers.STORED))
def test_what_is_too_large_becomes_the_largest_number(dtype: str) -> None:
    for work in ("f4", "f8"):
        back = numbers.from_float(np.array([np.inf, -np.inf], work), dtype)
        found = numbers.to_float(back, dtype)
        assert np.isfinite(found).all()
        assert found[0] == -found[1]
        following = back.view(f"u{back.itemsize}") + 1
        with np.errstate(invalid="ignore"):
            assert not np.isfinite(numbers.to_float(following.view(back.dtype), dtype)).any()


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "BF16"])
def test_rounding_goes_to_the_nearest_stored_value(dtype: str) -> None:
    values = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    all_codes = np.arange(1 << 8 * numbers.STORED[dtype].itemsize, dtype=numbers.STORED[dtype])
    grid = numbers.to_float(all_codes, dtype)
    grid = np.unique(grid[np.isfinite(grid)])
    near = np.abs(
        grid[np.clip(np.searchsorted(grid, values)[:, None] + [-1, 0], 0, len(grid) - 1)]
        - values[:, None]
    ).min(axis=1)
    back = numbers.to_float(numbers.from_float(values, dtype), dtype)
    np.testing.assert_array_equal(np.abs(back - values), near)
