"""Groups many times larger than what the encoder samples of them: what encodes decodes.

The odd value, row, channel, scale or element lies where no sample need show it.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitstream_spec import reference_decoder as reference
from featcodec import Profile
from featcodec.align.numbers import from_float, stored_dtype, to_float
from featcodec.container.group import GroupHeader
from featcodec.container.reader import Reader
from featcodec.decoding.decoder import Decoder
from featcodec.encoding.dump import encode
from featcodec.encoding.rate_control import rate
from featcodec.errors import Unreachable
from featcodec.numpy import Arrays
from featcodec.request import EFFORTS, Options, Quality, SampleSizes, Search
from featcodec.training.linear import train

SMALL = SampleSizes(trial=3 << 7, final=3 << 8, fit=1 << 10, whole=1 << 11)
FILES = 6  # that are written to meet a rate: few, for how near they come is not looked at here
SHAPES = {
    "NCHW": (30, 8, 6, 5),
    "CHW": (8, 30, 30),
    "NLD": (20, 17, 24),
    "NLD:1+4x4": (20, 17, 24),
    "LD": (450, 16),
    "ND": (450, 16),
    "NCL": (15, 12, 40),
    "NL": (10, 700),
}
DTYPES = ("F32", "F32", "F16", "BF16", "F64", "F8_E4M3", "F8_E5M2")
MAPS = ("NCHW", "CHW")
ODD_VALUES = (-1e-3, 1e-3, -1.0, 40.0, -900.0, 1e30, -1e30, 1e-30, math.nan, math.inf, -math.inf)
QUALITIES: list[tuple[str, float | bool]] = [
    ("snr", 0.5),
    ("snr", 6.0),
    ("snr", 20.0),
    ("snr", 45.0),
    ("bpfp", 1.5),
    ("max_error", 1e-2),
    ("lossless", True),
]


@dataclass(frozen=True)
class Dump:
    """Tensors by what their values are made of, and how they are to be encoded."""

    layout: str
    kind: str
    oddities: tuple[str, ...]
    seed: int
    dtype: str
    pieces: int  # tensors that the values are cut into
    transform: str
    quality: tuple[str, float | bool]
    thorough: bool

    @cached_property
    def tensors(self) -> dict[str, np.ndarray]:
        """The stored elements by name."""
        rng = np.random.default_rng(self.seed)
        values = kind_of_values(self.kind, rng, SHAPES[self.layout])
        for oddity in self.oddities:
            make_odd(values, oddity, rng)
        axis = next(i for i, letter in enumerate(self.layout) if letter in "NLHW")
        edges = np.sort(rng.integers(0, values.shape[axis], self.pieces - 1))
        pieces = np.split(stored_as(values, self.dtype), edges, axis)
        return {f"piece_{i}": np.ascontiguousarray(piece) for i, piece in enumerate(pieces)}

    def encoded(self, profile: Profile | None = None) -> bytes:
        out = io.BytesIO()
        source = Arrays({name: (a, self.dtype) for name, a in self.tensors.items()}, None)
        effort = patch.dict(EFFORTS, best=Search(SMALL, self.thorough))
        with effort, patch.object(rate, "ATTEMPTS", FILES):
            options = Options(self.transform, {"": self.layout})
            encode(source, out, Quality.choose(**dict([self.quality])), profile, options)
        return out.getvalue()


def kind_of_values(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    normal = rng.normal(size=shape)
    if kind == "relu":
        return np.maximum(normal - 0.5, 0)
    if kind == "negative relu":
        return np.minimum(normal + 0.5, 0)
    if kind == "clipped":
        return np.clip(3 * normal, 0, 6)
    if kind == "clipped on both sides":
        return np.clip(np.where(rng.random(shape) < 0.3, 0, 2 * normal), -1, 1)
    if kind == "integers":
        return np.rint(9 * normal)
    if kind == "softmax":
        powers = np.exp(4 * normal)
        return powers / powers.sum(axis=-1, keepdims=True)
    if kind == "shifted":
        return 1e3 + normal
    assert kind == "dense"
    return normal + rng.normal(size=shape[-1])


KINDS = (
    "relu",
    "negative relu",
    "clipped",
    "clipped on both sides",
    "integers",
    "softmax",
    "shifted",
    "dense",
)


@st.composite
def dumps(draw: st.DrawFn) -> Dump:
    layout = draw(st.sampled_from(sorted(SHAPES)))
    transforms = ["auto", "none", "linear"] + ["context"] * (layout in MAPS)
    return Dump(
        layout,
        draw(st.sampled_from(KINDS)),
        tuple(draw(st.lists(st.sampled_from(ODDITIES), max_size=3))),
        draw(st.integers(0, 1 << 32)),
        draw(st.sampled_from(DTYPES)),
        draw(st.integers(1, 5)),
        draw(st.sampled_from(transforms)),
        draw(st.sampled_from(QUALITIES)),
        draw(st.booleans()),
    )


ODDITIES = ("value", "row", "channel", "scale", "zeros", "constant")


def make_odd(values: np.ndarray, oddity: str, rng: np.random.Generator) -> None:
    """Change some of the values, in place, in a way that few samples show."""
    axis = int(rng.integers(values.ndim))
    place = int(rng.integers(values.shape[axis]))
    line = np.moveaxis(values, axis, 0)
    values[~np.isfinite(values)] = 3  # what is odd already stays of a size that can be scaled
    if oddity == "value":
        values.reshape(-1)[rng.integers(values.size, size=rng.integers(1, 4))] = rng.choice(
            ODD_VALUES
        )
    elif oddity == "row":
        line[place] *= 100
    elif oddity == "channel":
        others = np.arange(len(line)) != place
        line[others] *= rng.choice([0, 1e-4])
    elif oddity == "scale":
        line[place:] *= rng.choice([1e-6, 1e3, 1e12])
    elif oddity == "zeros":
        line[: max(len(line) - 1, 1)] = 0
    else:
        line[: max(len(line) - 1, 1)] = rng.choice([-1.0, 0.5])


def stored_as(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return values as the stored elements of a type, those that are not finite too."""
    with np.errstate(over="ignore"):
        wide = values if dtype == "F64" else values.astype(np.float32)
    finite = np.isfinite(wide)
    stored = from_float(np.where(finite, wide, 0), dtype)
    special = {"F16": (0x7E00, 0x7C00), "BF16": (0x7FC0, 0x7F80), "F8_E5M2": (0x7F, 0x7C)}
    if dtype in ("F32", "F64"):
        stored[~finite] = wide[~finite]
    else:
        nan, infinite = special.get(dtype, (0x7F, 0x7F))
        sign = 1 << (8 * stored.itemsize - 1)
        bits = stored.view(f"<u{stored.itemsize}")
        codes = np.where(np.isnan(wide), nan, np.where(wide < 0, infinite | sign, infinite))
        bits[~finite] = codes[~finite]
    return stored


