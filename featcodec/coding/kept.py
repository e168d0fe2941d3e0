"""What can be made again: kept while there is room, the oldest given up first."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """Things by key, together no larger than `room`; the latest is kept however large it is.

    Threads may share it: at worst two make the same thing.
    """

    def __init__(self, room: int, size: Callable[[Made], int]) -> None:
        self._room = room
        self._size = size
        self._made: dict[Hashable, Made] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return the thing of a key, made anew when it is not kept."""
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
