"""Dumps to a profile with a network."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

from ...coding.profile import Profile
from ...container.network import Network
from ...request import Options
from ...tensors import Source
from ..metric import TaskGradients
from . import crops, export, loop
from .warm_start import warm_start


def train_network(
    sources: Iterable[Source],
    options: Options,
    plan: loop.Plan,
    checkpoint: Path,
    start: Profile | None = None,
    tell: Callable[[loop.Progress], None] = lambda _: None,
    normalise: bool = True,
    task: TaskGradients | None = None,
) -> Network:
    """Return the network that a run of training ends with, and what it was trained on.

    Its name is that of the checkpoint without suffixes. The gradients of a task weigh errors.
    Without `normalise`, values are given to it as they are (for measuring what value alignment
    brings). Raises InvalidInput without features, and for a checkpoint of another run.
    """
    features = crops.collect(sources, options, normalise, task)
    plan = replace(plan, task=task.task if task else None)
    model = warm_start(start.neural.weights) if start else None
    trained = loop.train(features, plan, checkpoint, model, tell)
    record = {
        **{key: value for key, value in asdict(plan).items() if key != "device"},
        "lowest_lambda": loop.LOWEST_LAMBDA,
        "normalised": normalise,
        "from": start.digest.hex() if start else None,
    }
    metadata = export.metadata(Path(checkpoint.stem).stem, features, record)
    return export.export(trained, features, metadata)
