"""Dumps whose axes nobody states: made-up ones as programs write them, and features rearranged."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

Array = np.ndarray
Slices = Callable[[Array], list[Array]]  # layers, heads or rows, each of which counts


@dataclass(frozen=True, eq=False)
class Case:
    """The arrays of a dump, and the parts of each for which one SNR is to hold."""

    name: str
    arrays: dict[str, Array]
    slices: Slices = lambda x: [x]
    layouts: tuple[str, ...] = ()  # that may be given by hand


OF_HEADS = ("NCLD", "NKLD", "NNLD", "NCHW")
OF_LAYERS = ("LCD", "LKD", "LND", "NCD", "NKD")
OF_MAPS = ("CHW", "NHW", "HWC", "KHW")


def along(axis: int) -> Slices:
    """Return what gives the indices of an axis."""
    return lambda x: list(np.moveaxis(x, axis, 0))


def tokens(count: int, channels: int, seed: int = 0) -> Array:
    """Return tokens of one kind of channels, correlated and unlike in scale."""
    shared, rng = np.random.default_rng(99), np.random.default_rng(seed)
    rank = channels // 8
    mixing = shared.normal(size=(rank, channels)) * np.exp(0.4 * shared.normal(size=channels))
    rows = rng.normal(size=(count, rank)) * np.arange(1, rank + 1) ** -0.5
    return (rows @ mixing * 3 / rank**0.5 + 0.25 * rng.normal(size=(count, channels))).astype("f4")


def heads(seed: int, count: int = 256, number: int = 8, width: int = 64) -> Array:
    """Return (1, heads, tokens, width) of keys or values."""
    rng, each = np.random.default_rng(seed), number * width
    flat = tokens(count, each, seed) * np.exp(0.8 * rng.normal(size=each)) + rng.normal(size=each)
    split = flat.reshape(1, count, number, width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(split, "f4")


def smooth(*shape: int, seed: int = 0) -> Array:
    """Return maps (channels, places...) whose neighbours are alike."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=shape)
    for axis in range(1, len(shape)):
        for _ in range(3):
            found = (np.roll(found, 1, axis) + 2 * found + np.roll(found, -1, axis)) / 4
    mixing = rng.normal(size=(shape[0], shape[0])) * np.arange(1, shape[0] + 1) ** -0.7
    return np.tensordot(mixing, found / found.std(), 1).astype("f4")


