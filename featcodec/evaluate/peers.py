"""Codecs to compare with: planes of the features coded one by one, at the step that is needed."""

import json
import math
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np

from .. import __version__
from ..align import layout as layouts
from ..errors import InvalidInput, Unreachable
from .coders import Cast, Coder, Int8, Step, Sz3, Zfp
from .features import Alignment, FeatureGroup, Features
from .packages import ffmpeg, load
from .packers import JpegXl, Pcodec, Raw, Zstd
from .video import AV1, HEVC, Video

TOLERANCE = 0.05  # dB above the wanted SNR
NARROW = 1.002  # of a bracket: the SNR follows the step in leaps
WIDEST = 2.0**40  # times, from the first guess

DEAD_ZONE = 1 / 3  # rounding: better than half at low rates


@dataclass(frozen=True)
class Kind:
    """A kind of peer: the package it needs, the coder made with it, and options in numbers."""

    package: str | None
    make: Callable[..., Coder]
    options: Mapping[str, range] = field(default_factory=dict)


ZSTD = {"level": range(1, 23)}
PCODEC = {"level": range(13)}
JXL = {"effort": range(1, 10)}
PEERS = {
    "fp16": Kind(None, lambda _: Cast("F16", Raw())),
    "bf16": Kind(None, lambda _: Cast("BF16", Raw())),
    "int8": Kind(None, lambda _: Int8()),
    "fp16+zstd": Kind("zstandard", lambda p, **how: Cast("F16", Zstd(p, **how)), ZSTD),
    "step+zstd": Kind("zstandard", lambda p, **how: Step(Zstd(p, **how)), ZSTD),
    "step+pcodec": Kind("pcodec", lambda p, **how: Step(Pcodec(p, **how)), PCODEC),
    "step+jxl": Kind("imagecodecs", lambda p, **how: Step(JpegXl(p, **how)), JXL),
    "deadzone+zstd": Kind("zstandard", lambda p, **how: Step(Zstd(p, **how), DEAD_ZONE), ZSTD),
    "deadzone+jxl": Kind("imagecodecs", lambda p, **how: Step(JpegXl(p, **how), DEAD_ZONE), JXL),
    "sz3": Kind("pysz", lambda package: Sz3(package, "INTERP_LORENZO")),
    "sz3-nopred": Kind("pysz", lambda package: Sz3(package, "NOPRED")),
    "zfp": Kind("zfpy", Zfp),
}
EXTRAS = {"zstandard": "eval"}  # what brings a package, where it is not "peers"
VIDEO = {"av1": AV1, "hevc": HEVC}


class Peer:
    """A coder of planes as a codec: one setting a tensor group, names and shapes in a header."""

    def __init__(self, kind: str, label: str, versions: dict[str, str], coder: Coder) -> None:
        """`versions` are those of the packages and programs behind the coder."""
        self.label = label
        self.coder = coder
        self.fixed = coder.fixed
        self.beside = ""
        self.identity = {"codec": kind, "featcodec": __version__, **versions}

    def tune(self, features: Features, snr: float | None) -> list[float]:
        """Return the largest step or bound that reaches an SNR in dB, for each group."""
        for group in features.groups:
            if not group.signal > 0:
                raise Unreachable("the features are constant or too large to have an SNR")
            if not all(np.isfinite(plane).all() for plane in group.planes):
                raise Unreachable("NaN and infinities are not coded")
        if snr is None:
            return [0.0] * len(features.groups)
        return [self._setting(group, snr) for group in features.groups]

    def _setting(self, group: FeatureGroup, snr: float) -> float:
        def reached(setting: float) -> float:
            coded = [self.coder.lossy(plane, setting) for plane in group.planes]
            return group.snr([group.alignment.rounded(plane) for plane in coded])

        values = sum(plane.size for plane in group.planes)
        return largest(reached, snr, math.sqrt(12 * group.signal / values) * 10 ** (-snr / 20))

    def encode(self, features: Features, setting: Sequence[float]) -> bytes:
        """Return header and coded planes of all groups."""
        groups, coded = [], []
        for group, step in zip(features.groups, setting, strict=True):
            alignment = group.alignment
            for plane in alignment.planes(group.stored):
                coded.append(self.coder.encode(plane, step))
            tensors = list(zip(group.names, alignment.shapes, strict=True))
            groups.append([alignment.dtype, str(alignment.layout), step, tensors])
        head = zlib.compress(json.dumps(groups, separators=(",", ":")).encode(), 9)
        return b"".join(struct.pack("<Q", len(part)) + part for part in (head, *coded))

    def decode(self, data: bytes) -> dict[str, np.ndarray]:
        """Return the feature tensors by name, as stored elements."""
        parts = _parts(data)
        decoded = {}
        for dtype, layout, step, tensors in json.loads(zlib.decompress(next(parts))):
            shapes = [tuple(shape) for _, shape in tensors]
            alignment = Alignment(dtype, layouts.parse(layout), shapes)
            sizes = alignment.plane_shapes()
            planes = [self.coder.decode(next(parts), size, step) for size in sizes]
            for (name, _), tensor in zip(tensors, alignment.tensors(planes), strict=True):
                decoded[name] = tensor
        return decoded


def _parts(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        yield data[position + 8 : position + 8 + length]
        position += 8 + length


def largest(reached: Callable[[float], float], snr: float, guess: float) -> float:
    """Return the largest setting found whose SNR is enough; Unreachable when there is none.

    Halving a setting is taken to raise the SNR.
    """
    good = bad = guess
    above = below = reached(guess)
    while above < snr:
        good, bad, below = good / 2, good, above
        if good < guess / WIDEST:
            raise Unreachable(f"{snr:g} dB cannot be reached")
        above = reached(good)
    while below >= snr:
        good, bad, above = bad, 2 * bad, below
        if bad > guess * WIDEST:
            return good
        below = reached(bad)
    while bad > NARROW * good and above > snr + TOLERANCE:
        # Between the two the SNR is nearly a line over the logarithm of the setting.
        share = (above - snr - TOLERANCE / 2) / (above - below) if math.isfinite(above) else 0.5
        middle = good * (bad / good) ** min(max(share, 0.2), 0.8)
        found = reached(middle)
        if found >= snr:
            good, above = middle, found
        else:
            bad, below = middle, found
    return good


def peer(kind: str, label: str, **options: str) -> Peer:
    """Return a peer by name; InvalidInput for an option that it cannot have, or a missing package.

    `kind` is one of PEERS or VIDEO.
    """
    if kind in VIDEO:
        program, built = ffmpeg(f"codec {kind}", VIDEO[kind].name)
        return Peer(kind, label, {"ffmpeg": built}, Video(program, VIDEO[kind]))
    found = PEERS[kind]
    how = {name: _whole(kind, name, text, found.options[name]) for name, text in options.items()}
    named = ":".join([kind, *([",".join(f"{n}={v}" for n, v in how.items())] if how else [])])
    if found.package is None:
        return Peer(named, label, {}, found.make(None))
    package = load(found.package, f"codec {kind}", EXTRAS.get(found.package, "peers"))
    return Peer(named, label, {found.package: version(found.package)}, found.make(package, **how))


def _whole(kind: str, name: str, text: str, allowed: range) -> int:
    """Return the number that a text has, one of those allowed."""
    if not (text.isdecimal() and int(text) in allowed):
        span = f"{allowed[0]} to {allowed[-1]}"
        raise InvalidInput(f"codec {kind}: {name} is a whole number from {span}, not {text}")
    return int(text)
