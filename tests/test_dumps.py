"""Dumps: read where they are wanted, refused when they change, closed when they are done with."""

import gc
import json
import os
import pickle
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from featcodec import Quality, encode_file
from featcodec.align.grids import GroupGrid
from featcodec.align.layout import Layout
from featcodec.container.reader import Reader
from featcodec.container.source import File, Memory
from featcodec.dumps import Dump
from featcodec.errors import FeatcodecError, InvalidInput, NotFeatcodec
from featcodec.file_array import FileArray
from featcodec.inputs import safetensors
from featcodec.request import Options

from . import internals

# --- arrays in files ----------------------------------------------------------------------------

layouts = st.sampled_from(
    ["D", "LD", "DL", "ND", "NLD", "NDL", "LND", "CHW", "HWC", "NCHW", "NHWC", "HWNC", "NNLD",
     "NCTHW", "NL", "LN", "HW", "NNNLD"]
)  # fmt: skip


@given(axes=layouts, data=st.data())
def test_blocks_of_a_file_are_those_of_its_array(axes: str, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.integers(1, 7)) for _ in axes)
    array = np.arange(np.prod(shape), dtype="<i4").reshape(shape)
    head = data.draw(st.integers(0, 9))
    stored = FileArray.of(Memory(bytes(head) + array.tobytes()))[head:].view("<i4").reshape(shape)
    grid = GroupGrid(Layout(axes), [shape], (3,) * len(Layout(axes).token_grid(shape)[1:-1]))
    first = data.draw(st.integers(0, grid.slabs - 1))
    last = data.draw(st.integers(first + 1, grid.slabs))
    for boxes in grid.boxes(first, last).values():
        found, wanted = (
            grid.collect(boxes, lambda _, a=a: a, lambda stored: stored) for a in (stored, array)
        )
        np.testing.assert_array_equal(found, wanted)


