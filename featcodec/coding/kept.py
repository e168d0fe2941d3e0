"""A cache of limited size; the oldest entry leaves first."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """Objects by key, together no larger than `room`; the `least` latest stay whatever their size.

    Threads may share a cache: at worst two make the same object.
    """

    def __init__(self, room: int, size: Callable[[Made], int], least: int = 1) -> None:
        self._room = room
        self._least = least
        self._size = size
        self._made: dict[Hashable, Made] = {}
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return the object of a key; make it when it is missing."""
        found = self._made.get(key)
        if found is None:
            found = make()
            with self._lock:
                if key not in self._made:
                    self._made[key] = found
                    self._total += self._size(found)
                while self._total > self._room and len(self._made) > self._least:
                    self._total -= self._size(self._made.pop(next(iter(self._made))))
        return found
