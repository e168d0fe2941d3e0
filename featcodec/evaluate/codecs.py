"""What is compared: one protocol for featcodec and its peers, and how each is written."""

import io
from typing import Any, Protocol

import numpy as np

from .. import __version__
from ..align.numbers import stored_dtype
from ..coding.profile import Profile
from ..container.reader import Reader
from ..decoding.decoder import Decoder
from ..elements import nbytes
from ..encoding.dump import encode
from ..errors import InvalidInput
from ..request import Options, Quality
from .features import Features


class Codec(Protocol):
    """Codes the features of a dump at a wanted SNR, or at its one rate."""

    label: str
    fixed: bool  # one rate, whatever SNR is wanted
    identity: dict[str, str]  # what results depend on: specification, versions, profile
    beside: str  # what decoding needs beside the bytes, in words

    def tune(self, features: Features, snr: float | None) -> Any:
        """Return the setting that reaches an SNR in dB; Unreachable when none does."""

    def encode(self, features: Features, setting: Any) -> bytes:
        """Return all that decoding needs, profiles left out."""

    def decode(self, data: bytes) -> dict[str, np.ndarray]:
        """Return the feature tensors by name, as stored elements."""


class Featcodec:
    """This codec, its whole file counted, tensors that are no features included."""

    fixed = False

    def __init__(
        self,
        label: str,
        profile: str | None = None,
        transform: str = "auto",
        quality: str = "snr",
        embed: str = "no",
    ) -> None:
        """The SNRs wanted are task SNRs when `quality` is task-snr, which needs a profile.

        With `embed` the profile lies in each file, and so counts.
        """
        self.label, self.of_task = label, quality == "task-snr"
        self.profile = Profile.load(profile) if profile else None
        self.options = Options(transform=transform, embed=embed == "yes")
        digest = self.profile.digest.hex() if self.profile else ""
        more = {"quality": quality, "embed": embed}
        usual = {"quality": "snr", "embed": "no"}
        asked = "".join(f",{name}={v}" for name, v in more.items() if v != usual[name])
        self.identity = {
            "codec": f"featcodec:transform={transform}{asked}",
            "profile": digest,
            "featcodec": __version__,
        }
        self.beside = ""
        if self.profile:
            counted = "in each file, and counted" if self.options.embed else "not counted"
            self.beside = f"profile of {len(self.profile.data):,} bytes, {counted}"

    def tune(self, features: Features, snr: float | None) -> Quality:
        return Quality(task_snr=snr) if self.of_task else Quality(snr=snr)

    def encode(self, features: Features, setting: Quality) -> bytes:
        out = io.BytesIO()
        encode(features.source, out, setting, self.profile, self.options)
        return out.getvalue()

    def decode(self, data: bytes) -> dict[str, np.ndarray]:
        decoder = Decoder(
            Reader(io.BytesIO(data), self.label), [self.profile] if self.profile else []
        )
        entries = decoder.reader.index.tensors
        stored = {}
        for entry in entries:
            kind = stored_dtype(entry.dtype)
            stored[entry.name] = np.zeros(nbytes(entry.dtype, entry.values) // kind.itemsize, kind)
        decoder.decode(entries, lambda entry: stored[entry.name])
        return stored


FEATCODEC = {  # options, and the values of those that have few
    "profile": (),
    "transform": (),
    "quality": ("snr", "task-snr"),
    "embed": ("no", "yes"),
}


def parse(text: str) -> Codec:
    """Return the codec of a specification `CODEC[:OPTION=VALUE,...]`.

    CODEC is featcodec, a peer, or the MODULE:CLASS of one of the user's own. All take `name`, their
    label in tables and plots; a class takes what its constructor takes.
    Raises InvalidInput for what is unknown and for a package that is missing.
    """
    from . import own, peers

    kind, _, rest = text.partition(":")
    known: dict[str, list[str]] = {"featcodec": list(FEATCODEC)}
    known |= {name: list(one.options) for name, one in peers.PEERS.items()}
    known |= {name: [] for name in peers.VIDEO}
    if kind not in known:
        name, _, rest = rest.partition(":")
        if not name or "=" in name:
            raise InvalidInput(f"codec {text!r}: use {', '.join(known)}, or MODULE:CLASS")
        kind = f"{kind}:{name}"
    pairs = [pair.partition("=") for pair in rest.split(",")] if rest else []
    options = {name: value for name, _, value in pairs}
    taken = {*known.get(kind, options), "name"}
    if set(options) - taken or not all(options.values()) or len(options) < len(pairs):
        raise InvalidInput(f"codec {text!r}: {kind} takes {', '.join(sorted(taken))}, each once")
    label = options.pop("name", text)
    if kind not in known:
        return own.codec(kind, label, options)
    if kind != "featcodec":
        return peers.peer(kind, label, **options)
    for name, value in options.items():
        if FEATCODEC[name] and value not in FEATCODEC[name]:
            raise InvalidInput(f"codec {text!r}: {name} is {' or '.join(FEATCODEC[name])}")
    if options.get("embed") == "yes" and "profile" not in options:
        raise InvalidInput(f"codec {text!r}: embed=yes needs a profile=FILE to embed")
    return Featcodec(label, **options)
