"""Tensors, or rows of them, coded as a dump; what further rows have in common with these."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np

from ..align.layout import SAMPLE, infer
from ..arrays import shape_of
from ..container.cuts import Along
from ..container.joining import Coded
from ..container.reader import Reader
from ..elements import BITS
from ..encoding.dump import DumpEncoder, encoder_of
from ..encoding.growing import rows_per_row_group
from ..encoding.tensors.group import Group
from ..joining import layout_of
from ..numpy import Arrays
from ..request import Options, RowGroupSize
from ..threads import ONE_THREAD
from .wish import Wish

Stored = tuple[np.ndarray, str]  # stored elements, and their type


@dataclass
class Known:
    """How tensors by name are cut along their further axes, and their layouts."""

    cuts: dict[str, tuple[Along, ...]] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)

    def add(self, coded: Coded) -> None:
        """Take in those of tensors that are not known yet."""
        cuts = _cuts(coded)
        for parts in coded.index.parts:
            name, header = parts[0].name, coded.headers[parts[0].group]
            self.cuts.setdefault(name, cuts[name])
            if header.lossy is not None and not header.exact:
                self.layouts.setdefault(name, layout_of(parts[0], header))

    def unlike(self, coded: Coded) -> list[str]:
        """Return the tensors that are cut otherwise, and could not be joined."""
        cuts = _cuts(coded)
        return [name for name in cuts if self.cuts.get(name, cuts[name]) != cuts[name]]


def _cuts(coded: Coded) -> dict[str, tuple[Along, ...]]:
    whole: dict[str, tuple[Along, ...]] = {
        tensor.name: ((),) * (len(tensor.shape) - 1) for tensor in coded.index.tensors
    }
    for number, cut in coded.index.cuts.items():
        whole[coded.index.tensors[number].name] = cut.axes[1:]
    return whole


def encode_chunk(
    tensors: Mapping[str, Stored], wish: Wish, known: Known, out: BinaryIO, expected: int = 1
) -> tuple[DumpEncoder, Coded]:
    """Write tensors to a file, cut as what is known of them; return what wrote it, and the file.

    With more values `expected` than there are, so many times, models may take more bytes.
    """
    source = Arrays(tensors, wish.metadata)
    options = _options(wish.options, {**known.layouts, **wish.options.layouts}, tensors)
    with ONE_THREAD, np.errstate(all="ignore"):  # NaN are data here
        encoder = encoder_of(source, out, wish.quality, wish.profile, options, growing=True)
        if expected > 1:
            _expect(encoder, expected)
        encoder.run()
    out.flush()
    coded = Coded.of(Reader(out, "what was added"))
    unlike = known.unlike(coded)
    if not unlike:
        return encoder, coded
    shapes = {name: shape_of(*tensors[name]) for name in unlike}
    whole = {name: str(infer(shape, "generic")) for name, shape in shapes.items()}
    uncut = replace(wish, options=replace(wish.options, layouts={**options.layouts, **whole}))
    return encode_chunk(tensors, uncut, known, out, expected)


def _expect(encoder: DumpEncoder, expected: int) -> None:
    """Make models for so many times the values that there are, and row groups of whole samples."""
    groups = [group for group in encoder.groups if isinstance(group, Group)]
    if len(groups) < len(encoder.groups) or len(groups) > 1:
        return
    group, shape = groups[0], groups[0].shapes[0]
    encoder.groups, encoder.others = [replace(group, expected=expected)], ()
    if group.layout.axes[:1] == SAMPLE:
        rows = rows_per_row_group(encoder.options.row_group, shape, BITS[group.dtype] // 8)
        samples = rows * group.layout.token_grid(shape)[0] // shape[0]
        encoder.options = replace(encoder.options, row_group=RowGroupSize(samples=samples))


def _options(options: Options, layouts: Mapping[str, str], names: Mapping[str, Stored]) -> Options:
    """Return the options that speak of some tensors, or of all."""
    kinds = {k: v for k, v in options.architectures.items() if not k or k in names}
    layouts = {k: v for k, v in layouts.items() if not k or k in names}
    return replace(options, layouts=layouts, architectures=kinds)
