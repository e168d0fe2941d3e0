"""A file to tensors: whole, by tensor, or by a range of the leading axis."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import limits
from ..align.curve import Curve
from ..align.grids import GroupGrid, Window
from ..align.layout import Layout, LayoutError
from ..align.numbers import STORED
from ..align.value import ValueAlignment
from ..container.dtypes import FLOATS, elements
from ..container.group import GroupHeader, Lossy, Part
from ..container.index import TensorEntry
from ..container.model import OWN, Model
from ..container.reader import Reader
from ..entropy import exact
from ..entropy.prediction import Predictor
from ..errors import Corrupt, ProfileMissing
from .context_coder import ContextCoder
from .dependent_coder import DependentCoder
from .dependent_context_coder import DependentContextCoder
from .grid_model import GridModel, corrupt, unpack_scales, unpack_tables
from .grouping import unsigned
from .kept import Kept
from .neural import NeuralCoder
from .part_coder import PartCoder
from .pieces import Piece, Run
from .predicted_coder import PredictedCoder
from .profile import Profile
from .row_group import RowGroupCoder
from .split_coder import SplitCoder

KEPT_NUMBERS = 1 << 26  # of the models of groups
FARTHEST = 1 << 60  # quarter octaves of a step that int64 can take from any scale


class Members:
    """The tensors of one group, and how they are cut into slabs."""

    def __init__(
        self,
        number: int,
        header: GroupHeader,
        entries: list[TensorEntry],
        profile: Profile | None,
    ) -> None:
        """Raise Corrupt when header and tensors disagree; models are not unpacked yet."""
        self.number = number  # of the group
        self.header = header
        self.entries = entries
        self.profile = profile
        self.places = {entry.name: i for i, entry in enumerate(entries)}
        self.grid: GroupGrid | None = None  # None: bit for bit, a slab is an element
        if header.lossy is not None:
            self.grid = _grid(header.lossy, [entry.shape for entry in entries], profile)
            if self.grid.slabs != header.slabs:
                raise Corrupt("a group does not hold as many slabs as its tensors")

    @cached_property
    def starts(self) -> np.ndarray:
        """The first slab of each tensor, and the number of all slabs."""
        if self.grid is not None:
            return self.grid.starts
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
        known: dict[bytes, Profile | None] = {profile.digest: profile for profile in profiles}
        self.profiles: list[Profile] = []
        for digest in reader.index.profiles:
            if digest not in known:
                known[digest] = Profile.built_in(digest)
            profile = known[digest]
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
            Members(number, headers[number], entries, self._profile(headers[number]))
            for number, entries in enumerate(members)
        ]
        self._coders: Kept[RowGroupCoder] = Kept(KEPT_NUMBERS, _numbers)

    def _profile(self, header: GroupHeader) -> Profile | None:
        number = None if header.lossy is None else header.lossy.profile
        return None if number is None else self.profiles[number]

    def _coder(self, group: Members) -> RowGroupCoder | None:
        """Return what codes a group; None when it is kept bit for bit."""
        grid, lossy = group.grid, group.header.lossy
        if grid is None or lossy is None:
            return None
        return self._coders.get(
            group.number, lambda: _coder(group.header.dtype, lossy, grid, group.profile)
        )

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
        names: dict[int, set[str]] = {}
        for entry in wanted:
            names.setdefault(entry.group, set()).add(entry.name)
        for position, chosen in sorted(names.items()):
            group = self.groups[position]

            def tensor(i: int, group: Members = group, chosen: set[str] = chosen) -> Any:
                entry = group.entries[i]
                if entry.name not in chosen:
                    return None  # a neighbour in a row group: decoded, not wanted
                return target(entry).reshape(entry.shape if group.grid else -1)

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
        grid, per = group.grid, group.header.slabs_per_row_group
        mine = group.places[entry.name]
        start, unit = int(group.starts[mine]), 1
        if grid is None:
            unit = _elements(entry) // max(entry.shape[0], 1)
            low, high = start + first * unit, start + last * unit
        else:
            low, high = grid.slabs_of_rows(mine, entry.shape, first, last)
        numbers = range(low // per, -(-high // per))
        slabs = numbers.start * per, numbers.stop * per
        shape: tuple[int, ...] = ()
        if grid is None:
            begin, end = max(slabs[0] - start, 0), min(slabs[1] - start, _elements(entry))
            window = Window(begin, end, 0, begin)
        else:
            window, shape = grid.window(mine, entry.shape, *slabs), entry.shape[1:]
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
        coder = self._coder(group)
        if coder is not None:
            if not payload:
                raise Corrupt("an empty row group")
            return coder.finer(payload[0]).decode(memoryview(payload)[1:], first, last)
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


def coder_of(
    header: GroupHeader,
    lossy: Lossy,
    shapes: Sequence[tuple[int, ...]],
    profile: Profile | None,
) -> RowGroupCoder:
    """Return the coder a group header stands for; Corrupt when header and shapes disagree."""
    return _coder(header.dtype, lossy, _grid(lossy, shapes, profile), profile)


def _coder(dtype: str, lossy: Lossy, grid: GroupGrid, profile: Profile | None) -> RowGroupCoder:
    work = "float64" if lossy.double else "float32"
    parts = {
        bool(i): _part_coder(lossy, *_model(part, grid.channels, profile, lossy.dependent), work)
        for i, part in enumerate(lossy.parts)
    }
    values = ValueAlignment(lossy.lower, lossy.upper, lossy.mean, lossy.std)
    seed = profile.seed if profile else 0
    base = None
    if lossy.neural and profile:
        base = NeuralCoder(profile.neural, lossy.network_step, seed)
    curve = None if lossy.curve is None else Curve(*lossy.curve)
    return RowGroupCoder(grid, dtype, values, lossy.clamp, work, parts, seed, base, curve)


def _stored_model(part: Part, profile: Profile | None, prefix: bool) -> Model:
    """Return the model of a part as it is stored, in the file or in the profile."""
    if part.model is not None:
        return part.model
    if profile is None or part.entry >= len(profile.entries):
        raise Corrupt("a group refers to an entry that its profile does not have")
    entry = profile.entries[part.entry]
    if entry.prefix != prefix:
        raise Corrupt("a group refers to a profile entry for other tokens")
    if (part.transform == "banded") != (entry.model.transform == "banded"):
        raise Corrupt("a group states another transform than the profile entry it refers to")
    return entry.model


def _grid(lossy: Lossy, shapes: Sequence[tuple[int, ...]], profile: Profile | None) -> GroupGrid:
    """Return how tensors are cut into blocks; Corrupt unless all that states sizes agrees.

    Models are not unpacked for that.
    """
    if not shapes:
        raise Corrupt("a group without tensors")
    stored = [_stored_model(part, profile, bool(i)) for i, part in enumerate(lossy.parts)]
    try:
        layout = Layout(lossy.layout, lossy.prefix, lossy.grid)
        if len(stored[0].block) != (len(layout.grid) or layout.grid_axes):
            raise Corrupt("a model has blocks of another rank than the grid")
        grid = GroupGrid(layout, shapes, stored[0].block)
    except LayoutError as error:
        raise Corrupt(f"a group header does not fit its tensors: {error}") from None
    if any(shape[-1] != grid.channels for shape in grid.shapes):
        raise Corrupt("a group mixes numbers of channels")
    if len(stored) > 1 and stored[1].block != (1,):
        raise Corrupt("a model of prefix tokens has blocks of more than one")
    if lossy.neural and math.prod(stored[0].block) > 1:
        raise Corrupt("a neural group has blocks of more than one token")
    if lossy.neural and (profile is None or profile.network is None):
        raise Corrupt("a neural group refers to a profile without a network")
    limits.check(grid.largest_slab(), limits.SLAB_VALUES, "the number of values of a slab")
    return grid


def _model(
    part: Part, channels: int, profile: Profile | None, dependent: bool
) -> tuple[GridModel, np.ndarray, dict]:
    """Return the model of a part, its scales and its tables."""
    if part.model is not None:
        model = GridModel.unpack(part.model, channels, dependent)
        return model, model.scales, dict(model.tables)
    assert profile is not None
    if profile.entries[part.entry].channels != channels:
        raise Corrupt("a group refers to a profile entry for other features")
    model = profile.model(part.entry)
    with corrupt("a group header"):
        scales = model.scales + unpack_scales(part.scales, channels, model.block)
        tables = {**model.tables, **unpack_tables(part.tables)}
    return model, scales, tables


def _part_coder(
    lossy: Lossy, model: GridModel, scales: np.ndarray, tables: dict, work: str
) -> PartCoder:
    """Return what codes the grid, or the prefix tokens, with a model."""
    # No sum of scales comes near: beyond, all that counts is the sign.
    step_scale = min(max(lossy.step_scale, -FARTHEST), FARTHEST)
    common = (model.transform_in(work), scales, tables, lossy.step, step_scale, work)
    positive = lossy.lower >= lossy.mean
    if model.transform in OWN and model.transform != "restored" and lossy.dependent:
        raise Corrupt("a group has dependent quantisation in the sample domain")
    with corrupt("a group header"):
        if model.transform in ("context", "restored"):
            kind = DependentContextCoder if lossy.dependent else ContextCoder
            return kind(*common, positive=positive, offsets=model.offsets)
        if model.prediction is not None:
            return PredictedCoder(*common, predictor=Predictor(model.prediction))
        if model.transform == "split":
            top = (lossy.upper - lossy.mean) / lossy.std - model.centres
            return SplitCoder(*common, positive=positive, peak=model.peak, top=top)
        return DependentCoder(*common) if lossy.dependent else PartCoder(*common)


def _numbers(coder: RowGroupCoder) -> int:
    """Return how many numbers a coder has to keep, about."""
    matrices = sum(part.transform.numbers for part in coder.parts.values())
    return matrices + sum(part.scales.size for part in coder.parts.values())


def _elements(entry: TensorEntry) -> int:
    return elements(entry.dtype, entry.values)


def _stored(header: GroupHeader) -> np.dtype:
    return STORED[header.dtype] if header.lossy else unsigned(header.dtype)
