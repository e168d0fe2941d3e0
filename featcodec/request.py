"""What is asked of an encoder: a quality, and how the tensors are to be read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import InvalidInput

DEFAULT_SNR = 20.0
FAMILIES = ("auto", "none", "context", "linear", "neural")  # of transforms


@dataclass(frozen=True)
class Quality:
    """Exactly one of: SNR in dB, bits per feature point, absolute error, or bit-exactness."""

    snr: float | None = None
    bpfp: float | None = None
    max_error: float | None = None
    lossless: bool = False

    @classmethod
    def choose(
        cls,
        snr: float | None = None,
        bpfp: float | None = None,
        max_error: float | None = None,
        lossless: bool = False,
    ) -> "Quality":
        """Return the quality asked for, 20 dB when none is; InvalidInput for nonsense."""
        asked = [
            name
            for name, value in (("snr", snr), ("bpfp", bpfp), ("max-error", max_error))
            if value is not None
        ] + ["lossless"] * lossless
        if len(asked) > 1:
            raise InvalidInput(f"choose one quality, not {' and '.join('--' + a for a in asked)}")
        if not asked:
            return cls(snr=DEFAULT_SNR)
        for name, value in (("snr", snr), ("bpfp", bpfp), ("max-error", max_error)):
            if value is not None and (not math.isfinite(value) or value <= 0):
                raise InvalidInput(f"--{name} must be a positive number, not {value}")
        return cls(snr, bpfp, max_error, lossless)


@dataclass(frozen=True)
class SampleSizes:
    """How many values of a group the encoder looks at before it codes all of them."""

    trial: int = 1 << 17  # on which all candidates are compared,
    final: int = 1 << 19  # on which the best are compared once more,
    fit: int = 1 << 20  # and on which the chosen one is fitted,
    whole: int = 3 << 20  # unless the group has no more than this: then on all of it


@dataclass(frozen=True)
class Options:
    """Layouts and architectures by tensor name ("" for all), and the transforms allowed."""

    transform: str = "auto"
    layouts: Mapping[str, str] = field(default_factory=dict)
    architectures: Mapping[str, str] = field(default_factory=dict)
    samples: SampleSizes = field(default_factory=SampleSizes)
