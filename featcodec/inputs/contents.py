"""What a file of tensors holds, whatever its kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..tensors import Tensor


@dataclass(frozen=True)
class Contents:
    """Tensors in the order of the file, and what is none of them.

    `refused` has by name why something cannot be coded: leaving it out is for a user to say.
    `remarks` say what was left out because it is no array at all.
    """

    tensors: Sequence[Tensor]
    metadata: dict[str, str] | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
