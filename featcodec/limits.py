"""Upper bounds of the format, the table of SPEC §10: checked before memory is taken for anything.

Writer and reader look them up here when they check, under the names of that table; the reference
decoder has a table of its own, and a test compares all three.
"""

from collections.abc import Sequence

from .errors import InputTooLarge, LimitExceeded

HEADER_BYTES = 100_000_000  # of the safetensors header of the dump: the library reads no more
GROUPS = 1 << 20
PARTS = 1 << 20  # of all tensors that are cut
RANK = 16  # of a tensor, a grid and blocks; letters of a layout
STRING_BYTES = 1 << 16  # a name, a key of metadata, a label
TENSOR_VALUES = 1 << 59  # axes of length 0 left out: bytes stay below 2**63
INDEX_BYTES = 1 << 30  # unpacked
SECTION_BYTES = 1 << 40
CHANNELS = 1 << 16
BLOCK_POINTS = 256
COEFFICIENTS = 1 << 24  # of a model: channels x points
KLT_NUMBERS = 1 << 22  # of a model in a file: bands x channels x channels
PROFILE_KLT_NUMBERS = 1 << 26  # of a model in a profile
CHANNEL_WEIGHTS = 1 << 24  # of a prediction
SLAB_VALUES = 1 << 26
REPEAT_ROWS = 1 << 18  # for each row group, of the tensors of a group with repeated rows
REPEAT_RUNS = 1 << 20  # of repeated rows, in a group
SLICES = 1 << 22  # gains of tensors or samples of a group
ROW_GROUP_VALUES = 1 << 27  # and slabs
PROFILE_ENTRIES = 1 << 12
NETWORK_HEADER_BYTES = 1 << 20
PICTURE_LATENTS = 1 << 27
PICTURE_INNER_VALUES = 1 << 28  # width of its network x half its tokens x half its channels


def check(value: int, bound: int, what: str) -> int:
    """Return `value`, or raise `LimitExceeded` naming `what` when it is above `bound`."""
    if value > bound:
        raise LimitExceeded(f"{what} is {value}, more than the limit of {bound}")
    return value


def check_input(value: int, bound: int, what: str, remedy: str = "split the dump") -> int:
    """Do the same for what is to be written: raise `InputTooLarge`, which says what to do."""
    if value > bound:
        raise InputTooLarge(f"{what} is {value}, more than the limit of {bound}: {remedy}")
    return value


def check_rank(shape: Sequence[int], what: str) -> None:
    """Raise `InputTooLarge`, which names the tensor as `what`, for more axes than there can be."""
    if len(shape) > RANK:
        raise InputTooLarge(
            f"{what} has {len(shape)} axes, more than the limit of {RANK}; merge some"
        )
