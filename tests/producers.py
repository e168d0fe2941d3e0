"""Small dumps as programs write them: their names, types and shapes, with made-up values.

Each function returns the tensors by name, as stored elements with their safetensors type, and the
metadata. What is no feature must come back bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from featcodec.align.numbers import from_float

Stored = dict[str, tuple[np.ndarray, str]]


@dataclass(frozen=True)
class Dump:
    """The tensors of a dump, and the names of those that are features."""

    tensors: Stored
    features: tuple[str, ...]
    metadata: dict[str, str] = field(default_factory=dict)


def tokens(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """Return tokens (..., channels) whose channels are correlated and differ in size."""
    rng = np.random.default_rng(seed)
    rank = max(shape[-1] // 8, 2)
    mixing = rng.normal(size=(rank, shape[-1])) * np.linspace(2, 0.1, rank)[:, None]
    rows = rng.normal(size=(*shape[:-1], rank)) @ mixing
    return scale * (rows + 0.1 * rng.normal(size=shape))


def maps(*shape: int, seed: int = 0) -> np.ndarray:
    """Return smooth maps (..., rows, columns)."""
    found = np.random.default_rng(seed).normal(size=shape)
    for axis in (-2, -1):
        for _ in range(3):
            found = (np.roll(found, 1, axis) + 2 * found + np.roll(found, -1, axis)) / 4
    return found / found.std()


def stored(values: np.ndarray, dtype: str) -> tuple[np.ndarray, str]:
    return from_float(values, dtype), dtype


def ids(*shape: int, below: int = 50_000) -> tuple[np.ndarray, str]:
    return np.random.default_rng(1).integers(0, below, shape).astype("<i8"), "I64"


def vllm() -> Dump:
    """The hidden states of some layers, of a request."""
    layers = np.stack([tokens(40, 128, scale=2.0**i, seed=i) for i in range(4)], axis=1)
    tensors = {"hidden_states": stored(layers, "BF16"), "token_ids": ids(40)}
    return Dump(tensors, ("hidden_states",))


def vllm_fp8() -> Dump:
    """The same in eight bits, with the scale of each token."""
    values = tokens(160, 128) * np.exp(np.random.default_rng(2).normal(size=(160, 1)))
    scale = (np.abs(values).max(axis=-1, keepdims=True) / 448).astype("<f4")
    tensors = {
        "hidden_states": stored(values / scale, "F8_E4M3"),
        "hidden_states_scale": (scale, "F32"),
        "token_ids": ids(160),
    }
    return Dump(tensors, ("hidden_states",))


def specforge() -> Dump:
    """The last hidden state of a conversation, and those of three layers side by side (EAGLE)."""
    parts = [tokens(1, 60, 96, scale=s, seed=int(s)) for s in (1.0, 8.0, 40.0)]
    mask = (np.arange(60) > 20).astype("<i8")
    tensors = {
        "input_ids": ids(60),
        "loss_mask": (mask, "I64"),
        "hidden_state": stored(tokens(1, 60, 96), "BF16"),
        "aux_hidden_state": stored(np.concatenate(parts, axis=-1), "BF16"),
    }
    return Dump(tensors, ("hidden_state", "aux_hidden_state"))


def deepspec() -> Dump:
    """The hidden states of five layers side by side, and the last."""
    tensors = {
        "input_ids": ids(60),
        "attention_mask": (np.ones(60, "u1"), "BOOL"),
        "loss_mask": ((np.arange(60) > 20).astype("u1"), "BOOL"),
        "target_hidden_states": stored(tokens(60, 5 * 64), "BF16"),
        "target_last_hidden_states": stored(tokens(60, 64, seed=1), "BF16"),
    }
    return Dump(tensors, ("target_hidden_states", "target_last_hidden_states"))


def lmcache() -> Dump:
    """Keys and values of all layers, of a chunk of tokens."""
    tensors = {"kv": stored(tokens(2, 4, 64, 64), "BF16")}
    return Dump(tensors, ("kv",))


def kv_cache() -> Dump:
    """Keys and values a layer, (batch, heads, tokens, head size)."""
    tensors = {
        f"layers.{i}.{what}": stored(tokens(1, 4, 64, 32, seed=2 * i + j), "F16")
        for i in range(2)
        for j, what in enumerate(("keys", "values"))
    }
    return Dump(tensors, tuple(tensors))


def saelens() -> Dump:
    """The activations of a hook point by context, and the tokens they are of."""
    hook = "blocks.0.hook_mlp_out"
    tensors = {hook: stored(tokens(8, 32, 96), "F32"), "token_ids": ids(8, 32)}
    return Dump(tensors, (hook,))


def timm() -> Dump:
    """The tokens of a ViT, the pooled ones, and the labels of the pictures."""
    tensors = {
        "x_norm_patchtokens": stored(
            np.moveaxis(maps(24, 64, 6, 6).reshape(24, 64, 36), 1, 2), "F16"
        ),
        "x_norm_clstoken": stored(tokens(24, 64), "F16"),
        "labels": ids(24, below=1000),
    }
    return Dump(tensors, ("x_norm_patchtokens", "x_norm_clstoken"))


def musubi_latents() -> Dump:
    """The latents of a film."""
    name = "latents_5x20x28_bf16"
    about = {"architecture": "wan", "width": "224", "height": "160", "format_version": "1.0.1"}
    return Dump({name: stored(maps(16, 5, 20, 28), "BF16")}, (name,), about)


def musubi_text() -> Dump:
    """The text embeddings of a caption, with the mask of its tokens."""
    tensors = {
        "llama_vec_bf16": stored(tokens(64, 256), "BF16"),
        "llama_attention_mask": ((np.arange(64) < 40).astype("u1"), "BOOL"),
        "clip_l_pooler_bf16": stored(tokens(256, seed=1), "BF16"),
    }
    about = {"architecture": "framepack", "caption1": "a cat", "format_version": "1.0.1"}
    return Dump(tensors, ("llama_vec_bf16",), about)


def kohya_latents() -> Dump:
    """The latents of a picture, flipped too, and what was cut off."""
    tensors = {
        "latents": stored(maps(4, 40, 56), "F32"),
        "original_size": ids(2, below=2000),
        "crop_ltrb": ids(4, below=10),
        "latents_flipped": stored(maps(4, 40, 56)[..., ::-1], "F32"),
        "alpha_mask": (np.ones((40, 56), "<f4"), "F32"),
    }
    return Dump(tensors, ("latents", "latents_flipped"))


def kohya_text() -> Dump:
    """The text embeddings of FLUX."""
    tensors = {
        "l_pooled": stored(tokens(96), "F32"),
        "t5_out": stored(tokens(96, 128), "F32"),
        "txt_ids": (np.zeros((96, 3), "<f4"), "F32"),
        "t5_attn_mask": ((np.arange(96) < 30).astype("<i4"), "I32"),
        "apply_t5_attn_mask": (np.array(True).view("u1"), "BOOL"),
    }
    return Dump(tensors, ("t5_out",))


def s3prl() -> Dump:
    """The hidden states of all layers, of an utterance."""
    tensors = {f"hidden_state_{i}": stored(tokens(1, 70, 64, seed=i), "F32") for i in range(5)}
    return Dump(tensors, tuple(tensors))


PRODUCERS: dict[str, Callable[[], Dump]] = {
    make.__name__: make
    for make in (
        vllm, vllm_fp8, specforge, deepspec, lmcache, kv_cache, saelens, timm,
        musubi_latents, musubi_text, kohya_latents, kohya_text, s3prl,
    )
}  # fmt: skip
