"""What the header of a refined group must state (SPEC §7.17)."""

import math
from typing import TYPE_CHECKING

from .. import elements
from ..errors import Corrupt

if TYPE_CHECKING:
    from .lossy import Lossy

REFINABLE = ("predicted", "split")  # transforms whose values are multiples of the step


def check_refined(lossy: "Lossy", dtype: str) -> None:
    """Raise Corrupt unless the values of a refined group are elements, whatever the decoder."""
    others = lossy.clamp or lossy.dependent or lossy.neural or lossy.curve is not None
    others = others or lossy.gains or bool(lossy.constants) or lossy.slices is not None
    known = lossy.refined and lossy.double and not others
    if not known or (lossy.mean, lossy.std) != (0, 1):
        raise Corrupt("a refined group has other flags than double, or is normalised")
    for part in lossy.parts:
        if part.model is None or part.transform not in REFINABLE:
            raise Corrupt(f"a refined group has transform {part.transform}, or a profile")
    precision, octave = elements.PRECISION[dtype], math.log2(lossy.step)
    least, most = precision.least / precision.relative, precision.largest
    if lossy.logarithmic:
        least, most = 1, 2.0 ** (elements.BITS[dtype] - 2)
    if not octave.is_integer() or not least <= lossy.step <= most:
        raise Corrupt(
            f"the step of a refined group is {lossy.step}; it must be a power of two from"
            f" {least:g} to {most:g} for {dtype}"
        )
