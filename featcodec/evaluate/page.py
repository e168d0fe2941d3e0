"""One page with all results: no script, nothing loaded from elsewhere, light or dark as is read."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import plots, tables
from .deltas import Delta
from .equal_divergence import equal_divergence
from .results import Measurement
from .sufficient import sufficient

HEAD = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>featcodec eval</title>
<style>
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1a; --line: #d0d0ce }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1b1b1a; --ink: #e8e8e6; --line: #4a4a48 }
}
body { background: var(--paper); color: var(--ink); font: 15px/1.45 sans-serif;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 }
figure { margin: 1.5rem 0; overflow-x: auto }
svg { max-width: 100%; height: auto }
@media (max-width: 40rem) { svg { max-width: none } }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left }
code { overflow-wrap: anywhere }
</style>
"""
NOTES = """<p>Rate: bits per feature point, all bytes over the number of feature values; the size of
a profile that lies beside the files is stated with its codec. SNR: of the worst group of tensors,
measured on the decoded values. Speed: 10<sup>6</sup> bytes of float32 a second in one process; its
start, and the other codecs' search for a step or bound, are left out. Deltas: Bj&oslash;ntegaard's,
over the range that two curves share. A task keeps up from the least rate tried on at which, as at
all higher ones, it loses at most 0.01. Divergence: of a head's outputs from those of the clean
features, the KL divergence in nats of classes, 1 - cosine of embeddings.</p>
"""


def page(
    about: Mapping[str, Any],
    measurements: Sequence[Measurement],
    deltas: Sequence[Delta],
    figures: Mapping[str, Any],
) -> str:
    """Return the page as HTML."""
    parts = [HEAD, "<h1>featcodec eval</h1>\n", NOTES, _about(about)]
    parts += [_figure(name, figure) for name, figure in figures.items()]
    if deltas:
        parts += ["<h2>Bj&oslash;ntegaard deltas</h2>\n", _table(tables.compared(deltas))]
    enough = sufficient(measurements)
    if enough:
        parts += [
            "<h2>Least rates at which the task keeps up</h2>\n",
            _table(tables.enough(enough)),
        ]
    alike = equal_divergence(measurements)
    if alike:
        parts += ["<h2>Rates at equal divergence</h2>\n", _table(tables.equal(alike))]
    parts += ["<h2>Measurements</h2>\n", _table(tables.measured(measurements))]
    failed = tables.failures(measurements)
    if failed:
        lines = "".join(f"<li>{html.escape(line)}</li>\n" for line in failed)
        parts.append(f"<h2>Points that could not be measured</h2>\n<ul>\n{lines}</ul>\n")
    return "".join(parts) + "</html>\n"


def _about(about: Mapping[str, Any]) -> str:
    lines = [
        f"<li>{html.escape(label)}: <code>"
        + html.escape(", ".join(f"{k} {v}" for k, v in identity.items() if v))
        + "</code>"
        + html.escape(f"; {about['beside'][label]}" if label in about["beside"] else "")
        + "</li>\n"
        for label, identity in about["codecs"].items()
    ]
    asked = "".join(
        f"<p>{what}: <code>{html.escape(about[key])}</code></p>\n"
        for key, what in (("task", "Task"), ("head", "Head"))
        if about.get(key)
    )
    return f"{asked}<ul>\n{''.join(lines)}</ul>\n"


def _table(rows: list[list[str]]) -> str:
    head, *body = ([html.escape(cell) for cell in row] for row in tables.filled(rows))
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in body]
    return (
        f'<div class="wide"><table>\n<tr>{"".join(f"<th>{cell}</th>" for cell in head)}</tr>\n'
        + "".join(f"<tr>{line}</tr>\n" for line in lines)
        + "</table></div>\n"
    )


def _figure(name: str, figure: Any) -> str:
    """Return a drawing in the page's ink, its ids told apart from those of the others."""
    text = plots.svg(figure, transparent=True).decode()
    drawing = text[text.index("<svg") :].replace(plots.INK, "currentColor")
    prefix = re.sub(r"\W", "_", name)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", drawing)
    return f"<figure>\n{drawing}</figure>\n"
