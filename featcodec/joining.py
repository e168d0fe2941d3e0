"""Files that grow: joined as they are, or by what is encoded as they were."""

import contextlib
import glob
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .arguments import answering
from .container.group import GroupHeader
from .container.index import PartEntry, TensorEntry
from .container.joining import Coded, check_alike, join, merged
from .container.reader import Reader
from .elements import FLOATS
from .leftovers import alone
from .opening import open_source
from .outputs import complete, refuse_foreign_name, refuse_input, refuse_read_only, spare
from .rules import LOSSLESS
from .stores import is_uri

if TYPE_CHECKING:
    from .coding.profile import Profile
    from .dumps import Dump
    from .encoding.report import Report
    from .request import Options, Quality

Path_ = str | os.PathLike[str]


@answering
def concat_files(sources: Sequence[Path_], destination: Path_, *, overwrite: bool = False) -> int:
    """Join files without coding anew; return the bytes written.

    Tensors of one name become one along the leading axis, in the order of the files. Of metadata
    of one key those of the first file stay.

    Args:
        sources: Paths of the files.
        destination: Path of the file to write; `overwrite` lets it replace one.

    Raises:
        InvalidStream: For a file that is damaged, truncated or of an unknown version.
        InvalidInput: For tensors of one name whose type or further axes differ.

    >>> from featcodec import encode_file
    >>> from featcodec.joining import concat_files
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> size = concat_files(["feats.fcz", "feats.fcz"], "twice.fcz", overwrite=True)
    """
    sources = _several(sources)
    for source in sources:
        refuse_input(source, destination)
    refuse_foreign_name(destination)
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(source)) for source in sources]
        out = stack.enter_context(complete(destination, overwrite))
        return join(files, out, merged(file.index.metadata for file in files))


@contextlib.contextmanager
def _opened(path: Path_) -> Iterator[Coded]:
    with closing(open_source(path)) as file:
        yield Coded.of(Reader(file, file.name))


@answering
def append_file(
    path: Path_,
    dumps: Sequence[Path_],
    quality: "Quality | None" = None,
    *,
    profile: "Profile | str | os.PathLike[str] | None" = None,
    options: "Options | None" = None,
) -> "list[Report]":
    """Add the tensors of dumps to a file, which stays whole until the new one is complete.

    Tensors of a name that the file has are added along the leading axis, others as new ones. What
    the file has is not coded anew.

    Args:
        path: Of the file.
        dumps: Paths of the dumps, each coded by itself.
        quality: Of the floating tensors; without, that which the file reached: of a tensor that it
            has, that of this tensor, of others the lowest.
        profile: Trained statistics, or their path or name; without, those that the file names,
            where they are found by their hash.
        options: Layouts, architectures, transforms, and qualities by name.

    Returns:
        What came of each dump, see `encode_file`.

    Raises:
        InvalidStream: For a file that is damaged, truncated or of an unknown version.
        InvalidInput: For a dump that does not fit the file.
        Unreachable: For a quality that cannot be met.

    >>> from featcodec import encode_file
    >>> from featcodec.joining import append_file
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> [report] = append_file("feats.fcz", ["feats.safetensors"])
    """
    from .coding.profile import profile_of
    from .dumps import Dump
    from .request import Options, check_asked

    check_asked(quality, options)
    options = options or Options()
    if not is_uri(path) and os.path.exists(path):  # noqa: PTH110
        refuse_read_only(path)
    here = contextlib.nullcontext() if is_uri(path) else alone(path)
    with here, _opened(path) as before, ExitStack() as stack:
        if any(header.lossy and header.lossy.neural for header in before.headers):
            options = replace(options, transform="neural")
        known = profile_of(profile) or _profile_of(before)
        files, reports = [before], []
        for source in _several(dumps):
            room = stack.enter_context(_room(path))
            with Dump(source) as dump:
                reports.append(_added(before, dump, room, quality, known, options))
            room.flush()
            files.append(Coded.of(Reader(room, str(source))))
        out = stack.enter_context(complete(path, overwrite=True))
        join(files, out, merged(file.index.metadata for file in files))
    return reports