@dataclass(frozen=True)
class Group:
    """The tensors of a group side by side, as they were stored and as they are decoded."""

    header: GroupHeader
    stored: np.ndarray
    decoded: np.ndarray


def groups_of(dump: Dump, data: bytes, decoded: Mapping[str, bytes]) -> Iterator[Group]:
    reader = Reader(io.BytesIO(data), "bytes")
    for number, header in enumerate(reader.groups()):
        names = [entry.name for entry in reader.index.tensors if entry.group == number]
        stored = np.concatenate([dump.tensors[name].ravel() for name in names])
        found = np.frombuffer(b"".join(decoded[name] for name in names), stored.dtype)
        yield Group(header, stored, found)


def check(dump: Dump, group: Group) -> None:
    """Fail unless a group is decoded as quality and header promise."""
    bits = f"<u{group.stored.itemsize}"
    if group.header.lossy is None and not group.header.max_error:
        assert np.array_equal(group.decoded.view(bits), group.stored.view(bits))
        return
    values, found = (
        to_float(a, dump.dtype).astype(np.float64) for a in (group.stored, group.decoded)
    )
    finite = np.isfinite(values)
    assert np.array_equal(group.decoded.view(bits)[~finite], group.stored.view(bits)[~finite])
    error = np.abs(found[finite] - values[finite])
    name, wanted = dump.quality
    if name == "max_error":
        assert error.max(initial=0) <= wanted
    if group.header.lossy is None:  # rounded elements, bit for bit
        assert error.max(initial=0) <= group.header.max_error
        return
    if name == "snr":
        assert group.header.snr_db >= wanted
    real = snr(group.header, values[finite], error)
    lossy, rows = group.header.lossy, group.header.repeats
    constants = lossy.constants or (rows is not None and rows.constants)
    if constants or lossy.gains:
        # What is constant counts in no SNR; with gains the lower one of two is stated.
        assert group.header.snr_db <= real + 0.05
    else:
        assert group.header.snr_db == pytest.approx(real, abs=0.05)


