"""`safe_open`: tensors of a file one at a time, or by slices that decode what they touch."""

from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np

from .align.numbers import stored_dtype
from .arguments import answering, whole
from .arrays import Exporter
from .coding.profile import Profile, profiles_of
from .container.dump import no_tensor
from .container.index import TensorEntry
from .container.reader import Reader
from .container.salvage import SalvageReader
from .container.source import Source
from .decode_jobs import decode_shared
from .decoding.decoder import Decoder
from .decoding.salvage import Salvager
from .elements import nbytes
from .errors import Corrupt, InvalidInput, naming
from .memory import bytes_of, limit_of
from .opening import Where, open_source
from .slicing import Slice, without

CACHE = 256 << 20  # bytes


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

    @answering
    def __init__(
        self,
        path: Where,
        framework: str = "numpy",
        device: str = "cpu",
        *,
        profile: Any = None,
        cache: int | str = CACHE,
        damaged: str = "error",
        memory: int | str | None = None,
    ) -> None:
        """Read the headers of a file; values are decoded when they are asked for.

        Args:
            path: Of the file; or its URI, such as s3://bucket/key, of which the byte ranges are
                read that are needed; or a binary file object that can be sought.
            framework: numpy or torch, or np or pt: what tensors come as.
            device: Of torch tensors.
            profile: One or several, or their paths; those found by their hash go without.
            cache: Bytes of decoded values, or "1GB", that are kept, at most, so that rows and
                tensors of a row group are decoded once when they are asked for one after the other;
                0 keeps none.
            damaged: What damage costs: "error", whatever is asked for of it; "nan", the values of
                a damaged row group alone, which become NaN, or 0 in types that have none; "skip",
                rows of the leading axis that hold such values, which are left out. `Slice.damaged`
                tells which they are.
            memory: How much what is asked for may take while it is decoded, the arrays included but
                not `cache`, in bytes, or as "4GB"; by default what the machine, or its container,
                has. LimitExceeded is raised by what would take more.

        Raises:
            InvalidStream: For a file that is damaged, truncated or of an unknown version.
            ProfileMissing: When the file needs a profile that was not given.
            InvalidInput: For an unknown framework or `damaged`, and a profile that cannot be read.
        """
        if damaged not in ("error", "nan", "skip"):
            raise InvalidInput(f"damaged {damaged!r}: use error, nan or skip")
        self._export = Exporter(framework, device)
        self._cache = bytes_of("cache", cache)
        self._damaged = damaged
        self._memory = limit_of(memory)
        file = open_source(path)
        with naming(file.name):
            self._open(file, profiles_of(profile))

    def _open(self, file: Source, profiles: list[Profile]) -> None:
        self._file = file
        room = self._cache // 2
        self._salvager: Salvager | None = None
        if self._damaged == "error":
            self._decoder = Decoder(Reader(file, file.name), profiles, room)
        else:
            self._salvager = Salvager(SalvageReader(file, file.name), profiles, room)
            self._decoder = self._salvager
        self._entries = {entry.name: entry for entry in self._decoder.reader.index.tensors}

    def __getstate__(self) -> tuple:
        plain = [replace(profile) for profile in self._decoder.profiles]  # not what they unpacked
        return self._export, self._cache, self._damaged, self._memory, self._file, plain

    def __setstate__(self, state: tuple) -> None:
        self._export, self._cache, self._damaged, self._memory, file, profiles = state
        self._open(file, profiles)

    def __repr__(self) -> str:
        return f"<safe_open {self._file.name}: {', '.join(map(repr, self._entries))}>"

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
        self._decoder.allow([entry], self._memory, nbytes(entry.dtype, entry.values))
        with naming(self._file.name):
            stored = self._decoder.tensor(entry)
        return self._left(entry, self._export(stored, entry.dtype, entry.shape))

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
        entries = self._entries.values()
        size = sum(nbytes(entry.dtype, entry.values) for entry in entries)
        self._decoder.allow(entries, self._memory, size, whole("jobs", jobs, 1))
        alone = jobs == 1 or self._salvager is not None
        with naming(self._file.name):
            stored = self._stored(None if alone else decode_shared(self._decoder, jobs))
        return {
            name: self._left(entry, self._export(stored[name], entry.dtype, entry.shape))
            for name, entry in self._entries.items()
        }

    def _stored(self, shared: Any) -> dict[str, np.ndarray]:
        """Return the stored elements of all tensors, which processes may have decoded."""
        if shared is not None:
            return dict(zip(self._entries, shared, strict=True))
        stored = {
            name: np.zeros(_stored_count(entry), stored_dtype(entry.dtype))
            for name, entry in self._entries.items()
        }
        self._decoder.decode(list(self._entries.values()), lambda entry: stored[entry.name])
        return stored

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
        size = nbytes(entry.dtype, entry.values) // max(entry.shape[0], 1) * max(last - first, 0)
        self._decoder.allow([entry], self._memory, size)
        with naming(self._file.name):
            stored = self._decoder.rows(entry, first, last)
        return self._export(stored, entry.dtype, (last - first, *entry.shape[1:]))

    def _skipped(self, entry: TensorEntry) -> list[range]:
        """Return the rows that are left out, of what was decoded."""
        skips = self._salvager is not None and self._damaged == "skip"
        return self._salvager.damaged(entry) if skips else []  # type: ignore[union-attr]

    def _left(self, entry: TensorEntry, tensor: Any) -> Any:
        """Return what is left of a tensor."""
        skipped = self._skipped(entry)
        if not skipped:
            return tensor
        if not entry.shape:
            raise Corrupt(f"{self._file.name}: tensor {entry.name!r} is damaged")
        return tensor[without(range(entry.shape[0]), skipped)]

    def _damaged_rows(self, entry: TensorEntry) -> list[range]:
        if self._salvager is None:
            return []
        return self._salvager.survey([entry]).get(entry.name, [])


def _stored_count(entry: TensorEntry) -> int:
    return nbytes(entry.dtype, entry.values) // stored_dtype(entry.dtype).itemsize
