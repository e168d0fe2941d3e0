"""Files in, files out: what the command line and the Python functions share."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .align.numbers import STORED, from_float, to_float
from .container.dtypes import FLOATS
from .container.index import TensorEntry
from .container.reader import Reader
from .dumps import Dump, DumpWriter
from .errors import InvalidInput
from .pipeline.decode import Decoder
from .pipeline.encode import Report, encode
from .pipeline.grouping import Options
from .pipeline.profile import Profile
from .pipeline.quality import Quality

Progress = Callable[[int], None]


def encode_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    quality: Quality | None = None,
    *,
    profile: Profile | None = None,
    options: Options | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Encode a safetensors dump to a file that appears only when it is complete."""
    dump = Dump(Path(source))
    with complete(destination, overwrite) as out:
        return encode(dump, out, quality or Quality.choose(), profile, options, progress)


def decode_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    profiles: Sequence[Profile] = (),
    tensors: Sequence[str] = (),
    dtype: str | None = None,
    overwrite: bool = False,
) -> int:
    """Decode a file to a safetensors dump, or some of its tensors; return the bytes written.

    `dtype` converts floating tensors to another safetensors type.
    """
    with open_stream(source) as stream:
        reader = Reader(stream, str(source))
        decoder = Decoder(reader, profiles)
        with complete(destination, overwrite) as out:
            return decode_to(decoder, out, tensors, dtype)


def open_stream(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to read; InvalidInput in one line when that cannot be."""
    if Path(path).is_dir():
        raise InvalidInput(f"{path} is a directory")
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from None


def decode_to(decoder: Decoder, out: BinaryIO, names: Sequence[str], dtype: str | None) -> int:
    """Write tensors of an open file as a safetensors dump; return the bytes written."""
    entries = chosen_entries(decoder.reader, names)
    if dtype is not None and dtype not in FLOATS:
        raise InvalidInput(f"--dtype {dtype}: use one of {', '.join(sorted(FLOATS))}")
    kinds = [dtype if dtype and e.dtype in FLOATS else e.dtype for e in entries]
    described = [(e.name, kind, e.shape) for e, kind in zip(entries, kinds, strict=True)]
    writer = DumpWriter(out, described, decoder.reader.index.metadata)
    place = {entry.name: i for i, entry in enumerate(entries)}
    same = [e for e, kind in zip(entries, kinds, strict=True) if kind == e.dtype]
    decoder.decode(same, lambda entry: writer.tensor(place[entry.name]), writer.release)
    for entry, kind in zip(entries, kinds, strict=True):
        if kind != entry.dtype:
            stored = np.zeros(entry.values, STORED[entry.dtype])
            decoder.decode([entry], partial(_same, stored))
            values = to_float(stored, entry.dtype)
            finite = np.isfinite(values)
            converted = from_float(np.where(finite, values, 0), kind)
            if not finite.all():
                converted[~finite] = from_nonfinite(values[~finite], kind)
            writer.tensor(place[entry.name])[:] = converted
    return writer.total


def _same(stored: np.ndarray, _: TensorEntry) -> np.ndarray:
    return stored


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


@contextlib.contextmanager
def complete(path: str | os.PathLike[str], overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file that takes its name only when the block ends well; else nothing is left."""
    target = Path(os.path.realpath(path))  # what a link points to is written, not the link
    if target.is_dir():
        raise InvalidInput(f"{path} is a directory; name a file, or use --output-dir")
    special = target.exists() and not target.is_file()  # a pipe or a device: written through
    if target.exists() and not overwrite and not special:
        raise InvalidInput(f"{path} exists; use --force to overwrite it")
    name = f".featcodec-{secrets.token_hex(8)}.part"
    temporary = Path(tempfile.gettempdir(), name) if special else target.with_name(name)
    try:
        with temporary.open("x+b") as out:
            yield out
            if special:
                out.seek(0)
                with target.open("wb") as pipe:
                    shutil.copyfileobj(out, pipe)
        if not special:
            temporary.replace(target)
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
