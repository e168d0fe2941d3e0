"""Batches of a data set, drawn so that an epoch decodes each row group once."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import Sampler

from ..arguments import whole
from .dataset import FeatureDataset, dataset_of
from .epoch import Batching, Epoch


class RowGroupSampler(Sampler[list[int]]):
    """Batches for `DataLoader(dataset, batch_sampler=...)`, by row groups.

    Row groups come in the order of the epoch that was set, and samples are mixed within some of
    them. With `workers`, as many as the loader has, each decodes row groups of its own.

    >>> from torch.utils.data import DataLoader
    >>> from featcodec import encode_file
    >>> from featcodec.torch import FeatureDataset, RowGroupSampler
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> dataset = FeatureDataset("feats.fcz")
    >>> loader = DataLoader(dataset, batch_sampler=RowGroupSampler(dataset, batch_size=100))
    >>> [len(batch["labels"]) for batch in loader]
    [100, 100, 100, 60]
    """

    def __init__(
        self, dataset: FeatureDataset, batch_size: int, *, workers: int = 0, **batching: Any
    ) -> None:
        """Take what the epochs have in common.

        Args:
            dataset: The data set of the loader.
            batch_size: Samples in a batch.
            workers: `num_workers` of the loader.
            **batching: `shuffle` (True; without, samples come as they lie in the files, and each
                worker decodes the row groups of its batches), `seed` (0), `mixed` (8: row groups
                that are mixed, fewer where half the cache of the data set has no room for them),
                `drop_last` (False); `rank` and `ranks` are those of torch.distributed where it
                runs.

        Raises:
            InvalidInput: For numbers that make no sense, and for what is no data set.
        """
        self._starts = dataset_of(dataset, type(self).__name__).starts
        asked = Batching.asked(type(self).__name__, batch_size, batching)
        self._batching = asked.fitting(dataset.fits)
        self._workers = whole("workers", workers)
        self.set_epoch(0)

    def __repr__(self) -> str:
        return f"RowGroupSampler({len(self)} batches of {self._batching.batch_size})"

    def set_epoch(self, epoch: int, done: int = 0) -> None:
        """Draw the order of an epoch, and leave out the batches that are `done` of the first.

        Done are those that the loader gave; it has as many workers as it had then. InvalidInput is
        raised for numbers below 0, and for more batches than an epoch has.
        """
        self._epoch, self._done = whole("epoch", epoch), 0
        self._done = whole("done", done, 0, len(self))

    def __len__(self) -> int:
        return len(self._of_epoch()) - self._done

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self._of_epoch()
        for number in range(self._done, len(epoch)):
            yield epoch.batch(number).tolist()

    def _of_epoch(self) -> Epoch:
        return Epoch(self._starts, self._batching, self._epoch, self._workers)
