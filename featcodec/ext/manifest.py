"""A manifest in Parquet: what became of each of many inputs, in parts that are added to."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..outputs import complete
from . import needed

KEY_BYTES = 16  # of a hash; with 8, ten million inputs share one by a chance of 3 in a million
PART_ROWS, PART_SECONDS = 4096, 10.0  # that are written at once, at the latest
SCHEMA = (
    ("input", "string"),
    ("output", "string"),
    ("status", "string"),  # done or failed
    ("error", "string"),
    ("stamp", "string"),  # size and time of the input
    ("settings", "string"),  # by which it was coded
    ("sha256", "string"),  # of the output
    ("input_bytes", "int64"),
    ("output_bytes", "int64"),
    ("snr_db", "double"),  # of the worst group
)
Row = Mapping[str, Any]


class Manifest:
    """A folder of Parquet files, each of which appears when it is complete.

    Rows are kept until there are PART_ROWS of them, or until PART_SECONDS have gone by; a process
    that is killed loses those alone, and what they tell of is done again. Of inputs that are done
    it holds KEY_BYTES each, so many that no two of them have the same.

    >>> from featcodec.ext.manifest import Manifest  # doctest: +SKIP
    >>> with Manifest("manifest", settings={"snr": 10}) as manifest:  # doctest: +SKIP
    ...     for path in manifest.left(paths):
    ...         manifest.add({"input": path, "status": "done"})
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.pyarrow = needed("pyarrow", "ray")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings_of(settings)
        self._rows: list[Row] = []
        self._written = time.monotonic()
        self._done = self._read()

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()

    def left(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield the inputs that are not done by these settings, or have changed since."""
        for path in inputs:
            if not self.has(path):
                yield path

    def has(self, path: str) -> bool:
        """Return whether an input is done by these settings, as it is now."""
        key = _keys([_key(path, stamp_of(path))])
        at = int(np.searchsorted(self._done, key)[0])
        return bool((self._done[at : at + 1] == key).any())

    def add(self, row: Row) -> None:
        """Take in what became of an input; absent fields are null."""
        stamp = row.get("stamp") or stamp_of(row["input"])
        self._rows.append({**row, "stamp": stamp, "settings": self.settings})
        if len(self._rows) >= PART_ROWS or time.monotonic() - self._written > PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are kept."""
        if self._rows:
            arrow, parquet = self.pyarrow, needed("pyarrow.parquet", "ray")
            schema = arrow.schema([(name, arrow.type_for_alias(kind)) for name, kind in SCHEMA])
            table = arrow.Table.from_pylist(self._rows, schema=schema)
            name = f"part-{time.time_ns():020d}-{os.getpid()}.parquet"
            with complete(self.folder / name, overwrite=False) as out:
                parquet.write_table(table, out)
            self._rows = []
        self._written = time.monotonic()

    def _read(self) -> np.ndarray:
        """Return the keys of the inputs that are done, ascending."""
        parquet, found = needed("pyarrow.parquet", "ray"), [_keys([])]
        for part in sorted(self.folder.glob("part-*.parquet")):
            try:
                table = parquet.read_table(part, columns=["input", "stamp", "status", "settings"])
            except (self.pyarrow.ArrowException, KeyError) as error:
                raise InvalidInput(f"{part} is no part of a manifest: {error}") from None
            columns = (table.column(name).to_pylist() for name in table.column_names)
            keys = [
                _key(path, stamp)
                for path, stamp, status, settings in zip(*columns)
                if status == "done" and settings == self.settings
            ]
            found.append(_keys(keys))
        done = np.concatenate(found)
        done.sort()
        return done


def settings_of(settings: Mapping[str, Any]) -> str:
    """Return settings as the text that a manifest knows them by."""
    return json.dumps(settings, sort_keys=True, default=str)


def stamp_of(path: str) -> str:
    """Return the size and time of a file; empty where there is none to ask."""
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _key(path: str, stamp: str) -> bytes:
    return hashlib.blake2b(f"{path}\0{stamp}".encode(), digest_size=KEY_BYTES).digest()


def _keys(keys: Sequence[bytes]) -> np.ndarray:
    """Return keys as an array that can be sorted; as all have a length, zeros at ends count."""
    return np.array(keys, f"S{KEY_BYTES}")
