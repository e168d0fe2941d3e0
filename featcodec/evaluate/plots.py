"""Rate-distortion and rate-accuracy plots: as pictures of many panels, and panel by panel."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from .drawing import COLOURS, INK, blank, literal, styled
from .packages import load
from .results import Measurement

MARKERS = "os^DvPX*"
LINES = ("-", "--", "-.", ":")
AXES = {
    "snr_db": "SNR (dB)",
    "metric": "Task metric",
    "divergence": "Divergence of outputs",
    "bpfp": "bits per feature point",
    "asked_db": "quality asked for (dB)",
}
# Of each dump: what is drawn against what, where there is such; the first of all dumps, too.
PANELS = (
    ("snr_db", "bpfp"),
    ("metric", "bpfp"),
    ("divergence", "bpfp"),
    ("metric", "asked_db"),
    ("divergence", "asked_db"),
)
ALONE = 3.7  # inches that a panel by itself is wide
LEAST_DIVERGENCE = 1e-6  # that is drawn
COLUMNS = 4  # of small multiples
HEADROOM = 1.5  # of the highest SNR that was asked for
WIDE = 100  # times from the lowest rate to the highest


def draw(measurements: Sequence[Measurement], codecs: Sequence[str]) -> dict[str, Any]:
    """Return figures by name: one for each dump, and small multiples of several dumps."""
    dumps, known = _known(measurements)
    figures = {}
    with styled():
        for quality, along in PANELS if len(dumps) > 1 else ():
            panels = [(dump, quality, along) for dump in dumps if (dump, quality) in known]
            if panels and along == "bpfp":
                figures[f"overview_{quality}"] = _figure(panels, measurements, codecs)
        for dump in dumps:
            panels = [(dump, *axes) for axes in PANELS if (dump, axes[0]) in known]
            panels = panels or [(dump, *PANELS[0])]
            figures[dump] = _figure(panels, measurements, codecs)
    return figures


def panels(measurements: Sequence[Measurement], codecs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return figures of one panel each: by what is drawn, then by dump; those of one dump by it."""
    dumps, known = _known(measurements)
    found: dict[str, dict[str, Any]] = {}
    with styled():
        for dump, (quality, along) in itertools.product(dumps, PANELS):
            if (dump, quality) in known:
                what = f"{AXES[quality]} against {AXES[along]}"
                heading, name = (what, dump) if len(dumps) > 1 else (dump, what)
                drawn = _figure([(dump, quality, along)], measurements, codecs, ALONE)
                found.setdefault(heading, {})[name] = drawn
    return found


def _known(measurements: Sequence[Measurement]) -> tuple[list[str], set[tuple[str, str]]]:
    """Return the dumps, and the qualities that are known of each."""
    return list(dict.fromkeys(m.dump for m in measurements)), {
        (m.dump, quality)
        for m in measurements
        for quality in AXES
        if _value(m, quality) is not None
    }


Panel = tuple[str, str, str]  # dump, what is drawn, against what


def _value(m: Measurement, quality: str) -> float | None:
    found: float | None = getattr(m, quality)
    return max(found, LEAST_DIVERGENCE) if quality == "divergence" and found is not None else found


def _figure(
    panels: Sequence[Panel],
    measurements: Sequence[Measurement],
    codecs: Sequence[str],
    size: float | None = None,
) -> Any:
    """Return a figure of panels, each so many inches wide, with one legend."""
    columns = min(len(panels), COLUMNS)
    rows = math.ceil(len(panels) / columns)
    size = size or (3.3 if len(panels) > 2 else 4.4)
    figure = blank(size * columns, 0.82 * size * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False)
    named = {dump for dump, _, _ in panels}
    if len(named) == 1:
        figure.suptitle(literal(panels[0][0]), fontsize=10, fontweight="bold")
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_axis_off()
            continue
        dump, quality, along = panels[place]
        _panel(axes, [m for m in measurements if m.dump == dump], codecs, quality, along)
        if len(named) > 1:
            axes.set_title(literal(dump))
        if place % columns == 0 or quality != panels[place - 1][1]:
            axes.set_ylabel(AXES[quality])
        if place + columns >= len(panels) or len(named) == 1:
            axes.set_xlabel(AXES[along])
    handles: dict[str, Any] = {}
    for axes in grid.flat:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(), handles, loc="outside lower center", ncols=min(len(handles), 2 * columns)
    )
    return figure


def _panel(
    axes: Any, measurements: Sequence[Measurement], codecs: Sequence[str], quality: str, along: str
) -> None:
    """Draw the curves of one dump."""
    curves = [
        sorted(
            (x, y)
            for m in measurements
            if m.codec == codec
            and (x := _value(m, along)) is not None
            and (y := _value(m, quality)) is not None
        )
        for codec in codecs
    ]
    swept = [value for curve in curves if len(curve) > 1 for _, value in curve]
    top = HEADROOM * max(swept) if swept and quality == "snr_db" else math.inf
    for number, (codec, curve) in enumerate(zip(codecs, curves, strict=True)):
        if not curve:
            continue
        again = number + number // len(COLOURS)  # a colour comes back with another marker
        axes.plot(
            [x for x, _ in curve],
            [min(value, top) for _, value in curve],
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[again % len(MARKERS)],
            linestyle=LINES[again % len(LINES)] if len(curve) > 1 else "none",
            markersize=5,
            linewidth=1.5,
            clip_on=False,
            label=literal(codec),
        )
    beyond = [point for curve in curves for point in curve if point[1] > top]
    if beyond:  # casts, whose tens of dB would leave little room for what is compared
        axes.set_ylim(top=top)
        words = f"beyond: {max(value for _, value in beyond):.0f} dB"
        axes.annotate(
            words, (max(beyond)[0], top), (0, -14), textcoords="offset points", ha="right"
        )
    for m in measurements:
        if m.codec == "uncompressed" and quality == "metric" and m.metric is not None:
            axes.axhline(m.metric, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label=m.codec)
    if quality == "divergence":
        axes.set_yscale("log")
    if along == "bpfp":
        _rate_axis(axes, [rate for curve in curves for rate, _ in curve])


def _rate_axis(axes: Any, rates: Sequence[float]) -> None:
    """Make the axis of rates logarithmic, with as many numbers as there is room for."""
    ticker = load("matplotlib.ticker", "drawing", "eval")
    wide = max(rates, default=1) > WIDE * min(rates, default=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1,) if wide else (1, 2, 5), numticks=12))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
