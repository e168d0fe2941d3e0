"""Profiles that vectors need, as they were trained once."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from featcodec import Profile
from featcodec.dumps import Dump
from featcodec.numpy import Arrays
from featcodec.request import Options
from featcodec.training.linear import train

from .features import DIGITS
from .networks import least_file
from .shared import profile_file

TASKS = ("cnn", "vit")


def encoded() -> dict[str, Callable[[], bytes]]:
    """Return name -> what trains the profile."""
    trained = dict.fromkeys(("digits.fcp", "banded.fcp", "dependent.fcp"), linear)
    return {**trained, "network.fcp": network, "task.fcp": task, "relu.fcp": relu}


def by_hand() -> dict[str, Callable[[], bytes]]:
    """Return name -> what makes the same bytes each time."""
    return {"least.fcp": least_file, "shared.fcp": profile_file}


def dumps() -> list[Dump]:
    return [Dump(DIGITS / f"{task}_train.safetensors") for task in TASKS]


def linear() -> bytes:
    """Train linear models; what `digits.fcp` lacks, later trainers added."""
    return Profile.pack(train(dumps(), Options()))


def relu() -> bytes:
    """Train models of sparse maps, one of them with context modelling."""
    maps = load_file(DIGITS / "cnn_train.safetensors")["features"]
    rectified = np.maximum(maps.astype(np.float32) - 0.5, 0)
    stored, metadata = {"features": (rectified, "F32")}, {"layout": "NCHW"}
    return Profile.pack(train([Arrays(stored, metadata)], Options()))


def task() -> bytes:
    """Train linear models, with the metric of what the digits networks answer.

    Needs torch, and tests/digits on the path.
    """
    from featcodec.training.head import Head, HeadGradients
    from featcodec.training.metric import TaskGradients

    from ..digits.heads import logits

    gradients = TaskGradients("digits", HeadGradients([Head(logits, "classes")], draws=4, seed=0))
    return Profile.pack(train(dumps(), Options(), gradients))


def network() -> bytes:
    """Train a network so small that a decoder in plain Python needs no patience."""
    from featcodec.training.network import crops, export, loop
    from featcodec.training.network.hyperprior import Hyperprior, Shape

    features = crops.collect(dumps(), Options())
    start = Hyperprior(Shape(width=3, latents=5, stages=2, levels=5))
    plan = loop.Plan(steps=1500)
    with tempfile.TemporaryDirectory() as folder:
        trained = loop.train(features, plan, Path(folder, "checkpoint"), start)
    metadata = export.metadata("digits", features, {"steps": plan.steps, "seed": plan.seed})
    return Profile.pack([], export.export(trained, features, metadata))