class Counting(Memory):
    """Bytes that know how many of them were read, and how many at most at once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.total = self.most = 0

    def read_into(self, offset: int, room: memoryview) -> int:
        self.total, self.most = self.total + len(room), max(self.most, len(room))
        return super().read_into(offset, room)


@pytest.mark.parametrize(
    ("shape", "order", "cut", "most"),
    [
        ((64, 32, 64), (0, 1, 2), (slice(3, 5),), 1.0),  # rows of the leading axis
        ((64, 32, 4096), (1, 0, 2), (slice(3, 4),), 1.0),  # far apart: each by itself
        ((2048, 8, 4096), (1, 0, 2), (slice(3, 5),), 1.0),  # many of them
        ((4, 600, 6000), (1, 0, 2), (slice(3, 60), slice(None), slice(5, 9)), 1.0),
        ((512, 64, 4), (1, 0, 2), (slice(3, 4),), 64.0),  # close by: what is between is read, too
    ],
)
def test_little_more_is_read_of_a_file_than_is_wanted(
    shape: tuple[int, ...], order: tuple[int, ...], cut: tuple[slice, ...], most: float
) -> None:
    array = np.arange(np.prod(shape), dtype="<u4").reshape(shape)
    source = Counting(array.tobytes())
    stored = FileArray.of(source).view("<u4").reshape(shape).transpose(order)
    wanted = array.transpose(order)[cut]
    np.testing.assert_array_equal(np.asarray(stored[cut]), wanted)
    assert source.total <= most * wanted.nbytes


def test_an_array_in_a_file_is_cut_by_slices_only() -> None:
    stored = FileArray.of(Memory(bytes(12)))
    for index in (np.ones(12, bool), [1, 2], 3, None, ...):
        with pytest.raises(TypeError):
            stored[index]  # type: ignore[index]
    with pytest.raises((ValueError, AttributeError), match="copy"):
        stored.reshape(3, 4).transpose((1, 0)).reshape(-1)


def test_a_file_that_ends_too_soon_is_an_error() -> None:
    class Short(Memory):
        def read_into(self, offset: int, room: memoryview) -> int:
            return super().read_into(offset, room) - 1

    with pytest.raises(InvalidInput, match="ends before byte 12"):
        np.asarray(FileArray.of(Short(bytes(12))))


# --- dumps that change --------------------------------------------------------------------------


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def grow(path: Path) -> None:
    with path.open("ab") as out:
        out.write(b"more")


def overwrite(path: Path) -> None:
    with path.open("r+b") as out:
        out.seek(-8, os.SEEK_END)
        out.write(b"\1" * 8)


@pytest.mark.parametrize("change", [cut, empty, grow, overwrite])
@pytest.mark.parametrize("quality", [{"snr": 20}, {"max_error": 0.1}, {"lossless": True}], ids=str)
@pytest.mark.parametrize("share", [None, 0.0, 0.5])
def test_a_dump_that_changes_while_it_is_encoded_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    quality: dict[str, Any],
    share: float | None,
) -> None:
    """In pieces, after a share of them; without, as all is read at once."""
    path, out = tmp_path / "x.safetensors", tmp_path / "x.fcz"
    values = np.random.default_rng(0).normal(size=(40, 8, 8, 8)).astype(np.float32)
    save_file({"x": values, "y": np.arange(500)}, path)
    os.utime(path, (1, 1))
    read_pieces, done = File.read_pieces, 0

    def reading(self: File, offsets: Sequence[int], room: memoryview) -> None:
        nonlocal done
        done += len(room)
        if done > (share or 0) * values.nbytes and path.stat().st_mtime == 1:
            change(path)
        read_pieces(self, offsets, room)

    monkeypatch.setattr(File, "read_pieces", reading)
    with (
        internals.row_groups(1 << 12),
        nullcontext() if share is None else internals.read_in_pieces(),
        pytest.raises(InvalidInput, match=r"x\.safetensors has changed while it was read"),
    ):
        encode_file(path, out, Quality(**quality))
    assert path.stat().st_mtime != 1
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.long
def test_a_dump_that_is_cut_off_ends_in_one_line(tmp_path: Path) -> None:
    """From the shell, at any time: never killed, never a file of a mixture."""
    path, out = tmp_path / "x.safetensors", tmp_path / "x.fcz"
    values = np.random.default_rng(0).normal(size=(300, 16, 16, 16)).astype(np.float32)
    assert values.nbytes > safetensors.AT_ONCE  # what is smaller is read before anything is done
    command = [sys.executable, "-m", "featcodec", "encode", path, "-f", "-q", "--effort", "fast"]
    for wait in (0.3, 0.5, 0.7, 0.9):
        save_file({"x": values}, path)
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            time.sleep(wait)
            os.truncate(path, 100_000)
            said = process.stderr.read().decode()  # type: ignore[union-attr]
        assert process.returncode == (0 if out.exists() else 1), said
        assert said.count("\n") == (0 if out.exists() else 1)
        assert {entry.name for entry in tmp_path.iterdir()} <= {path.name, out.name}
        out.unlink(missing_ok=True)


# --- descriptors --------------------------------------------------------------------------------


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files")
def test_dumps_are_closed_without_the_collector(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"x": np.ones((40, 8), np.float32)}, path)
    gc.disable()
    try:
        before = descriptors()
        for _ in range(30):
            Dump(path)
        assert descriptors() == before
        tensors = Dump(path).tensors
        assert np.asarray(tensors[0].read()).size == 40 * 8
        for _ in range(3):
            encode_file(path, tmp_path / "x.fcz", overwrite=True)
        (tmp_path / "junk").write_bytes(b"junk" * 20)
        with pytest.raises(InvalidInput):
            Dump(tmp_path / "junk")
        del tensors
        assert descriptors() == before
    finally:
        gc.enable()


# --- files of other kinds -----------------------------------------------------------------------

SAMPLES = {
    "pickle": b"\x80\x04\x95\x10",
    "HDF5": b"\x89HDF\r\n\x1a\n\0\0",
    "Parquet": b"PAR1\x15\x04",
    "Arrow": b"ARROW1\0\0",
    "GGUF": b"GGUF\x03\0\0\0",
    "MATLAB": b"MATLAB 5.0 MAT-file",
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\n",
    "web page": b"<!DOCTYPE html>",
    "JSON": b'{"weight_map": {}}',
    "tar": bytes(257) + b"ustar\x0000",
    "zip": b"PK\x03\x04" + bytes(26) + b"notes.txt",
    "gzip": b"\x1f\x8b\x08",
    "zstd": b"\x28\xb5\x2f\xfd\x04",
    "xz": b"\xfd7zXZ\0",
    "bzip2": b"BZh91AY",
    "lz4": b"\x04\x22\x4d\x18",
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_of_another_kind_is_called_by_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(SAMPLES[kind] + bytes(100))
    with pytest.raises(InvalidInput, match=f"not a dump but .*{kind}") as encoding:
        Dump(path)
    with pytest.raises(NotFeatcodec, match=f"not a featcodec file but .*{kind}") as decoding:
        Reader(File.open(path), str(path))
    for error in (encoding.value, decoding.value):
        assert "\n" not in str(error)


def test_a_dump_and_a_file_are_told_apart(tmp_path: Path) -> None:
    save_file({"x": np.ones((4, 4), np.float32)}, tmp_path / "x.safetensors")
    encode_file(tmp_path / "x.safetensors", tmp_path / "x.fcz")
    with pytest.raises(InvalidInput, match="but a featcodec file: decode it first"):
        Dump(tmp_path / "x.fcz")
    with pytest.raises(NotFeatcodec, match="but a safetensors dump: encode it first"):
        Reader(File.open(tmp_path / "x.safetensors"), "x")


def converted(path: Path) -> dict[str, np.ndarray]:
    """Run the Python that the message about a file gives, and return what it makes."""
    with pytest.raises(FeatcodecError) as error:
        Dump(path)
    _, command, code = shlex.split("python" + str(error.value).partition(" as by python")[2])
    assert command == "-c"
    subprocess.run([sys.executable, "-c", code], check=True)
    return load_file(path.with_suffix(".safetensors"))


def test_a_pickle_is_converted_as_the_message_says(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    (tmp_path / """it's "b".pkl""").write_bytes(pickle.dumps({"a": values, "b": values.T}))
    found = converted(tmp_path / """it's "b".pkl""")
    np.testing.assert_array_equal(found["a"], values)
    np.testing.assert_array_equal(found["b"], values.T)


