"""The order of samples in an epoch: shuffled so that row groups are decoded once each.

Each worker of each rank has a share of the samples, the same in all epochs, so that no two decode
the same row groups, and what their caches hold together is decoded once. In its share the row
groups are shuffled, and the samples of a few that follow each other are mixed. Batch j of an epoch
is worker j mod W's, as the loaders of torch hand them out. Without shuffling, batches follow each
other as samples do in the files, and workers decode the row groups that they share each.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch.distributed as dist

from ..arguments import known, whole
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
            whole(name, getattr(self, name), 1)
        whole("rank", self.rank, 0, self.ranks - 1)
        whole("seed", self.seed)
        for name in ("shuffle", "drop_last"):
            if getattr(self, name) not in (True, False):
                raise InvalidInput(f"{name} must be True or False, not {getattr(self, name)!r}")

    @classmethod
    def asked(cls, called: str, batch_size: int, given: dict[str, Any]) -> "Batching":
        """Return what a user asks of the class `called`; TypeError names an unknown argument."""
        if "workers" in given:
            raise TypeError(
                f"{called} takes no argument 'workers': it has as many as num_workers of its loader"
            )
        known(called, given, [each.name for each in fields(cls)])
        return cls(batch_size, **given)

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
        self._batching, self._epoch = batching, epoch
        self._workers = max(workers, 1) if batching.shuffle else 1  # whose shares differ
        # Row groups are laid end to end, of which ranks and workers have a stretch each.
        line = np.arange(len(starts) - 1)
        if batching.shuffle:
            line = np.random.default_rng(batching.seed).permutation(line)
        self._firsts = starts[line]
        self._line = np.concatenate([[0], np.cumsum(np.diff(starts)[line])])
        self._each = int(starts[-1]) // batching.ranks  # samples of a rank
        whole, rest = divmod(self._each, batching.batch_size)
        self._batches = whole + (rest > 0 and not batching.drop_last)
        self._shares: dict[int, _Share] = {}

    def __len__(self) -> int:
        return self._batches

    def batch(self, number: int) -> np.ndarray:
        """Return the samples of a batch, 0 <= number < len."""
        worker, turn = number % self._workers, number // self._workers
        if worker not in self._shares:
            self._shares[worker] = self._share(worker)
        size = self._batching.batch_size
        # The last batch has what is left of the samples of the rank.
        most = self._each - (self._place(worker) + turn) * size
        return self._shares[worker].samples(turn * size, turn * size + min(size, most))

    def _place(self, worker: int) -> int:
        """Return how many batches the workers before have together."""
        every, more = divmod(self._batches, self._workers)
        return worker * every + min(worker, more)

    def _share(self, worker: int) -> "_Share":
        batching = self._batching
        begin = batching.rank * self._each
        end = begin + self._each if batching.rank + 1 < batching.ranks else int(self._line[-1])
        last = self._place(worker + 1)
        start = begin + self._place(worker) * batching.batch_size
        # What no batch has is another part of the last share in each epoch.
        stop = end if last == self._batches else begin + last * batching.batch_size
        edges = np.clip(self._line, start, stop)
        shift = self._firsts - self._line[:-1]
        pieces = np.stack([edges[:-1] + shift, edges[1:] + shift], axis=1)
        seed = batching.seed, self._epoch, batching.rank, worker
        return _Share(pieces[edges[:-1] < edges[1:]], batching, seed)


class _Share:
    """The samples of a worker in the order of an epoch."""

    def __init__(self, pieces: np.ndarray, batching: Batching, seed: tuple[int, ...]) -> None:
        """`pieces` (n, 2) have the first sample of each row group in the share, and the end."""
        self._shuffle, self._seed = batching.shuffle, seed
        if self._shuffle:
            pieces = np.random.default_rng(seed).permutation(pieces)
        mixed = batching.mixed
        self._pools = [pieces[i : i + mixed] for i in range(0, len(pieces), mixed)]
        sizes = [int(np.diff(pool).sum()) for pool in self._pools]
        self._edges = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._latest = -1, np.empty(0, np.int64)

    def samples(self, first: int, last: int) -> np.ndarray:
        """Return the samples at places first <= p < last of the order."""
        parts = [np.empty(0, np.int64)]
        pool = int(np.searchsorted(self._edges, first, "right")) - 1
        while first < last:
            start, end = int(self._edges[pool]), min(int(self._edges[pool + 1]), last)
            parts.append(self._pool(pool)[first - start : end - start])
            first, pool = end, pool + 1
        return np.concatenate(parts)

    def _pool(self, number: int) -> np.ndarray:
        """Return the samples of row groups that are mixed, in their order."""
        if self._latest[0] != number:
            found = np.concatenate([np.arange(*piece) for piece in self._pools[number]])
            if self._shuffle:
                found = np.random.default_rng((*self._seed, number)).permutation(found)
            self._latest = number, found
        return self._latest[1]
