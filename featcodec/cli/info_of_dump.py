"""How `encode` would read a dump, for `info`: what is features, in which layout, and why."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import formats
from ..container.quality import READINGS
from ..container.source import Source
from ..elements import FLOATS
from . import render
from .info_lines import Shown, groups_of, metadata_lines, spans

if TYPE_CHECKING:
    from ..tensors import Tensor

NO_FLOATS, NO_VALUES, ONE_VALUE = "no floats", "no values", "one value"
EXACT = {"coded": "bit for bit", "layout": None, "architecture": None}


def is_dump(file: Source) -> bool:
    """Return whether a file begins as a dump does."""
    return formats.recognise(file.read(0, formats.HEAD)) in formats.DUMPS


def describe_dump(file: Source, path: str) -> dict[str, Any]:
    """Return what the dump at a path holds and how it would be coded, as `--json` prints it.

    Axes that nobody states are tried, as `encode` does without a profile.
    """
    import numpy as np

    from ..dumps import Dump
    from ..encoding.judge import judge_at
    from ..encoding.tensors.beyond import beyond
    from ..encoding.tensors.group import Group
    from ..encoding.tensors.grouping import group_tensors
    from ..encoding.tensors.trimmed import Trimmed
    from ..encoding.tensors.wholes import wholes
    from ..request import DEFAULT_SNR, Options

    kind = formats.recognise(file.read(0, formats.HEAD))
    with Dump(path) as dump, np.errstate(all="ignore"):  # NaN and extremes are data here
        judge = judge_at(DEFAULT_SNR, None, Options())
        source = Trimmed.of(dump, Options())
        tensors = {tensor.name: tensor for tensor in source.tensors}
        groups = group_tensors(source, Options(), False, judge)
        found: dict[str, dict[str, Any]] = {}
        for number, group in enumerate(groups):
            if not isinstance(group, Group):
                exact = [(one, _reason(tensors[one], group.reasons)) for one in group.names]
            else:
                exact = [(one, why) for one, _ in wholes(group) if (why := beyond(group))]
            found |= {one: {"group": number, **EXACT, "reason": why} for one, why in exact}
            if exact or not isinstance(group, Group):
                continue
            about = {"coded": "features", "layout": str(group.cut_as or group.layout)}
            about |= {"architecture": group.architecture, "reason": READINGS[group.reading]}
            found |= {one: {"group": number, **about} for one, _ in wholes(group)}
        return {
            "kind": "dump",
            "format": kind.name if kind else "",
            "file_bytes": dump.data_bytes,
            "metadata": dump.metadata,
            "refused": {one: str(why) for one, why in dump.refused.items()},
            "remarks": list(dump.remarks),
            "tensors": [
                {"name": t.name, "dtype": t.dtype, "shape": list(t.shape), **found[t.name]}
                for t in dump.tensors
            ],
        }


def _reason(tensor: "Tensor", reasons: Sequence[str]) -> str:
    """Return why a tensor is no features; `reasons` are those of its group."""
    if tensor.dtype not in FLOATS:
        return NO_FLOATS
    if not tensor.shape:
        return ONE_VALUE
    return ", ".join(reasons) if min(tensor.shape) else NO_VALUES


def dump_shown(found: dict[str, Any], verbose: bool) -> Shown:
    """Return what is shown of a dump."""
    tensors = found["tensors"]
    values = sum(math.prod(t["shape"]) for t in tensors)
    head = [
        f"{found['format']}, {render.size(found['file_bytes'])},"
        f" {render.count(len(tensors), 'tensor')}, {render.count(values, 'value')}; not coded yet"
    ]
    rows = [["tensor", "type", "shape", "layout", "to be coded as"]]
    shown, below = groups_of(tensors, verbose)
    for members in shown:
        alone = verbose or len(members) <= 3
        rows += [row([one]) for one in members] if alone else [row(members)]
    if any(t["reason"] == READINGS[0] for t in tensors):
        below.append("--layout states axes, where you know more than the data tells")
    below += [f"{name!r} cannot be coded: {why}" for name, why in found["refused"].items()]
    return Shown([*head, *metadata_lines(found)], rows, set(), [], [*below, *found["remarks"]])


def row(members: list[dict[str, Any]]) -> list[str]:
    """Return the row of a tensor, or of several of a group."""
    first, last = members[0], members[-1]
    name = first["name"] if first is last else f"{first['name']} .. {last['name']} ({len(members)})"
    coded = f"{first['coded']}: {' or '.join(dict.fromkeys(one['reason'] for one in members))}"
    return [name, first["dtype"], spans(members) or "scalar", first["layout"] or "-", coded]
