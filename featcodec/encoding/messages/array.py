"""An array to its message: with loss under the entry that takes the fewest bits, or bit for bit."""

import zlib
from collections.abc import Callable, Sequence

from ...coding.message_entry import Entry
from ...coding.message_head import LOSSLESS, Head
from ...coding.profile import Profile
from ...entropy import exact
from ...errors import InvalidInput, Unreachable
from ...request import Quality
from .. import tuning
from .looks import smallest
from .shared import Shared
from .step import At
from .trellis import along_trellis
from .trial import Trial
from .values import Values

BPFP_ROUNDS = 6


def encode(
    values: Values,
    entries: Sequence[Entry],
    profile: Profile,
    quality: Quality,
    step: float | None = None,
    thorough: bool = False,
) -> bytes:
    """Return the message of an array, bit for bit when loss would not make it shorter.

    `step`, in the unit of the values, is taken in place of the quality. An SNR is met along a
    trellis too when `thorough`. Raises InvalidInput when the values differ and no entry fits,
    Unreachable for a rate that is too low.
    """
    if not values.varied and quality.bpfp is not None:
        return _exact_within(values, quality.bpfp)
    if quality.lossless or not values.varied:
        return _exact(values)
    trials = _trials(values, entries, profile)
    if step is not None:
        return _least(trials, lambda trial: trial.at_step(step)) or _exact(values)
    if quality.bpfp is not None:
        return _at_rate(trials, quality.bpfp)
    if quality.max_error is not None:
        bound = quality.max_error
        return _least(trials, lambda trial: trial.within(bound)) or _exact(values)
    assert quality.snr is not None
    target = values.power * 10 ** (-quality.snr / 10)
    if not target > 0:
        return _exact(values)
    found = smallest(trials, target)
    return _exact(values) if found is None else _message(*found, target if thorough else None)


def _trials(values: Values, entries: Sequence[Entry], profile: Profile) -> list[Trial]:
    shape = values.stored.shape
    grids = [(entry, entry.grid_of(shape)) for entry in entries]
    fitting = [(entry, grid) for entry, grid in grids if grid is not None]
    if not fitting:
        known = ", ".join(sorted({str(entry) for entry in entries}))
        raise InvalidInput(
            f"the profile has no entry for an array of shape {shape}; it has {known}: reshape it,"
            " or train a profile on arrays like it"
        )
    shared = Shared(values)
    return [Trial.of(shared, entry, grid, profile) for entry, grid in fitting]


def _least(trials: Sequence[Trial], solve: Callable[[Trial], At | None]) -> bytes | None:
    """Return the message of the trial of the fewest bits; None when none meets what is asked."""
    solved = [(trial, solve(trial)) for trial in trials]
    found = [(trial, at) for trial, at in solved if at is not None]
    if not found:
        return None
    return _message(*min(found, key=lambda pair: pair[0].bits(pair[1])))


def _message(trial: Trial, at: At, target: float | None = None) -> bytes:
    """Return the message of a trial, along a trellis if that is shorter for a squared error."""
    message = trial.message(at)
    another = None if target is None else along_trellis(trial, at, target)
    if another is not None:
        message = min(message, another, key=len)
    return _shorter(message, trial.values)


def _shorter(message: bytes, values: Values) -> bytes:
    """Return a message, or that bit for bit where it may be shorter and is."""
    if len(message) > tuning.WORTHWHILE * values.stored.nbytes:
        return min(message, _exact(values), key=len)
    return message


def _at_rate(trials: Sequence[Trial], bpfp: float) -> bytes:
    """Return the message of at most so many bits a value that errs the least."""
    values = trials[0].values
    most = wanted = bpfp * values.values.size
    for _ in range(BPFP_ROUNDS):
        found = [(trial, trial.at_bits(wanted)) for trial in trials]
        best = min(
            ((trial, at) for trial, at in found if at is not None),
            key=lambda pair: pair[0].error(pair[1].position),
            default=None,
        )
        if best is None:
            break
        message = best[0].message(best[1])
        if 8 * len(message) <= most:
            return _shorter(message, values)
        wanted -= 8 * len(message) - most + 1
    return _exact_within(values, bpfp)


def _exact_within(values: Values, bpfp: float) -> bytes:
    """Return the message bit for bit; raise Unreachable where it takes more bits a value."""
    message, count = _exact(values), values.values.size
    if 8 * len(message) <= bpfp * count or not count:
        return message
    raise Unreachable(f"{bpfp:g} bpfp cannot be reached by a message; ask for more bits")


def _exact(values: Values) -> bytes:
    """Return the message bit for bit."""
    head = Head(LOSSLESS, values.dtype, values.stored.shape).pack()
    numbers = values.stored.reshape(-1).view(f"<u{values.stored.itemsize}")
    return head + exact.ExactEncoder(True).encode(numbers, zlib.crc32(head))
