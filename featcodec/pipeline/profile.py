"""Profiles: trained models in a file of their own, named by their SHA-256 (SPEC §9)."""

import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..container.model import ProfileEntry
from ..container.reader import Reader
from ..container.sections import PROFILE
from ..container.writer import Writer
from ..errors import FeatcodecError, InvalidInput


@dataclass(frozen=True)
class Profile:
    """The entries of a profile and the digest of its file."""

    entries: Sequence[ProfileEntry]
    digest: bytes

    @property
    def seed(self) -> int:
        """Return what checksums of symbols coded with this profile start from."""
        return zlib.crc32(self.digest)

    @classmethod
    def load(cls, path: str | Path) -> "Profile":
        """Read a profile file; InvalidInput when there is none or it is not one."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InvalidInput(f"profile {path}: {error.strerror or error}") from None
        try:
            return cls.parse(data, str(path))
        except FeatcodecError as error:
            raise InvalidInput(f"profile {path} cannot be used: {error}") from None

    @classmethod
    def parse(cls, data: bytes, name: str = "profile") -> "Profile":
        reader = Reader(io.BytesIO(data), name, PROFILE)
        return cls(reader.entries(), hashlib.sha256(data).digest())

    @staticmethod
    def pack(entries: Sequence[ProfileEntry]) -> bytes:
        """Return the bytes of a profile file."""
        out = io.BytesIO()
        writer = Writer(out, PROFILE)
        for entry in entries:
            writer.section(b"ENTR", entry.pack())
        writer.finish()
        return out.getvalue()
