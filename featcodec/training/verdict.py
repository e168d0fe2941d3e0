"""Whether a metric pays: what is held out is really coded, with the metric and without.

What an output loses is the mean of (g'e)^2, of errors e and of gradients g that the metric was not
fitted to.
"""

import io
import math
from collections.abc import Sequence

import numpy as np

from ..align.layout import Layout
from ..coding.parts.base import Sizes
from ..coding.profile import Profile
from ..container.model import ProfileEntry
from ..encoding.dump import encode
from ..numpy import Arrays, load
from ..request import Options, Quality
from .weighing import Part

TASK_SNRS = (10.0, 14.0, 18.0)  # dB, at which bits are compared
SNRS = (4.0, 8.0, 12.0, 17.0, 23.0, 30.0)  # dB, between which bits without the metric are known
ONCE = 64.0  # bytes of a profile's hash and of a task SNR, which a file has once however long
MOST_GRADIENTS = 1000  # that errors are judged by
GRIDS = {0: "", 1: "L", 2: "HW", 3: "THW"}  # axes by their number

Points = Sequence[tuple[float, float]]  # what is lost, and bytes


def pays(parts: Sequence[Part], block: Sizes, weighted: Sequence[ProfileEntry]) -> bool:
    """Return whether entries with a metric take fewer bytes than those without.

    That is at equal loss of the outputs, on the average of task SNRs. True if nothing is held out.
    """
    found = _held_out(parts, block)
    if found is None:
        return True
    layout, values, gradients = found
    plain = [part.plain for part in parts]

    def coded(entries: Sequence[ProfileEntry], quality: Quality) -> tuple[float, float]:
        profile, out = Profile.parse(Profile.pack(entries)), io.BytesIO()
        source = Arrays({"features": (values, "F32")}, {"layout": str(layout)})
        encode(source, out, quality, profile, Options())
        errors = load(out.getvalue(), profile=profile)["features"] - values
        return weighed(errors, gradients), float(out.tell())

    with_it = [coded([*plain, *weighted], Quality(task_snr=snr)) for snr in TASK_SNRS]
    without: list[tuple[float, float]] = []
    for snr in SNRS:
        without.append(coded(plain, Quality(snr=snr)))
        if without[-1][0] < min(lost for lost, _ in with_it):
            break
    ratios = [max(size - ONCE, 1.0) / bytes_at(without, lost) for lost, size in with_it]
    return float(np.mean(np.log(ratios))) < 0


def weighed(errors: np.ndarray, gradients: np.ndarray) -> float:
    """Return the mean of (g'e)^2 over errors (samples, ...) and gradients (draws, samples, ...).

    Gradients of other samples count too: a few large ones would decide otherwise.
    """
    flat = errors.reshape(len(errors), -1)
    drawn = gradients.reshape(-1, flat.shape[1])
    drawn = drawn[:: -(-len(drawn) // MOST_GRADIENTS)]
    return float(np.mean(np.square(drawn @ flat.T, dtype=np.float64)))


def bytes_at(points: Points, lost: float) -> float:
    """Return the bytes at a loss, between points in logarithms; beyond them, of the nearest."""
    ordered = sorted((math.log(max(each, 1e-300)), math.log(size)) for each, size in points)
    losses, sizes = zip(*ordered, strict=True)
    return math.exp(float(np.interp(math.log(max(lost, 1e-300)), losses, sizes)))


def _held_out(parts: Sequence[Part], block: Sizes) -> tuple[Layout, np.ndarray, np.ndarray] | None:
    """Return whole blocks as samples: layout, values (N, ..., C), gradients (draws, N, ..., C)."""
    prefix, tokens = 0, []
    for part in parts:
        sizes = (1,) if part.pool.prefix else block
        pairs = [p for p in part.gathered.held_out.get(block, ()) if p.sizes == sizes]
        if not pairs:
            return None
        both = [np.concatenate([p.values[None], p.gradients]) for p in pairs]
        found = np.concatenate(both, axis=-1).astype(np.float32)  # (1 + draws, C, points, blocks)
        if part.pool.prefix:
            prefix = part.plain.prefix_tokens
            found = found.reshape(*found.shape[:2], -1, prefix).swapaxes(2, 3)
        tokens.append(found)
    samples = {found.shape[-1] for found in tokens}
    if len(samples) > 1:
        return None  # samples of several blocks have no prefix of their own each
    whole = np.concatenate(tokens[::-1], axis=2).transpose(0, 3, 2, 1)
    if prefix:
        layout = Layout("NLC", prefix, block)
    else:
        layout = Layout(f"N{GRIDS[len(block)]}C")
        whole = whole.reshape(*whole.shape[:2], *block, whole.shape[-1])
    whole = np.ascontiguousarray(whole)
    return layout, whole[0], whole[1:]
