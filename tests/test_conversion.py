"""Values that a type asked for cannot hold are counted, and said to be clipped."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from featcodec import decode_file, encode_file
from featcodec.align.numbers import from_float, to_float
from featcodec.elements import PRECISION
from featcodec.request import Quality

from .test_cli import run


@settings(max_examples=10)
@given(
    dtype=st.sampled_from(["F16", "F8_E4M3", "F8_E5M2", "BF16", "F64"]),
    scale=st.sampled_from([1.0, 300.0, 5e4]),
    lossless=st.booleans(),
)
def test_the_values_beyond_a_type_are_counted(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, scale: float, lossless: bool
) -> None:
    folder = tmp_path_factory.mktemp("clip")
    x = (np.random.default_rng(0).normal(size=(60, 8)) * scale).astype(np.float32)
    x[0] = np.inf
    save_file({"x": x, "n": np.arange(3)}, folder / "x.safetensors")
    quality = Quality(lossless=True) if lossless else Quality(snr=20)
    encode_file(folder / "x.safetensors", folder / "x.fcz", quality)
    decode_file(folder / "x.fcz", folder / "y.safetensors")
    y = load_file(folder / "y.safetensors")["x"]
    largest = PRECISION[dtype].largest
    finite = y[np.isfinite(y)]
    wide = finite.astype(np.float64)
    ends = int((np.abs(to_float(from_float(wide, dtype), dtype)) == largest).sum())
    beyond = bool((np.abs(wide) > largest).any())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        decode_file(folder / "x.fcz", folder / "z.safetensors", dtype=dtype)
    counts = [int(n) for one in said for n in re.findall(r"x: (\d+) value", str(one.message))]
    assert counts == [ends] * beyond
    assert all(f"{largest:g} or {-largest:g}, the ends of" in str(one.message) for one in said)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".npy"])
def test_the_shell_says_so_too(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.linspace(-7e4, 7e4, 400, dtype=np.float32).reshape(50, 8))
    assert run("encode", "x.npy", "--lossless").status == 0
    done = run("decode", "x.fcz", "-o", f"y{suffix}", "--dtype", "F16")
    assert re.search(r"x.fcz: features: \d+ values are 65504 or -65504, the ends of F16", done.err)
    said = run("decode", "x.fcz", "-o", f"z{suffix}", "--dtype", "F16", "-q").err
    assert done.status == 0 and said == ""
    assert "beyond" not in run("decode", "x.fcz", "-o", f"w{suffix}", "--dtype", "F32").err
