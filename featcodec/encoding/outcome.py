"""What came of writing a group: its header, and what was found out on the way."""

import math
from dataclasses import dataclass

from ..align.slices import SliceGains
from ..container.group import GroupHeader
from ..container.writer import Writer
from .choice import Choice
from .choosing import Chooser
from .group_writer import Kept
from .measured import Measured


@dataclass(frozen=True)
class Outcome:
    """A group that was written."""

    header: GroupHeader
    size: int  # bytes, with the header
    lowest: float = math.inf  # dB of the slice that has least
    kept: Kept | None = None  # how, where that was by models at an SNR
    found: Measured | None = None  # what the user has of it, where slices count
    slices: SliceGains | None = None  # with these gains
    fitted: tuple[Chooser, Choice] | None = None  # to gains, where that was done anew

    @classmethod
    def of(cls, writer: Writer, start: int, header: GroupHeader) -> "Outcome":
        """Return the outcome of a group of which no more is known, written from a position on."""
        return cls(header, size_of(writer, start, header))


def size_of(writer: Writer, start: int, header: GroupHeader) -> int:
    """Return the bytes of a group that was written from a position on, with its header."""
    return writer.position - start + len(header.pack())
