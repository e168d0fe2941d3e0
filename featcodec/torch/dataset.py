"""Files of features as a data set of torch: a sample is a row of each tensor."""

import math
import operator
import reprlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ..access import CACHE, safe_open
from ..arguments import a_kind, answering
from ..coding.kept import Kept
from ..coding.profile import profiles_of
from ..elements import nbytes
from ..errors import InvalidInput
from ..memory import bytes_of
from ..opening import Where

OPEN = 32  # files that a process keeps open
SHARE = 8  # one part of the cache in so many is of the open files, for tensors of few bytes
AT_ONCE = 16  # files whose headers are read at the same time: those of stores take a while
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class _Headers:
    """What is known of a file without decoding: of each key type and shape, and row groups."""

    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]
    starts: tuple[int, ...]  # of the row groups, in samples, then the number of samples


class FeatureDataset(Dataset):
    """The rows of tensors of many files as samples, which are dictionaries of torch tensors.

    Row groups are decoded when a sample of them is asked for, and kept while there is room: with
    `RowGroupSampler` an epoch decodes each once. It goes to workers by fork and by spawn, which
    open files of their own.

    >>> from featcodec import encode_file
    >>> from featcodec.torch import FeatureDataset
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> dataset = FeatureDataset("feats.fcz", keys=["features", "labels"])
    >>> len(dataset), dataset[3]["features"].shape
    (360, torch.Size([17, 64]))
    """

    @answering
    def __init__(
        self,
        paths: Where | Sequence[Where],
        keys: Sequence[str] | str | None = None,
        *,
        profile: Any = None,
        cache: int | str = CACHE,
    ) -> None:
        """Read the headers of all files.

        Args:
            paths: Of the files, or their URIs; the samples follow each other in this order.
            keys: Names of the tensors whose rows make a sample, or one; without, all of the first
                file.
            profile: One or several profiles or their paths; built-in ones are found without.
            cache: Bytes of decoded values that each process keeps, at most, or "1GB".

        Raises:
            InvalidInput: For tensors of one file whose leading axes differ, and for files whose
                tensors have other types or shapes than those of the first.
            InvalidStream: For a file that is damaged, truncated or of an unknown version.
            ProfileMissing: When a file needs a profile that was not given.
        """
        several = isinstance(paths, Sequence) and not isinstance(paths, (str, bytes))
        self.paths: list[Any] = list(paths) if several else [paths]  # type: ignore[arg-type]
        if not self.paths:
            raise InvalidInput("a data set takes one file at least")
        self._profiles = profiles_of(profile)
        cache = bytes_of("cache", cache)
        self._within = cache // SHARE // OPEN  # what an open file keeps, and
        self._room = cache - cache // SHARE  # what all of them keep together
        if keys is None:
            keys = self._opened(self.paths[0]).keys()
        self.keys = (keys,) if isinstance(keys, str) else tuple(keys)
        if not self.keys:
            raise InvalidInput(f"keys is empty; name tensors of {self.paths[0]}")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self._headers = list(pool.map(self._read, self.paths))
        self._check()
        counts = [headers.starts[-1] for headers in self._headers]
        self._firsts = np.concatenate([[0], np.cumsum(counts)])  # samples of each file
        starts = [np.add(h.starts[:-1], n) for h, n in zip(self._headers, self._firsts)]
        self.starts = np.concatenate([*starts, self._firsts[-1:]]).astype(np.int64)
        self._keep()

    def __repr__(self) -> str:
        files = f"{len(self.paths)} file{'s' * (len(self.paths) > 1)}"
        rows = ", ".join(f"{key} {list(shape[1:])}" for key, _, shape in self._headers[0].tensors)
        return f"FeatureDataset({len(self)} samples of {files}: {rows})"

    def _keep(self) -> None:
        """Begin with nothing open and nothing decoded."""
        self._files: Kept[safe_open] = Kept(OPEN, lambda file: 1)
        self._row_groups: Kept[Batch] = Kept(self._room, _bytes)

    def _opened(self, path: Where) -> safe_open:
        return safe_open(path, "torch", profile=self._profiles, cache=self._within)

    def _read(self, path: Where) -> _Headers:
        return self._headers_of(self._opened(path), path)

    def _headers_of(self, file: safe_open, path: Where) -> _Headers:
        slices = {key: file.get_slice(key) for key in self.keys}
        tensors = tuple((k, s.get_dtype(), tuple(s.get_shape())) for k, s in slices.items())
        counts = {key: shape[0] if shape else -1 for key, _, shape in tensors}
        for key, count in counts.items():
            if count < 0:
                raise InvalidInput(f"{path}: {key!r} is a scalar; name the keys of tensors of rows")
            if count != counts[self.keys[0]]:
                said = f"{self.keys[0]!r} has {counts[self.keys[0]]} rows, {key!r} {count}"
                raise InvalidInput(f"{path}: {said}; name keys of tensors with as many")
        largest = max(slices, key=lambda key: slices[key].nbytes)
        rows = slices[largest].row_groups()
        return _Headers(tensors, (*(r.start for r in rows), counts[largest]))

    def _check(self) -> None:
        """Raise InvalidInput when files differ in types, or in shapes of rows."""
        first = [(key, dtype, shape[1:]) for key, dtype, shape in self._headers[0].tensors]
        for path, headers in zip(self.paths, self._headers, strict=True):
            for one, (key, dtype, shape) in zip(first, headers.tensors, strict=True):
                if one[1:] != (dtype, shape[1:]):
                    raise InvalidInput(
                        f"{path}: rows of {key!r} are {dtype} {list(shape[1:])}, in"
                        f" {self.paths[0]} {one[1]} {list(one[2])}"
                    )

    @property
    def fits(self) -> int:
        """How many row groups the cache holds, whichever they are."""
        sample = sum(nbytes(d, math.prod(shape[1:])) for _, d, shape in self._headers[0].tensors)
        largest = int(np.diff(self.starts).max(initial=1)) * sample
        return self._room // max(largest, 1)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("_files", "_row_groups")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._keep()

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def __getitem__(self, index: int) -> Batch:
        """Return a sample, whose tensors are its own to change."""
        if isinstance(index, slice):
            wanted = "range({}, {}, {})".format(*index.indices(len(self)))
            raise InvalidInput(f"an index gives one sample; batch({wanted}) gives several")
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Batch]:
        """Return samples, as loaders ask for them: each row group is decoded once."""
        wanted = self._indices(indices)
        found: list[Any] = [None] * len(wanted)
        for number, places in self._places(wanted):
            row_group, start = self._row_group(number), int(self.starts[number])
            for place in places.tolist():
                i = int(wanted[place]) - start
                # A copy: what is changed in place would be so in the cache, for later epochs too.
                found[place] = {key: rows[i].clone() for key, rows in row_group.items()}
        return found

    def batch(self, indices: Sequence[int] | np.ndarray) -> Batch:
        """Return samples as one dictionary of tensors (samples, ...), which share no memory.

        Raises IndexError for samples beyond the ends, InvalidInput for what are no indices.
        """
        wanted = self._indices(indices)
        if not len(wanted):
            raise InvalidInput("a batch of no samples; give an index at least")
        found: Batch = {}
        for number, places in self._places(wanted):
            rows = torch.from_numpy(wanted[places] - self.starts[number])
            where = torch.from_numpy(places)
            for key, tensor in self._row_group(number).items():
                if len(places) == len(wanted):
                    found[key] = tensor[rows]
                    continue
                if key not in found:
                    found[key] = tensor.new_empty((len(wanted), *tensor.shape[1:]))
                found[key][where] = tensor[rows]
        return found

    def _indices(self, given: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return indices of samples counted from the first."""
        try:
            found = np.array([operator.index(one) for one in given], np.int64)
        except (TypeError, OverflowError):
            one = next(one for one in given if not _is_index(one))
            batch = isinstance(one, (list, tuple, range, np.ndarray))
            hint = ", a list of them by a loader's batch_sampler" if batch else ""
            raise InvalidInput(
                f"sample {reprlib.repr(one)}: samples are asked for by whole numbers{hint}"
            ) from None
        beyond = found[(found < -len(self)) | (found >= len(self))]
        if beyond.size:
            raise IndexError(f"index {beyond[0]} is out of range, of {len(self)}")
        return np.where(found < 0, found + len(self), found)

    def _places(self, indices: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Return row groups, each with the positions in `indices` of samples of it."""
        numbers = np.searchsorted(self.starts, indices, "right") - 1
        return [(int(n), np.flatnonzero(numbers == n)) for n in np.unique(numbers)]

    def _row_group(self, number: int) -> Batch:
        """Return the tensors of a row group, kept or decoded."""
        return self._row_groups.get(number, lambda: self._decode(number))

    def _decode(self, number: int) -> Batch:
        first, last = (int(self.starts[number + i]) for i in (0, 1))
        file = int(np.searchsorted(self._firsts, first, "right")) - 1
        before = int(self._firsts[file])
        opened = self._files.get(file, lambda: self._again(file))
        return {key: opened.get_slice(key)[first - before : last - before] for key in self.keys}

    def _again(self, number: int) -> safe_open:
        """Open a file whose headers were read; InvalidInput when they have changed since."""
        path = self.paths[number]
        file = self._opened(path)
        if self._headers_of(file, path) != self._headers[number]:
            raise InvalidInput(f"{path} has changed since the data set was made")
        return file


def _is_index(one: object) -> bool:
    """Return whether something is a whole number of 64 bits."""
    try:
        return -(2**63) <= operator.index(one) < 2**63  # type: ignore[arg-type]
    except TypeError:
        return False


def _bytes(row_group: Batch) -> int:
    return sum(tensor.nbytes for tensor in row_group.values())


def dataset_of(given: Any, called: str) -> FeatureDataset:
    """Return a data set that the class `called` is given; InvalidInput for anything else."""
    if not isinstance(given, FeatureDataset):
        shown = repr(given) if isinstance(given, str) else "paths"
        raise InvalidInput(
            f"{called} takes a data set, not {a_kind(given)}: FeatureDataset({shown})"
        )
    return given
