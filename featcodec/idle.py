"""What is asked of tensors, and serves none of those that there are."""

from collections.abc import Iterable

from .align.layout import parse
from .elements import FLOATS
from .request import Options
from .rules import Rules
from .tensors import Tensor


def idle(tensors: Iterable[Tensor], options: Options, others: Iterable[str] = ()) -> list[str]:
    """Return a line for each pattern and layout that no tensor takes.

    `others` are names of tensors that cannot be coded.
    """
    tensors, rules = list(tensors), Rules(options.rules)
    names = [*(tensor.name for tensor in tensors), *others]
    unused = [f"no tensor has a name like {pattern!r}" for pattern in rules.unused(names)]
    useless = rules.useless({tensor.name: tensor.dtype in FLOATS for tensor in tensors})
    exact = [f"all that {one!r} matches is no floats, and bit for bit" for one in useless]
    return [*unused, *exact, *_unread(tensors, options)]


def _unread(tensors: Iterable[Tensor], options: Options) -> list[str]:
    """Return what is to be said of a layout for all tensors whose axes are those of none."""
    asked = options.layouts.get("")
    ranks = sorted({len(tensor.shape) for tensor in tensors if tensor.dtype in FLOATS})
    if not asked or not ranks or len(parse(asked).axes) in ranks:
        return []
    axes = len(parse(asked).axes)
    have = " or ".join(map(str, ranks))
    return [
        f"layout {asked!r} is ignored: it has {axes} {'axis' if axes == 1 else 'axes'}, and the"
        f" tensors of floats have {have}"
    ]
