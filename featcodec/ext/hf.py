"""Files of features as data sets of Hugging Face: a row of each tensor is an example."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

try:
    import datasets
except ImportError as error:
    raise ImportError("featcodec.ext.hf needs datasets: pip install 'featcodec[hf]'") from error

from ..access import safe_open
from ..arrays import is_of_numpy, numpy_type
from ..coding.profile import profiles_of
from ..errors import InvalidInput
from ..opening import Where

ARRAYS = {2: datasets.Array2D, 3: datasets.Array3D, 4: datasets.Array4D, 5: datasets.Array5D}


def from_featcodec(
    paths: Where | Sequence[Where],
    keys: Sequence[str] | None = None,
    *,
    profile: Any = None,
    streaming: bool = False,
    **options: Any,
) -> Any:
    """Return a `datasets.Dataset`, or a stream that decodes while it is read.

    Types that NumPy lacks, such as bfloat16, become float32.

    Args:
        paths: Of the files, or their URIs, each a shard.
        keys: Names of the tensors whose rows make an example; without, all of the first file.
        profile: One or several profiles or their paths; built-in ones are found without.
        streaming: Return an `IterableDataset`, whose shards workers share.
        **options: Of `from_generator`, such as `num_proc`, processes that share the files.

    Raises:
        InvalidInput: For tensors of one file whose leading axes differ, or that have more than six
            axes.
        InvalidStream: For a file that is damaged, truncated or of an unknown version.
        ProfileMissing: When a file needs a profile that was not given.

    >>> from featcodec import encode_file
    >>> from featcodec.ext.hf import from_featcodec
    >>> report = encode_file("feats.safetensors", "feats.fcz", overwrite=True)
    >>> rows = from_featcodec(["feats.fcz"], streaming=True)
    >>> rows.features["labels"], len(next(iter(rows))["features"])
    (Value('int64'), 17)
    """
    several = isinstance(paths, Sequence) and not isinstance(paths, (str, bytes))
    shards: list[Any] = list(paths) if several else [paths]  # type: ignore[arg-type]
    if not shards:
        raise InvalidInput("a data set takes one file at least")
    profiles = tuple(profiles_of(profile))
    with safe_open(shards[0], profile=profiles) as file:
        names = tuple(file.keys() if keys is None else keys)
        schema = datasets.Features({name: _feature(file, name) for name in names})
    kind = datasets.IterableDataset if streaming else datasets.Dataset
    arguments = {"paths": shards, "keys": names, "profile": profiles}  # lists alone are shared
    return kind.from_generator(examples, features=schema, gen_kwargs=arguments, **options)


def examples(
    paths: Sequence[Where], keys: Sequence[str], profile: Any = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of tensors of files one by one; each row group is decoded once."""
    for path in paths:
        with safe_open(path, profile=profile) as file:
            slices = {key: file.get_slice(key) for key in keys}
            counts = {key: slices[key].get_shape()[:1] for key in keys}
            for key, count in counts.items():
                if count != counts[keys[0]] or not count:
                    said = f"{keys[0]!r} has {counts[keys[0]]} rows, {key!r} {count}"
                    raise InvalidInput(f"{path}: {said}; name keys of tensors with as many")
            largest = max(slices.values(), key=lambda each: each.nbytes)
            for rows in largest.row_groups():
                found = {key: _plain(slices[key][rows.start : rows.stop]) for key in keys}
                for i in range(len(rows)):
                    yield {key: values[i] for key, values in found.items()}


def _feature(file: safe_open, name: str) -> Any:
    """Return how examples have a tensor's rows."""
    rows = file.get_slice(name)
    dtype, shape = rows.get_dtype(), tuple(rows.get_shape()[1:])
    kind = numpy_type(dtype) if is_of_numpy(dtype) else np.dtype(np.float32)
    value = datasets.Value(str(kind.name if kind is not None else "float32"))
    if not shape:
        return value
    if len(shape) == 1:
        return datasets.Sequence(value, length=shape[0])
    if len(shape) not in ARRAYS:
        raise InvalidInput(f"tensor {name!r} has {len(shape) + 1} axes; datasets take six at most")
    return ARRAYS[len(shape)](shape=shape, dtype=value.dtype)


def _plain(rows: np.ndarray) -> np.ndarray:
    """Return rows in a type of NumPy's own."""
    return rows if rows.dtype.isbuiltin == 1 else rows.astype(np.float32)
