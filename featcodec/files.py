"""Files in, files out: what the command line and the Python functions share."""

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import verification
from .arguments import answering, whole
from .coding.profile import Profile, profile_of, profiles_of
from .container.reader import Reader
from .container.source import File
from .decode_jobs import Decoded, decode_to
from .decoding.decoder import Decoder
from .dumps import Dump
from .errors import InvalidInput, VerificationFailed, naming
from .idle import idle
from .memory import limit_of
from .opening import Where, open_source
from .outputs import complete as complete
from .outputs import refuse_foreign_name, refuse_input, refuse_packed_name
from .request import Options, Quality, check_asked
from .rules import Rules
from .warned import warn

if TYPE_CHECKING:  # the encoder is loaded by what encodes
    from .encoding.report import Report

Progress = Callable[[int], None]


@answering
def encode_file(
    source: Where,
    destination: Where,
    quality: Quality | None = None,
    *,
    profile: "Profile | str | os.PathLike[str] | None" = None,
    options: Options | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    verify: bool = False,
) -> "Report":
    """Encode a dump to a file that appears only when it is complete.

    Args:
        source: Path of the dump: a file of safetensors, NumPy (.npz, .npy) or torch.save. It may
            be a URI such as s3://bucket/key, or a binary file object.
        destination: Path of the file to write; `overwrite` lets it replace one. It may be a URI or
            a file object, too, which is given all of it at the end.
        quality: Of the floating tensors; without, what a profile recommends, else 20 dB.
        profile: Trained statistics, or their path or name, which decoding needs too; without, they
            travel in the file.
        options: Layouts, architectures, transforms, qualities by name, and how many processes work.
        progress: Is told how many bytes of the dump each row group held.
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
    check_asked(quality, options)
    options = options or Options()
    known = profile_of(profile)
    with encoding(source, destination, quality, known, options, overwrite, progress, verify) as (
        report
    ):
        return report


@contextlib.contextmanager
def encoding(
    source: Where,
    destination: Where,
    quality: Quality | None,
    profile: Profile | None,
    options: Options,
    overwrite: bool,
    progress: Progress | None,
    verify: bool,
) -> "Iterator[Report]":
    """Encode a dump as `encode_file` does; the file takes its name at the end of the block.

    The block gets the report, so that what is to be noted of a file is noted before it appears.
    """
    from .encoding.dump import encode

    refuse_input(source, destination)
    refuse_foreign_name(destination)
    quality = quality or Quality.choose()
    with Dump(source) as dump, complete(destination, overwrite) as out:
        _refuse(dump, Rules(options.rules))
        report = encode(dump, out, quality, profile, options, _in_bytes(dump, progress))
        if verify:
            out.flush()
            try:
                verification.verify(dump, File(out, "the file"), quality, profile, options.rules)
            except VerificationFailed as error:
                raise VerificationFailed(f"{error}; nothing is kept of it") from error
            os.fsync(out.fileno())
        dump.check()
        said = idle(dump.tensors, options, dump.refused)
        yield replace(report, remarks=(*dump.remarks, *said, *report.remarks))


def _in_bytes(dump: Dump, progress: Progress | None) -> Progress | None:
    """Return what counts values as bytes of the dump."""
    if progress is None:
        return None
    values = sum(math.prod(tensor.shape) for tensor in dump.tensors)
    return lambda count: progress(count * dump.data_bytes // max(values, 1))


def _refuse(dump: Dump, rules: Rules) -> None:
    """Raise InvalidInput for what cannot be coded, unless a rule drops it."""
    for name, why in dump.refused.items():
        if not rules.drops(name):
            raise InvalidInput(f"{why}; or leave it out with rules={{{name!r}: 'drop'}}")


@answering
def decode_file(
    source: Where,
    destination: Where,
    *,
    profile: Any = None,
    tensors: Sequence[str] | str = (),
    dtype: str | None = None,
    overwrite: bool = False,
    jobs: int = 1,
    memory: int | str | None = None,
) -> int:
    """Decode a file to a dump that appears only when it is complete.

    Args:
        source: Path of the file, its URI, or a binary file object that can be sought.
        destination: Path or URI of the dump to write, or a file object; `overwrite` lets it replace
            one. The suffix .npz, .npy, .pt, .pth or .ckpt makes it a file of NumPy or torch;
            those of other programs, such as .txt, are refused, any further one is safetensors.
        profile: One or several, or their paths; those found by their hash go without.
        tensors: One or several names of tensors to decode; all without.
        dtype: Safetensors type (F32, F16, BF16, ...) that floating tensors are converted to. Values
            beyond it become its largest number, and a UserWarning says how many.
        jobs: Processes that share the row groups; the dump is the same for any number.
        memory: How much all of them may take, in bytes, or as "4GB"; by default what the machine,
            or its container, has.

    Returns:
        The bytes written.

    Raises:
        InvalidStream: For a file that is damaged, truncated or of an unknown version; as
            LimitExceeded for one that would take more than `memory`.
        ProfileMissing: When the file needs a profile that is not found.
        InvalidInput: For an unknown tensor or type, one that the destination cannot hold, and an
            existing destination without `overwrite`.

    >>> from featcodec import decode_file, encode_file
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> size = decode_file("feats.fcz", "back.safetensors", dtype="F16", overwrite=True)
    """
    found = decoded_file(
        source,
        destination,
        profile=profile,
        tensors=tensors,
        dtype=dtype,
        overwrite=overwrite,
        jobs=jobs,
        memory=memory,
    )
    warn(found.remarks)
    return found.output_bytes


def decoded_file(
    source: Where,
    destination: Where,
    *,
    profile: Any,
    tensors: Sequence[str] | str,
    dtype: str | None,
    overwrite: bool,
    jobs: int,
    memory: int | str | None,
) -> Decoded:
    """Decode a file as `decode_file` does; return what is to be said of it, too."""
    whole("jobs", jobs, 1)
    refuse_input(source, destination)
    refuse_packed_name(destination)
    name = destination if isinstance(destination, (str, os.PathLike)) else ""
    tensors = (tensors,) if isinstance(tensors, str) else tensors
    file = open_source(source)
    with contextlib.closing(file), complete(destination, overwrite) as out, naming(file.name):
        decoder = Decoder(Reader(file, file.name), profiles_of(profile))
        found = decode_to(decoder, out, name, tensors, dtype, jobs, limit_of(memory))
        file.check()
        return found
