"""What tensors are called, by which profiles keep their entries, and the entries of those names."""

import contextlib
import re
from collections.abc import Mapping, Sequence

from ...align.layout import Layout, LayoutError
from ...container.model import ProfileEntry
from ...tensors import Tensor


def stem_of(name: str) -> str:
    """Return a name without its numbers."""
    return re.sub(r"\d+", "#", name)


def label_of(metadata: Mapping[str, str], name: str) -> str:
    """Return what a profile calls features of this kind: model and layer, or the name's stem."""
    named = [metadata[key] for key in ("model", "layer") if metadata.get(key)]
    return " / ".join(named) or stem_of(name)


def told_apart(names: Sequence[str], others: Sequence[str]) -> str:
    """Return what names have in common that others of their stem have not; "" where that is none.

    >>> told_apart(["layer.3.text_1", "layer.3.text_2"], ["layer.3.text_1", "layer.4.text_1"])
    'layer.3.text_#'
    """
    stem = stem_of(names[0])
    if any(stem_of(name) != stem for name in names):
        return ""
    pattern = re.compile(r"(\d+)".join(map(re.escape, stem.split("#"))))
    matches = [match for match in map(pattern.fullmatch, others) if match]
    mine = [set(found) for found in zip(*(re.findall(r"\d+", name) for name in names))]
    every = [set(found) for found in zip(*(match.groups() for match in matches))]
    if all(len(numbers) > 1 or numbers == of_all for numbers, of_all in zip(mine, every)):
        return ""
    kept = (min(n) if len(n) == 1 and n != of_all else "#" for n, of_all in zip(mine, every))
    return "".join(a + b for a, b in zip(stem.split("#"), (*kept, "")))


def has_parts(tensors: Sequence[Tensor], entries: Sequence[ProfileEntry]) -> bool:
    """Return whether a profile has entries for some of the tensors among them, such as a layer."""
    stems = {stem_of(tensor.name) for tensor in tensors}
    names = {entry.name for entry in entries} - stems
    return any(stem_of(name) in stems for name in names)


def trained_layouts(
    tensor: Tensor, label: str | None, entries: Sequence[ProfileEntry]
) -> tuple[Layout, ...]:
    """Return the layouts of the entries of a profile by that name, or any, which fit a tensor."""
    found: dict[Layout, None] = {}
    for entry in entries:
        layout = Layout(entry.layout, entry.prefix_tokens, entry.grid)
        with contextlib.suppress(LayoutError):
            if (
                label in (None, entry.name)
                and layout.token_grid(tensor.shape)[-1] == entry.channels
            ):
                found[layout] = None
    return tuple(found)
