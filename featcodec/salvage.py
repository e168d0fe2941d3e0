"""What is left of a damaged file, decoded to a dump that says what is missing."""

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .coding.profile import profiles_of
from .container.salvage import SalvageReader
from .decode_jobs import chosen_entries, decode_to
from .decoding.salvage import Salvager
from .memory import limit_of
from .opening import Where, open_source
from .outputs import complete, refuse_input

KEY = "featcodec.damaged"  # of the metadata of the dump


@dataclass(frozen=True)
class Salvaged:
    """What came of it: bytes written, the rows that are missing, and what else is damaged."""

    output_bytes: int
    missing: dict[str, list[range]]  # of the leading axis, by names of tensors that lack any
    remarks: tuple[str, ...]
    clipped: tuple[str, ...] = ()  # lines on values beyond the type that was asked for


def salvage_file(
    source: Where,
    destination: Where,
    *,
    profile: Any = None,
    tensors: Sequence[str] = (),
    dtype: str | None = None,
    overwrite: bool = False,
    memory: int | str | None = None,
) -> Salvaged:
    """Decode what is sound of a damaged file to a dump that appears only when it is complete.

    A damaged row group costs its own values alone: they become NaN, or 0 in types that have none,
    so that shapes stay and rows of features and labels keep together. The metadata of a safetensors
    dump have, as `featcodec.damaged`, the damaged rows of each tensor in JSON: from the first to
    the one behind the last. Every row group is decoded twice.

    Args:
        source, destination, profile, tensors, dtype, overwrite, memory: As for `decode_file`.

    Raises:
        InvalidStream: For a file whose index is damaged or missing: nothing can be had without it.
        ProfileMissing: As `decode_file` does; not where it was in the file, and is damaged there.

    >>> from featcodec import encode_file
    >>> from featcodec.salvage import salvage_file
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> salvage_file("feats.fcz", "back.safetensors", overwrite=True).missing
    {}
    """
    refuse_input(source, destination)
    name = destination if isinstance(destination, (str, os.PathLike)) else ""
    file = open_source(source)
    with contextlib.closing(file), complete(destination, overwrite) as out:
        reader = SalvageReader(file, file.name)
        salvager = Salvager(reader, profiles_of(profile))
        wanted, limit = chosen_entries(reader, tensors), limit_of(memory)
        salvager.allow(wanted, limit)
        missing = salvager.survey(wanted)
        if missing:
            stated = {n: [[r.start, r.stop] for r in rows] for n, rows in missing.items()}
            reader.index.metadata = {**(reader.index.metadata or {}), KEY: json.dumps(stated)}
        decoded = decode_to(salvager, out, name, tensors, dtype, 1, limit)
        file.check()
        remarks = tuple(dict.fromkeys(reader.remarks))
        return Salvaged(decoded.output_bytes, missing, remarks, decoded.remarks)