def stream(layers: int, count: int, channels: int) -> Array:
    """Return (layers, tokens, channels) of layers of which each adds to the one before it."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(layers, channels, channels)) / channels**0.5
    added = rng.normal(size=(layers, count, channels)) * np.arange(1, channels + 1) ** -0.5
    added[1:] *= 0.3
    return np.einsum("ltk,lkc->ltc", added, mixing).cumsum(axis=0).astype("f4")


def padded(samples: list[Array], length: int) -> list[Array]:
    """Return samples (tokens, channels) with zeros behind them."""
    return [np.pad(x, ((0, length - len(x)), (0, 0))) for x in samples]


def numbered(arrays: list[Array], name: str = "sample_{}") -> dict[str, Array]:
    return {name.format(i): np.ascontiguousarray(x) for i, x in enumerate(arrays)}


def made(features: Path) -> list[Case]:
    """Return the dumps of the table: made up, and three of networks."""
    other = features / "other"
    cache = load_file(other / "minilm_kv.safetensors")
    vocoder = load_file(other / "kokoro_vocoder.safetensors")["resblock4"]
    maps = load_file(features / "eval" / "mobilenetv2_op20.safetensors")["features"]
    unlike = np.stack([tokens(400, 192, i) * s for i, s in enumerate((1, 8, 40))], axis=1)
    alike = np.stack([tokens(400, 192, i) for i in range(3)], axis=1)
    wide = np.concatenate([tokens(48, 2816, i) * s for i, s in enumerate((1, 8, 40))], axis=1)
    chunk = np.stack([np.stack([tokens(256, 256, i + 2 * j) for i in range(2)]) for j in range(2)])
    sounds = np.stack([tokens(250, 192, i).T for i in range(4)])
    lines = [tokens((64, 66, 73)[i % 3], 192, i) for i in range(16)]
    prompts = padded([tokens(12 + 3 * i % 50, 384, i) for i in range(20)], 77)
    large = tokens(1024, 192)
    large[::64] *= 100

    def rows(x: Array) -> list[Array]:
        return [np.delete(x, np.s_[::64], axis=0), x[::64]]

    def kept(x: Array) -> list[Array]:
        return [x[x.any(axis=1)]]

    part = 2816
    return [
        Case(
            "KV cache `[1, heads, T, d]`, made up",
            numbered([heads(i) for i in (0, 1)]),
            along(1),
            OF_HEADS,
        ),
        Case(
            "KV cache `[1, 12, 250, 32]`, MiniLM, two layers",
            {name: cache[name] for name in sorted(cache)[:4]},
            along(1),
            OF_HEADS,
        ),
        Case(
            "LMCache `[2, layers, T, D]`",
            {"kv": chunk},
            lambda x: [a for b in x for a in b],
            ("NNLD", "KKLD", "KNLD", "KCLD", "CCLD", "CNLD"),
        ),
        Case("`[T, L, D]`, scales 1:8:40", {"hidden_states": unlike}, along(1), OF_LAYERS),
        Case("`[T, L, D]`, equal scale", {"hidden_states": alike}, along(1), OF_LAYERS),
        Case(
            "EAGLE `[1, T, 3 D]`, 8,448 wide, 1:8:40",
            {"aux_hidden_state": wide[None]},
            lambda x: [x[..., i * part : (i + 1) * part] for i in range(3)],
            ("NLD", "NDL", f"NLD/{part}+{part}+{part}", f"NDL/{part}+{part}+{part}"),
        ),
        Case(
            "audio `[N, C, T]`",
            {"conv": np.ascontiguousarray(sounds)},
            layouts=("NCL", "KCL", "NLC", "CNL"),
        ),
        Case(
            "vocoder `[1, 128, T]`, Kokoro",
            {"resblock": np.ascontiguousarray(vocoder[..., :2101])},
            layouts=("NCL", "NLC", "NHW"),
        ),
        Case("tokens of 64, 66, 73 rows", numbered(lines), layouts=("LD", "ND")),
        Case(
            "latents `[C, H, W]`, MobileNetV2",
            numbered(list(maps[:24, :16, :, 4:24])),
            layouts=OF_MAPS,
        ),
        Case(
            "films `[C, T, H, W]`",
            numbered([smooth(48, 12, 24, 24)]),
            layouts=("CTHW", "CNHW", "NCHW", "TCHW", "NNHW"),
        ),
        Case("prompts `[77, 384]`, padded", numbered(prompts), kept, ("LD", "ND", "DL")),
        Case("one row in 64 of 100 times the norm", {"x": large}, rows, ("LD", "ND", "DL")),
    ]


def arranged(features: Path) -> dict[str, list[Case]]:
    """Return the same values, 100,000 to 400,000, arranged in several ways."""
    of = features / "eval"
    texts = list(load_file(of / "minilm_hidden6.safetensors").items())
    text = [x for name, x in texts if name.startswith("sentence")][:30]
    block = load_file(of / "vit_block6.safetensors")["features"][:24]
    maps = load_file(of / "resnet56_layer3.safetensors")["features"][:64]
    kv = load_file(features / "other" / "minilm_kv.safetensors")
    kv = {name: kv[name] for name in sorted(kv)[:2]}
    layers, longest = stream(6, 300, 96), max(map(len, text))
    lengths = (80, 25, 61, 47, 50, 37)
    samples = np.split(layers, np.cumsum(lengths)[:-1], axis=1)
    batch = np.stack([np.stack(padded(list(x), max(lengths))) for x in samples], axis=1)
    return {
        "text, MiniLM": [
            Case("a tensor a sample", numbered(text)),
            Case("one tensor", {"x": np.concatenate(text)}),
            Case("channels first", numbered([x.T for x in text])),
            Case("padded, one tensor", {"x": np.stack(padded(text, longest))}),
            Case("padded, a tensor a sample", numbered(padded(text, longest))),
        ],
        "patches, ViT": [
            Case("one tensor", {"x": block}),
            Case("channels first", {"x": np.ascontiguousarray(block.transpose(0, 2, 1))}),
            Case("a tensor a sample", numbered(list(block))),
        ],
        "maps, ResNet": [
            Case("channels first", {"x": maps}),
            Case("channels last", {"x": np.ascontiguousarray(maps.transpose(0, 2, 3, 1))}),
            Case("a tensor a sample", numbered(list(maps))),
        ],
        "layers, made up": [
            Case("`[L, T, D]`", {"x": layers}, along(0)),
            Case("`[T, L, D]`", {"x": np.ascontiguousarray(layers.transpose(1, 0, 2))}, along(1)),
            Case("a tensor a layer", numbered(list(layers), "layers.{}")),
            Case(
                "a tensor a layer, padded",
                numbered(padded(list(layers), 360), "layers.{}"),
                lambda x: [x[:300]],
            ),
            Case(
                "a tensor a layer `[B, T, D]`, padded",
                numbered(list(batch), "layers.{}"),
                lambda x: [x[x.any(axis=-1)]],
            ),
            Case(
                "`[L, B, T, D]`, padded",
                {"x": batch},
                lambda x: [y[y.any(axis=-1)] for y in x],
            ),
        ],
        "KV cache, MiniLM": [
            Case(
                "`[T, heads d]`",
                {n: x[0].transpose(1, 0, 2).reshape(x.shape[2], -1) for n, x in kv.items()},
            ),
            Case(
                "`[T, heads, d]`",
                {n: np.ascontiguousarray(x[0].transpose(1, 0, 2)) for n, x in kv.items()},
                along(1),
            ),
            Case("`[1, heads, T, d]`", kv, along(1)),
        ],
    }
