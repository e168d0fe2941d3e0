"""Files in, files out: what the command line and the Python functions share."""

import contextlib
import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from . import saving, verification
from .align.numbers import STORED, from_float, to_float
from .coding.profile import Profile
from .container.index import TensorEntry
from .container.reader import Reader
from .container.source import File
from .decoding.decoder import Decoder
from .dumps import Dump, DumpWriter
from .elements import FLOATS
from .encoding.dump import encode
from .encoding.report import Report
from .errors import InvalidInput
from .outputs import complete as complete
from .outputs import refuse_input
from .request import Options, Quality
from .rules import Rules

Progress = Callable[[int], None]
CHUNK = 1 << 18  # values converted at once


def encode_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    quality: Quality | None = None,
    *,
    profile: Profile | None = None,
    options: Options | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    verify: bool = False,
) -> Report:
    """Encode a dump to a file that appears only when it is complete.

    Args:
        source: Path of the dump: a file of safetensors, NumPy (.npz, .npy) or torch.save.
        destination: Path of the file to write; `overwrite` lets it replace one.
        quality: Of the floating tensors; 20 dB without.
        profile: Trained statistics, which decoding needs too; without, they travel in the file.
        options: Layouts, architectures, transforms, and qualities by name.
        progress: Is told how many values each row group held.
        verify: Decode the file and compare it with the dump before it appears; it is on the disk
            then.

    Returns:
        A report with `input_bytes`, `output_bytes`, `values`, `bpfp` (bits per feature point) and
        `snr_db` (of the worst group, in dB; infinite when nothing was lost).

    Raises:
        InvalidInput: For a source that is no dump, a layout that does not fit, an existing
            destination without `overwrite`, and a dump that changes meanwhile.
        Unreachable: For a rate or an SNR that cannot be met.
        VerificationFailed: When the file does not hold what it is to hold.

    >>> from featcodec import Quality, encode_file
    >>> report = encode_file("feats.safetensors", "feats.fcz", Quality(snr=10), overwrite=True)
    >>> report.output_bytes < report.input_bytes and report.snr_db >= 10
    True
    """
    refuse_input(source, destination)
    quality = quality or Quality.choose()
    rules = options.rules if options else {}
    with Dump(Path(source)) as dump, complete(destination, overwrite) as out:
        remarks = _left_out(dump, Rules(rules))
        report = encode(dump, out, quality, profile, options, progress)
        if verify:
            out.flush()
            profiles = [profile] if profile else []
            verification.verify(dump, File(out, "the file"), quality, profiles, rules)
            os.fsync(out.fileno())
        dump.check()
        return replace(report, remarks=(*remarks, *report.remarks))


def _left_out(dump: Dump, rules: Rules) -> list[str]:
    """Return what is to be said of tensors that are left out, and of rules that serve none.

    Raises InvalidInput for what cannot be coded, unless a rule drops it.
    """
    for name, why in dump.refused.items():
        if not rules.drops(name):
            raise InvalidInput(f"{why}; or leave it out with --drop {shlex.quote(name)}")
    names = [*(tensor.name for tensor in dump.tensors), *dump.refused]
    unused = [f"no tensor has a name like {pattern!r}" for pattern in rules.unused(names)]
    return [*dump.remarks, *unused]


