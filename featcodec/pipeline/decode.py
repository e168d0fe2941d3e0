"""A file to tensors: whole, by tensor, or by a range of the leading axis."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import limits
from ..align.curve import Curve
from ..align.grids import GroupGrid, Window
from ..align.layout import Layout, LayoutError
from ..align.numbers import STORED
from ..align.value import ValueAlignment
from ..container.dtypes import FLOATS, nbytes
from ..container.group import GroupHeader, Lossy, Part
from ..container.index import TensorEntry
from ..container.model import OWN
from ..container.reader import Reader
from ..entropy import exact
from ..entropy.prediction import Predictor
from ..errors import Corrupt, ProfileMissing
from .context_coder import ContextCoder
from .dependent_coder import DependentCoder
from .dependent_context_coder import DependentContextCoder
from .grid_model import GridModel, corrupt, unpack_scales, unpack_tables
from .grouping import unsigned
from .neural import NeuralCoder
from .part_coder import PartCoder
from .pieces import Piece, Run
from .predicted_coder import PredictedCoder
from .profile import Profile
from .row_group import RowGroupCoder
from .split_coder import SplitCoder

FARTHEST = 1 << 60  # quarter octaves of a step that int64 can take from any scale


@dataclass(frozen=True)
class Members:
    """The tensors of one group, and what codes them."""

    header: GroupHeader
    entries: list[TensorEntry]
    coder: RowGroupCoder | None  # None: bit for bit

    @cached_property
    def starts(self) -> np.ndarray:
        """The first slab of each tensor, and the number of all slabs."""
        if self.coder is not None:
            return self.coder.grid.starts
        sizes = [_elements(entry) for entry in self.entries]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def slabs(self, number: int) -> tuple[int, int]:
        """Return the slabs first <= s < last of a row group."""
        first = number * self.header.slabs_per_row_group
        return first, min(first + self.header.slabs_per_row_group, self.header.slabs)

    def tensors(self, number: int) -> range:
        """Return the positions of the tensors that a row group has slabs of."""
        first, last = self.slabs(number)
        low = int(np.searchsorted(self.starts, first, "right")) - 1
        return range(low, int(np.searchsorted(self.starts, last, "left")))


class Decoder:
    """Decodes tensors of an open file; keeps nothing but the models of its groups."""

    def __init__(self, reader: Reader, profiles: Sequence[Profile] = ()) -> None:
        """Raise ProfileMissing when the file needs a profile that is not among `profiles`."""
        self.reader = reader
        known = {profile.digest: profile for profile in profiles}
        self.profiles: list[Profile] = []
        for digest in reader.index.profiles:
            profile = known.get(digest) or Profile.built_in(digest)
            if profile is None:
                raise ProfileMissing(
                    f"{reader.name} needs the profile with SHA-256 {digest.hex()};"
                    " name its file with --profile"
                )
            self.profiles.append(profile)
        headers = reader.groups()
        members: list[list[TensorEntry]] = [[] for _ in headers]
        for tensor in reader.index.tensors:
            members[tensor.group].append(tensor)
        self.groups = [
            Members(header, entries, self._coder(header, entries))
            for header, entries in zip(headers, members, strict=True)
        ]
        self._check_rows()

    def _coder(self, header: GroupHeader, entries: list[TensorEntry]) -> RowGroupCoder | None:
        if header.lossy is None:
            if header.slabs != sum(_elements(entry) for entry in entries):
                raise Corrupt("a group does not hold as many elements as its tensors")
            return None
        profile = None if header.lossy.profile is None else self.profiles[header.lossy.profile]
        coder = coder_of(header, header.lossy, [entry.shape for entry in entries], profile)
        if coder.grid.slabs != header.slabs:
            raise Corrupt("a group does not hold as many slabs as its tensors")
        return coder

    def decode(
        self,
        wanted: Sequence[TensorEntry],
        target: Callable[[TensorEntry], np.ndarray],
        release: Callable[[], None] = lambda: None,
        convert: Callable[[np.ndarray, str], np.ndarray] | None = None,
    ) -> None:
        """Decode whole tensors into the flat arrays of stored elements that `target` gives.

        Every row group is decoded once, whatever the number of tensors in it; `release` is called
        after each, when what was written may leave memory. With `convert`, what it returns for
        elements and their type is written.
        """
        for position, group in enumerate(self.groups):
            chosen = {entry.name for entry in wanted if entry.group == position}
            if not chosen:
                continue

            def tensor(i: int, group: Members = group, chosen: set[str] = chosen) -> Any:
                entry = group.entries[i]
                if entry.name not in chosen:
                    return None  # a neighbour in a row group: decoded, not wanted
                return target(entry).reshape(entry.shape if group.coder else -1)

            for number in range(group.header.row_groups):
                if any(group.entries[i].name in chosen for i in group.tensors(number)):
                    for piece in self.pieces(group, number):
                        if convert is not None:
                            values = convert(piece.values, group.header.dtype)
                            piece = replace(piece, values=values)
                        piece.put(tensor)
                    release()

    def rows(self, entry: TensorEntry, first: int, last: int) -> np.ndarray:
        """Return stored elements first <= i < last along the leading axis of a tensor.

        Only the row groups that hold them are decoded.
        """
        group = self.groups[entry.group]
        coder, per = group.coder, group.header.slabs_per_row_group
        mine = group.entries.index(entry)
        start, unit = int(group.starts[mine]), 1
        if coder is None:
            unit = _elements(entry) // max(entry.shape[0], 1)
            low, high = start + first * unit, start + last * unit
        else:
            low, high = coder.grid.slabs_of_rows(mine, entry.shape, first, last)
        numbers = range(low // per, -(-high // per))
        slabs = numbers.start * per, numbers.stop * per
        shape: tuple[int, ...] = ()
        if coder is None:
            begin, end = max(slabs[0] - start, 0), min(slabs[1] - start, _elements(entry))
            window = Window(begin, end, 0, begin)
        else:
            window, shape = coder.grid.window(mine, entry.shape, *slabs), entry.shape[1:]
        found = np.zeros((max(window.last - window.first, 0), *shape), _stored(group.header))
        for number in numbers:
            for piece in self.pieces(group, number):
                piece.within(window).put(lambda i: found if i == mine else None)
        return found[first * unit - window.first : last * unit - window.first]

    def pieces(self, group: Members, number: int) -> Sequence[Piece]:
        """Return what one row group decodes to."""
        with np.errstate(all="ignore"):  # NaN are data here
            return self._pieces(group, number)

    def _pieces(self, group: Members, number: int) -> Sequence[Piece]:
        header = group.header
        payload = self.reader.section(header.first_section + number, b"ROWS")
        first, last = group.slabs(number)
        if group.coder is not None:
            if not payload:
                raise Corrupt("an empty row group")
            return group.coder.finer(payload[0]).decode(memoryview(payload)[1:], first, last)
        limits.check(last - first, limits.ROW_GROUP_VALUES, "the size of a row group")
        kind = unsigned(header.dtype)
        with corrupt("a row group"):
            floating, version = header.dtype in FLOATS, self.reader.version[0]
            numbers = exact.decode(payload, last - first, kind.itemsize, floating, version)
        runs, starts = [], group.starts
        for i in group.tensors(number):
            low, high = max(int(starts[i]), first), min(int(starts[i + 1]), last)
            if low < high:
                mine = numbers[low - first : high - first]
                runs.append(Run(mine, i, low - int(starts[i]), high - int(starts[i])))
        return runs

    def _check_rows(self) -> None:
        """Raise Corrupt unless the groups' row groups are all of those in the file."""
        rows = [i for i, (kind, _) in enumerate(self.reader.index.sections) if kind == b"ROWS"]
        spans = [(g.header.first_section, g.header.row_groups) for g in self.groups]
        if sum(count for _, count in spans) != len(rows) or rows != sorted(
            itertools.chain.from_iterable(range(first, first + n) for first, n in spans)
        ):
            raise Corrupt(f"{self.reader.name} has row groups that no group owns, or too few")


