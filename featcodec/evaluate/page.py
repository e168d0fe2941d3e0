"""One page with all results of an evaluation."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from . import tables, web
from .deltas import Delta
from .equal_divergence import equal_divergence
from .results import Measurement
from .sufficient import sufficient

NOTES = """<h2>What is measured</h2>
<p>Rate: bits per feature point, all bytes over the number of feature values; the size of
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
    panels: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return the page as HTML, with `panels` of each heading by dump."""
    parts = [_about(about)]
    for place, (heading, figures) in enumerate(panels.items()):
        parts += [
            f"<h2>{html.escape(heading)}</h2>\n",
            web.drawings(f"drawing{place}", figures.values()),
        ]
    if deltas:
        parts += ["<h2>Bj&oslash;ntegaard deltas</h2>\n", _table(tables.compared(deltas), 3)]
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
    return web.whole("featcodec eval", [*parts, NOTES])


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


def _table(rows: list[list[str]], names: int = 2) -> str:
    """Return a table without empty columns, its first ones names and the others numbers."""
    filled = tables.filled(rows)
    return web.table(filled, set(range(names, len(filled[0]))))
