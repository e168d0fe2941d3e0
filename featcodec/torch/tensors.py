"""Dictionaries of torch tensors to bytes and files, and back; the names of safetensors.torch."""

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np

try:
    import torch
except ImportError as error:
    raise ImportError("featcodec.torch needs torch: pip install 'featcodec[torch]'") from error

from ..access import safe_open
from ..align.numbers import stored_dtype
from ..arguments import a_kind, answering
from ..arrays import by_name
from ..dumps import Described
from ..elements import LIBRARY_NAMES
from ..errors import InvalidInput
from ..numpy import Arrays, options_of, save_source
from ..opening import Where, in_memory
from ..outputs import complete, refuse_foreign_name

# Older versions of torch lack some; of 4-bit values it has pairs.
_DTYPES = {
    dtype: getattr(torch, name)
    for dtype, name in {**LIBRARY_NAMES, "F4": LIBRARY_NAMES["F4"] + "_x2"}.items()
    if hasattr(torch, name)
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_RAW = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes an element


def save(
    tensors: Mapping[str, torch.Tensor],
    metadata: dict[str, str] | None = None,
    *,
    profile: Any = None,
    transform: str = "auto",
    layout: Mapping[str, str] | str | None = None,
    rules: Mapping[str, str] | None = None,
    row_group: str | int | None = None,
    **asked: Any,
) -> bytes:
    """Return the file of some tensors as bytes.

    Args:
        tensors: Dense tensors by name, on any device and of any strides; `requires_grad` is not
            kept.
        metadata, profile, transform, layout, rules, row_group, **asked: As for
            `featcodec.numpy.save`.

    Raises:
        InvalidInput: For what is no dense tensor, types that safetensors lacks, layouts that do
            not fit, and more than one quality.
        Unreachable: For a quality that cannot be met.

    >>> import torch
    >>> from featcodec.torch import load, save
    >>> data = save({"tokens": torch.randn(8, 17, 64)}, layout="NLD:1+4x4", snr=10)
    >>> load(data)["tokens"].shape
    torch.Size([8, 17, 64])
    """
    stored = {
        name: to_stored(tensor, f"tensor {name!r}") for name, tensor in by_name(tensors).items()
    }
    options = options_of(transform, layout, rules, row_group, asked.pop("effort", "best"))
    return save_source(Arrays(stored, metadata), profile, options, asked)


def save_file(
    tensors: Mapping[str, torch.Tensor],
    filename: Where,
    metadata: dict[str, str] | None = None,
    **options: Any,
) -> None:
    """Write the file of some tensors; an existing file is replaced.

    Arguments and errors are those of `save`.

    >>> import torch
    >>> from featcodec.torch import save_file
    >>> save_file({"features": torch.randn(8, 16, 4, 4)}, "maps.fcz", {"layout": "NCHW"}, snr=10)
    """
    refuse_foreign_name(filename)
    data = save(tensors, metadata, **options)
    with complete(filename, overwrite=True) as out:
        out.write(data)


@answering
def load_file(
    filename: Where,
    device: str = "cpu",
    *,
    profile: Any = None,
    jobs: int = 1,
    memory: int | str | None = None,
) -> dict[str, torch.Tensor]:
    """Return the tensors of a file, by name, on a device.

    Args:
        filename: Path of the file, its URI, or a binary file object.
        device: Of the tensors: cpu, cuda, ...
        profile: One or several, or their paths; those found by their hash go without.
        jobs, memory: Processes that share a large file, and what they may take, as for
            `featcodec.numpy.load_file`.

    Raises:
        InvalidStream: For a file that is damaged, truncated or of an unknown version; as
            LimitExceeded for one that would take more than `memory`.
        ProfileMissing: When the file needs a profile that was not given.
        InvalidInput: When this version of torch has no type for a tensor.

    >>> import torch
    >>> from featcodec.torch import load_file, save_file
    >>> save_file({"features": torch.ones(8, 16, dtype=torch.bfloat16)}, "ones.fcz")
    >>> load_file("ones.fcz")["features"].dtype
    torch.bfloat16
    """
    with safe_open(filename, "torch", device, profile=profile, memory=memory) as file:
        names = file.keys()
        for name in names:
            _check(file.get_slice(name).get_dtype(), f"tensor {name!r}")
        found: dict[str, torch.Tensor] = file.get_tensors(jobs)
        return found


@answering
def load(
    data: bytes, *, profile: Any = None, memory: int | str | None = None
) -> dict[str, torch.Tensor]:
    """Return the tensors of a file given as bytes, on the CPU.

    Arguments and errors are those of `load_file`.

    >>> import torch
    >>> from featcodec.torch import load, save
    >>> load(save({"labels": torch.arange(3)}))["labels"]
    tensor([0, 1, 2])
    """
    return load_file(in_memory(data), profile=profile, memory=memory)


def from_stored(stored: np.ndarray, dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a tensor of stored elements; of F4 its last axis has half the length, for pairs."""
    _check(dtype)
    shape = _halved(shape) if dtype == "F4" else shape
    return _in_memory(np.ascontiguousarray(stored).reshape(-1).view(np.uint8).copy(), dtype, shape)


def _halved(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a tensor of pairs."""
    if not shape or shape[-1] % 2:
        raise InvalidInput(f"F4 of shape {list(shape)}: torch has pairs along the last axis")
    return (*shape[:-1], shape[-1] // 2)


def _in_memory(raw: np.ndarray, dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return bytes as a tensor that shares their memory."""
    if not raw.size:  # which has no strides that another type could take
        return torch.empty(shape, dtype=_DTYPES[dtype])
    return torch.from_numpy(raw).view(_DTYPES[dtype]).reshape(shape)


def _check(dtype: str, what: str = "the tensor") -> None:
    if dtype not in _DTYPES:
        raise InvalidInput(
            f"{what} has type {dtype}, which torch {torch.__version__} lacks:"
            " decode it to a safetensors file"
        )


def to_stored(tensor: Any, what: str) -> tuple[np.ndarray, str]:
    """Return the elements of a tensor as featcodec handles them, and their safetensors type.

    Raises InvalidInput, which names the tensor as `what`, for what cannot be stored.
    """
    dtype = type_of(tensor, what)
    return elements_of(plain(tensor).cpu().contiguous()), dtype


def check_device(device: Any) -> None:
    """Raise InvalidInput for a device that torch does not know, or lacks on this machine."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"device {str(device)!r} cannot be used here: {reason}") from None


def is_tensor(found: Any) -> bool:
    return isinstance(found, torch.Tensor)


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor whose memory holds its values."""
    return tensor.detach().resolve_conj().resolve_neg()


def type_of(tensor: Any, what: str) -> str:
    """Return the safetensors type of a tensor; InvalidInput for what cannot be stored."""
    if not is_tensor(tensor):
        raise InvalidInput(f"{what} is {a_kind(tensor)}; give a torch tensor")
    if tensor.layout != torch.strided or tensor.is_meta:
        raise InvalidInput(f"{what} is sparse or without data; give a dense tensor")
    if tensor.dtype not in _NAMES:
        raise InvalidInput(
            f"{what} has type {tensor.dtype}, which safetensors lacks; convert it with to()"
        )
    dtype = _NAMES[tensor.dtype]
    if dtype == "F4" and not tensor.ndim:
        raise InvalidInput(f"{what} is a scalar of {tensor.dtype}: pairs need an axis")
    return dtype


def elements_of(tensor: torch.Tensor) -> np.ndarray:
    """Return the stored elements of a tensor on the CPU, which share its memory."""
    kind = stored_dtype(_NAMES[tensor.dtype])
    return tensor.view(_RAW[kind.itemsize]).numpy().view(kind)


def check_types(tensors: Iterable[Described]) -> None:
    """Raise InvalidInput for types that this version of torch lacks."""
    for name, dtype, shape in tensors:
        _check(dtype, f"tensor {name!r}")
        if dtype == "F4":
            _halved(shape)


def save_weights(out: BinaryIO, arrays: Iterable[tuple[Described, np.ndarray]]) -> None:
    """Write a dictionary of tensors as torch.save does, from memory that may be mapped."""
    found = {}
    for (name, dtype, shape), stored in arrays:
        shape = _halved(shape) if dtype == "F4" else shape
        found[name] = _in_memory(stored.view(np.uint8), dtype, shape)
    torch.save(found, out)
