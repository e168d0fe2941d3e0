"""A cache of limited size; the oldest entry leaves first."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """Objects by key, together no larger than `room`; the latest stays whatever its size.

    Threads may share a cache: at worst two make the same object.
    """

    def __init__(self, room: int, size: Callable[[Made], int]) -> None:
        self._room = room
        self._size = size
        self._made: dict[Hashable, Made] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return the object of a key; make it when it is missing."""
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make()
            self._make_room()
        return found

    def _make_room(self) -> None:
        total = 0
        for key, made in reversed(list(self._made.items())):
            total += self._size(made)
            if total > self._room and total > self._size(made):
                self._made.pop(key, None)
