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
