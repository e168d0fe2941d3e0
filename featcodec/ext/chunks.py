"""Chunks of arrays to bytes and back, as stores of chunks want them.

With a profile a chunk of floats is a message, of a few bytes over its symbols. Without one it is a
file of one tensor, which carries its statistics: that pays for chunks of some hundred kB.
"""

import io
import math
import os
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from .. import numpy as files
from ..access import safe_open
from ..arrays import name_of
from ..coding.profile import Profile
from ..container.sections import MAGIC
from ..elements import FLOATS
from ..errors import Corrupt, InvalidInput, ProfileMissing
from ..limits import ROW_GROUP_VALUES
from ..message import Codec
from ..profiles import SEARCH_PATH
from ..request import Quality

NAME = "chunk"  # of the one tensor
SHA256 = re.compile("[0-9a-f]{64}")


class ChunkCodec:
    """Codes chunks at one quality; `configuration` is what makes it anew, in JSON's types."""

    def __init__(
        self,
        profile: "Profile | str | os.PathLike[str] | None" = None,
        layout: str | None = None,
        **quality: Any,
    ) -> None:
        """Take what all chunks have in common.

        Args:
            profile: A profile, its path, or its SHA-256 in hexadecimal digits.
            layout: The axes of a chunk, such as NCHW, where there is no profile.
            **quality: One of `snr` (dB, 20 without), `bpfp`, `max_error` and `lossless=True`.

        Raises:
            InvalidInput: For two qualities, one that is not positive, a layout beside a profile,
                and a profile that cannot be read.
        """
        if profile is not None and layout is not None:
            raise InvalidInput("a profile states the layout of chunks; leave layout out")
        asked = {name: value for name, value in quality.items() if value not in (None, False)}
        self._quality = Quality.choose(**asked)
        self._layout = layout
        self._profile: Profile | None = None
        sha256 = None
        if isinstance(profile, str) and SHA256.fullmatch(profile):
            sha256 = profile
        elif profile is not None:
            loaded = profile if isinstance(profile, Profile) else Profile.load(profile)
            self._profile, sha256 = loaded, loaded.digest.hex()
        named = {"profile": sha256, "layout": layout}
        self.configuration: Mapping[str, Any] = {
            **(asked or {"snr": self._quality.snr}),
            **{name: value for name, value in named.items() if value is not None},
        }
        self._asked = asked

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_codec"}

    @cached_property
    def _codec(self) -> Codec:
        """That of messages."""
        return Codec(self._found(), max_values=ROW_GROUP_VALUES, **self._asked)

    def _found(self) -> Profile:
        """Return the profile that was given, or the one that has the SHA-256."""
        sha256 = self.configuration["profile"]
        found = self._profile or Profile.find(bytes.fromhex(sha256))
        if found is None:
            raise ProfileMissing(
                f"chunks need the profile with SHA-256 {sha256}: add it with featcodec profiles"
                f" add, or name its folder in {SEARCH_PATH}"
            )
        return found

    def check(self, dtype: np.dtype) -> None:
        """Raise InvalidInput for a type that cannot be coded."""
        name_of(dtype, "a chunk")

    def encode(self, array: np.ndarray) -> bytes:
        """Return the bytes of a chunk.

        Raises:
            InvalidInput: For types that safetensors lacks, and for a chunk that the profile has no
                entry for.
            ProfileMissing: When the profile is not found.
            Unreachable: For a quality that cannot be met.
        """
        if "profile" in self.configuration and name_of(array.dtype) in FLOATS:
            return self._codec.encode(array)
        return files.save({NAME: array}, layout=self._layout, **self._asked)

    def decode(self, data: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Return the array of a chunk, which has that shape where one is given.

        Raises:
            InvalidStream: For bytes that are damaged, or of another shape.
            ProfileMissing: When the profile is not found.
        """
        data = memoryview(data).tobytes()
        if data.startswith(MAGIC):
            found = self._of_file(data, shape)
        elif "profile" in self.configuration:
            found = self._codec.decode(data)
        else:
            raise Corrupt("a chunk that is no featcodec file, and no profile for a message")
        if shape is not None and found.shape != shape:
            raise Corrupt(f"a chunk of shape {list(found.shape)} where {list(shape)} belongs")
        return found

    @staticmethod
    def _of_file(data: bytes, shape: tuple[int, ...] | None) -> np.ndarray:
        file = safe_open(io.BytesIO(data), cache=0)
        if file.keys() != [NAME]:
            raise Corrupt(f"a chunk with tensors {file.keys()}; it holds one, {NAME!r}")
        stated = tuple(file.get_slice(NAME).get_shape())
        if shape is not None and math.prod(stated) != math.prod(shape):  # before memory is taken
            raise Corrupt(f"a chunk of shape {list(stated)} where {list(shape)} belongs")
        array: np.ndarray = file.get_tensor(NAME)
        return array
