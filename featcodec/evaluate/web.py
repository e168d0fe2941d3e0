"""Pages of one file: no script, nothing loaded from elsewhere, light or dark as is read.

Drawings lie beside each other as there is room, and below each other on a telephone.
"""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .drawing import INK, svg

HEAD = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE</title>
<style>
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1a; --line: #d0d0ce }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1b1b1a; --ink: #e8e8e6; --line: #4a4a48 }
}
body { background: var(--paper); color: var(--ink); font: 15px/1.45 sans-serif;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2; overflow-wrap: anywhere }
.drawings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr));
  gap: 1rem; margin: 1rem 0 }
figure { margin: 0 }
svg { width: 100%; max-width: 30rem; height: auto }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap }
.number { text-align: right }
code, p { overflow-wrap: anywhere }
</style>
"""


def whole(title: str, parts: Sequence[str]) -> str:
    """Return a page of parts, each HTML, below its title."""
    name = html.escape(title)
    return "".join([HEAD.replace("TITLE", name), f"<h1>{name}</h1>\n", *parts, "</html>\n"])


def table(rows: Sequence[Sequence[str]], right: set[int]) -> str:
    """Return a table whose first row is its head, those columns to the right."""
    kinds = [' class="number"' * (place in right) for place in range(len(rows[0]))]
    lines = [
        "".join(
            f"<{cell}{kind}>{html.escape(text)}</{cell}>"
            for kind, text in zip(kinds, row, strict=True)
        )
        for row, cell in zip(rows, ["th", *["td"] * (len(rows) - 1)], strict=True)
    ]
    return (
        '<div class="wide"><table>\n'
        + "".join(f"<tr>{line}</tr>\n" for line in lines)
        + "</table></div>\n"
    )


def drawings(name: str, figures: Iterable[Any]) -> str:
    """Return figures beside each other; the name is of all, and of no others on the page."""
    found = [_drawing(f"{name}-{place}", one) for place, one in enumerate(figures)]
    return f'<div class="drawings">\n{"".join(found)}</div>\n'


def _drawing(name: str, figure: Any) -> str:
    """Return a drawing in the page's ink, its ids told apart from those of the others."""
    text = svg(figure, transparent=True).decode()
    drawing = text[text.index("<svg") :].replace(INK, "currentColor")
    prefix = re.sub(r"\W", "_", name)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", drawing)
    return f"<figure>\n{drawing}</figure>\n"
