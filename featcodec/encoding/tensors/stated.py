"""What options and metadata state of a tensor: its architecture and its layout."""

from collections.abc import Mapping

from ...align import layout as layouts
from ...align.layout import Layout, LayoutError
from ...container.model import ARCHITECTURES
from ...container.quality import BY_METADATA, BY_OPTION
from ...errors import InvalidInput
from ...request import Options
from ...tensors import Tensor


def is_stated(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> bool:
    """Return whether somebody says what the axes of a tensor are."""
    asked = options.layouts.get(tensor.name, options.layouts.get(""))
    return bool(asked or layouts.stated(tensor.shape, metadata))


def has_stated_sizes(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> bool:
    """Return whether somebody says on what grid tokens lie, or how an axis is cut."""
    asked = options.layouts.get(tensor.name, options.layouts.get("")) or ""
    text = asked or layouts.stated(tensor.shape, metadata)
    return "grid" in metadata or ":" in text or "/" in text


def reading_of(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> int:
    """Return why a tensor is read as it is: the number of READINGS."""
    if options.layouts.get(tensor.name, options.layouts.get("")):
        return BY_OPTION
    text = layouts.stated(tensor.shape, metadata)
    return BY_METADATA if text and len(layouts.parse(text).axes) == len(tensor.shape) else 0


def align(tensor: Tensor, metadata: Mapping[str, str], options: Options) -> tuple[str, Layout]:
    """Return architecture and layout that are stated, or likely for the shape.

    Raises InvalidInput when those that are stated do not fit.
    """
    asked = options.layouts.get(tensor.name, options.layouts.get(""))
    named = options.architectures.get(tensor.name, options.architectures.get(""))
    architecture = named or layouts.architecture_of(tensor.shape, metadata, asked)
    if architecture not in ARCHITECTURES:
        raise InvalidInput(f"architecture {architecture!r}: use {', '.join(ARCHITECTURES)}")
    explicit = tensor.name in options.layouts
    try:
        return architecture, layouts.choose(tensor.shape, metadata, architecture, asked)
    except LayoutError as error:
        if asked and not explicit:
            # A layout for the whole dump speaks of tensors of its rank; others go their own way.
            try:
                rank = len(layouts.parse(asked).axes)
            except LayoutError:
                rank = len(tensor.shape)
            if rank != len(tensor.shape):
                return architecture, layouts.choose(tensor.shape, {}, architecture, None)
        where = f"tensor {tensor.name!r} of shape {list(tensor.shape)}"
        raise InvalidInput(f"{where}: {error}") from None
