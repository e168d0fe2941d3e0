"""A file to tensors: whole, by tensor, or by a range of the leading axis."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import limits
from ..align.curve import Curve
from ..align.grids import GroupGrid
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
from .predicted_coder import PredictedCoder
from .profile import Profile
from .row_group import RowGroupCoder
from .split_coder import SplitCoder

FARTHEST = 1 << 60  # quarter octaves of a step that int64 can take from any scale


@dataclass
class _Members:
    """The tensors of one group, and what codes them."""

    header: GroupHeader
    entries: list[TensorEntry]
    coder: RowGroupCoder | None  # None: bit for bit


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
        self._groups = [
            _Members(header, entries, self._coder(header, entries))
            for header, entries in zip(headers, members, strict=True)
        ]

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
    ) -> None:
        """Decode whole tensors into the flat arrays of stored elements that `target` gives.

        Every row group is decoded once, whatever the number of tensors in it; `release` is called
        after each, when what was written may leave memory.
        """
        self._check_rows()
        with np.errstate(all="ignore"):  # NaN are data here
            self._decode(wanted, target, release)

    def _decode(
        self,
        wanted: Sequence[TensorEntry],
        target: Callable[[TensorEntry], np.ndarray],
        release: Callable[[], None],
    ) -> None:
        for number, group in enumerate(self._groups):
            chosen = {entry.name for entry in wanted if entry.group == number}
            if chosen:
                self._decode_group(group, chosen, target, release)

    def _decode_group(
        self,
        group: _Members,
        chosen: set[str],
        target: Callable[[TensorEntry], np.ndarray],
        release: Callable[[], None],
    ) -> None:
        header, coder = group.header, group.coder
        starts = self._starts(group)
        spare: dict[int, np.ndarray] = {}

        def tensor(i: int) -> np.ndarray:
            entry = group.entries[i]
            if entry.name in chosen:
                return target(entry).reshape(entry.shape if coder else -1)
            if i not in spare:  # a neighbour in a row group: decoded, not wanted
                spare[i] = np.zeros(entry.shape if coder else _elements(entry), _stored(header))
            return spare[i]

        for number in range(header.row_groups):
            first = number * header.slabs_per_row_group
            last = min(first + header.slabs_per_row_group, header.slabs)
            low = int(np.searchsorted(starts, first, "right")) - 1
            high = int(np.searchsorted(starts, last, "left"))
            if any(group.entries[i].name in chosen for i in range(low, high)):
                self._row_group(group, number, tensor)
                release()
            spare = {i: a for i, a in spare.items() if starts[i + 1] > last}

    def _check_rows(self) -> None:
        """Raise Corrupt unless the groups' row groups are all of those in the file."""
        rows = [i for i, (kind, _) in enumerate(self.reader.index.sections) if kind == b"ROWS"]
        spans = [(g.header.first_section, g.header.row_groups) for g in self._groups]
        if sum(count for _, count in spans) != len(rows) or rows != sorted(
            itertools.chain.from_iterable(range(first, first + n) for first, n in spans)
        ):
            raise Corrupt(f"{self.reader.name} has row groups that no group owns, or too few")

    def rows(self, entry: TensorEntry, first: int, last: int) -> np.ndarray:
        """Return stored elements first <= i < last along the leading axis of a tensor.

        Only the row groups that hold them are decoded.
        """
        group = self._groups[entry.group]
        header, coder = group.header, group.coder
        mine = group.entries.index(entry)
        starts = self._starts(group)
        row = math.prod(entry.shape[1:])
        if coder is None:
            row = _elements(entry) // max(entry.shape[0], 1)
            low, high = int(starts[mine]) + first * row, int(starts[mine]) + last * row
        else:
            low, high = coder.grid.slabs_of_rows(mine, entry.shape, first, last)
        spare: dict[int, np.ndarray] = {}

        def tensor(i: int) -> np.ndarray:
            shape = group.entries[i].shape if coder else (_elements(group.entries[i]),)
            if i not in spare:
                spare[i] = np.zeros(shape, _stored(header))
            return spare[i]

        per = header.slabs_per_row_group
        for number in range(low // per, -(-high // per)):
            self._row_group(group, number, tensor)
        if coder is None:
            return tensor(mine)[first * row : last * row]
        return tensor(mine)[first:last]

    def _starts(self, group: _Members) -> np.ndarray:
        if group.coder is not None:
            return group.coder.grid.starts
        sizes = [_elements(entry) for entry in group.entries]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def _row_group(self, group: _Members, number: int, tensor: Callable[[int], np.ndarray]) -> None:
        """Decode one row group into the tensors of its group."""
        header = group.header
        payload = self.reader.section(header.first_section + number, b"ROWS")
        first = number * header.slabs_per_row_group
        last = min(first + header.slabs_per_row_group, header.slabs)
        if group.coder is not None:
            if not payload:
                raise Corrupt("an empty row group")
            group.coder.finer(payload[0]).decode(memoryview(payload)[1:], first, last, tensor)
            return
        limits.check(last - first, limits.ROW_GROUP_VALUES, "the size of a row group")
        kind = unsigned(header.dtype)
        with corrupt("a row group"):
            floating, version = header.dtype in FLOATS, self.reader.version[0]
            numbers = exact.decode(payload, last - first, kind.itemsize, floating, version)
        starts = self._starts(group)
        i = int(np.searchsorted(starts, first, "right")) - 1
        while i < len(group.entries) and starts[i] < last:
            low, high = max(int(starts[i]), first), min(int(starts[i + 1]), last)
            flat = tensor(i).reshape(-1)
            flat[low - starts[i] : high - starts[i]] = numbers[low - first : high - first].view(
                flat.dtype
            )
            i += 1


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
        base = NeuralCoder(profile.neural, lossy.network_step, seed)
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
