"""Profiles: trained models in a file of their own, named by their SHA-256 (SPEC §9)."""

import hashlib
import io
import os
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from .. import limits, modes
from ..arguments import a_kind
from ..container.model import ProfileEntry
from ..container.network import Network
from ..container.reader import Reader
from ..container.sections import PROFILE
from ..container.writer import Writer
from ..errors import FeatcodecError, InvalidInput, NoSuchFile, ProfileMissing, damaged
from ..profiles import Place, find, place_of, read
from .kept import Kept
from .model import GridModel
from .picture import NeuralModel


@dataclass(frozen=True)
class Profile:
    """The entries of a profile and the digest of its file.

    `featcodec train` makes one; `entries` holds its linear models, `network` its learned codec,
    `digest` the SHA-256 (32 bytes) by which files name it, `data` the bytes of its file.

    >>> from featcodec import Profile
    >>> profile = Profile.load("backbone.fcp")
    >>> len(profile.digest)
    32
    """

    entries: Sequence[ProfileEntry]
    digest: bytes
    network: Network | None = None
    data: bytes = field(default=b"", compare=False)  # of the file

    def __repr__(self) -> str:
        count = len(self.entries)
        holds = [f"{count} entr{'y' if count == 1 else 'ies'}"] * bool(count)
        holds += ["a network"] * (self.network is not None)
        return f"Profile({', '.join(holds)}; SHA-256 {self.digest.hex()})"

    @property
    def seed(self) -> int:
        """The seed of the checksums of symbols coded with this profile."""
        return zlib.crc32(self.digest)

    def __getstate__(self) -> dict[str, object]:
        """Leave out the bytes of the file."""
        return {name: value for name, value in vars(self).items() if name != "data"}

    def entries_of(self, task: bool) -> list[tuple[int, ProfileEntry]]:
        """Return the entries with the metric of a task or those without, with their numbers."""
        return [
            (i, entry)
            for i, entry in enumerate(self.entries)
            if modes.MODES[entry.model.transform].of_task == task
        ]

    def model(self, number: int) -> GridModel:
        """Return the model of an entry, unpacked once; raise Corrupt when it is damaged."""
        return model_of(self.entries[number])

    @classmethod
    def load(cls, path: "str | os.PathLike[str]") -> "Profile":
        """Read a profile.

        Args:
            path: The name of a built-in one, such as caufc, or of one that `featcodec profiles`
                lists, else the path or the URI of a file.

        Raises:
            InvalidInput: When there is none.
            InvalidStream: When it is damaged, of another version, or none.

        >>> from featcodec import Profile
        >>> Profile.load("caufc").network is not None
        True
        """
        try:
            data = read(place_of(path))
        except OSError as error:
            kind = NoSuchFile if isinstance(error, FileNotFoundError) else InvalidInput
            raise kind(
                f"profile {path}: {error.strerror or error}; it is a file, or a name that"
                " `featcodec profiles` lists"
            ) from None
        try:
            return cls.parse(data, str(path))
        except FeatcodecError as error:
            raise type(error)(f"profile {path} cannot be used: {error}") from None

    @classmethod
    def find(cls, digest: bytes, beside: str | None = None) -> "Profile | None":
        """Return the profile with a SHA-256, or None.

        It lies beside a file, on the search path or in the user's folder, or is built in.
        """
        path = find(digest, beside)
        found = None if path is None else _kept(path, digest)
        return None if found is None or found.digest != digest else found

    @classmethod
    def parse(cls, data: bytes, name: str = "profile") -> "Profile":
        """Return the profile of a file's bytes; InvalidStream, which tells its name, for others."""
        reader = Reader(io.BytesIO(data), name, PROFILE)
        return cls(reader.entries(), hashlib.sha256(data).digest(), reader.network(), data)

    @cached_property
    def neural(self) -> NeuralModel:
        """The unpacked network; raises InvalidInput without one, Corrupt when it is damaged."""
        if self.network is None:
            raise InvalidInput(
                "the profile holds no network; train one with"
                " `featcodec train --transform neural`, or use caufc"
            )
        with damaged("the network of a profile"):
            return NeuralModel.parse(self.network.weights, self.network.normalised)

    @staticmethod
    def pack(entries: Sequence[ProfileEntry], network: Network | None = None) -> bytes:
        """Return the bytes of a profile file."""
        out = io.BytesIO()
        minor = max((modes.MODES[e.model.transform].since for e in entries), default=0)
        writer = Writer(out, PROFILE, minor)
        for entry in entries:
            writer.section(b"ENTR", entry.pack())
        if network is not None:
            writer.section(b"NETW", network.pack())
        writer.finish()
        return out.getvalue()


def profile_of(given: Any) -> Profile | None:
    """Return the profile that is given as such, by its path or its name; None for none.

    Raises InvalidInput for anything else, and where there is none.
    """
    if given is None or isinstance(given, Profile):
        return given
    if not isinstance(given, (str, os.PathLike)):
        raise InvalidInput(f"profile is {a_kind(given)}; give a Profile, its path or its name")
    return Profile.load(given)


def profiles_of(given: Any) -> list[Profile]:
    """Return the profiles that one or several are given as; errors as `profile_of`."""
    alone = isinstance(given, (str, bytes)) or not isinstance(given, Collection)
    found = map(profile_of, [given] if alone else given)
    return [profile for profile in found if profile is not None]


_models: Kept[GridModel] = Kept(limits.PROFILE_KLT_NUMBERS, lambda model: model.numbers)


def model_of(entry: ProfileEntry) -> GridModel:
    """Return the model of an entry, unpacked once; raise Corrupt when it is damaged."""
    return _models.get(entry, lambda: GridModel.unpack(entry.model, entry.channels))


def missing(digest: bytes, name: str, given: Sequence[Profile] = ()) -> ProfileMissing:
    """Return the error that a file called `name` needs a profile that is found nowhere."""
    others = " and ".join(profile.digest.hex() for profile in given)
    other = f", and what was given has {others}" if given else ""
    return ProfileMissing(
        f"{name} needs the profile with SHA-256 {digest.hex()}{other}; give it as profile,"
        " or add it with `featcodec profiles add`"
    )


@lru_cache(4)
def _kept(path: Place, _digest: bytes) -> Profile:
    """Return a profile that was found: files that need the same one share it."""
    return Profile.load(path)