# --- headers ------------------------------------------------------------------------------------


def test_more_axes_than_there_can_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for rank in (16, 17, 64, 65, 1000):
        entry = {"dtype": "F32", "shape": [1] * (rank - 1) + [2], "data_offsets": [0, 8]}
        text = json.dumps({"x": entry}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
        if rank == 16:
            encode_file(path, tmp_path / "x.fcz")
        else:
            with pytest.raises(InvalidInput, match=f"'x' has {rank} axes, more than .* 16"):
                encode_file(path, tmp_path / "y.fcz")
    assert not (tmp_path / "y.fcz").exists()


def test_numbers_of_any_length_in_a_layout_are_no_surprise(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    features = np.random.default_rng(0).normal(size=(2, 4, 8)).astype("f4")
    for digits in ("9" * 5000, "9" * 18, "²", "٣"):
        layout = f"NLD:1+{digits}x3"
        stated = {"layout": "NLD", "prefix_tokens": digits, "grid": "1x3"}, {"layout": layout}
        for metadata in stated:
            save_file({"x": features}, path, metadata)
            report = encode_file(path, tmp_path / "x.fcz", overwrite=True)
            assert len(report.remarks) == 1
        with pytest.raises(InvalidInput, match="tensor 'x'"):
            encode_file(path, tmp_path / "y.fcz", options=Options(layouts={"": layout}))
