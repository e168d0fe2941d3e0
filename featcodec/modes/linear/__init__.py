"""A KLT over channels, then a DCT over the positions of each block (SPEC §6.2, §6.3)."""

from ..mode import Mode

MODES = (
    Mode("linear", 1, in_profiles=True, trellis=True),
    Mode("low-rank", 4, "linear", in_profiles=True, trellis=True, low_rank=True),
)
