"""Growth in a process of its own, so that whoever makes features does not wait for their coding."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from ..pool import WorkerDied, end_with_parent
from .chunk import Stored
from .growth import Growth
from .wish import Wish

ROOM = 256 << 20  # bytes on their way: more have to wait

_growth: Growth | None = None  # of this process, when it is such a one


class Apart:
    """Has the methods of `Growth`; what goes wrong is raised by the next of them."""

    def __init__(self, path: Path, wish: Wish) -> None:
        """Begin a journal; raise InvalidInput where there is one."""
        # Not forked: threads of numpy do not survive that.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, _begin)
        self._under_way: deque[tuple[Future[None], int]] = deque()
        try:
            with _alive():
                self._pool.submit(_open, path, wish).result()
        except BaseException:
            self._pool.shutdown()
            raise

    def add(self, tensors: Mapping[str, Stored]) -> None:
        """Take in rows of tensors; wait where too many are on their way."""
        size = sum(stored.nbytes for stored, _ in tensors.values())
        copied = {name: (stored.copy(), dtype) for name, (stored, dtype) in tensors.items()}
        with _alive():
            self._under_way.append((self._pool.submit(_add, copied), size))
            while self._under_way and (self._under_way[0][0].done() or self._bytes > ROOM):
                self._under_way.popleft()[0].result()

    def flush(self) -> None:
        """Flush what was added, and wait for it."""
        self._finish(_flush)

    def end(self) -> None:
        """Flush for the last time, and end the process."""
        try:
            self._finish(_end)
        finally:
            self._pool.shutdown()

    @property
    def _bytes(self) -> int:
        return sum(size for _, size in self._under_way)

    def _finish(self, work: Callable[[], None]) -> None:
        with _alive():
            last = self._pool.submit(work)
            while self._under_way:
                self._under_way.popleft()[0].result()
            last.result()


@contextmanager
def _alive() -> Iterator[None]:
    """Say what it means that the process is gone."""
    try:
        yield
    except BrokenProcessPool:
        raise WorkerDied("the process that codes was killed; perhaps memory ran out") from None


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that adds answers Ctrl-C
    threading.Thread(target=end_with_parent, daemon=True).start()


def _open(path: Path, wish: Wish) -> None:
    global _growth
    _growth = Growth(path, wish)


def _add(tensors: Mapping[str, Stored]) -> None:
    assert _growth is not None
    _growth.add(tensors)


def _flush() -> None:
    assert _growth is not None
    _growth.flush()


def _end() -> None:
    assert _growth is not None
    _growth.end()
