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
    ) -> None:
        """The SNRs wanted are task SNRs when `quality` is task-snr, which needs a profile."""
        self.label, self.of_task = label, quality == "task-snr"
        self.profile = Profile.load(profile) if profile else None
        self.options = Options(transform=transform)
        digest = self.profile.digest.hex() if self.profile else ""
        of_task = "" if quality == "snr" else f",quality={quality}"
        self.identity = {
            "codec": f"featcodec:transform={transform}{of_task}",
            "profile": digest,
            "featcodec": __version__,
        }

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


def parse(text: str) -> Codec:
    """Return the codec of a specification `CODEC[:OPTION=VALUE,...]`.

    All take `name`, their label in tables and plots; featcodec takes `profile`, `transform`, and
    `quality`, snr or task-snr.
    Raises InvalidInput for what is unknown and for a package that is missing.
    """
    from . import peers

    kind, _, rest = text.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",")] if rest else []
    options = {name: value for name, _, value in pairs}
    known = {"name", "profile", "transform", "quality"} if kind == "featcodec" else {"name"}
    if set(options) - known or not all(options.values()) or len(options) < len(pairs):
        raise InvalidInput(f"codec {text!r}: {kind} takes {', '.join(sorted(known))}, each once")
    if options.get("quality", "snr") not in ("snr", "task-snr"):
        raise InvalidInput(f"codec {text!r}: quality is snr or task-snr")
    label = options.pop("name", text)
    if kind == "featcodec":
        return Featcodec(label, **options)
    return peers.peer(kind, label)
