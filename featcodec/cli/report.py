"""The report of `encode`: a JSON line for each input, appended whole."""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidInput
from ..outputs import descriptor
from .batch import Skipped
from .failures import as_typed


@dataclass(frozen=True)
class Report:
    """A file of lines, or nothing without a path.

    The process that encodes a dump appends its line before the output appears, so that none is
    lost. To what is no file, such as a pipe, the process that all began with appends all lines.
    """

    path: str | None

    @property
    def _shared(self) -> bool:
        """Whether all processes can append."""
        return self.path is not None and descriptor(self.path) is None and Path(self.path).is_file()

    def check(self) -> None:
        """Open the file before there is work; end a line that something killed left unfinished."""
        if self.path is None:
            return
        Path(self.path).open("a").close()
        if self._shared and Path(self.path).stat().st_size:
            with Path(self.path).open("rb+") as out:
                out.seek(-1, os.SEEK_END)
                if out.read(1) != b"\n":
                    out.write(b"\n")

    def done(self, task: Any, result: Any) -> None:
        """Append the line of a dump whose output is about to appear."""
        if self._shared:
            self._append(of_done(task, result))

    def take(self, task: Any, result: Any) -> None:
        """Append the line of an input that failed, and of any that `done` could not."""
        if self.path is None or isinstance(result, Skipped):
            return
        if isinstance(result, Exception):
            self._append({"input": task.source, "error": as_typed(str(result))})
        elif not self._shared:
            self._append(of_done(task, result))

    def _append(self, entry: dict[str, Any]) -> None:
        """Append by one call of the system, so that lines of several processes stay whole."""
        assert self.path is not None
        line = (json.dumps(entry) + "\n").encode()
        number = descriptor(self.path)
        try:
            out = (
                os.open(self.path, os.O_WRONLY | os.O_APPEND) if number is None else os.dup(number)
            )
            try:
                written = os.write(out, line)
            finally:
                os.close(out)
        except OSError as error:
            raise InvalidInput(f"--report {self.path}: {error.strerror or error}") from None
        if written < len(line):
            raise InvalidInput(f"--report {self.path}: no room for a line")


def of_done(task: Any, result: Any) -> dict[str, Any]:
    return {
        "input": task.source,
        "output": task.target,
        "input_bytes": result.input_bytes,
        "output_bytes": result.output_bytes,
        "bpfp": result.bpfp,
        "snr_db": None if math.isinf(result.snr_db) else result.snr_db,
        "worst": worst_of(result.lowest),
    }


def worst_of(lowest: Any) -> dict[str, Any]:
    """Return the lowest SNRs, and what has them, for a report."""
    found = {
        "tensor": lowest.tensor,
        "slice": lowest.slice,
        "tenth_of_channels": lowest.channels,
        "tenth_of_rows": lowest.rows,
    }
    return {key: one and {"name": one[0], "snr_db": one[1]} for key, one in found.items()}
