"""A group without rows that are near to earlier ones: where that may pay (SPEC §5.4)."""

import math

from ..container.wire import Builder
from ..request import Options
from .rough.latents import transform_bits
from .tensors.group import Group
from .tensors.large_rows import with_gains
from .tensors.near_rows import NearRows
from .tensors.repeats import stated
from .tensors.samples import Samples
from .tensors.sums import stats_of_all

# dB of the SNR that a row has of the one that stands for it, above the SNR that is asked for: one
# after the other, until that takes more bits than before.
APART = (6.0, 3.5, 1.0, -1.5, -4.0)
PROMISE = 3.0  # the same, of many rows, where looking at all may pay
MOST = 0.85  # of the error may be that of rows that others stand for
PAYS = 0.97  # of the bits with all rows that repeat none: estimates are hardly better
FAR_MORE = 1.05  # of these: where it takes as much at first, nothing further down was less


def without_near_rows(group: Group, snr: float, options: Options) -> Group | None:
    """Return a group whose rows stand for others that are near to them, where that seems to pay.

    Their error is part of what an SNR in dB allows: the others are coded at more.
    """
    free = options.transform == "auto" and options.search.thorough
    near = NearRows.of(group) if free else None
    if near is None:
        return None
    stats = stats_of_all(group.with_constants)
    per_row = 10 ** (-snr / 10) * stats.std**2 * stats.count / near.rows.count
    if not near.promise(per_row * 10 ** (-PROMISE / 10)) or not near.finite:
        return None
    whole = _bits(group.without_repeats or group, snr, options)
    if not math.isfinite(whole):
        return None
    best, least, last = None, PAYS * whole, FAR_MORE * whole
    for more in APART:
        found = near.within(per_row * 10 ** (-more / 10))
        if found is None:
            continue
        part = found[1] / (per_row * near.rows.count)
        if part > MOST:
            break
        bits = _bits(found[0], snr - 10 * math.log10(1 - part), options)
        if bits >= last:
            break
        last = bits
        if bits < least:
            best, least = found[0], bits
    return best


def _bits(group: Group, snr: float, options: Options) -> float:
    """Return about how many bits a group takes.

    Infinity where some values are kept beside the rest, or rows have gains: then an SNR is of the
    rest, or of divided values, while rows are compared by all values as they are.
    """
    group = group.with_constants
    samples = Samples(group, options.search)
    if samples.stats.cut or with_gains(group).gains is not None:
        return math.inf
    listed = Builder()
    repeats = stated(group.rows)
    if repeats is not None:
        repeats.pack(listed)
    return min(transform_bits(samples, snr), default=math.inf) + 8 * len(listed)
