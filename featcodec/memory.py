"""How much memory may be taken, and how much of it there is."""

import os
import re
from functools import lru_cache
from pathlib import Path

from .errors import InvalidInput

UNITS = ("B", "kB", "MB", "GB", "TB")
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@lru_cache(1)
def installed() -> int:
    """Return the memory of this machine, or of the container that the process is in, in bytes."""
    found = [1 << 62]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for place in CGROUPS:
        try:
            found.append(int(Path(place).read_text()))
        except (OSError, ValueError):  # none, or "max"
            continue
    return min(one for one in found if one > 0)


def limit_of(memory: int | str | None) -> int:
    """Return how many bytes decoding may take; None stands for what the machine has.

    >>> limit_of("2GB"), limit_of(1 << 20)
    (2000000000, 1048576)
    """
    if memory is None:
        return installed()
    return bytes_of("memory", memory, least=1)


def bytes_of(name: str, value: int | str, least: int = 0) -> int:
    """Return a number of bytes, given as such or with a unit; InvalidInput for anything else.

    >>> bytes_of("cache", "1.5kB"), bytes_of("cache", 0)
    (1500, 0)
    """
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)(B|kB|MB|GB|TB)", str(value))
    bytes_ = value if isinstance(value, int) else -1
    if found is not None:
        bytes_ = int(float(found[1]) * 1000 ** UNITS.index(found[2]))
    if isinstance(value, bool) or bytes_ < least:
        units = f"; a unit is one of {', '.join(UNITS)}" if isinstance(value, str) else ""
        raise InvalidInput(f"{name} {value!r}: give bytes, or a text such as 500MB or 4GB{units}")
    return bytes_


def shown(count: int, up: bool = False) -> str:
    """Return bytes with a unit of 1000; `up` rounds up.

    >>> shown(1_234_567), shown(1_234_567, up=True)
    ('1.2 MB', '2 MB')
    """
    unit = min((len(str(count)) - 1) // 3, len(UNITS) - 1)
    scale = 1000**unit
    text = f"{-(-count // scale)}" if up else f"{count / scale:.1f}".removesuffix(".0")
    return f"{text} {UNITS[unit]}"
