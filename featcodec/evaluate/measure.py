"""One measurement: rate, SNR, task metric and speed of a codec on a dump at one quality."""

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..dumps import Dump
from ..errors import FeatcodecError, InvalidInput, Unreachable
from ..functions import placed
from ..numpy import Arrays
from .codecs import Codec
from .features import Features
from .judged import Head, Judge, Task
from .results import Measurement

T = TypeVar("T")

RUNS = 3
ENOUGH = 1.0  # seconds of runs, after which there are no more


class Bench:
    """A dump with its features, on which codecs are measured."""

    def __init__(self, path: Path, task: Task | None = None, head: Head | None = None) -> None:
        self.name = path.stem
        self.dump = Dump(path)
        self.features = Features(self.dump)
        self.judge = Judge(self.dump, self.features.samples, task, head)

    def uncompressed(self) -> Measurement:
        """Return the rate and the metric of the dump itself.

        Raises InvalidInput when the task or the head fails.
        """
        names = {name for group in self.features.groups for name in group.names}
        size = sum(t.read().nbytes for t in self.dump.tensors if t.name in names)
        found: dict[str, float | None] = {}
        for what, judged in (("task", self.judge.score), ("head", self.judge.divergence)):
            try:
                found[what] = judged({})
            except Exception as error:
                said = isinstance(error, FeatcodecError)  # which says what fails
                reason = str(error) if said else f"the {what} fails: {placed(error)}"
                raise InvalidInput(f"{self.name}, uncompressed: {reason}") from error
        head = self.name, "uncompressed", None, self.features.values, size
        return Measurement(*head, metric=found["task"], divergence=found["head"])

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
            self.judge.score(decoded),
            self.judge.divergence(decoded),
            megabytes / packing,
            megabytes / unpacking,
        )

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
