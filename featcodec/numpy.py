"""Dictionaries of NumPy arrays to bytes and files, and back; the names of safetensors.numpy."""

import io
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from .access import safe_open
from .arguments import answering, known, mapping
from .arrays import by_name, check, shape_of, to_stored
from .coding.profile import profile_of
from .elements import FLOATS
from .idle import idle
from .opening import Where, in_memory
from .outputs import complete, refuse_foreign_name
from .request import Options, Quality, RowGroupSize
from .tensors import Tensor
from .warned import warn

TAKEN = (
    *("metadata", "profile", "transform", "layout", "rules", "row_group", "effort"),
    *("snr", "bpfp", "max_error", "row_snr", "task_snr", "lossless"),
)


class Arrays:
    """Arrays in memory as a source of tensors."""

    def __init__(
        self, tensors: Mapping[str, tuple[np.ndarray, str]], metadata: dict[str, str] | None
    ) -> None:
        """`tensors` holds the stored elements and the safetensors type of each name."""
        self.metadata = metadata
        self.tensors = [
            Tensor(name, dtype, shape_of(stored, dtype), partial(np.asarray, stored))
            for name, (stored, dtype) in tensors.items()
        ]
        self.data_bytes = sum(stored.nbytes for stored, _ in tensors.values())


def save(
    tensors: Mapping[str, np.ndarray],
    metadata: dict[str, str] | None = None,
    *,
    profile: Any = None,
    transform: str = "auto",
    layout: Mapping[str, str] | str | None = None,
    rules: Mapping[str, str] | None = None,
    row_group: str | int | None = None,
    **asked: Any,
) -> bytes:
    """Return the file of some arrays as bytes.

    Args:
        tensors: Arrays by name, of any shape; types that NumPy lacks are those of the package
            ml_dtypes.
        metadata: Of the dump; `layout` and `architecture` in it say how tensors are read.
        profile: A profile, its path or its name.
        transform: auto, none, context, linear or neural.
        layout: One for all tensors, or one by name: axes such as NCHW, NLD:1+8x8.
        rules: What is asked of arrays by name: patterns as in shells, and for each `snr:30`,
            `max-error:0.01`, `lossless` or `drop`. The first pattern that matches holds.
        row_group: How much is decoded at once at least, in samples, 16, or bytes, "64kB"; by
            default about 3 MB of float32.
        **asked: `effort`, best or fast: about half the time and some percent more bits, at the same
            quality. And of all other arrays, one of `snr` (dB), `bpfp` (bits per feature point),
            `max_error` (in the unit of the values), `task_snr` (dB, with a profile of a task) and
            `lossless=True`; without, what the profile recommends, else 20 dB.

    Raises:
        InvalidInput: For arrays of types that safetensors lacks, layouts that do not fit, and more
            than one quality.
        Unreachable: For a quality that cannot be met.

    A layout, a rule, or a key of the metadata that no array takes is ignored, with a UserWarning.

    >>> import numpy as np
    >>> from featcodec.numpy import load, save
    >>> x = np.random.default_rng(0).normal(size=(50, 32, 4, 4)).astype(np.float32)
    >>> data = save({"features": x}, layout="NCHW", snr=20)
    >>> back = load(data)["features"]
    >>> error = 10 * np.log10(np.var(x) / np.mean((x - back) ** 2))
    >>> bool(error > 19.99)
    True
    """
    stored = {name: to_stored(array, f"array {name!r}") for name, array in by_name(tensors).items()}
    options = options_of(transform, layout, rules, row_group, asked.pop("effort", "best"))
    return save_source(Arrays(stored, metadata), profile, options, asked)


def save_file(
    tensors: Mapping[str, np.ndarray],
    filename: Where,
    metadata: dict[str, str] | None = None,
    **options: Any,
) -> None:
    """Write the file of some arrays; an existing file is replaced.

    Arguments and errors are those of `save`.

    >>> import numpy as np
    >>> from featcodec.numpy import load_file, save_file
    >>> save_file({"features": np.ones((10, 8), np.float32)}, "ones.fcz", lossless=True)
    >>> load_file("ones.fcz")["features"].shape
    (10, 8)
    """
    refuse_foreign_name(filename)
    data = save(tensors, metadata, **options)
    with complete(filename, overwrite=True) as out:
        out.write(data)


@answering
def load(
    data: bytes, *, profile: Any = None, memory: int | str | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of a file given as bytes, by name.

    Arguments, types and errors are those of `load_file`.

    >>> import numpy as np
    >>> from featcodec.numpy import load, save
    >>> load(save({"labels": np.arange(3)}))["labels"]
    array([0, 1, 2])
    """
    return load_file(in_memory(data), profile=profile, memory=memory)


@answering
def load_file(
    filename: Where, *, profile: Any = None, jobs: int = 1, memory: int | str | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of a file, by name, of the shapes and types that were encoded.

    Where the package ml_dtypes is installed, types that NumPy lacks are its types, bfloat16 and
    float8_e4m3fn among them, and sums and means of such arrays are as coarse as the type. Without
    it, BF16, F8_E4M3 and F8_E5M2 are float32, which holds the same values, and others are refused.
    `astype(np.float32)` makes both alike.

    Args:
        filename: Path of the file, its URI, or a binary file object.
        profile: One or several, or their paths; those found by their hash go without.
        jobs: Processes that share a large file; the arrays are the same for any number. A script
            then needs the usual `if __name__ == "__main__":`.
        memory: How much the arrays and their decoding may take, in bytes, or as "4GB"; by default
            what the machine, or its container, has.

    Raises:
        InvalidStream: For a file that is damaged, truncated or of an unknown version; as
            LimitExceeded for one that would take more than `memory`.
        ProfileMissing: When the file needs a profile that was not given.
        InvalidInput: For a type that cannot be an array.

    >>> import numpy as np
    >>> from featcodec.numpy import load_file, save_file
    >>> save_file({"features": np.ones((10, 8), np.float16)}, "ones.fcz")
    >>> load_file("ones.fcz")["features"].dtype.name
    'float16'
    """
    with safe_open(filename, "numpy", profile=profile, memory=memory) as file:
        names = file.keys()
        for name in names:
            check(file.get_slice(name).get_dtype(), f"tensor {name!r}")
        return file.get_tensors(jobs)


def options_of(
    transform: str,
    layout: Any,
    rules: Mapping[str, str] | None,
    row_group: str | int | None,
    effort: str,
) -> Options:
    """Return what the arguments of `save` stand for."""
    layouts = {"": layout} if isinstance(layout, str) else layout or {}
    rules = rules or {}
    for what, given, such_as in (
        ("layout", layouts, "{'features': 'NCHW'}"),
        ("rules", rules, "{'kv.*': 'snr:30'}"),
    ):
        mapping(what, given, such_as)
    size = RowGroupSize() if row_group is None else RowGroupSize.parse(row_group)
    return Options(transform, layouts, rules=rules, effort=effort, row_group=size)


def save_source(source: Arrays, profile: Any, options: Options, quality: dict[str, Any]) -> bytes:
    """Return the file of a source as bytes."""
    from .encoding.dump import encode  # which reading does without
    from .encoding.suspicious import ignored

    known("save", quality, TAKEN)
    out = io.BytesIO()
    encode(source, out, Quality.choose(**quality), profile_of(profile), options)
    shapes = {tensor.shape for tensor in source.tensors if tensor.dtype in FLOATS}
    warn([*idle(source.tensors, options), *ignored(source, options, shapes)])
    return out.getvalue()
