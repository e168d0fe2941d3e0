"""Numbers and lines as a person likes to read them."""

import json
import math
import sys

import click

from ..errors import InvalidInput

WIDEST = 100  # characters that a column of a table is made for
LONGEST = 2000  # characters of an error, so that what a file holds does not flood a terminal


def size(count: float) -> str:
    """Return bytes with a unit of 1000, three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def count(number: int, what: str) -> str:
    """Return how many there are: `1 tensor`, `2,000 tensors`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """Return a time with the unit that a person would take."""
    for unit, length, most in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 72)):
        if seconds < length * most:
            count = seconds / length
            return f"{count:.1f} {unit}" if count < 9.95 else f"{count:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def printable(text: str) -> str:
    """Return text without what could move the cursor: control characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def show(*lines: str) -> None:
    """Print lines to standard output, whatever they hold."""
    try:
        for line in lines:
            click.echo(_encodable(printable(line)))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InvalidInput(f"standard output: {error.strerror or error}") from None


def as_json(found: object) -> str:
    """Return JSON in which every control character is escaped, the last of ASCII too."""
    return json.dumps(found).replace("\x7f", "\\u007f")


def tell(*lines: str) -> None:
    """Print lines to standard error, whatever they hold."""
    for line in lines:
        click.echo(printable(line), err=True)


def complain(message: str) -> None:
    """Print what is wrong, in one line."""
    text = " ".join(message.split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    tell(f"featcodec: {text}")


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def decibels(snr: float) -> str:
    if math.isnan(snr):
        return "-"
    return "exact" if snr == math.inf else f"{round(snr, 2) + 0.0:.2f} dB"  # never -0.00


def ratio(before: int, after: int) -> str:
    return f"{before / after:.2f}x" if after else "-"


BLOCKS = "▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """Return a bar that is a share of some characters wide, in eighths; something of all above 0.

    Where standard output does not have its characters, it is one of whole `#`.
    """
    eighths = min(max(round(share * width * 8), share > 0), width * 8)
    if not _has(BLOCKS):
        return "#" * -(-eighths // 8)
    whole, rest = divmod(eighths, 8)
    return BLOCKS[-1] * whole + (BLOCKS[rest - 1] if rest else "")


def _has(characters: str) -> bool:
    """Return whether standard output can show characters."""
    try:
        characters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def table(rows: list[list[str]], right: set[int]) -> list[str]:
    """Return lines with columns aligned; those in `right` to the right.

    A cell wider than WIDEST moves what follows it in its own line alone.
    """
    rows = [list(map(printable, row)) for row in rows]
    columns = [[len(row[i]) for row in rows] for i in range(len(rows[0]))]
    widths = [max(w for w in column if w <= WIDEST) for column in columns]  # the head is no wider
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
