"""`safe_open`: tensors of a file one at a time, or by slices that decode what they touch."""

import itertools
import os
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np

from .align.numbers import stored_dtype
from .arrays import Exporter
from .coding.profile import Profile
from .container.dump import no_tensor
from .container.index import TensorEntry
from .container.reader import Reader
from .container.source import Source
from .decode_jobs import decode_shared
from .decoding.decoder import Decoder
from .elements import nbytes
from .opening import Where, open_source

CACHE = 256 << 20  # bytes


def profiles_of(given: Any) -> list[Profile]:
    """Return profiles from one or several profiles or paths."""
    if given is None:
        return []
    if isinstance(given, Profile):
        return [given]
    if isinstance(given, (str, os.PathLike)):
        return [Profile.load(given)]
    return [profile for one in given for profile in profiles_of(one)]


class safe_open:  # noqa: N801 - the name people know from safetensors
    """Opens a file for reading; use it in a `with` block, or drop it when it is done with.

    Threads and forked processes may share one. It goes to other processes by pickling, too, where
    it opens the file anew: InvalidInput is raised there when the file has changed since.

    >>> import numpy as np
    >>> from featcodec import safe_open
    >>> from featcodec.numpy import save_file
    >>> x = np.random.default_rng(0).normal(size=(100, 16, 4, 4)).astype(np.float32)
    >>> save_file({"features": x}, "x.fcz", {"layout": "NCHW"}, snr=10)
    >>> with safe_open("x.fcz") as f:
    ...     row = f.get_slice("features")[3]
    >>> row.shape
    (16, 4, 4)
    """

    def __init__(
        self,
        path: Where,
        framework: str = "numpy",
        device: str = "cpu",
        *,
        profile: Any = None,
        cache: int = CACHE,
    ) -> None:
        """Read the headers of a file; values are decoded when they are asked for.

        Args:
            path: Of the file; or its URI, such as s3://bucket/key, of which the byte ranges are
                read that are needed; or a binary file object that can be sought.
            framework: numpy or torch, or np or pt: what tensors come as.
            device: Of torch tensors.
            profile: One or several, or their paths; those found by their hash go without.
            cache: Bytes of decoded values that are kept, at most, so that rows and tensors of a row
                group are decoded once when they are asked for one after the other; 0 keeps none.

        Raises:
            InvalidStream: For a file that is damaged, truncated or of an unknown version.
            ProfileMissing: When the file needs a profile that was not given.
            InvalidInput: For an unknown framework, and a profile that cannot be read.
        """
        self._export = Exporter(framework, device)
        self._cache = cache
        self._open(open_source(path), profiles_of(profile))

    def _open(self, file: Source, profiles: list[Profile]) -> None:
        self._file = file
        self._decoder = Decoder(Reader(file, file.name), profiles, self._cache // 2)
        self._entries = {entry.name: entry for entry in self._decoder.reader.index.tensors}

    def __getstate__(self) -> tuple:
        plain = [replace(profile) for profile in self._decoder.profiles]  # not what they unpacked
        return self._export, self._cache, self._file, plain

    def __setstate__(self, state: tuple) -> None:
        self._export, self._cache, file, profiles = state
        self._open(file, profiles)

    def __enter__(self) -> "safe_open":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def keys(self) -> list[str]:
        """Return the names of the tensors, in the dump's order."""
        return list(self._entries)

    def metadata(self) -> dict[str, str] | None:
        """Return the dump's metadata, texts by name; None when it has none."""
        return self._decoder.reader.index.metadata

    def get_tensor(self, name: str) -> Any:
        """Return a whole tensor, of the shape and type that was encoded.

        Args:
            name: One of `keys()`.

        Raises:
            InvalidInput: For an unknown name, and a type that the framework lacks.
            Corrupt: When what is read does not decode.

        >>> from featcodec import encode_file, safe_open
        >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
        >>> with safe_open("feats.fcz") as f:
        ...     f.get_tensor("labels").shape
        (360,)
        """
        entry = self._entry(name)
        stored = self._decoder.tensor(entry)
        return self._export(stored, entry.dtype, entry.shape)

    def get_tensors(self, jobs: int = 1) -> dict[str, Any]:
        """Return all tensors by name; every row group is decoded once.

        Types and errors are those of `get_tensor`.

        Args:
            jobs: Processes that share the row groups of a large file with a path. The tensors lie
                in one piece of memory then, which is freed with the last of them.

        >>> from featcodec import encode_file, safe_open
        >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
        >>> with safe_open("feats.fcz") as f:
        ...     sorted(f.get_tensors())
        ['features', 'labels']
        """
        shared = decode_shared(self._decoder, jobs) if jobs > 1 else None
        if shared is not None:
            stored = dict(zip(self._entries, shared, strict=True))
        else:
            stored = {
                name: np.zeros(_stored_count(entry), stored_dtype(entry.dtype))
                for name, entry in self._entries.items()
            }
            self._decoder.decode(list(self._entries.values()), lambda entry: stored[entry.name])
        return {
            name: self._export(stored[name], entry.dtype, entry.shape)
            for name, entry in self._entries.items()
        }

    def get_slice(self, name: str) -> "Slice":
        """Return a view of a tensor that decodes when it is indexed, see `Slice`.

        Args:
            name: One of `keys()`; InvalidInput for another.
        """
        return Slice(self, self._entry(name))

    def _entry(self, name: str) -> TensorEntry:
        if name not in self._entries:
            raise no_tensor(self._decoder.reader.name, name, list(self._entries))
        return self._entries[name]

    def _rows(self, entry: TensorEntry, first: int, last: int) -> Any:
        stored = self._decoder.rows(entry, first, last)
        return self._export(stored, entry.dtype, (last - first, *entry.shape[1:]))


class Slice:
    """A tensor of an open file, which takes the indices that arrays take.

    An integer or a slice along the first axis decodes the row groups that it touches, and no
    others; any other index decodes the tensor. What comes back has the type of `get_tensor`, and is
    a copy. Raises IndexError beyond the ends, and Corrupt when what
    is read does not decode.

    >>> from featcodec import encode_file, safe_open
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> with safe_open("feats.fcz") as f:
    ...     features = f.get_slice("features")
    ...     print(features.get_shape(), features.get_dtype())
    ...     print(features[5].shape, features[-10:, 0].shape)
    [360, 17, 64] F16
    (17, 64) (10, 64)
    """

    def __init__(self, file: safe_open, entry: TensorEntry) -> None:
        """`entry` is that of a tensor of the open `file`; `get_slice` makes one by name."""
        self._file = file
        self._entry = entry

    def get_shape(self) -> list[int]:
        """Return the shape of the tensor."""
        return list(self._entry.shape)

    def get_dtype(self) -> str:
        """Return the safetensors type of the elements, such as F16."""
        return self._entry.dtype

    @property
    def nbytes(self) -> int:
        """The bytes of the tensor's values."""
        return nbytes(self._entry.dtype, self._entry.values)

    def row_groups(self) -> list[range]:
        """Return the rows of the first axis that are decoded together, in order."""
        edges = [*self._file._decoder.edges(self._entry), self._entry.shape[0]]
        return [range(*pair) for pair in itertools.pairwise(edges)]

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        shape = self._entry.shape
        if not shape or not parts or not isinstance(parts[0], (int, slice, np.integer)):
            return self._file.get_tensor(self._entry.name)[index]
        lead, rest = parts[0], parts[1:]
        if isinstance(lead, slice):
            wanted = range(*lead.indices(shape[0]))
            first = min(wanted, default=0)
            last = max(wanted, default=-1) + 1
            rows = self._file._rows(self._entry, first, last)
            stop = wanted.stop - first if wanted.step > 0 or wanted.stop >= first else None
            inside = slice(wanted.start - first, stop, wanted.step) if wanted else slice(0, 0)
            return rows[(inside, *rest)]
        row = int(lead) + (shape[0] if lead < 0 else 0)
        if not 0 <= row < shape[0]:
            raise IndexError(
                f"index {lead} is out of range for {shape[0]} row{'s' * (shape[0] != 1)}"
            )
        return self._file._rows(self._entry, row, row + 1)[(0, *rest)]


def _stored_count(entry: TensorEntry) -> int:
    return nbytes(entry.dtype, entry.values) // stored_dtype(entry.dtype).itemsize
