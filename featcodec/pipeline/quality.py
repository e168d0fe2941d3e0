"""What the user asked for: one of four kinds of quality."""

import math
from dataclasses import dataclass

from ..errors import InvalidInput

DEFAULT_SNR = 20.0


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
