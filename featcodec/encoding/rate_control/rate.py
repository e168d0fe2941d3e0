"""Rate control of a file: the SNR at which it takes the wanted bits a value."""

import math
from collections.abc import Callable
from dataclasses import replace

from ...errors import Unreachable
from ..report import Report
from .bracket import Bracket

DECIBELS = 6.02  # per bit a value, at high rates
AT_ONE_BIT = 2.0  # dB less than that, of a first guess
WITHIN = 0.02  # of the rate
ATTEMPTS = 14
FIRST, LAST = 1.0, 60.0  # dB between which the first guess lies
LEAST = 0.02  # dB
LEAP = 0.01  # dB between two rates: so close, there is none between them


def at_rate(encode: Callable[[float], Report], bpfp: float) -> Report:
    """Encode at the highest SNR whose rate is at most `bpfp` bits a value.

    `encode` writes the file at an SNR in dB. Where rates leap over the wanted one, a remark tells.
    Raises Unreachable when the rate is below any.
    """
    reports: dict[float, Report] = {}
    curve = Bracket((1 - WITHIN / 2) * bpfp, 1 / DECIBELS, (0.02, 1.0), reach=20.0, margin=0.05)
    snr = min(max(DECIBELS * bpfp + AT_ONE_BIT, FIRST), LAST)
    for _ in range(ATTEMPTS):
        report = reports[snr] = encode(snr)
        if report.bpfp <= bpfp and (
            report.bpfp >= (1 - WITHIN) * bpfp or math.isinf(report.snr_db)
        ):
            return report  # used up, or nothing is lost any more
        curve.add(snr, report.bpfp)
        lowest = min(point[0] for point in curve.points)
        snr = max(curve.next(), lowest / 3)
        if snr < LEAST or curve.width < LEAP:
            break
    below = [point for point in curve.points if point[1] <= bpfp]
    if not below:
        lowest, rate = min(curve.points)
        fixed = 8 * reports[lowest].by_name / max(reports[lowest].values, 1)
        if fixed > bpfp / 2:
            raise Unreachable(
                f"{bpfp:g} bpfp cannot be reached: what is asked of tensors by name takes"
                f" {said(fixed)} already; ask for more bits, or for less by name"
            )
        exact = math.isinf(reports[lowest].snr_db)
        at = "bit for bit, as at any SNR," if exact else f"at {lowest:.2f} dB"
        raise Unreachable(
            f"{bpfp:g} bpfp cannot be reached: {at} the file still takes {said(rate)};"
            " ask for more bits"
        )
    best = max(below)[0]
    above = sorted(point[0] for point in curve.points if point[0] > best)
    remarks = [_left(bpfp, reports[best], reports[after]) for after in above[:1]]
    written = reports[best] if best == curve.points[-1][0] else encode(best)
    return replace(written, remarks=tuple(remarks))


def _left(bpfp: float, best: Report, after: Report) -> str:
    """Return the remark that a rate is not used up, and why."""
    how = "bit for bit" if math.isinf(after.snr_db) else f"at {after.snr_db:.2f} dB"
    return (
        f"of {bpfp:g} bpfp {best.bpfp:.3g} are used, at {best.snr_db:.2f} dB:"
        f" the next better file takes {said(after.bpfp)}, {how}"
    )


def said(bpfp: float) -> str:
    """Return a rate with its unit, three digits, rounded up: so many bits are enough.

    >>> said(0.01776), said(1247.2), said(0.0)
    ('0.0178 bpfp', '1,248 bpfp', '0 bpfp')
    """
    digits = max(2 - math.floor(math.log10(bpfp)), 0) if bpfp else 0
    return f"{math.ceil(bpfp * 10**digits) / 10**digits:,.{digits}f} bpfp"
