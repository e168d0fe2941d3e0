"""A file to tensors: whole, by tensor, or by a range of the leading axis."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from .. import limits
from ..align.curve import Curve
from ..align.grids import GroupGrid
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
from .predicted_coder import PredictedCoder
from .profile import Profile
from .row_group import RowGroupCoder
from .split_coder import SplitCoder

KEPT_NUMBERS = 1 << 26  # of the models of groups
FARTHEST = 1 << 60  # quarter octaves of a step that int64 can take from any scale


class _Members:
    """The tensors of one group, and how they are cut into slabs."""

    def __init__(self, header: GroupHeader, entries: list[TensorEntry], profile: Profile | None):
        """Raise Corrupt when header and tensors disagree; models are not unpacked yet."""
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
        """The first slab of each tensor, and the number of all."""
        if self.grid is not None:
            return self.grid.starts
        sizes = [_elements(entry) for entry in self.entries]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


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
        self._groups = [
            _Members(header, entries, self._profile(header))
            for header, entries in zip(headers, members, strict=True)
        ]
        self._coders: Kept[RowGroupCoder] = Kept(KEPT_NUMBERS, _numbers)

    def _profile(self, header: GroupHeader) -> Profile | None:
        number = None if header.lossy is None else header.lossy.profile
        return None if number is None else self.profiles[number]

    def _coder(self, number: int) -> RowGroupCoder | None:
        """Return what codes a group; None when it is kept bit for bit."""
        group = self._groups[number]
        grid, lossy = group.grid, group.header.lossy
        if grid is None or lossy is None:
            return None
        return self._coders.get(
            number, lambda: _coder(group.header.dtype, lossy, grid, group.profile)
        )

    def decode(
        self,
        wanted: Sequence[TensorEntry],
        target: Callable[[TensorEntry], np.ndarray],
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """Decode whole tensors into the flat arrays of stored elements that `target` gives.

        Every row group is decoded once, whatever the number of tensors in it; `release` is called
        after each, when what was written may leave memory.
        """
        chosen: dict[int, set[str]] = {}
        for entry in wanted:
            chosen.setdefault(entry.group, set()).add(entry.name)
        with np.errstate(all="ignore"):  # NaN are data here
            for number in sorted(chosen):
                self._decode_group(number, chosen[number], target, release)

    def _decode_group(
        self,
        number: int,
        chosen: set[str],
        target: Callable[[TensorEntry], np.ndarray],
        release: Callable[[], None],
    ) -> None:
        group, coder = self._groups[number], self._coder(number)
        header = group.header
        starts = group.starts
        spare: dict[int, np.ndarray] = {}

        def tensor(i: int) -> np.ndarray:
            entry = group.entries[i]
            if entry.name in chosen:
                return target(entry).reshape(entry.shape if coder else -1)
            if i not in spare:  # a neighbour in a row group: decoded, not wanted
                spare[i] = _blank(header, entry)
            return spare[i]

        for i in range(header.row_groups):
            first = i * header.slabs_per_row_group
            last = min(first + header.slabs_per_row_group, header.slabs)
            low = int(np.searchsorted(starts, first, "right")) - 1
            high = int(np.searchsorted(starts, last, "left"))
            if any(entry.name in chosen for entry in group.entries[low:high]):
                self._row_group(number, i, tensor)
                release()
            spare = {k: a for k, a in spare.items() if starts[k + 1] > last}

    def rows(self, entry: TensorEntry, first: int, last: int) -> np.ndarray:
        """Return stored elements first <= i < last along the leading axis of a tensor.

        Only the row groups that hold them are decoded.
        """
        group, coder = self._groups[entry.group], self._coder(entry.group)
        header = group.header
        mine = group.places[entry.name]
        row = _elements(entry) // max(entry.shape[0], 1)
        if coder is None:
            start = int(group.starts[mine])
            low, high = start + first * row, start + last * row
        else:
            low, high = coder.grid.slabs_of_rows(mine, entry.shape, first, last)
        spare: dict[int, np.ndarray] = {}

        def tensor(i: int) -> np.ndarray:
            if i not in spare:
                spare[i] = _blank(header, group.entries[i])
            return spare[i]

        per = header.slabs_per_row_group
        for i in range(low // per, -(-high // per)):
            self._row_group(entry.group, i, tensor)
        if coder is None:
            return tensor(mine)[first * row : last * row]
        return tensor(mine)[first:last]

    def _row_group(self, number: int, i: int, tensor: Callable[[int], np.ndarray]) -> None:
        """Decode row group `i` of a group into the tensors of that group."""
        group, coder = self._groups[number], self._coder(number)
        header = group.header
        payload = self.reader.section(header.first_section + i, b"ROWS")
        first = i * header.slabs_per_row_group
        last = min(first + header.slabs_per_row_group, header.slabs)
        if coder is not None:
            if not payload:
                raise Corrupt("an empty row group")
            coder.finer(payload[0]).decode(memoryview(payload)[1:], first, last, tensor)
            return
        kind = unsigned(header.dtype)
        with corrupt("a row group"):
            floating, version = header.dtype in FLOATS, self.reader.version[0]
            numbers = exact.decode(payload, last - first, kind.itemsize, floating, version)
        starts = group.starts
        k = int(np.searchsorted(starts, first, "right")) - 1
        while k < len(group.entries) and starts[k] < last:
            low, high = max(int(starts[k]), first), min(int(starts[k + 1]), last)
            flat = tensor(k).reshape(-1)
            flat[low - starts[k] : high - starts[k]] = numbers[low - first : high - first].view(
                flat.dtype
            )
            k += 1


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


def _blank(header: GroupHeader, entry: TensorEntry) -> np.ndarray:
    """Return zeros for the stored elements of a tensor."""
    if header.lossy is None:
        return np.zeros(_elements(entry), unsigned(header.dtype))
    return np.zeros(entry.shape, STORED[header.dtype])