def coder_of(
    header: GroupHeader,
    lossy: Lossy,
    shapes: Sequence[tuple[int, ...]],
    profile: Profile | None,
) -> RowGroupCoder:
    """Return the coder a group header stands for; Corrupt when header and shapes disagree."""
    if not shapes:
        raise Corrupt("a group without tensors")
    try:
        layout = Layout(lossy.layout, lossy.prefix, lossy.grid)
        grids = [layout.token_grid(shape) for shape in shapes]
    except LayoutError as error:
        raise Corrupt(f"a group header does not fit its tensors: {error}") from None
    channels = limits.check(grids[0][-1], limits.CHANNELS, "the number of channels")
    if any(grid[-1] != channels for grid in grids):
        raise Corrupt("a group mixes numbers of channels")
    work = "float64" if lossy.double else "float32"
    # No sum of scales comes near: beyond, all that counts is the sign.
    step_scale = min(max(lossy.step_scale, -FARTHEST), FARTHEST)
    parts: dict[bool, PartCoder] = {}
    block: tuple[int, ...] = ()
    for prefix, part in enumerate(lossy.parts):
        model, scales, tables = _model(part, channels, profile, bool(prefix), lossy.dependent)
        axes = 1 if prefix else len(layout.grid or grids[0][1:-1])
        if len(model.block) != axes:
            raise Corrupt("a model has blocks of another rank than the grid")
        if prefix and model.block != (1,):
            raise Corrupt("a model of prefix tokens has blocks of more than one")
        if not prefix:
            block = model.block
        transform = model.transform_in(work)
        common = (transform, scales, tables, lossy.step, step_scale, work)
        if model.transform in OWN and model.transform != "restored" and lossy.dependent:
            raise Corrupt("a group has dependent quantisation in the sample domain")
        if model.transform in ("context", "restored"):
            positive = lossy.lower >= lossy.mean
            kind = DependentContextCoder if lossy.dependent else ContextCoder
            with corrupt("a group header"):
                parts[bool(prefix)] = kind(*common, positive=positive, offsets=model.offsets)
        elif model.prediction is not None:
            with corrupt("a model"):
                predictor = Predictor(model.prediction)
            parts[bool(prefix)] = PredictedCoder(*common, predictor=predictor)
        elif model.transform == "split":
            positive = lossy.lower >= lossy.mean
            top = (lossy.upper - lossy.mean) / lossy.std - model.centres
            parts[bool(prefix)] = SplitCoder(*common, positive=positive, peak=model.peak, top=top)
        elif lossy.dependent:
            with corrupt("a group header"):
                parts[bool(prefix)] = DependentCoder(*common)
        else:
            parts[bool(prefix)] = PartCoder(*common)
    if lossy.neural and max(block, default=1) > 1:
        raise Corrupt("a neural group has blocks of more than one token")
    if lossy.neural and (profile is None or profile.network is None):
        raise Corrupt("a neural group refers to a profile without a network")
    grid = GroupGrid(layout, shapes, block)
    per = min(header.slabs_per_row_group, max(header.slabs, 1))
    size = per * max(grid.largest_slab(), 1)
    limits.check(size, limits.ROW_GROUP_VALUES, "the size of a row group")
    values = ValueAlignment(lossy.lower, lossy.upper, lossy.mean, lossy.std)
    seed = profile.seed if profile else 0
    base = None
    if lossy.neural and profile:
        base = NeuralCoder(profile.neural, lossy.step * 2 ** (lossy.picture_step / 8), seed)
    curve = None if lossy.curve is None else Curve(*lossy.curve)
    return RowGroupCoder(grid, header.dtype, values, lossy.clamp, work, parts, seed, base, curve)


