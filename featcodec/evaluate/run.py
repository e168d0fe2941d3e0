"""A whole evaluation: what is not yet measured is, then all is written to the folder."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..dumps import Dump
from ..errors import FeatcodecError, InvalidInput, Unreachable
from ..files import complete
from ..functions import placed
from . import drawing, page, plots
from .codecs import Codec
from .deltas import Delta, deltas
from .equal_divergence import equal_divergence
from .judged import Head, Task
from .measure import Bench
from .results import Journal, Measurement, to_csv
from .sufficient import sufficient

Progress = Callable[[str], object]


def check(dumps: Sequence[Path], codecs: Sequence[Codec], folder: Path) -> None:
    """Raise InvalidInput for equal names, and for a folder that is none."""
    labels = ["uncompressed", *(codec.label for codec in codecs)]
    for what, names, how in (
        ("dumps", [path.stem for path in dumps], "rename one"),
        ("codecs", labels, "add name=LABEL to one"),
    ):
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput(f"two {what} are called {name!r}; {how}")
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file; name a folder for the results")


class Evaluation:
    """Dumps, codecs and qualities, with the folder that holds what came of them."""

    def __init__(
        self,
        dumps: Sequence[Path],
        codecs: Sequence[Codec],
        snrs: Sequence[float],
        folder: Path,
        task: tuple[str, Task] | None = None,
        head: Head | None = None,
    ) -> None:
        """`task` is its specification and its function; names and folder have been checked.

        Raises InvalidInput for dumps that cannot be read.
        """
        self.dumps, self.codecs, self.snrs, self.task = dumps, codecs, snrs, task
        self.head = head
        for path in dumps:
            Dump(path)  # what cannot be read is better known now
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.journal = Journal(folder / "results.jsonl")
        self._warm: set[str] = set()
        self.unexpected = 0  # failures that are no answer, and are tried again next time

    def points(self) -> Iterator[tuple[Codec | None, float | None]]:
        """Yield what is measured on each dump: (codec, wanted SNR); first the dump itself."""
        yield None, None
        for codec in self.codecs:
            yield from itertools.product([codec], [None] if codec.fixed else self.snrs)

    def measure(self, progress: Progress) -> list[Measurement]:
        """Return all measurements, those of the journal and those made now, in order."""
        return [m for path in self.dumps for m in self._measure_dump(path, progress)]

    def _measure_dump(self, path: Path, progress: Progress) -> Iterator[Measurement]:
        digest, bench = _sha256(path), None
        for codec, snr in self.points():
            label = codec.label if codec else "uncompressed"
            key = {
                "dump": digest,
                "bytes": path.stat().st_size,
                "codec": codec.identity if codec else "uncompressed",
                "snr": snr,
                **self._about(),
            }
            progress(f"{path.stem}  {label}  {'' if snr is None else f'{snr:g} dB'}")
            known = self.journal.get(key, path.stem, label)
            if known is None:
                bench = bench or Bench(path, self.task[1] if self.task else None, self.head)
                known, sure = self._attempt(bench, codec, snr)
                if sure:
                    self.journal.add(key, known)
                self.unexpected += not sure
            yield known

    def _attempt(
        self, bench: Bench, codec: Codec | None, snr: float | None
    ) -> tuple[Measurement, bool]:
        """Return a measurement, failed where it must be, and whether it may be kept."""
        if codec is None:
            return bench.uncompressed(), True
        try:
            if codec.label not in self._warm:
                bench.warm_up(codec)
                self._warm.add(codec.label)
            return bench.measure(codec, snr), True
        except Unreachable as error:
            return Measurement(bench.name, codec.label, snr, error=str(error)), True
        except Exception as error:  # of a package, of the task: the other points go on
            known = isinstance(error, FeatcodecError)
            reason = str(error) if known else placed(error)
            return Measurement(bench.name, codec.label, snr, error=reason), False

    def write(self, measurements: Sequence[Measurement], anchor: str) -> list[Delta]:
        """Write tables, plots and the page to the folder; return the deltas."""
        curves = [codec.label for codec in self.codecs if not codec.fixed]
        found = deltas(measurements, curves, anchor)
        about: dict[str, Any] = {
            "snr_db": list(self.snrs),
            **self._about(),
            "anchor": anchor,
            "codecs": {codec.label: codec.identity for codec in self.codecs},
            "beside": {codec.label: codec.beside for codec in self.codecs if codec.beside},
        }
        everything: dict[str, Any] = {
            **about,
            "measurements": [m.record() for m in measurements],
            "deltas": [asdict(delta) for delta in found],
            "sufficient": [asdict(each) for each in sufficient(measurements)],
            "equal_divergence": [asdict(each) for each in equal_divergence(measurements)],
        }
        labels = [codec.label for codec in self.codecs]
        self._file("results.csv", to_csv(measurements))
        self._file("results.json", json.dumps(everything, indent=1).encode())
        for name, figure in plots.draw(measurements, labels).items():
            self._file(f"{name}.png", drawing.png(figure))
            self._file(f"{name}.svg", drawing.svg(figure))
        panels = plots.panels(measurements, labels)
        self._file("report.html", page.page(about, measurements, found, panels).encode())
        return found

    def _about(self) -> dict[str, str | None]:
        """Return what features are judged by."""
        found: dict[str, str | None] = {"task": self.task[0] if self.task else None}
        if self.head:
            found |= {"head": self.head.name, "outputs": self.head.outputs}
        return found

    def _file(self, name: str, data: bytes) -> None:
        with complete(self.folder / name, overwrite=True) as out:
            out.write(data)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
