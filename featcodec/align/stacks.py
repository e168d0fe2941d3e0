"""Stacks: tensors of one shape side by side, as one of all their channels (SPEC §5.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .grids import Box, GroupGrid, Sizes
from .layout import Layout, LayoutError


@dataclass(frozen=True)
class Stacks:
    """How many tensors of a group a stack has, and how far apart they are.

    >>> stacks = Stacks(3, 2)
    >>> [stacks.place(i) for i in range(6)]
    [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    >>> stacks.member(1, 2)
    5
    """

    count: int
    distance: int = 1

    def place(self, i: int) -> tuple[int, int]:
        """Return the stack of tensor i of a group, and its number there."""
        run, inside = divmod(i, self.count * self.distance)
        number, stack = divmod(inside, self.distance)
        return run * self.distance + stack, number

    def member(self, stack: int, number: int) -> int:
        """Return which tensor of a group that is."""
        run, inside = divmod(stack, self.distance)
        return (run * self.count + number) * self.distance + inside

    def firsts(self, shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Return the shape of the tensors of each stack; LayoutError unless they fill stacks."""
        if len(shapes) % (self.count * self.distance):
            raise LayoutError(
                f"{len(shapes)} tensors are no stacks of {self.count}, {self.distance} apart"
            )
        found: list[tuple[int, ...]] = []
        for stack in range(len(shapes) // self.count):
            same = {shapes[self.member(stack, number)] for number in range(self.count)}
            if len(same) > 1:
                raise LayoutError(f"stack {stack} has tensors of {len(same)} shapes")
            found += same
        return found


class StackedGrid(GroupGrid):
    """The slabs of stacks: the channels of a token are those of all tensors of a stack.

    Boxes number stacks; whoever reads or writes values of them knows the tensors.
    """

    def __init__(
        self, layout: Layout, shapes: Sequence[tuple[int, ...]], block: Sizes, stacks: Stacks
    ) -> None:
        """Raise LayoutError for tensors that do not fit layout and stacks."""
        self.stacks = stacks
        self.single = GroupGrid(layout, stacks.firsts(shapes), block)  # of one tensor of each
        self._cut(layout, [(*g[:-1], g[-1] * stacks.count) for g in self.single.shapes], block)

    def collect(
        self,
        boxes: Sequence[Box],
        tensor: Callable[[int], Any],
        convert: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        found = [
            self.single.collect(boxes, self._at(number, tensor), convert)
            for number in range(self.stacks.count)
        ]
        return np.concatenate(found)

    def scatter(
        self, values: np.ndarray, boxes: Sequence[Box], tensor: Callable[[int], np.ndarray | None]
    ) -> None:
        for number, part in enumerate(np.split(values, self.stacks.count)):
            self.single.scatter(part, boxes, self._at(number, tensor))

    def _at(self, number: int, tensor: Callable[[int], Any]) -> Callable[[int], Any]:
        """Return the tensors of a number in their stacks, by stack."""
        return lambda stack: tensor(self.stacks.member(stack, number))

    def number_of(self, tensor: int) -> int:
        return self.stacks.place(tensor)[0]
