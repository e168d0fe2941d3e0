"""What the package uses of constriction, for machines that it has no wheel for.

A stack of 32-bit words with a 64-bit head, as SPEC 7.4 has it. Slow: a loop of Python a symbol.
"""

from bisect import bisect_right
from types import SimpleNamespace

import numpy as np

PRECISION = 24
WORD = 32


class Categorical:
    """Integer frequencies that sum to 2**24, given less one."""

    def __init__(self, less_one: np.ndarray, perfect: bool) -> None:
        assert not perfect
        self.counts = [int(one) + 1 for one in less_one]
        self.starts = [0, *np.cumsum(self.counts).tolist()]
        assert self.starts[-1] == 1 << PRECISION


class AnsCoder:
    def __init__(self, words: np.ndarray | None = None) -> None:
        self.words = [] if words is None else [int(word) for word in words]
        if self.words and not self.words[-1]:
            raise ValueError("the last word is 0")
        self.head = 0
        for _ in range(min(len(self.words), 2)):
            self.head = self.head << WORD | self.words.pop()

    def encode_reverse(self, symbols: np.ndarray, model: Categorical) -> None:
        for symbol in reversed(symbols.tolist()):
            count = model.counts[symbol]
            if self.head >> (2 * WORD - PRECISION) >= count:
                self.words.append(self.head & ((1 << WORD) - 1))
                self.head >>= WORD
            rest, place = divmod(self.head, count)
            self.head = rest << PRECISION | model.starts[symbol] + place

    def decode(self, model: Categorical, count: int) -> np.ndarray:
        found = np.empty(count, np.int32)
        head, words, mask = self.head, self.words, (1 << PRECISION) - 1
        for i in range(count):
            place = head & mask
            symbol = bisect_right(model.starts, place) - 1
            head = (head >> PRECISION) * model.counts[symbol] + place - model.starts[symbol]
            if head >> WORD == 0 and words:
                head = head << WORD | words.pop()
            found[i] = symbol
        self.head = head
        return found

    def get_compressed(self) -> np.ndarray:
        words, head = list(self.words), self.head
        while head:
            words.append(head & ((1 << WORD) - 1))
            head >>= WORD
        return np.array(words, np.uint32)

    def is_empty(self) -> bool:
        return not self.head and not self.words


stream = SimpleNamespace(
    stack=SimpleNamespace(AnsCoder=AnsCoder), model=SimpleNamespace(Categorical=Categorical)
)
