"""Tokens on a grid are found to lie there, wherever their axis stands, however they are kept."""

import io

import numpy as np
import pytest

import featcodec.numpy as fc
from bitstream_spec import reference_decoder as reference
from featcodec.container.reader import Reader

from .producers import maps

SAMPLES, CHANNELS, SIDE = 96, 48, 6  # more values than layouts are written for


def pictures() -> np.ndarray:
    """Return (samples, tokens, channels) of a prefix token and a grid, of unlike means."""
    rng = np.random.default_rng(0)
    smooth = maps(SAMPLES, CHANNELS, SIDE, SIDE).reshape(SAMPLES, CHANNELS, -1)
    patches = np.moveaxis(smooth, 1, 2) + rng.normal(size=CHANNELS)
    prefix = 3 * rng.normal(size=(SAMPLES, 1, CHANNELS))
    return np.concatenate([prefix, patches], axis=1).astype(np.float32)


def shuffled(x: np.ndarray) -> np.ndarray:
    """Return the same tokens in an order that shows no grid."""
    return x[:, np.random.default_rng(1).permutation(x.shape[1])]


def turned(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.swapaxes(-1, -2))


def each(x: np.ndarray) -> dict[str, np.ndarray]:
    return {f"picture_{i}": np.ascontiguousarray(one) for i, one in enumerate(x)}


ARRANGED = {
    "tokens first": {"x": pictures()},
    "channels first": {"x": turned(pictures())},
    "a tensor a picture": each(pictures()),
    "a tensor a picture, channels first": each(turned(pictures())),
}


def grids(data: bytes) -> list[tuple[int, tuple[int, ...]]]:
    groups = Reader(io.BytesIO(data), "file").groups()
    return [(group.lossy.prefix, group.lossy.grid) for group in groups if group.lossy]


@pytest.fixture(scope="module")
def stated() -> int:
    """The bytes where somebody says that there is a grid."""
    return len(fc.save({"x": pictures()}, snr=15, layout=f"NLD:1+{SIDE}x{SIDE}"))


@pytest.mark.long
@pytest.mark.parametrize("name", ARRANGED)
def test_a_grid_is_found_wherever_its_axis_stands(name: str, stated: int) -> None:
    data = fc.save(ARRANGED[name], snr=15)
    assert grids(data) == [(1, (SIDE, SIDE))]
    assert len(data) < 1.03 * stated
    back, others = fc.load(data), reference.decode(data).tensors
    for key, x in back.items():
        other = np.frombuffer(others[key].data, x.dtype).reshape(x.shape)
        np.testing.assert_allclose(other, x, atol=1e-5)


@pytest.mark.parametrize("tensors", [{"x": shuffled(pictures())}, each(shuffled(pictures()))])
def test_tokens_in_any_other_order_lie_on_none(tensors: dict[str, np.ndarray]) -> None:
    assert grids(fc.save(tensors, snr=15)) == [(0, ())]


def wide(x: np.ndarray) -> np.ndarray:
    """Return the same channels on a grid that is no square."""
    mixing = np.random.default_rng(2).normal(size=(CHANNELS, CHANNELS // 4))
    smooth = mixing @ maps(40, CHANNELS // 4, 8, 14).reshape(40, CHANNELS // 4, -1)
    return np.concatenate([x[:40, :1], np.moveaxis(smooth, 1, 2)], axis=1).astype(np.float32)


WIDE = {
    "tokens first": {"x": wide(pictures())},
    "channels first": {"x": turned(wide(pictures()))},
    "a tensor a picture": each(wide(pictures())),
}


@pytest.mark.parametrize("name", WIDE)
def test_a_grid_may_be_of_any_width(name: str) -> None:
    data = fc.save(WIDE[name], snr=15)
    assert grids(data) == [(1, (8, 14))]
    assert len(data) < 1.03 * len(fc.save(WIDE["tokens first"], snr=15, layout="NLD:1+8x14"))


def test_frames_of_a_film_in_a_row_lie_on_a_grid() -> None:
    frames = np.moveaxis(maps(16, CHANNELS, 8, 12), 1, 3)
    tokens = np.ascontiguousarray(frames.reshape(1, -1, CHANNELS), np.float32)
    assert len(fc.save({"x": tokens}, snr=15)) < 0.9 * len(
        fc.save({"x": tokens}, snr=15, layout="NLD:0")
    )


def test_tokens_in_any_other_order_lie_on_no_wide_grid() -> None:
    assert grids(fc.save({"x": shuffled(wide(pictures()))}, snr=15)) == [(0, ())]
