"""What a writer is asked for, as a journal keeps it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..coding.profile import Profile, missing
from ..request import Options, Quality, RowGroupSize


@dataclass(frozen=True)
class Wish:
    """A quality, a profile, how tensors are read, and the metadata of the file."""

    quality: Quality
    profile: Profile | None
    options: Options
    metadata: dict[str, str] | None

    def stated(self) -> dict[str, Any]:
        """Return it as values of JSON; of the profile the SHA-256."""
        options = asdict(self.options)
        digest = self.profile.digest.hex() if self.profile else None
        quality = asdict(self.quality)
        return {
            "quality": quality,
            "profile": digest,
            "options": options,
            "metadata": self.metadata,
        }

    @classmethod
    def read(cls, stated: Mapping[str, Any], profiles: list[Profile], name: str) -> "Wish":
        """Return what `stated` gave; raise ProfileMissing unless its profile is at hand."""
        options = dict(stated["options"])
        options["row_group"] = RowGroupSize(**options["row_group"])
        profile = None
        if stated["profile"] is not None:
            digest = bytes.fromhex(stated["profile"])
            known = {one.digest: one for one in profiles}
            profile = known.get(digest) or Profile.find(digest, name)
            if profile is None:
                raise missing(digest, name, profiles)
        quality = Quality(**stated["quality"])
        return cls(quality, profile, Options(**options), stated["metadata"])
