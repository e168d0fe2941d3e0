"""Measurements: kept line by line so that a run resumes, then written as CSV and JSON."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidInput

COLUMNS = (
    "dump", "codec", "asked_db", "values", "size", "bpfp", "snr_db", "metric",
    "divergence", "encode_mb_s", "decode_mb_s", "error",
)  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """A point of a curve, or why there is none (`error`)."""

    dump: str
    codec: str  # its label
    asked_db: float | None  # None: the codec has one rate
    values: int = 0  # of features
    size: int | None = None  # bytes, all of them
    snr_db: float | None = None  # of the worst group; None: exact
    metric: float | None = None  # of the task
    divergence: float | None = None  # of the outputs of a head: KL in nats, or 1 - cosine
    encode_mb_s: float | None = None  # 10^6 bytes of float32 a second
    decode_mb_s: float | None = None
    error: str | None = None

    @property
    def bpfp(self) -> float | None:
        """Bits per feature point."""
        return 8 * self.size / self.values if self.size is not None else None

    def record(self) -> dict[str, Any]:
        """Return all fields and the rate by name, for tables."""
        return {name: getattr(self, name) for name in COLUMNS}


class Journal:
    """The finished measurements of a folder, one a line of `results.jsonl`."""

    def __init__(self, path: Path) -> None:
        """Read what there is; a last line that was not written to its end is dropped.

        Raises InvalidInput when another line is damaged.
        """
        self.path = path
        self._found: dict[str, dict[str, Any]] = {}
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                self._found[_digest(entry["key"])] = entry["measurement"]
            except (ValueError, KeyError, TypeError):
                raise InvalidInput(f"{path}: line {number} is damaged; remove it") from None
        if len(whole) < len(data):
            os.truncate(path, len(whole))

    def get(self, key: Mapping[str, Any], dump: str, codec: str) -> Measurement | None:
        """Return the measurement of a key, under the names given now."""
        found = self._found.get(_digest(key))
        return Measurement(**{**found, "dump": dump, "codec": codec}) if found else None

    def add(self, key: Mapping[str, Any], measurement: Measurement) -> None:
        """Append a line, on disk when this returns."""
        entry: dict[str, Any] = {"key": key, "measurement": asdict(measurement)}
        self._found[_digest(key)] = entry["measurement"]
        with self.path.open("ab") as out:
            out.write(json.dumps(entry).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())


def _digest(key: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def to_csv(measurements: Sequence[Measurement]) -> bytes:
    """Return a header and a line a measurement."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(m.record() for m in measurements)
    return out.getvalue().encode()