def snr(header: GroupHeader, values: np.ndarray, error: np.ndarray) -> float:
    """Return the SNR of the values that are no exceptions.

    With gains, of all: the bounds are of values divided by them, and exceptions only add to it.
    """
    assert header.lossy is not None
    inside = (values >= header.lossy.lower) & (values <= header.lossy.upper)
    inside |= header.lossy.gains
    scale = max(np.abs(values[inside]).max(initial=0), 1e-300)
    centred = (values[inside] - values[inside].mean()) / scale
    noise = np.square(error[inside] / scale).sum()
    return 10 * math.log10(np.square(centred).sum() / noise) if noise else math.inf


def decoded_by_package(data: bytes, profiles: Sequence[Profile]) -> dict[str, bytes]:
    decoder = Decoder(Reader(io.BytesIO(data), "bytes"), profiles)
    entries = decoder.reader.index.tensors
    found = {e.name: np.zeros(e.values, stored_dtype(e.dtype)) for e in entries}
    decoder.decode(entries, lambda entry: found[entry.name])
    return {name: array.tobytes() for name, array in found.items()}


def decodes(dump: Dump, packed: bytes | None = None) -> None:
    """Fail unless what encodes, with or without a profile, decodes in both decoders."""
    profiles = [] if packed is None else [Profile.parse(packed)]
    try:
        data = dump.encoded(*profiles)
    except Unreachable:
        assert dump.quality[0] == "bpfp"
        return
    for group in groups_of(dump, data, decoded_by_package(data, profiles)):
        check(dump, group)
    found = reference.decode(data, [] if packed is None else [packed]).tensors
    for group in groups_of(dump, data, {name: bytes(t.data) for name, t in found.items()}):
        check(dump, group)


@pytest.mark.long
@given(dump=dumps())
@settings(max_examples=40)
def test_what_encodes_decodes(dump: Dump) -> None:
    decodes(dump)


@pytest.mark.long
@given(dump=dumps())
@settings(max_examples=16)
def test_what_encodes_with_a_profile_decodes(dump: Dump, trained: bytes) -> None:
    decodes(dump, trained)


@pytest.mark.slow
@given(dump=dumps())
@settings(max_examples=1000)
def test_what_encodes_decodes_in_two_thousand_groups(dump: Dump) -> None:
    decodes(dump)


@pytest.fixture(scope="module")
def trained() -> bytes:
    """A profile of two layouts of the dumps above."""
    sources = []
    for layout, kind in (("NCHW", "relu"), ("LD", "dense"), ("NLD:1+4x4", "dense")):
        rng = np.random.default_rng(7)
        values = stored_as(kind_of_values(kind, rng, SHAPES[layout]), "F32")
        axes, _, grid = layout.partition(":")
        metadata = {"layout": axes, "prefix_tokens": "1" if grid else "0", "grid": grid[2:]}
        sources.append(Arrays({"x": (values, "F32")}, metadata))
    return Profile.pack(train(sources, Options()))


@pytest.mark.parametrize("snr", [15.4, 15.6, 15.8])
def test_what_the_sample_leaves_out_does_not_cost_more_than_a_higher_snr(snr: float) -> None:
    rng = np.random.default_rng(0)
    along = rng.normal(size=(700, 1)) * rng.normal(size=(1, 300))
    beside = rng.normal(size=(700, 300)) * np.exp(rng.normal(size=(700, 1)))  # of some rows more
    beside *= math.sqrt(0.03 * np.mean(along**2) / np.mean(beside**2))  # 15.2 dB below
    arrays = Arrays({"x": ((along + beside).astype("<f4"), "F32")}, {"layout": "ND"})
    sizes = SampleSizes(trial=1 << 14, final=1 << 15, fit=1 << 15, whole=1 << 16)
    with patch.dict(EFFORTS, best=Search(sizes)):
        here, above = (
            encode(arrays, io.BytesIO(), Quality(snr=dB), None, Options()).output_bytes
            for dB in (snr, snr + 2)
        )
    assert here < 1.2 * above
