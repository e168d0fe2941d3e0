"""Upper bounds that reader and writer both keep (SPEC §10): checked before memory is allocated."""

from .errors import LimitExceeded

TENSORS = 1 << 24
RANK = 16
NAME_BYTES = 1 << 16
DIMENSION_PRODUCT = 1 << 62
INDEX_BYTES = 1 << 30
SECTION_BYTES = 1 << 40
GROUPS = 1 << 20
CHANNELS = 1 << 16
BLOCK_POINTS = 256
UNIT_VALUES = 1 << 26
ROW_GROUP_VALUES = 1 << 27
COEFFICIENTS = 1 << 24
PROFILE_ENTRIES = 1 << 12
PICTURE_LATENTS = 1 << 27


def check(value: int, bound: int, what: str) -> int:
    """Return `value`, or raise `LimitExceeded` naming `what` when it is above `bound`."""
    if value > bound:
        raise LimitExceeded(f"{what} is {value}, more than the limit of {bound}")
    return value