def _model(
    part: Part, channels: int, profile: Profile | None, prefix: bool, dependent: bool
) -> tuple[GridModel, np.ndarray, dict]:
    """Return the model of a part, its scales and its tables."""
    if part.model is not None:
        model = GridModel.unpack(part.model, channels, dependent)
        return model, model.scales, dict(model.tables)
    if profile is None or part.entry >= len(profile.entries):
        raise Corrupt("a group refers to an entry that its profile does not have")
    entry = profile.entries[part.entry]
    if entry.channels != channels or entry.prefix != prefix:
        raise Corrupt("a group refers to a profile entry for other features")
    model = GridModel.unpack(entry.model, channels)
    if (part.transform == "banded") != (model.transform == "banded"):
        raise Corrupt("a group states another transform than the profile entry it refers to")
    with corrupt("a group header"):
        scales = model.scales + unpack_scales(part.scales, channels, model.block)
        tables = {**model.tables, **unpack_tables(part.tables)}
    return model, scales, tables


def _elements(entry: TensorEntry) -> int:
    """Return how many elements of `_stored` a tensor that is kept bit for bit has."""
    return nbytes(entry.dtype, entry.values) // unsigned(entry.dtype).itemsize


def _stored(header: GroupHeader) -> np.dtype:
    return STORED[header.dtype] if header.lossy else unsigned(header.dtype)
