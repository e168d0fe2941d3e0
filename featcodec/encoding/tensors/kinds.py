"""Which tensors are of one kind, by their names: they are read alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...align.layout import Layout
from ...tensors import Tensor
from .labels import stem_of
from .likely import MOST_WIDTHS, channels_of, of_widths

SEVERAL = 4  # numbers of channels: so many are those of layers
OWN_STEMS = 3  # fewer are those of kinds, as of keys and values


def kinds_of_names(names: Iterable[str]) -> dict[str, str]:
    """Return stems by names, or "" for all of them where most have a stem of their own.

    Such names are files, words or digests, each that of a sample.

    >>> kinds_of_names(["key_0", "key_1", "value_0", "value_1"])
    {'key_0': 'key_#', 'key_1': 'key_#', 'value_0': 'value_#', 'value_1': 'value_#'}
    >>> kinds_of_names(["cat.png", "dog.png", "horse.png"])
    {'cat.png': '', 'dog.png': '', 'horse.png': ''}
    """
    stems = {name: stem_of(name) for name in names}
    own = len(set(stems.values()))
    return dict.fromkeys(stems, "") if own >= OWN_STEMS and 2 * own > len(stems) else stems


def kinds_of_tensors(
    tensors: Iterable[Tensor], aligned: Mapping[str, Layout], stated: Mapping[str, bool]
) -> Iterator[tuple[Layout, bool, list[Tensor]]]:
    """Yield tensors of one kind, with their layout and whether it is stated.

    Where names tell no kinds, ranks and numbers of channels do.
    """
    alike: dict[tuple, list[Tensor]] = {}
    for tensor in tensors:
        key = tensor.dtype, aligned[tensor.name], stated[tensor.name], len(tensor.shape)
        alike.setdefault(key, []).append(tensor)
    kinds: dict[tuple, list[Tensor]] = {}
    for (dtype, layout, is_stated, rank), every in alike.items():
        for width, some in by_width(every, layout).items():
            names = kinds_of_names(tensor.name for tensor in some)
            for tensor in some:
                kind = names[tensor.name] or (rank, width)
                kinds.setdefault((kind, dtype, layout, is_stated), []).append(tensor)
    for (_, _, layout, is_stated), some in kinds.items():
        for same in [some] if is_stated else of_widths(some, layout):
            yield layout, is_stated, same


def by_width(tensors: Sequence[Tensor], layout: Layout) -> dict[float, list[Tensor]]:
    """Return tensors by their numbers of channels, all at once where those are lengths.

    There are several of many tensors then, and some other axis is as long in all.
    """
    found: dict[float, list[Tensor]] = {}
    for tensor in tensors:
        found.setdefault(channels_of(layout, [tensor.shape]), []).append(tensor)
    common = (set(lengths) for lengths in zip(*(tensor.shape for tensor in tensors), strict=True))
    several = len(found) > SEVERAL and len(tensors) > MOST_WIDTHS
    if several and any(len(one) == 1 and one != {1} for one in common):
        return {0: list(tensors)}
    return found
