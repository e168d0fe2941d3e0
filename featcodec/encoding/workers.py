"""Processes among which the row groups of large groups are divided, started when first needed."""

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from ..file_array import FileArray
from ..pool import Worker, WorkerDied
from ..threads import ONE_THREAD
from .tensors.group import Group

# Values of a group: the processes of fewer take longer to start than they save.
LEAST_VALUES = 12 << 20
MOST_AHEAD = 16  # row groups that are coded at once

Work = Callable[[Any], Any]


@dataclass(frozen=True)
class Elements:
    """The stored elements of tensors in a file, which other processes read for themselves."""

    arrays: Sequence[FileArray]

    def __call__(self, i: int) -> Any:
        return self.arrays[i]


@dataclass(frozen=True)
class _Task:
    """One call of some work, as plain values that travel to a process."""

    number: int  # of the work
    packed: bytes | None  # the work, for a process that does not have it
    argument: Any
    target: str = os.devnull  # nothing is written


@dataclass
class Workers:
    """Some processes, or this one alone; in either case the results are the same."""

    jobs: int = 1
    _workers: list[Worker] = field(default_factory=list)
    _number: int = 0  # of the work of now
    _has: dict[Connection, int] = field(default_factory=dict)  # the work that each process has

    def shared(self, group: Group) -> Group:
        """Return the group as other processes can read it, where they are to work on it.

        They are started then: it takes some time before they can work.
        """
        if self.jobs == 1 or group.present < LEAST_VALUES:
            return group
        arrays: list[Any] = [group.tensor(i) for i in range(len(group.shapes))]
        if not all(isinstance(array, FileArray) and array.path for array in arrays):
            return group
        self._start()
        return replace(group, tensor=Elements(arrays))

    def _start(self) -> None:
        while len(self._workers) < self.jobs:
            try:
                self._workers.append(Worker(_do))
            except OSError:  # there is no room for more processes
                if not self._workers:
                    raise
                self.jobs = len(self._workers)

    def map(
        self, group: Group, work: Work, arguments: Iterable[Any], ahead: int = MOST_AHEAD
    ) -> Iterator[Any]:
        """Yield what comes of arguments, in order; processes do the work on a `shared` group.

        At most `ahead` arguments are taken before their results are: what decides on an argument
        may use all results but the last `ahead - 1`. An exception of the work is raised here.
        """
        if isinstance(group.tensor, Elements):
            yield from self._divided(work, arguments, ahead)
        else:
            yield from map(work, arguments)

    def _divided(self, work: Work, arguments: Iterable[Any], ahead: int) -> Iterator[Any]:
        self._start()
        self._number += 1
        packed, left = pickle.dumps(work), enumerate(arguments)
        idle, busy = list(self._workers), dict[Connection, Worker]()
        done: dict[int, Any] = {}
        begun = taken = 0
        try:
            while True:
                while idle and begun - taken < ahead and (more := next(left, None)) is not None:
                    worker = idle.pop()
                    self._begin(worker, more, packed)
                    busy[worker.connection] = worker
                    begun += 1
                if begun == taken:
                    return
                for ready in [] if taken in done else wait(list(busy)):
                    worker = busy[ready]  # type: ignore[index]
                    found = worker.result()
                    if not worker.tag and not isinstance(found, WorkerDied):
                        worker.tag = found
                        continue
                    if isinstance(found, Exception):
                        raise found
                    done[worker.position] = found
                    idle.append(busy.pop(worker.connection))
                if taken in done:
                    yield done.pop(taken)
                    taken += 1
        finally:  # what is at work for nothing is not waited for
            for worker in busy.values():
                self._workers.remove(worker)
                worker.end()

    def _begin(self, worker: Worker, task: tuple[int, Any], packed: bytes) -> None:
        position, argument = task
        known = self._has.get(worker.connection) == self._number
        worker.begin(position, _Task(self._number, None if known else packed, argument))
        self._has[worker.connection] = self._number

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._has.clear()


_work: tuple[int, Work] | None = None  # of this process, and its number


def _do(task: _Task) -> Any:
    """Do a task, in a process of its own."""
    global _work
    if task.packed is not None:
        _work = task.number, pickle.loads(task.packed)
    assert _work is not None and _work[0] == task.number
    with ONE_THREAD, np.errstate(all="ignore"):  # NaN are data here
        return _work[1](task.argument)
