"""Processes that work side by side; one that dies costs the task it was at, and is replaced."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from .cli import TERMINATED
from .errors import FeatcodecError
from .outputs import PROCESS, abandoned

PATIENCE = 10.0  # seconds that a process has to clean up
TELL_EVERY = 0.2  # seconds


_listener: Callable[[int], object] | None = None  # of how far the task of this process is


class WorkerDied(FeatcodecError):
    """The process that worked on a task is gone."""


@dataclass(frozen=True)
class Advanced:
    """That more of a task is done, in the unit that its work counts in."""

    count: int


def advance(count: int) -> None:
    """Tell whoever waits for the task of this process that more of it is done."""
    if _listener is not None:
        _listener(count)


@contextlib.contextmanager
def listening(listener: Callable[[int], object] | None) -> Iterator[None]:
    """Have a function told of what `advance` is called with in this process."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


class Worker:
    """A process that does one task after the other."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        # Not forked: threads of numpy do not survive that.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        with _interrupts_held():
            self.process.start()
        theirs.close()
        self.tag = ""  # by which its temporary files are known
        self.position = -1  # of the task it is at
        self.target = ""  # what that writes

    def begin(self, position: int, task: Any) -> None:
        self.position, self.target = position, task.target
        with contextlib.suppress(OSError):  # it is gone already, which is found out later
            self.connection.send(task)

    def result(self) -> Any:
        """Return what came of the task, once there is something; the tag first of all."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.end()
            return WorkerDied(_cause(self.process.exitcode))

    def end(self) -> None:
        """End the process, and remove what it leaves behind."""
        self.process.terminate()
        self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()
        self.connection.close()
        if self.tag and self.process.exitcode not in (0, TERMINATED):
            abandoned(self.tag, self.target)


def results(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    jobs: int,
    meanwhile: Callable[[], object] | None = None,
    told: Callable[[int, int], object] = lambda position, count: None,
) -> Iterator[tuple[int, Any]]:
    """Yield (position, result) of tasks as they are done; each has a `target`, what it writes.

    A result is an exception when there was one. Tasks are dropped when the iterator is.
    `meanwhile` is called once here, when as many processes as there may be are at work; `told` with
    a position and what `advance` was told there.
    """
    waiting = list(enumerate(tasks))[::-1]
    workers: list[Worker] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                try:
                    workers.append(Worker(work))
                except OSError:  # there is no room for more processes
                    if not workers:
                        raise
                    jobs = len(workers)
                    break
                workers[-1].begin(*waiting.pop())
            if meanwhile is not None:
                meanwhile()
                meanwhile = None
            for ready in wait([worker.connection for worker in workers]):
                worker = next(worker for worker in workers if worker.connection is ready)
                found = worker.result()
                if not worker.tag and not isinstance(found, WorkerDied):
                    worker.tag = found
                    continue
                if isinstance(found, Advanced):
                    told(worker.position, found.count)
                    continue
                yield worker.position, found
                if not isinstance(found, WorkerDied) and waiting:
                    worker.begin(*waiting.pop())
                    continue
                workers.remove(worker)
                worker.end()
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    """Do tasks until there are no more, or until nobody is left to tell of them."""
    target = ""

    def end(*_: object) -> None:
        abandoned(PROCESS, target)
        os._exit(TERMINATED)  # an exception here could be lost in some callback

    # The main process alone answers Ctrl-C; it stops the others, which clean up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    teller = _Teller(connection)
    threading.Thread(target=end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        connection.send(PROCESS)
        while True:
            task = connection.recv()
            target = task.target
            with listening(teller.tell):
                done = _done(work, task)
            connection.send(done)


class _Teller:
    """Sends what is told it, now and then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._count, self._last = 0, time.monotonic()

    def tell(self, count: int) -> None:
        self._count += count
        if time.monotonic() - self._last >= TELL_EVERY:
            self._connection.send(Advanced(self._count))
            self._count, self._last = 0, time.monotonic()


def _done(work: Callable[[Any], Any], task: Any) -> Any:
    try:
        return work(task)
    except Exception as error:
        return error


def end_with_parent() -> None:
    """End this process when that which started it is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C from a process until it can ignore it: it inherits what is held back."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it would let them through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its worker was killed, signal {-code}; perhaps memory ran out"
    return f"its worker ended, status {code}"
