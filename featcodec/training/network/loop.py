"""Rate-distortion training with checkpoints: an interrupted run goes on where it stopped."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from ...errors import InvalidInput
from .crops import Features, batch
from .hyperprior import Hyperprior, Shape

CHECKPOINT_EVERY = 30.0  # seconds, of steps that take a tenth of one or many
LOWEST_LAMBDA = 0.5  # of the loss bits + lambda * error; each level of quality doubles it


@dataclass(frozen=True)
class Plan:
    """Everything a run of training depends on beside the features."""

    steps: int = 12_000
    batch: int = 16  # crops of 4,096 values
    rate: float = 1e-3  # of learning, at its peak
    seed: int = 0
    device: str = "cpu"
    task: str | None = None  # whose gradients weigh errors


@dataclass(frozen=True)
class Progress:
    """What one step came to, averaged over the last ones."""

    step: int
    bits: float  # a value
    error: float  # mean square of values of unit variance
    loss: float


def train(
    features: list[Features],
    plan: Plan,
    checkpoint: Path,
    start: Hyperprior | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Hyperprior:
    """Train from `start`, or from the checkpoint if there is one, which must be of this plan.

    Batches depend on the seed and the step alone, so that a run that was interrupted sees what it
    would have seen.
    """
    torch.manual_seed(plan.seed)
    model = (start or Hyperprior(Shape())).to(plan.device)
    optimiser = torch.optim.Adam(model.parameters(), plan.rate)
    identity = _identity(plan, features)
    done = _restore(checkpoint, identity, plan.device, model, optimiser)
    lambdas = LOWEST_LAMBDA * 2.0 ** torch.arange(model.shape.levels, device=plan.device)
    mean: Progress | None = None
    saved = time.monotonic()
    for step in range(done, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * _schedule(step / plan.steps)
        rng = np.random.default_rng((plan.seed, step))
        crops, drawn = batch(features, plan.batch, rng)
        pictures = torch.from_numpy(crops).to(plan.device)[:, None]
        gradients = None if drawn is None else torch.from_numpy(drawn).to(plan.device)
        levels = torch.from_numpy(rng.integers(model.shape.levels, size=plan.batch))
        torch.manual_seed(hash((plan.seed, step)) & 0x7FFFFFFF)  # of the noise
        weight = lambdas[levels]
        rates = model(pictures, levels.to(plan.device), gradients)
        # Without the root the errors at the highest qualities would drown the others.
        loss = ((rates.bits + weight * rates.error) / weight.sqrt()).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        now = Progress(step + 1, rates.bits.mean().item(), rates.error.mean().item(), loss.item())
        mean = _average(mean, now)
        tell(mean)
        if time.monotonic() - saved >= CHECKPOINT_EVERY:
            _save(checkpoint, identity, model, optimiser, step + 1)
            saved = time.monotonic()
    return model.cpu().eval()


def _schedule(share: float) -> float:
    """Return the rate of learning over its peak: a short rise, then half a cosine."""
    return min(share / 0.02, 1.0) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _average(mean: Progress | None, now: Progress) -> Progress:
    if mean is None:
        return now
    return Progress(
        now.step,
        *(0.99 * getattr(mean, x) + 0.01 * getattr(now, x) for x in ("bits", "error", "loss")),
    )


def _save(
    path: Path, identity: dict, model: Hyperprior, optimiser: torch.optim.Adam, step: int
) -> None:
    partial = path.with_name(path.name + ".part")
    state = {
        "run": identity,
        "step": step,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    torch.save(state, partial)
    partial.replace(path)


def _identity(plan: Plan, features: list[Features]) -> dict:
    """Return what a run must share with its checkpoint; it may go on on another device."""
    options = {key: value for key, value in asdict(plan).items() if key != "device"}
    return {
        **options,
        "features": [[f.label, *f.tokens.shape] for f in features],
        "draws": [len(f.gradients) for f in features if f.gradients is not None],
    }


def _restore(
    path: Path, identity: dict, device: str, model: Hyperprior, optimiser: torch.optim.Adam
) -> int:
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        same = state["run"] == identity
    except Exception:  # damaged bytes may raise anything
        raise InvalidInput(f"{path} is no checkpoint; delete it to begin anew") from None
    if not same:
        raise InvalidInput(
            f"{path} is the checkpoint of a run with other options or features; delete it, or"
            " repeat those"
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