def decode_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    profiles: Sequence[Profile] = (),
    tensors: Sequence[str] = (),
    dtype: str | None = None,
    overwrite: bool = False,
) -> int:
    """Decode a file to a dump that appears only when it is complete.

    Args:
        source: Path of the file.
        destination: Path of the dump to write; `overwrite` lets it replace one. The suffix .npz,
            .npy, .pt, .pth or .ckpt makes it a file of NumPy or torch, any other safetensors.
        profiles: The profiles that the file may need; built-in ones are found without.
        tensors: Names of the tensors to decode; all without.
        dtype: Safetensors type (F32, F16, BF16, ...) that floating tensors are converted to.

    Returns:
        The bytes written.

    Raises:
        InvalidStream: For a file that is damaged, truncated or of an unknown version.
        ProfileMissing: When the file needs a profile that is not among `profiles`.
        InvalidInput: For an unknown tensor or type, one that the destination cannot hold, and an
            existing destination without `overwrite`.

    >>> from featcodec import decode_file, encode_file
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> size = decode_file("feats.fcz", "back.safetensors", dtype="F16", overwrite=True)
    """
    refuse_input(source, destination)
    file = File.open(source)
    with contextlib.closing(file), complete(destination, overwrite) as out:
        decoder = Decoder(Reader(file, file.name), profiles)
        return decode_to(decoder, out, destination, tensors, dtype)


def decode_to(
    decoder: Decoder,
    out: BinaryIO,
    path: str | os.PathLike[str],
    names: Sequence[str],
    dtype: str | None,
) -> int:
    """Write tensors of an open file as a dump of the kind of `path`; return the bytes written."""
    entries = chosen_entries(decoder.reader, names)
    if dtype is not None and dtype not in FLOATS:
        raise InvalidInput(f"--dtype {dtype}: use one of {', '.join(sorted(FLOATS))}")
    kinds = [dtype if dtype and e.dtype in FLOATS else e.dtype for e in entries]
    described = [(e.name, kind, e.shape) for e, kind in zip(entries, kinds, strict=True)]
    archive = saving.archive_of(path, described)
    head, offsets = saving.layout_of(path)(described, decoder.reader.index.metadata)
    with contextlib.ExitStack() as stack:
        room = out
        if archive is not None:  # which is written in order
            folder = Path(out.name).parent
            room = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile(dir=folder)))
        writer = DumpWriter(room, described, head, offsets)
        place = {entry.name: i for i, entry in enumerate(entries)}
        convert = partial(_converted, wanted=dtype) if dtype else None
        target = lambda entry: writer.tensor(place[entry.name])  # noqa: E731
        decoder.decode(entries, target, writer.release, convert)
        if archive is None:
            return writer.total
        archive(out, ((one, writer.tensor(i)) for i, one in enumerate(described)))
        return out.tell()


def _converted(stored: np.ndarray, dtype: str, wanted: str) -> np.ndarray:
    """Return floating elements as another type; others stay as they are."""
    if dtype not in FLOATS or dtype == wanted:
        return stored
    flat = stored.view(STORED[dtype]).reshape(-1)
    found = np.empty(flat.shape, STORED[wanted])
    for start in range(0, flat.size, CHUNK):
        values = to_float(flat[start : start + CHUNK], dtype)
        finite = np.isfinite(values)
        converted = from_float(np.where(finite, values, 0), wanted)
        if not finite.all():
            converted[~finite] = from_nonfinite(values[~finite], wanted)
        found[start : start + CHUNK] = converted
    return found.reshape(stored.shape)


def from_nonfinite(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return NaN and infinities as stored elements; F8_E4M3 has no infinity and takes NaN."""
    if dtype in ("F16", "F32", "F64"):
        return values.astype(STORED[dtype])
    nan, infinite = {"BF16": (0x7FC0, 0x7F80), "F8_E5M2": (0x7F, 0x7C)}.get(dtype, (0x7F, 0x7F))
    sign = 0x8000 if dtype == "BF16" else 0x80
    code = np.where(np.isnan(values), nan, infinite)
    return (code | np.where(np.signbit(values), sign, 0)).astype(STORED[dtype])


def chosen_entries(reader: Reader, names: Sequence[str]) -> list[TensorEntry]:
    """Return the tensors of those names in the order of the file, all when none is named."""
    if not names:
        return reader.index.tensors
    known = {entry.name for entry in reader.index.tensors}
    for name in names:
        if name not in known:
            raise InvalidInput(f"{reader.name} holds no tensor {name!r}")
    return [entry for entry in reader.index.tensors if entry.name in set(names)]
