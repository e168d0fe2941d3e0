"""What features are called: by whoever made the dump, or by the names of their tensors."""

import re
from collections.abc import Mapping, Sequence


def label_of(metadata: Mapping[str, str], name: str) -> str:
    """Return what a profile calls features of this kind: model and layer, or the name's stem."""
    named = [metadata[key] for key in ("model", "layer") if metadata.get(key)]
    return " / ".join(named) or re.sub(r"\d+", "#", name)


def told_apart(names: Sequence[str], others: Sequence[str]) -> str:
    """Return what names have in common that others of their stem have not; "" where that is none.

    >>> told_apart(["layer.3.text_1", "layer.3.text_2"], ["layer.3.text_1", "layer.4.text_1"])
    'layer.3.text_#'
    """
    stem = re.sub(r"\d+", "#", names[0])
    if any(re.sub(r"\d+", "#", name) != stem for name in names):
        return ""
    pattern = re.compile(r"(\d+)".join(map(re.escape, stem.split("#"))))
    matches = [match for match in map(pattern.fullmatch, others) if match]
    mine = [set(found) for found in zip(*(re.findall(r"\d+", name) for name in names))]
    every = [set(found) for found in zip(*(match.groups() for match in matches))]
    if all(len(numbers) > 1 or numbers == of_all for numbers, of_all in zip(mine, every)):
        return ""
    kept = (min(n) if len(n) == 1 and n != of_all else "#" for n, of_all in zip(mine, every))
    return "".join(a + b for a, b in zip(stem.split("#"), (*kept, "")))