def _added(
    before: Coded,
    dump: "Dump",
    room: BinaryIO,
    quality: "Quality | None",
    profile: "Profile | None",
    options: "Options",
) -> "Report":
    """Write the file of a dump that is added to another."""
    from .encoding.dump import encode
    from .idle import idle

    asked = _as_before(before, dump, options, quality is None)
    report = encode(dump, room, quality or _usual(before.headers), profile, asked)
    dump.check()
    said = idle(dump.tensors, options, dump.refused)
    return replace(report, remarks=(*dump.remarks, *said, *report.remarks))


def _several(paths: Sequence[Path_] | Path_) -> Sequence[Path_]:
    """Return a path as one of a list: its letters are no paths."""
    return [paths] if isinstance(paths, (str, os.PathLike)) else paths


def _room(path: Path_) -> BinaryIO:
    """Return a file without a name, beside a path of this machine."""
    beside = None if is_uri(path) else Path(path).absolute().parent
    return spare(beside, path)


def _profile_of(file: Coded) -> "Profile | None":
    """Return the profile that a file names, if it names one."""
    from .coding.profile import Profile, missing

    for digest in file.index.profiles:
        data = file.embedded.get(digest)
        found = Profile.parse(data) if data else Profile.find(digest, file.name)
        if found is None:
            raise missing(digest, file.name)
        return found
    return None


def _as_before(file: Coded, dump: "Dump", options: "Options", by_quality: bool) -> "Options":
    """Return options by which tensors are coded as those of their names are.

    Raises InvalidInput for tensors that cannot be added to those.
    """
    known = {parts[0].name: parts for parts in file.index.parts}
    wholes = {tensor.name: tensor for tensor in file.index.tensors}
    layouts, rules = dict(options.layouts), dict(options.rules)
    for tensor in dump.tensors:
        if tensor.name not in known:
            continue
        check_alike(wholes[tensor.name], file.name, tensor, str(dump.path))
        parts = known[tensor.name]
        header = file.headers[parts[0].group]
        if "" not in options.layouts and header.lossy is not None and not header.exact:
            layouts.setdefault(tensor.name, layout_of(parts[0], header))
        asked = _asked([file.headers[part.group] for part in parts])
        if by_quality and tensor.dtype in FLOATS and asked:
            rules.setdefault(glob.escape(tensor.name), asked)
    return replace(options, layouts=layouts, rules=rules)


def layout_of(part: TensorEntry, header: GroupHeader) -> str:
    """Return the layout of the tensor that a part of a group is of."""
    lossy = header.lossy
    assert lossy is not None
    grid = f"{lossy.prefix}+{'x'.join(map(str, lossy.grid))}" if lossy.grid else "0"
    text = f"{lossy.layout}:{grid}"
    return part.layout(text) if isinstance(part, PartEntry) else text


def _asked(headers: Sequence[GroupHeader]) -> str:
    """Return the quality by name that groups show, the lowest; nothing where they show none."""
    lossy = [header for header in headers if not header.exact]
    if not lossy:
        return LOSSLESS
    if all(header.max_error > 0 for header in lossy):  # NaN where it was not measured
        return f"max-error:{max(header.max_error for header in lossy)!r}"
    if all(header.task_snr is not None for header in lossy):
        return f"task-snr:{_rounded(min(header.task_snr or 0.0 for header in lossy))}"
    snr = min(header.snr_db for header in lossy)
    return f"snr:{_rounded(snr)}" if 0 < snr < math.inf else ""


def _usual(headers: Sequence[GroupHeader]) -> "Quality":
    """Return the quality that groups show in all, for tensors that the file does not have."""
    from .request import Quality
    from .rules import quality_of

    floats = [header for header in headers if header.dtype in FLOATS]
    lossy = [header for header in floats if not header.exact]
    asked = _asked(lossy or floats) if floats else ""
    return (quality_of(asked, "the quality of the file") if asked else None) or Quality.choose()


def _rounded(snr: float) -> float:
    """Return an SNR as it was asked for, about: a little more is reached."""
    return math.floor(10 * snr) / 10 or snr
