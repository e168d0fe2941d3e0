"""How all that is drawn looks, legible without colour, the same bytes every time."""

import contextlib
import io
import warnings
from typing import Any

from .packages import load

INK = "#1b1b1a"
GRID = "#b0b0ae"
# Okabe and Ito's palette, which the colour-blind tell apart; the markers and lines do so in grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, "#9a8f00")
STYLE = {
    "svg.hashsalt": "featcodec",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.5,
    "legend.frameon": False,
}


def styled() -> contextlib.AbstractContextManager:
    """Return the context to draw in; MissingPackage without matplotlib."""
    found: contextlib.AbstractContextManager = load("matplotlib", "drawing", "eval").rc_context(
        STYLE
    )
    return found


def blank(width: float, height: float) -> Any:
    """Return a figure without anything, its sides in inches."""
    return load("matplotlib.figure", "drawing", "eval").Figure(
        figsize=(width, height), layout="constrained"
    )


def literal(text: str) -> str:
    """Return a text that is drawn as it is, though it may hold what stands for mathematics."""
    return text.replace("$", r"\$")


def png(figure: Any) -> bytes:
    """Return a picture of 150 dots an inch."""
    return _rendered(figure, format="png", dpi=150)


def svg(figure: Any, transparent: bool = False) -> bytes:
    """Return a drawing whose text is text."""
    return _rendered(figure, format="svg", transparent=transparent, metadata={"Date": None})


def _rendered(figure: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    with styled(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that its font lacks a page shows nevertheless
        figure.savefig(out, **options)
    return out.getvalue()
