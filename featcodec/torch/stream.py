"""Batches of a data set as a stream, which workers and ranks share among each other."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

from ..arguments import whole
from ..errors import InvalidInput
from .dataset import Batch, FeatureDataset, dataset_of
from .epoch import Batching, Epoch


class _Made(dict[str, torch.Tensor]):
    """A batch of a stream, which a loader hands on as a plain dictionary, and refuses to join."""

    def __copy__(self) -> Batch:  # as loaders do without a batch size
        return dict(self)


def _refuse(batches: Any, *, collate_fn_map: Any = None) -> None:
    raise InvalidInput(
        "a FeatureStream makes the batches, so its loader must not: write DataLoader(stream,"
        " batch_size=None)"
    )


default_collate_fn_map[_Made] = _refuse


class FeatureStream(IterableDataset):
    """Batches for `DataLoader(stream, batch_size=None, num_workers=...)`, made where they are read.

    Nothing is stacked sample by sample, so that little time goes by between row groups. Each worker
    and each rank decodes row groups of its own. The batches of an epoch are those of
    `RowGroupSampler`, in the same order.

    >>> from torch.utils.data import DataLoader
    >>> from featcodec import encode_file
    >>> from featcodec.torch import FeatureDataset, FeatureStream
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> stream = FeatureStream(FeatureDataset("feats.fcz"), batch_size=100, seed=1)
    >>> for epoch in range(2):
    ...     stream.set_epoch(epoch)
    ...     print([len(batch["labels"]) for batch in DataLoader(stream, batch_size=None)])
    [100, 100, 100, 60]
    [100, 100, 100, 60]
    """

    def __init__(self, dataset: FeatureDataset, batch_size: int, **batching: Any) -> None:
        """Take what the epochs have in common.

        Args:
            dataset: The samples.
            batch_size: Samples in a batch.
            **batching: As for `RowGroupSampler`, but for `workers`, which the stream knows.

        Raises:
            InvalidInput: For numbers that make no sense, and for what is no data set.
        """
        self.dataset = dataset_of(dataset, type(self).__name__)
        asked = Batching.asked(type(self).__name__, batch_size, batching)
        self._batching = asked.fitting(dataset.fits)
        self._state = torch.zeros(2, dtype=torch.int64).share_memory_()  # by workers that stay

    def __repr__(self) -> str:
        return f"FeatureStream({len(self)} batches of {self._batching.batch_size}, {self.dataset})"

    def set_epoch(self, epoch: int, done: int = 0) -> None:
        """Draw the order of an epoch, and leave out the batches that are `done` of the first.

        Done are those that the loader of this rank gave; it has as many workers as it had then.
        InvalidInput is raised for numbers below 0, and for more batches than an epoch has.
        """
        batches = len(self._epoch(1))
        done = whole("done", done, 0, batches)
        self._state[0], self._state[1] = whole("epoch", epoch), done

    def __len__(self) -> int:
        return len(self._epoch(1)) - int(self._state[1])

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        epoch, done = self._epoch(workers), int(self._state[1])
        for i in range(done + number, len(epoch), workers):  # they are asked in turn, from 0 on
            yield _Made(self.dataset.batch(epoch.batch(i)))

    def _epoch(self, workers: int) -> Epoch:
        return Epoch(self.dataset.starts, self._batching, int(self._state[0]), workers)
