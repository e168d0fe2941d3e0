"""What options and metadata state of a tensor: its architecture and its layout."""

from collections.abc import Mapping

from ...align import layout as layouts
from ...align.layout import Layout, LayoutError
from ...container.model import ARCHITECTURES
from ...container.quality import BY_METADATA, BY_OPTION
from ...errors import InvalidInput
from ...request import Options
from ...tensors import Tensor


def asked_of(tensor: Tensor, options: Options) -> str | None:
    """Return the layout that options state of a tensor, by its name or for all of its rank.

    One for the whole dump speaks of tensors of its rank; others go their own way.
    """
    if tensor.name in options.layouts:
        return options.layouts[tensor.name]
    text = options.layouts.get("")
    try:
        others = text and len(layouts.parse(text).axes) != len(tensor.shape)
    except LayoutError:  # which is said when the layout is taken
        others = False
    return None if others else text


def is_stated(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> bool:
    """Return whether somebody says what the axes of a tensor are."""
    asked = asked_of(tensor, options)
    return bool(asked or layouts.stated(tensor.shape, metadata))


def has_stated_sizes(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> bool:
    """Return whether somebody says on what grid tokens lie, or how an axis is cut."""
    text = asked_of(tensor, options) or layouts.stated(tensor.shape, metadata)
    return "grid" in metadata or ":" in text or "/" in text


def reading_of(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> int:
    """Return why a tensor is read as it is: the number of READINGS."""
    if asked_of(tensor, options):
        return BY_OPTION
    text = layouts.stated(tensor.shape, metadata)
    return BY_METADATA if text and len(layouts.parse(text).axes) == len(tensor.shape) else 0


def align(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> tuple[str, Layout]:
    """Return architecture and layout that are stated, or likely for the shape.

    Raises InvalidInput when those that are stated do not fit.
    """
    asked = asked_of(tensor, options)
    named = options.architectures.get(tensor.name, options.architectures.get(""))
    architecture = named or layouts.architecture_of(tensor.shape, metadata, asked)
    if architecture not in ARCHITECTURES:
        raise InvalidInput(f"architecture {architecture!r}: use {', '.join(ARCHITECTURES)}")
    try:
        return architecture, layouts.choose(tensor.shape, metadata, architecture, asked)
    except LayoutError as error:
        where = f"tensor {tensor.name!r} of shape {list(tensor.shape)}"
        raise InvalidInput(f"{where}: {error}") from None


def architecture_as_read(
    tensor: Tensor,
    layout: Layout,
    architecture: str,
    metadata: Mapping[str, str],
    options: Options,
) -> str:
    """Return the architecture of a tensor by the layout that was chosen for it.

    What was taken for maps by its rank alone, as a KV cache is, may be none.
    """
    named = options.architectures.get(tensor.name, options.architectures.get(""))
    if named or architecture != "cnn":
        return architecture
    return layouts.architecture_of(tensor.shape, metadata, layout.axes)
