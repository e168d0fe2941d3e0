"""What decoded features are worth behind them: to a task that scores dumps, and to a head."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..dumps import Dump
from ..errors import InvalidInput
from ..functions import named_score

Task = Callable[[str, dict[str, Any]], float | None]


@dataclass(frozen=True)
class Head:
    """The rest of a network, and what it returns: `classes` or an `embedding`."""

    name: str
    function: Callable[[str, Any], Any]  # of a dump's stem and a tensor of features
    outputs: str = "classes"


def load_task(text: str) -> Task:
    """Import the task `MODULE:FUNCTION`.

    The function takes a dump's stem and its tensors by name, as torch tensors, and returns a float,
    or None where it has no task. Raises InvalidInput when there is no such function.
    """
    return named_score(text)


@dataclass(frozen=True)
class Judge:
    """Judges decoded tensors of a dump, given by name as stored elements; none is as dumped."""

    dump: Dump
    samples: Mapping[str, bool]  # by tensor of features: whether its first axis is that of samples
    task: Task | None
    head: Head | None

    def score(self, decoded: Mapping[str, np.ndarray]) -> float | None:
        """Return the metric of the task, None without one."""
        if self.task is None:
            return None
        found = self.task(self.dump.path.stem, self._tensors(decoded))
        return None if found is None else _finite("the score of the task", found)

    def divergence(self, decoded: Mapping[str, np.ndarray]) -> float | None:
        """Return how far the outputs of the head are off those of the dump, None without one."""
        if self.head is None:
            return None
        now = self._outputs.of(self._tensors(decoded))
        return _finite("the divergence", float(self._outputs.divergences(self._clean, now).mean()))

    @cached_property
    def _outputs(self) -> Any:
        from ..fidelity import Outputs

        assert self.head is not None
        head = partial(self.head.function, self.dump.path.stem)
        return Outputs(head, self.head.outputs, self.samples)

    @cached_property
    def _clean(self) -> Any:
        return self._outputs.of_dump(self._tensors({}))

    def _tensors(self, decoded: Mapping[str, np.ndarray]) -> dict[str, Any]:
        from ..torch.tensors import from_stored

        return {
            t.name: from_stored(decoded.get(t.name, t.read()), t.dtype, t.shape)
            for t in self.dump.tensors
        }


def _finite(what: str, value: float) -> float:
    """Return a number that tables and plots can hold; raise InvalidInput for another."""
    if not math.isfinite(value):
        raise InvalidInput(f"{what} is {value}, which is no number to compare")
    return value
