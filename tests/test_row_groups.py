"""Decoding goes by row groups: each once, and none of it needs room for a whole tensor."""

import io
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featcodec.numpy as fc
from featcodec import decode_file
from featcodec.align.numbers import STORED, from_float, to_float
from featcodec.cli.main import main
from featcodec.cli.verify import check
from featcodec.container.reader import Reader
from featcodec.conversion import from_nonfinite
from featcodec.decoding.decoder import Decoder
from featcodec.dumps import Dump
from featcodec.errors import InvalidInput
from featcodec.request import RowGroupSize

from . import internals

VALUES = 1 << 12  # of a row group


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a large tensor, many small ones, odd values and numbers."""
    rng = np.random.default_rng(0)
    odd = rng.normal(size=(400, 30)).astype(np.float16)
    odd.ravel()[[3, 5000, 9000]] = np.nan, np.inf, -np.inf
    tensors = {
        "large": rng.normal(size=(20_000, 64)).astype(np.float32),
        "odd": odd,
        **{f"small{i:03}": rng.normal(size=(3, 12)).astype(np.float32) for i in range(300)},
        "exact": (rng.integers(0, 3, (500, 40)) / 2).astype(np.float32),
        "numbers": np.arange(50_000),
    }
    path = tmp_path_factory.mktemp("row_groups") / "x.fcz"
    with internals.row_groups(VALUES, VALUES):
        fc.save_file(tensors, path, snr=6)
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """A list that is told which row groups are decoded."""
    seen: list[tuple[int, int]] = []
    pieces = Decoder.pieces

    def telling(self: Decoder, group: Any, number: int) -> Any:
        seen.append((group.header.first_section, number))
        return pieces(self, group, number)

    monkeypatch.setattr(Decoder, "pieces", telling)
    return seen


@pytest.mark.parametrize(
    "dtype",
    [
        "F16",
        pytest.param(None, marks=pytest.mark.long),
        pytest.param("F8_E4M3", marks=pytest.mark.long),
    ],
)
def test_a_row_group_is_decoded_once(
    packed: Path, tmp_path: Path, decoded: list, dtype: str | None
) -> None:
    decode_file(packed, tmp_path / "back", dtype=dtype)
    assert len(decoded) == len(set(decoded)) > 300


def test_a_row_group_is_verified_once(packed: Path, decoded: list) -> None:
    check(str(packed), profiles=())
    assert len(decoded) == len(set(decoded)) > 300


def peak(work: Callable[[], Any]) -> int:
    """Return the most bytes that work takes, maps of files apart."""
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.long
def test_what_decoding_takes_does_not_grow_with_a_tensor(packed: Path, tmp_path: Path) -> None:
    def plain() -> None:
        decode_file(packed, tmp_path / "back", overwrite=True)

    plain()  # what is loaded once does not count
    most = peak(plain)
    for dtype in ("F64", "F8_E4M3"):
        convert = lambda d=dtype: decode_file(packed, tmp_path / "b", dtype=d, overwrite=True)  # noqa: E731
        assert peak(convert) < 2 * most
    assert peak(lambda: check(str(packed), profiles=())) < 2 * most
    assert most < 5_000 * 64 * 4


@pytest.fixture(scope="module")
def plain(packed: Path) -> Path:
    """The dump of the file, nothing converted."""
    path = packed.with_name("plain")
    decode_file(packed, path)
    return path


@pytest.mark.parametrize("dtype", sorted(STORED))
def test_types_are_converted_as_they_are_in_one_go(
    packed: Path, plain: Path, tmp_path: Path, dtype: str
) -> None:
    decode_file(packed, tmp_path / "converted", dtype=dtype)
    with Dump(plain) as one, Dump(tmp_path / "converted") as other:
        for before, after in zip(one.tensors, other.tensors, strict=True):
            stored, found = np.asarray(before.read()), np.asarray(after.read())
            assert (before.name, before.shape) == (after.name, after.shape)
            if before.dtype not in STORED or before.dtype == dtype:
                assert before.dtype == after.dtype
                np.testing.assert_array_equal(found.view("u1"), stored.view("u1"))
                continue
            assert after.dtype == dtype
            values = to_float(stored.view(STORED[before.dtype]), before.dtype)
            finite = np.isfinite(values)
            wanted = from_float(np.where(finite, values, 0), dtype)
            wanted[~finite] = from_nonfinite(values[~finite], dtype)
            np.testing.assert_array_equal(found.view("u1"), wanted.view("u1"))


@pytest.mark.parametrize("shape", [(300_000, 1, 1), (1, 300_000), (150_000, 2), (300_000, 1)])
@pytest.mark.parametrize("quality", [{"snr": 10.0}, {"max_error": 0.1}])
def test_encoding_samples_of_one_value_takes_little_room(
    shape: tuple[int, ...], quality: dict[str, float]
) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    fc.save({"x": array[:1000]}, **quality)  # what is loaded once is not counted
    tracemalloc.start()
    fc.save({"x": array}, **quality)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25 * array.nbytes


@pytest.mark.parametrize("layout", ["NCHW", "NLD", "LND", "LD"])
@settings(max_examples=8, deadline=None)
@given(size=st.sampled_from(["1", "3", "7", "1000", "900B", "2kB", "1MB"]), seed=st.integers(0, 9))
def test_row_groups_are_of_the_size_asked_for(layout: str, size: str, seed: int) -> None:
    shape = {"NCHW": (12, 6, 5, 5), "NLD": (12, 25, 6), "LND": (25, 12, 6), "LD": (300, 6)}[layout]
    values = np.random.default_rng(seed).normal(size=shape).cumsum(axis=-1).astype(np.float32)
    data = fc.save({"x": values}, layout=layout, snr=15, row_group=size)
    noise = np.mean((fc.load(data)["x"] - values) ** 2)
    assert 10 * math.log10(np.var(values) / noise) >= 14.999
    [header] = Reader(io.BytesIO(data), "x").groups()
    samples = shape[layout.index("N")] if "N" in layout else 1
    per_sample = header.slabs // samples
    if size.isdecimal():
        assert header.slabs_per_row_group == int(size) * per_sample
    else:
        most = RowGroupSize.parse(size).bytes
        assert most is not None
        slab = values.nbytes / header.slabs
        assert header.slabs_per_row_group * slab <= max(most, 1.5 * slab)


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "1.5", "64 kB", "64KB", "1e3", "9" * 13])
def test_a_size_that_is_none_is_refused(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="row group"):
        fc.save({"x": np.ones((4, 4), np.float32)}, row_group=wrong)
    with pytest.raises(SystemExit) as ended:
        main(["encode", str(tmp_path / "x.safetensors"), "--row-group", wrong])
    assert ended.value.code == 2
