"""What is lost of a task: by a function that scores dumps, or by the outputs of heads."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InvalidInput
from ..fidelity import Outputs
from .halves import Divided, Tensors
from .head import Head
from .recommend import Loss, bound


@dataclass(frozen=True)
class ByScore:
    """Scores dumps as a whole; what one part loses shows when that alone is decoded."""

    task: str
    function: Callable[[str, dict[str, Any]], float | None]
    known: dict[int, float | None] = field(default_factory=dict)  # scores of clean dumps

    def loss(self, dump: Divided, decoded: Tensors, most: float) -> Loss | None:
        whole = self._clean(dump)
        if whole is None:
            return None
        mean = whole - self._score(dump, {**dump.clean, **decoded})
        if mean > most:
            return Loss(mean, 0.0, dump.samples)
        parts = dump.occupied
        lost = [whole - self._score(dump, dump.with_part(decoded, part)) for part in parts]
        return Loss(mean, _standard_error(np.array(lost) * len(parts)), dump.samples)

    def _clean(self, dump: Divided) -> float | None:
        if id(dump) not in self.known:
            found = self.function(_stem(dump), dict(dump.clean))
            if found is not None and not math.isfinite(found):
                raise InvalidInput(f"--task {self.task} returns {found} for features as dumped")
            self.known[id(dump)] = found
        return self.known[id(dump)]

    def _score(self, dump: Divided, tensors: Tensors) -> float:
        found = self.function(_stem(dump), tensors)
        return -math.inf if found is None or math.isnan(found) else found


@dataclass(frozen=True)
class ByHeads:
    """Needs no labels: what is expected to be lost by the clean outputs of heads.

    Of several heads that counts which loses most.
    """

    task: str
    heads: Sequence[Head]
    known: dict[tuple[int, int], list[torch.Tensor]] = field(default_factory=dict)  # clean outputs

    def loss(self, dump: Divided, decoded: Tensors, most: float) -> Loss | None:
        found = [self._loss(dump, decoded, number) for number in range(len(self.heads))]
        return max(found, key=lambda loss: bound([loss]))

    def _loss(self, dump: Divided, decoded: Tensors, number: int) -> Loss:
        head, key = self.heads[number], (id(dump), number)
        samples = {name: bool(parts.ndim) for name, parts in dump.parts.items()}
        outputs = Outputs(partial(head.function, _stem(dump)), head.outputs, samples)
        if key not in self.known:
            self.known[key] = outputs.of_dump(dump.features)
        losses = outputs.losses(self.known[key], outputs.of(decoded)).numpy()
        return Loss(float(losses.mean()), _standard_error(losses), dump.samples)


def _stem(dump: Divided) -> str:
    return Path(getattr(dump.source, "path", "dump")).stem


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.inf
