"""Measurements and deltas as rows of text, for the terminal and the page."""

from collections.abc import Sequence

from .deltas import Delta, means
from .equal_divergence import Equal
from .results import Measurement
from .sufficient import LOSS, Sufficient

NONE = "-"


def measured(measurements: Sequence[Measurement]) -> list[list[str]]:
    """Return a header and a row a measurement."""
    head = ["dump", "codec", "asked dB", "bpfp", "SNR dB", "metric", "divergence"]
    head += ["encode MB/s", "decode MB/s"]
    return [head, *(_row(m) for m in measurements)]


def _row(m: Measurement) -> list[str]:
    exact = m.size is not None and m.snr_db is None
    return [
        m.dump,
        m.codec,
        _number(m.asked_db, "g"),
        _number(m.bpfp, ".4f"),
        "exact" if exact else _number(m.snr_db, ".2f"),
        _number(m.metric, ".4f"),
        _number(m.divergence, ".3g"),
        _number(m.encode_mb_s, ".1f"),
        _number(m.decode_mb_s, ".1f"),
    ]


def compared(deltas: Sequence[Delta]) -> list[list[str]]:
    """Return a header and a row a delta; behind them the means over several dumps."""
    head = ["dump", "codec", "against", "rate at equal SNR", "metric at equal rate"]
    return [
        head,
        *(
            [
                d.dump,
                d.codec,
                d.anchor,
                _or_reason(d.rate_percent, "+.1f", " %", d.rate_reason),
                _or_reason(d.metric, "+.4f", "", d.metric_reason),
            ]
            for d in (*deltas, *means(deltas))
        ),
    ]


def enough(found: Sequence[Sufficient]) -> list[list[str]]:
    """Return a header and a row for the least rate of each codec on each dump."""
    head = ["dump", "codec", f"bpfp at a loss of {LOSS:g}", "asked dB", "metric", "uncompressed"]
    return [
        head,
        *(
            [
                s.dump,
                s.codec,
                _or_reason(s.bpfp, ".4f", "", "more is lost"),
                _number(s.asked_db, "g"),
                _number(s.metric, ".4f"),
                _number(s.uncompressed, ".4f"),
            ]
            for s in found
        ),
    ]


def equal(found: Sequence[Equal]) -> list[list[str]]:
    """Return a header and a row for each dump and codec that reaches one of the divergences."""
    levels = sorted({each.divergence for each in found}, reverse=True)
    rates = {(each.dump, each.codec, each.divergence): each.bpfp for each in found}
    head = ["dump", "codec", *(f"bpfp at a divergence of {level:g}" for level in levels)]
    rows = dict.fromkeys((each.dump, each.codec) for each in found if each.bpfp is not None)
    return [
        head,
        *([*row, *(_number(rates.get((*row, level)), ".4f") for level in levels)] for row in rows),
    ]


def failures(measurements: Sequence[Measurement]) -> list[str]:
    """Return a line for each point that there is not."""
    return [
        f"{m.dump}, {m.codec}{'' if m.asked_db is None else f', {m.asked_db:g} dB'}: {m.error}"
        for m in measurements
        if m.error is not None
    ]


def filled(rows: list[list[str]]) -> list[list[str]]:
    """Return a table without the columns that say nothing in any row."""
    kept = [i for i in range(len(rows[0])) if any(row[i] != NONE for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]


def _number(value: float | None, form: str) -> str:
    return NONE if value is None else format(value, form)


def _or_reason(value: float | None, form: str, unit: str, reason: str) -> str:
    if value is None:
        return f"{NONE} ({reason})" if reason else NONE
    return format(value, form) + unit
