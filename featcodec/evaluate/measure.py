"""One measurement: rate, SNR, task metric and speed of a codec on a dump at one quality."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..dumps import Dump
from ..errors import FeatcodecError, InvalidInput, Unreachable
from ..functions import named_function
from ..numpy import Arrays
from .codecs import Codec
from .features import Features
from .results import Measurement

T = TypeVar("T")

RUNS = 3
ENOUGH = 1.0  # seconds of runs, after which there are no more

Task = Callable[[str, dict[str, Any]], float | None]


def load_task(text: str) -> Task:
    """Import the task `MODULE:FUNCTION`.

    The function takes a dump's stem and its tensors by name, as torch tensors, and returns a float,
    or None where it has no task. Raises InvalidInput when there is no such function.
    """
    task: Task = named_function(text, "--task")
    return task


class Bench:
    """A dump with its features, on which codecs are measured."""

    def __init__(self, path: Path, task: Task | None) -> None:
        self.name = path.stem
        self.dump = Dump(path)
        self.features = Features(self.dump)
        self.task = task

    def uncompressed(self) -> Measurement:
        """Return the rate and the metric of the dump itself; InvalidInput when the task fails."""
        names = {name for group in self.features.groups for name in group.names}
        size = sum(t.read().nbytes for t in self.dump.tensors if t.name in names)
        try:
            metric = self._score({})
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise InvalidInput(f"the task fails on {self.name} uncompressed: {reason}") from error
        return Measurement(
            self.name, "uncompressed", None, self.features.values, size, metric=metric
        )

    def measure(self, codec: Codec, snr: float | None) -> Measurement:
        """Return what a codec comes to at a wanted SNR in dB; Unreachable where it cannot."""
        with np.errstate(all="ignore"):  # extremes are data here; what comes of them is measured
            return self._measure(codec, snr)

    def _measure(self, codec: Codec, snr: float | None) -> Measurement:
        setting = codec.tune(self.features, snr)
        data, packing = timed(lambda: codec.encode(self.features, setting))
        decoded, unpacking = timed(lambda: codec.decode(data))
        megabytes = self.features.values * 4 / 1e6
        reached = self.features.snr(decoded)
        if math.isnan(reached) or reached == -math.inf:
            raise Unreachable("the features are constant or too large to have an SNR")
        return Measurement(
            self.name,
            codec.label,
            snr,
            self.features.values,
            len(data),
            reached if math.isfinite(reached) else None,
            self._score(decoded),
            megabytes / packing,
            megabytes / unpacking,
        )

    def _score(self, decoded: Mapping[str, np.ndarray]) -> float | None:
        if self.task is None:
            return None
        from ..torch.tensors import from_stored

        tensors = {
            t.name: from_stored(decoded.get(t.name, t.read()), t.dtype, t.shape)
            for t in self.dump.tensors
        }
        metric = self.task(self.name, tensors)
        return None if metric is None else float(metric)

    def warm_up(self, codec: Codec) -> None:
        """Let a codec load what it loads when it is first used."""
        first = self.features.groups[0]
        tensor = next(t for t in self.dump.tensors if t.name == first.names[0])
        rows = np.asarray(tensor.read().reshape(tensor.shape)[:2])
        few = Features(Arrays({tensor.name: (rows, tensor.dtype)}, self.dump.metadata))
        with contextlib.suppress(FeatcodecError):
            codec.decode(codec.encode(few, codec.tune(few, None if codec.fixed else 10.0)))


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what `work` returns and the seconds it takes, at best."""
    best, total = float("inf"), 0.0
    for _ in range(RUNS):
        start = time.perf_counter()
        result = work()
        taken = time.perf_counter() - start
        best, total = min(best, taken), total + taken
        if total > ENOUGH:
            break
    return result, best
