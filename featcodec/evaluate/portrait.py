"""Pictures of features: how values are spread, and where in channels and frequencies they vary."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..transform import dct
from .drawing import COLOURS, INK, blank, literal, styled
from .sampled import Sample

SIZE = 3.7, 2.9  # inches
BINS = 80
SHOWN = 0.9995  # of the values; the few beyond would leave no room for them
CHANNELS = 512  # whose covariance is looked at; more take their time
SIDE = 64  # places of a grid axis
LOWEST = -80.0  # dB that is drawn


def pictures(sample: Sample) -> list[Any]:
    """Return the figures of a tensor group: a histogram, and spectra where there are such."""
    found = [histogram(sample)]
    if sample.grids[0].shape[-1] > 1:
        found.append(channels(sample))
    if min(min(grid.shape[1:-1], default=1) for grid in sample.grids) >= 4:
        found.append(frequencies(sample))
    return found


def histogram(sample: Sample) -> Any:
    """Return the shares of values, on a logarithmic axis, with the truncation bounds if any."""
    values, cut = sample.values, sample.about.get("truncation")
    low, high = np.quantile(values, [1 - SHOWN, SHOWN])
    if not high > low:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(values, BINS, (low, high))
    with styled():
        figure, axes = _panel("Values", "value", "share of values")
        axes.stairs(counts / values.size, edges, fill=True, color=COLOURS[0])
        for bound in (cut["lower"], cut["upper"]) if cut else ():
            if low < bound < high:
                axes.axvline(bound, color=INK, linewidth=0.8, linestyle=":")
        axes.set_yscale("log")
    return figure


def channels(sample: Sample) -> Any:
    """Return the variances of channels, and those of their principal axes, from high to low."""
    tokens = sample.tokens
    chosen = np.linspace(0, tokens.shape[1] - 1, min(tokens.shape[1], CHANNELS)).astype(int)
    centred = tokens[:, chosen] - tokens[:, chosen].mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    plain = np.sort(np.diag(covariance))[::-1]
    axes_of = np.linalg.eigvalsh(covariance)[::-1]
    with styled():
        figure, axes = _panel("Variance of channels", "number, from the highest", "dB to the mean")
        for variances, name, colour, line in (
            (plain, "as they are", COLOURS[1], "--"),
            (axes_of, "principal axes", COLOURS[0], "-"),
        ):
            levels = _decibels(variances, plain.mean())
            axes.plot(np.arange(1, len(levels) + 1), levels, line, color=colour, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        _error(axes, sample)
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def frequencies(sample: Sample) -> Any:
    """Return the variance at each distance from the mean over the token grid, of all channels."""
    sizes = np.min([grid.shape[1:-1] for grid in sample.grids], axis=0).clip(max=SIDE)
    inside = tuple(slice(size) for size in sizes)
    cut = np.concatenate([grid[(slice(None), *inside)] for grid in sample.grids])
    cut = cut - cut.mean(axis=tuple(range(cut.ndim - 1)))
    for axis, size in enumerate(sizes.tolist(), 1):
        matrix = dct.matrix(size, "float64")
        cut = np.moveaxis(np.tensordot(matrix, cut, (1, axis)), 0, axis)
    power = np.square(cut).mean(axis=(0, -1))
    at = [np.arange(size) / (2 * size) for size in sizes]
    radius = np.sqrt(sum(np.square(one) for one in np.meshgrid(*at, indexing="ij")))
    ring = np.rint(radius * 2 * sizes.min()).astype(int)
    ring = np.minimum(ring, sizes.min() - 1).ravel()
    counts = np.bincount(ring)
    levels = _decibels(np.bincount(ring, power.ravel()) / np.maximum(counts, 1), power.mean())
    with styled():
        figure, axes = _panel(
            "Variance along the grid", "cycles from token to token", "dB to the mean"
        )
        middle = np.bincount(ring, radius.ravel()) / np.maximum(counts, 1)
        axes.plot(middle, levels, color=COLOURS[0], marker="o", markersize=3)
        _error(axes, sample)
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside lower center")
    return figure


def sizes(said: Sequence[str], bytes_of: Sequence[int]) -> Any:
    """Return bars of the bytes of tensors, above each what is said of it."""
    with styled():
        figure = blank(SIZE[0], 0.5 + 0.36 * len(said))
        axes = figure.subplots()
        axes.set_title("Bytes of tensors")
        axes.barh(range(len(said)), bytes_of, 0.35, color=COLOURS[0])
        for place, text in enumerate(said):
            axes.text(0, place - 0.22, literal(text), fontsize=8, va="bottom")
        axes.set_xlim(0, max(bytes_of))
        axes.set_ylim(len(said) - 0.6, -0.75)
        axes.set_axis_off()
    return figure


def _panel(title: str, along: str, up: str) -> tuple[Any, Any]:
    figure = blank(*SIZE)
    axes = figure.subplots()
    axes.set(title=title, xlabel=along, ylabel=up)
    return figure, axes


def _decibels(variances: np.ndarray, mean: float) -> np.ndarray:
    """Return variances over their mean in dB, NaN where they are too low to be drawn."""
    least = mean * 10 ** (LOWEST / 10)
    return 10 * np.log10(np.where(variances > least, variances, np.nan) / (mean or 1))


def _error(axes: Any, sample: Sample) -> None:
    """Draw how large the error is: what varies less than that takes hardly a bit."""
    snr = sample.about.get("snr_db")
    if snr is not None and math.isfinite(snr) and snr < -LOWEST:
        axes.axhline(-snr, color=INK, linewidth=0.8, linestyle=":", label=f"error, {snr:.1f} dB")
