"""Trains the two digit networks and dumps their features and tails beside this file.

Needs torch and scikit-learn; one thread, about two minutes: python tests/digits/train.py
"""

import json
from pathlib import Path

import numpy as np
import tails
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.fusion import fuse_conv_bn_eval

HERE = Path(__file__).resolve().parent
SOURCE = (
    "scikit-learn digits (UCI ML Repository, Optical Recognition of Handwritten Digits, "
    "Alpaydin and Kaynak 1998), CC BY 4.0"
)
SEED = 0
EVAL = 360  # the last images, never trained on
TRAIN_STEP = 6  # every sixth training image is dumped, to keep the files small
WIDTH = 64
METADATA = {
    "cnn": {
        "model": "digits-resnet",
        "layer": "residual block 1 of 2, its sum before the ReLU",
        "architecture": "cnn",
        "layout": "NCHW",
        "source": SOURCE,
    },
    "vit": {
        "model": "digits-vit",
        "layer": "residual stream after block 2 of 4",
        "architecture": "transformer",
        "layout": "NLD",
        "prefix_tokens": "1",
        "grid": "4x4",
        "source": SOURCE,
    },
}


class ConvBlock(nn.Module):
    """[N, 64, H, W] -> the same, a residual block whose sum stays linear."""

    def __init__(self, inner: int = WIDTH // 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(WIDTH, inner, 3, padding=1)
        self.bn1: nn.Module = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, WIDTH, 3, padding=1)
        self.bn2: nn.Module = nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 64, H, W] -> [N, 64, H, W]."""
        hidden = F.relu(self.bn1(self.conv1(F.relu(x))))
        return x + self.bn2(self.conv2(hidden))

    def fold(self) -> None:
        """Moves the batch norms into the convolutions, so that the tail is convolutions only."""
        self.conv1, self.bn1 = fuse_conv_bn_eval(self.conv1, self.bn1), nn.Identity()
        self.conv2, self.bn2 = fuse_conv_bn_eval(self.conv2, self.bn2), nn.Identity()


class CnnTail(nn.Module):
    """[N, 64, 4, 4] -> [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.block = ConvBlock()
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 64, 4, 4] -> [N, 10]."""
        return self.head(F.relu(self.block(x)).mean((2, 3)))


def cnn_front() -> nn.Sequential:
    """[N, 1, 8, 8] -> [N, 64, 4, 4]."""
    stem = [nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    down = nn.Conv2d(32, WIDTH, 3, stride=2, padding=1)
    return nn.Sequential(*stem, down, ConvBlock())


class AttentionBlock(nn.Module):
    """[N, L, 64] -> the same, pre-norm attention and MLP on a residual stream."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp1, self.mlp2 = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """[N, L, 64] -> [N, L, 64]."""
        n, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, length, 3, tails.HEADS, width // tails.HEADS)
        mixed = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return x + self.mlp2(F.gelu(self.mlp1(self.norm2(x)), approximate="tanh"))


class Tokens(nn.Module):
    """[N, 1, 8, 8] -> [N, 17, 64]: the class token, then 4x4 patches of 2x2 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, WIDTH, 2, stride=2)
        self.cls = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.02)
        self.position = nn.Parameter(torch.randn(1, 17, WIDTH) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 1, 8, 8] -> [N, 17, 64]."""
        patches = self.patch(x).flatten(2).transpose(1, 2)
        return torch.cat((self.cls.expand(len(x), -1, -1), patches), 1) + self.position


class VitTail(nn.Module):
    """[N, 17, 64] -> [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.block1, self.block2 = AttentionBlock(), AttentionBlock()
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 17, 64] -> [N, 10]."""
        return self.head(self.norm(self.block2(self.block1(x))[:, 0]))


def build(task: str) -> nn.Sequential:
    """The whole network, [N, 1, 8, 8] -> [N, 10], as its front and its tail."""
    if task == "cnn":
        return nn.Sequential(cnn_front(), CnnTail())
    return nn.Sequential(nn.Sequential(Tokens(), AttentionBlock(), AttentionBlock()), VitTail())


def augment(x: Tensor) -> Tensor:
    """[N, 1, 8, 8] -> the same, each image slightly turned, scaled and shifted."""
    angle, size = torch.randn(len(x)) * 0.15, 1 + torch.randn(len(x)) * 0.1
    shift = torch.randn(len(x), 2) * 0.15
    cos, sin = angle.cos() * size, angle.sin() * size
    theta = torch.stack((cos, -sin, shift[:, 0], sin, cos, shift[:, 1]), 1).reshape(-1, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def fit(net: nn.Sequential, images: Tensor, labels: Tensor, epochs: int, rate: float) -> None:
    """Trains in place on images [N, 1, 8, 8] and labels [N]."""
    steps = epochs * -(-len(images) // 64)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(augment(images[batch])), labels[batch], label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()


def write(name: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Saves one file, its header sorted: safetensors leaves the order of the metadata to chance."""
    data = save(tensors, metadata)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    content = len(header).to_bytes(8, "little") + header + data[end:]
    (HERE / f"{name}.safetensors").write_bytes(content)


@torch.no_grad()
def export(task: str, net: nn.Sequential, splits: dict[str, tuple[Tensor, Tensor]]) -> None:
    """Writes the tail and the features of each split; checks that NumPy agrees with torch."""
    front, tail = net
    if task == "cnn":
        tail.block.fold()
    for parameter in tail.parameters():  # round here, so that torch runs the stored weights too
        parameter.copy_(parameter.half())
    weights = {name: value.half() for name, value in tail.state_dict().items()}
    write(f"{task}_tail", weights, METADATA[task])
    tails.weights.cache_clear()
    for split, (images, labels) in splits.items():
        features = front(images).half().contiguous()
        tensors = {"features": features, "labels": labels}
        write(f"{task}_{split}", tensors, METADATA[task] | {"split": split})
        logits = tail(features.float()).numpy()
        error = np.abs(logits - tails.logits(task, features.numpy())).max()
        assert error < 1e-4, error
        ours = tails.accuracy(task, features.numpy(), labels.numpy())
        top1 = (net(images).argmax(1) == labels).float().mean().item()
        print(
            f"{task} {split} {tuple(features.shape)} torch {top1:.4f} numpy {ours:.4f} "
            f"logit error {error:.1e}"
        )


def main() -> None:
    """Trains and exports both networks."""
    from sklearn.datasets import load_digits  # the heads of heads.py need none

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    pixels, digits = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 8, dtype=torch.float32).reshape(-1, 1, 8, 8)
    labels = torch.tensor(digits, dtype=torch.int64)
    train = images[:-EVAL], labels[:-EVAL]
    splits = {
        "train": (train[0][::TRAIN_STEP], train[1][::TRAIN_STEP].contiguous()),
        "eval": (images[-EVAL:], labels[-EVAL:]),
    }
    for task, epochs, rate in (("cnn", 40, 3e-3), ("vit", 160, 2e-3)):
        torch.manual_seed(SEED)
        net = build(task)
        fit(net, *train, epochs=epochs, rate=rate)
        export(task, net, splits)


if __name__ == "__main__":
    main()
