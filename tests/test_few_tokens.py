"""Caches of fewer tokens than there are channels in all heads: tokens are the channels then."""

import io

import numpy as np
import pytest

import featcodec.numpy as fc
from featcodec.container.reader import Reader

LAYERS, HEADS, TOKENS, WIDTH = 2, 6, 112, 64  # fewer values than layouts are written for
SNR = 12.0


def cache() -> np.ndarray:
    """Return (layers, keys and values, heads, tokens, width) of a rank that tokens share."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(TOKENS, 28)) * np.arange(1, 29) ** -0.5
    shape = (LAYERS, 2, HEADS, TOKENS, WIDTH)
    held = np.einsum("tr,lvhrd->lvhtd", mixing, rng.normal(size=(LAYERS, 2, HEADS, 28, WIDTH)))
    return (held / held.std() + 0.1 * rng.normal(size=shape)).astype(np.float32)


def each(x: np.ndarray, *order: int) -> dict[str, np.ndarray]:
    """Return a tensor for the keys of each layer, and one for the values, axes in an order."""
    return {
        f"layers.{layer}.{kind}": np.ascontiguousarray(x[layer, i].transpose(order))
        for layer in range(LAYERS)
        for i, kind in enumerate(("key", "value"))
    }


# Each with the axes of layers, keys and values, and heads: what is to have an SNR of its own.
ARRANGED = {
    "[heads, T, d]": (each(cache(), 0, 1, 2), (0,)),
    "[T, heads, d]": (each(cache(), 1, 0, 2), (1,)),
    "[1, heads, T, d]": ({n: x[None] for n, x in each(cache(), 0, 1, 2).items()}, (1,)),
    "[1, T, heads, d]": ({n: x[None] for n, x in each(cache(), 1, 0, 2).items()}, (2,)),
    "[layers, 2, T, heads, d]": ({"kv": cache().transpose(0, 1, 3, 2, 4)}, (0, 1, 3)),
    "[2, layers, heads, T, d]": ({"kv": cache().swapaxes(0, 1)}, (0, 1, 2)),
    "[layers, 2, 1, heads, T, d]": ({"kv": cache()[:, :, None]}, (0, 1, 3)),
    "[layers, T, heads, 2, d]": ({"kv": cache().transpose(0, 3, 2, 1, 4)}, (0, 2, 3)),
}


def snr(x: np.ndarray, y: np.ndarray) -> float:
    return float(10 * np.log10(np.square(x - x.mean()).sum() / np.square(x - y).sum()))


def heads(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    moved = np.moveaxis(x, axes, range(len(axes)))
    return moved.reshape(-1, TOKENS * WIDTH)


@pytest.fixture(scope="module")
def as_channels() -> int:
    """The bytes where somebody says that the tokens are the channels of each head."""
    return len(fc.save(each(cache(), 0, 1, 2), snr=SNR, layout="KDL"))


@pytest.mark.parametrize("name", ARRANGED)
def test_few_tokens_are_channels_however_heads_are_arranged(name: str, as_channels: int) -> None:
    tensors, axes = ARRANGED[name]
    tensors = {key: np.ascontiguousarray(x) for key, x in tensors.items()}
    data = fc.save(tensors, snr=SNR)
    assert len(data) < 1.03 * as_channels
    back = fc.load(data)
    for key, x in tensors.items():
        pairs = zip(heads(x, axes), heads(back[key], axes), strict=True)
        assert min(snr(*pair) for pair in pairs) > SNR - 1.05


def test_tokens_as_channels_take_fewer_bytes_than_channels_of_all_heads(as_channels: int) -> None:
    merged = len(fc.save(each(cache(), 0, 1, 2), snr=SNR, layout="CLD"))
    assert as_channels < 0.9 * merged


def test_many_tokens_are_none() -> None:
    rng = np.random.default_rng(0)
    shape = (HEADS, 16 * TOKENS, WIDTH // 4)
    merged = rng.normal(size=(24, HEADS * shape[2]))
    rows = rng.normal(size=(shape[1], 24)) @ merged
    x = np.ascontiguousarray(rows.reshape(shape[1], HEADS, shape[2]).swapaxes(0, 1), np.float32)
    groups = Reader(io.BytesIO(fc.save({"key": x}, snr=SNR)), "file").groups()
    assert [group.lossy.layout for group in groups if group.lossy] == ["CLD"]
