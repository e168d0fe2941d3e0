"""Dumps of the size that users have decode alike in both decoders, in every mode.

The vectors are too small for that: few of their tables are their own, and few symbols share a pass.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec import Codec, Profile
from featcodec.coding.message_head import Head
from featcodec.container.reader import Reader
from featcodec.container.wire import Cursor
from featcodec.modes import FOLDERS
from featcodec.numpy import Arrays
from featcodec.request import EFFORTS, Options
from featcodec.training.linear import train

Generator = np.random.Generator
OF_PROFILES = {"weighted", "context_shared"}  # no dump has them without a profile


def smooth(rng: Generator, *shape: int) -> np.ndarray:
    """Return noise (n, channels, rows, columns) that neighbours share, of deviation one."""
    noise = rng.normal(size=shape)
    for axis in (2, 3):
        noise = noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)
    return noise / noise.std()


def sparse_maps(rng: Generator) -> np.ndarray:
    """Return maps behind ReLUs, of channels from dense to nearly all zeros."""
    threshold = np.linspace(-0.5, 2.5, 48).reshape(-1, 1, 1)
    return np.maximum(smooth(rng, 80, 48, 8, 8) - threshold, 0)


def maps_of_like_channels(rng: Generator) -> np.ndarray:
    mixture = np.abs(rng.normal(size=(12, 2)))
    maps = np.einsum("ck,nkyx->ncyx", mixture, smooth(rng, 16, 2, 32, 32))
    return np.maximum(maps + 0.2 * rng.normal(size=maps.shape), 0)


def maps_of_unlike_bands(rng: Generator) -> np.ndarray:
    """Return maps whose coarse and fine parts have covariances of their own."""
    low, high = (rng.normal(size=(24, 24)) * 2.0 ** -(np.arange(24) / 3) for _ in range(2))
    coarse = smooth(rng, 60, 24, 14, 14)
    coarse += np.roll(coarse, 2, 2) + np.roll(coarse, 2, 3)
    fine = 0.5 * rng.normal(size=coarse.shape)
    return np.einsum("ck,nkyx->ncyx", low, coarse) + np.einsum("ck,nkyx->ncyx", high, fine)


def dense_maps(rng: Generator) -> np.ndarray:
    return smooth(rng, 40, 24, 14, 14)


def tokens(rng: Generator) -> np.ndarray:
    mixture = rng.normal(size=(64, 64)) * 2.0 ** -(np.arange(64) / 8)
    return rng.normal(size=(24, 96, 64)) @ mixture


def layers(rng: Generator) -> np.ndarray:
    """Return (tokens, layers, channels), of which each layer adds a little to the one before it."""
    mixture = rng.normal(size=(6, 48, 48)) * 0.3 / 48**0.5
    mixture[0] *= 8
    return np.einsum("tlk,lkc->tlc", rng.normal(size=(800, 6, 48)), mixture).cumsum(axis=1)


def probabilities(rng: Generator) -> np.ndarray:
    powers = np.exp(6 * rng.normal(size=(3000, 40)))
    return powers / powers.sum(axis=1, keepdims=True)


Case = tuple[str, Callable[[Generator], np.ndarray], str, dict[str, Any]]
CASES: tuple[Case, ...] = (
    ("context-means", sparse_maps, "NCHW", {"snr": 10}),
    ("split", sparse_maps, "NCHW", {"max_error": 0.005}),
    ("context", sparse_maps, "NCHW", {"max_error": 0.2}),
    ("interpolated", maps_of_like_channels, "NCHW", {"snr": 20}),
    ("banded", maps_of_unlike_bands, "NCHW", {"snr": 10}),
    ("linear", dense_maps, "NCHW", {"snr": 15}),
    ("predicted", dense_maps, "NCHW", {"max_error": 0.001}),
    ("interpolated", dense_maps, "NCHW", {"max_error": 0.02}),
    ("linear", tokens, "NLD", {"snr": 12}),
    ("layered", layers, "LCD", {"snr": 15}),
    ("none", probabilities, "ND", {"snr": 20}),
)


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "values", "layout", "quality"), CASES, ids=[f"{c[0]}-{c[1].__name__}" for c in CASES]
)
def test_both_decoders_decode_dumps_of_real_size(
    mode: str, values: Callable[[Generator], np.ndarray], layout: str, quality: dict[str, Any]
) -> None:
    x = values(np.random.default_rng(20)).astype(np.float32)
    data = fc.save({"x": x}, layout=layout, **quality)
    (group,) = Reader(io.BytesIO(data), "x").groups()
    assert group.lossy is not None and group.lossy.parts[0].transform == mode
    mine = fc.load(data)["x"]
    theirs = np.frombuffer(reference.decode(data).tensors["x"].data, "<f4").reshape(x.shape)
    assert np.abs(mine - theirs).max() <= 1e-5 * np.abs(x).max()


def test_every_mode_is_among_them() -> None:
    modes = {folder.__name__.rpartition(".")[2]: folder.MODES for folder in FOLDERS}
    tried = {mode for mode, *_ in CASES}
    missing = {name for name, known in modes.items() if not tried & {mode.name for mode in known}}
    assert missing == OF_PROFILES


@pytest.mark.parametrize("effort", EFFORTS)
def test_both_decoders_decode_a_message_of_a_sparse_map_of_real_size(effort: str) -> None:
    maps = sparse_maps(np.random.default_rng(21)).astype(np.float32)
    entries = train([Arrays({"x": (maps[8:], "F32")}, {"layout": "NCHW"})], Options())
    assert {entry.model.transform for entry in entries[1:]} == {"context-shared"}
    profile, x = Profile.parse(Profile.pack(entries)), maps[:8]
    message = Codec(profile, snr=20, effort=effort).encode(x)
    assert Head.unpack(Cursor(message)).entry == len(entries) - 1
    mine = Codec(profile).decode(message)
    theirs = np.frombuffer(reference.decode_message(message, profile.data)[2], "<f4")
    assert np.abs(mine - theirs.reshape(x.shape)).max() <= 1e-5 * np.abs(x).max()
