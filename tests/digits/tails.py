"""The layers behind the dumped features, in NumPy: what decoded features are still worth.

Usage: python tails.py {cnn,vit} decoded.safetensors
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
HEADS = 4

Array = NDArray[np.float32]


@cache
def weights(task: str) -> dict[str, Array]:
    """The tail's tensors by their name in train.py, batch norms already folded in."""
    tensors = load_file(HERE / f"{task}_tail.safetensors")
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def conv3x3(x: Array, w: dict[str, Array], name: str) -> Array:
    """[N, C, H, W] -> [N, O, H, W], zero padded."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = sliding_window_view(padded, (3, 3), axis=(2, 3))  # [N, C, H, W, 3, 3]
    y = np.tensordot(windows, w[f"{name}.weight"], axes=((1, 4, 5), (1, 2, 3)))
    return (y + w[f"{name}.bias"]).transpose(0, 3, 1, 2)


def linear(x: Array, w: dict[str, Array], name: str) -> Array:
    """[..., I] -> [..., O]."""
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def layer_norm(x: Array, w: dict[str, Array], name: str) -> Array:
    """Normalises the last axis; the shape stays."""
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
    return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]


def relu(x: Array) -> Array:
    """Elementwise."""
    return np.maximum(x, 0)


def gelu(x: Array) -> Array:
    """Elementwise, in its tanh form, which needs no erf."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x**3)))


def attention(x: Array, w: dict[str, Array], name: str) -> Array:
    """[N, L, D] -> [N, L, D], multi-head self-attention."""
    n, length, width = x.shape
    qkv = linear(x, w, f"{name}.qkv").reshape(n, length, 3, HEADS, width // HEADS)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)  # each [N, heads, L, D / heads]
    scores = q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(width // HEADS))
    share = np.exp(scores - scores.max(-1, keepdims=True))
    share /= share.sum(-1, keepdims=True)
    return linear((share @ v).swapaxes(1, 2).reshape(x.shape), w, f"{name}.out")


def cnn_logits(x: Array) -> Array:
    """[N, 64, 4, 4] -> [N, 10]."""
    w = weights("cnn")
    x = x + conv3x3(relu(conv3x3(relu(x), w, "block.conv1")), w, "block.conv2")
    return linear(relu(x).mean((2, 3)), w, "head")


def vit_logits(x: Array) -> Array:
    """[N, 17, 64] -> [N, 10], read from the class token."""
    w = weights("vit")
    for block in ("block1", "block2"):
        x = x + attention(layer_norm(x, w, f"{block}.norm1"), w, block)
        hidden = gelu(linear(layer_norm(x, w, f"{block}.norm2"), w, f"{block}.mlp1"))
        x = x + linear(hidden, w, f"{block}.mlp2")
    return linear(layer_norm(x[:, 0], w, "norm"), w, "head")


def logits(task: str, features: np.ndarray) -> Array:
    """Features as dumped, in any float type -> [N, 10]."""
    return {"cnn": cnn_logits, "vit": vit_logits}[task](features.astype(np.float32))


def accuracy(task: str, features: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy of features ([N, ...]) against labels [N]."""
    return float((logits(task, features).argmax(-1) == labels).mean())


def main() -> None:
    """Prints the accuracy of one file of features."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("cnn", "vit"))
    parser.add_argument("file", help="safetensors file holding `features`")
    args = parser.parse_args()
    tensors = load_file(args.file)
    if "labels" not in tensors:  # a decoder may well return the features alone
        tensors["labels"] = load_file(HERE / f"{args.task}_eval.safetensors")["labels"]
    print(f"{accuracy(args.task, tensors['features'], tensors['labels']):.4f}")


if __name__ == "__main__":
    main()
