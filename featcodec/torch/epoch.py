"""The order of samples in an epoch: shuffled so that row groups are decoded once each.

Row groups are shuffled, and the samples of a few that follow each other are mixed. The batches of
one worker lie next to each other in that order, so that no two workers decode the same row groups;
batch j of an epoch is worker j mod W's, as the loaders of torch hand them out.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch.distributed as dist

from ..errors import InvalidInput


def _together() -> bool:
    """Return whether processes train together."""
    return dist.is_available() and dist.is_initialized()


@dataclass(frozen=True)
class Batching:
    """How an epoch is cut into batches.

    Args:
        batch_size: Samples in a batch.
        shuffle: Whether samples come in another order in each epoch.
        seed: Of the orders, the same in all processes.
        mixed: Row groups whose samples are mixed, at most.
        drop_last: Leave out a last batch that is not full.
        rank: The number of this process among those that train together, that of
            torch.distributed where it runs.
        ranks: How many these are; each gets as many samples, at most `ranks` - 1 are left out.
    """

    batch_size: int = 1
    shuffle: bool = True
    seed: int = 0
    mixed: int = 8
    drop_last: bool = False
    rank: int = field(default_factory=lambda: dist.get_rank() if _together() else 0)
    ranks: int = field(default_factory=lambda: dist.get_world_size() if _together() else 1)

    def __post_init__(self) -> None:
        for name in ("batch_size", "mixed", "ranks"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be 1 or more, not {getattr(self, name)}")
        if not 0 <= self.rank < self.ranks:
            raise InvalidInput(f"rank must be 0 to {self.ranks - 1}, not {self.rank}")

    def fitting(self, row_groups: int) -> "Batching":
        """Mix fewer where a cache has room for so many row groups.

        Those that were mixed last stay while the next are decoded, of which a batch may have both.
        """
        return replace(self, mixed=min(self.mixed, max(row_groups // 2, 1)))


class Epoch:
    """The batches of one epoch and rank, as indices of samples; `len` is how many there are."""

    def __init__(
        self, starts: np.ndarray, batching: Batching, epoch: int = 0, workers: int = 1
    ) -> None:
        """`starts` has the first sample of each row group, then the number of all samples."""
        self._batching, self._workers = batching, max(workers, 1)
        self._seed = (batching.seed, epoch)
        sizes = np.diff(starts)
        order = np.arange(sizes.size)
        if batching.shuffle:
            order = np.random.default_rng(self._seed).permutation(order)
        self._row_groups = order
        self._starts = starts
        # Where in the order the samples of each pool of row groups begin.
        edges = np.concatenate([[0], np.cumsum(sizes[order])])
        self._edges = np.append(edges[:-1][:: batching.mixed], edges[-1])
        self._each = int(starts[-1]) // batching.ranks  # samples of a rank
        whole, rest = divmod(self._each, batching.batch_size)
        self._batches = whole + (rest > 0 and not batching.drop_last)
        self._pools: dict[int, tuple[int, np.ndarray]] = {}  # the latest of each worker

    def __len__(self) -> int:
        return self._batches

    def batch(self, number: int) -> np.ndarray:
        """Return the samples of a batch, 0 <= number < len."""
        worker, turn = number % self._workers, number // self._workers
        every, more = divmod(self._batches, self._workers)
        place = worker * every + min(worker, more) + turn
        first = place * self._batching.batch_size
        last = min(first + self._batching.batch_size, self._each)
        begin = self._batching.rank * self._each
        return self._span(begin + first, begin + last, worker)

    def _span(self, first: int, last: int, worker: int) -> np.ndarray:
        """Return the samples at places first <= p < last of the order."""
        parts = []
        pool = int(np.searchsorted(self._edges, first, "right")) - 1
        while first < last:
            start, end = int(self._edges[pool]), min(int(self._edges[pool + 1]), last)
            if end > first:
                parts.append(self._pool(pool, worker)[first - start : end - start])
                first = end
            pool += 1
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _pool(self, number: int, worker: int) -> np.ndarray:
        """Return the samples of a pool in their order."""
        if self._pools.get(worker, (-1, None))[0] != number:
            mixed = self._batching.mixed
            chosen = self._row_groups[number * mixed : (number + 1) * mixed]
            samples = [np.arange(self._starts[i], self._starts[i + 1]) for i in chosen]
            found = np.concatenate(samples)
            if self._batching.shuffle:
                found = np.random.default_rng((*self._seed, number)).permutation(found)
            self._pools[worker] = number, found
        return self._pools[worker][1]
