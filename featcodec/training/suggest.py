"""The least SNR that keeps a task: dumps are coded as `encode` codes them, decoded and judged."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..encoding.dump import encode
from ..errors import InvalidInput
from ..request import Options, Quality
from ..tensors import Source
from ..torch import load
from .halves import Divided
from .recommend import Judge, bound, features_of, least_that, no_task


class Tried(NamedTuple):
    """What came of an SNR in dB, of all dumps together."""

    snr: float
    bpfp: float
    smaller: float  # times, than the dumps
    lost: float  # of the task, with a margin for how few the samples are


@dataclass(frozen=True)
class Suggestion:
    """Looks for the least SNR at which dumps lose at most `keep`; no profile is needed."""

    judge: Judge
    keep: float
    options: Options
    progress: Callable[[Tried], object] = lambda _: None

    def of(self, sources: Sequence[Source]) -> tuple[float, list[Tried]]:
        """Return the SNR in dB and all that were tried, from the least on.

        Raises InvalidInput where no SNR keeps the task, or no dump has one.
        """
        dumps = [
            Divided.of(source, features_of(source, self.options), number / len(sources))
            for number, source in enumerate(sources)
        ]
        if not any(dump.parts for dump in dumps):
            raise InvalidInput("the dumps hold no features: all of them is kept bit for bit")
        known: dict[float, Tried] = {}

        def keeps(snr: float) -> bool:
            known[snr] = tried = self._tried(dumps, snr)
            self.progress(tried)
            return tried.lost <= self.keep

        least = least_that(keeps)
        if least is None:
            last = known[max(known)]
            raise InvalidInput(
                f"{self.judge.task} may lose {last.lost:.4f} at {last.snr:g} dB still, more than"
                f" {self.keep:g}; allow more, or give dumps of more samples"
            )
        return least, [known[snr] for snr in sorted(known)]

    def _tried(self, dumps: Sequence[Divided], snr: float) -> Tried:
        losses, size, before, values = [], 0, 0, 0
        for dump in dumps:
            out = io.BytesIO()
            report = encode(dump.source, out, Quality(snr=snr), None, self.options)
            size, before = size + report.output_bytes, before + report.input_bytes
            values += sum(math.prod(tensor.shape) for tensor in dump.source.tensors)
            loss = self.judge.loss(dump, load(out.getvalue()), self.keep)
            losses += [] if loss is None else [loss]
        if not losses:
            raise InvalidInput(no_task(self.judge))
        return Tried(snr, 8 * size / values, before / size, bound(losses))
