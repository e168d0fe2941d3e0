"""Trellis-coded (dependent) quantisation: earlier parities choose the quantiser (SPEC §7.10).

Quantiser 0 has levels at m, quantiser 1 at 0 and m - 1/2, in spacings. Together their levels lie
twice as dense as those of one, and paths through the trellis fill space better than a scalar
quantiser. The trellis is Ungerboeck's with eight states (IEEE Trans. IT 1982). The encoder finds
the path of least D + lambda R with the Viterbi algorithm, as in entropy-coded trellis-coded
quantisation (Fischer and Wang, IEEE Trans. IT 1992; in video: Schwarz et al., DCC 2019).

Many chains run in parallel: one stage of all chains is a range of symbols.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ..compiled import loops
from .scalar import LARGEST, of_magnitudes

RATIO = 9 / 8  # of spacing to step, at which the error is about that of the scalar quantiser
MOST_STAGES = 64
CHAINS = 64  # at least, when there is more than one stage
LAMBDA = 0.075  # squared spacings a bit; see scalar.LAMBDA
BINS = 64  # a spacing; all magnitudes in a bin share the best symbol of each kind
ESCAPE_BITS = 12.0
SAVED_A_CALL, SAVED = 5e-4, 1e-8  # seconds, and seconds a symbol, by compiled loops
FLAT = np.array([-ESCAPE_BITS, 0, -ESCAPE_BITS])  # rates at which all symbols cost the same

Offsets = tuple[float, float, float]  # of symbol 0, magnitude 1 and above, in spacings


def chains(count: int) -> tuple[int, int]:
    """Return the number of stages of `count` symbols, and the number of chains."""
    stages = min(max(count // CHAINS, 1), MOST_STAGES)
    length = max(-(-count // stages), 1)
    return -(-count // length), length


class Registers:
    """The state of each chain, from which the next quantiser follows."""

    def __init__(self, length: int) -> None:
        self.quantiser = np.zeros(length, bool)  # Q[t]
        self._older = [np.zeros(length, bool) for _ in range(3)]  # Q[t-1], Q[t-2], p[t-1]

    def learn(self, symbols: np.ndarray) -> None:
        """Go on by one stage: Q[t+1] = Q[t] ^ p[t-1] ^ Q[t-2], p being parities of symbols."""
        before, far, parity = self._older
        self._older = [self.quantiser, before, (symbols & 1).astype(bool)]
        self.quantiser = self.quantiser ^ parity ^ far


@dataclass(frozen=True, eq=False)
class Levels:
    """The best symbol of each kind (quantiser and parity) for each bin of magnitudes."""

    costs: np.ndarray  # (4, bins) float32, D + lambda R in squared spacings
    symbols: np.ndarray  # (bins, 4) int32
    values: np.ndarray  # (bins, 4) float32, their reconstruction points in spacings
    top: int  # even; from here on the levels repeat every two spacings

    @classmethod
    def of(cls, rates: Sequence[np.ndarray], offsets: Sequence[Offsets], lmbda: float) -> "Levels":
        """Return the levels of two tables with these rates (bits of the symbols -M..M)."""
        top = max(len(r) // 2 for r in rates) + 1 & ~1
        magnitude = (np.arange(BINS * (top + 2)).reshape(-1, 2 * BINS) + 0.5) / BINS
        # All bins of a row lie between the same two even levels, so that the same are near them.
        below = np.arange(0, top + 2, 2)
        near = np.maximum([np.zeros_like(below), below - 2, below, below + 2], 0)[..., None]
        every = np.arange(top + 4)
        costs: list[np.ndarray] = []
        symbols: list[np.ndarray] = []
        values: list[np.ndarray] = []
        for quantiser, (rate, (zero, first, further)) in enumerate(
            zip(rates, offsets, strict=True)
        ):
            limit = len(rate) // 2
            bits = of_magnitudes(rate)
            bits[limit:] += ESCAPE_BITS
            price = lmbda * bits[np.minimum(every, limit)]
            at = every + np.where(every == 1, first, further) - quantiser / 2
            at[0] = zero
            for parity in (0, 1):
                some = near + parity
                cost = magnitude - at[some]
                cost *= cost
                cost += price[some]
                least, best = cost[0], np.broadcast_to(some[0], magnitude.shape)
                for level, other in zip(some[1:], cost[1:], strict=True):
                    best = np.where(other < least, level, best)
                    least = np.minimum(other, least)
                costs.append(least.reshape(-1))
                symbols.append(best.reshape(-1))
                values.append(at[symbols[-1]])
        return cls(
            np.array(costs, np.float32),
            np.stack(symbols, 1).astype(np.int32),
            np.stack(values, 1).astype(np.float32),
            top,
        )


def compiled_loops(symbols: np.ndarray) -> ModuleType | None:
    """Return compiled loops for symbols, None where there are none or few pay."""
    return loops("featcodec.quantise.compiled_dependent", SAVED_A_CALL + symbols.size * SAVED)


def quantise(
    latents: np.ndarray, spacing: float, runs: Sequence[tuple[int, Levels]]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return int32 symbols, which of them are of quantiser 1, and the squared error.

    `latents` is (count,). Each run states the levels of the next so many latents.
    """
    count = len(latents)
    stages, length = chains(count)
    compiled = compiled_loops(latents)
    if compiled:
        return _compiled(compiled, latents, spacing, runs)
    size = np.abs(latents)
    size *= size.dtype.type(1 / spacing)
    bins = np.zeros((stages, length), np.intp)
    flat = bins.reshape(-1)
    folded: list[tuple[np.ndarray, np.ndarray]] = []
    start, base = 0, 1  # bin 0 pads the last stage
    for run, levels in runs:
        part, mine = size[start : start + run], flat[start : start + run]
        far = np.zeros(0, np.intp)
        if part.size and part.max() >= levels.top:
            far = np.flatnonzero(part >= levels.top)
            rest = part[far].astype(np.float64)
            over = 2 * np.floor((np.minimum(rest, LARGEST) - levels.top) / 2)
            part[far] = rest - over
            folded.append((far + start, over.astype(np.int32)))
        mine[:] = part * BINS
        mine[far] = np.minimum(mine[far], len(levels.symbols) - 1)
        mine += base
        start, base = start + run, base + len(levels.symbols)
    costs, values, table = _joined(runs)
    path, quantisers = _cheapest(bins, costs)
    flat *= 4
    flat += path.reshape(-1)
    chosen, quantisers = flat[:count], quantisers.reshape(-1)[:count]
    size -= values.take(chosen)
    error = float(np.vdot(size, size)) * spacing**2
    symbols = table.take(chosen)
    for far, over in folded:
        symbols[far] += over
    np.negative(symbols, out=symbols, where=latents < 0)
    return symbols, quantisers, error


def _joined(runs: Sequence[tuple[int, Levels]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return costs (4, bins), values and symbols (bins, 4) of all runs, behind bin 0."""
    none, levels = np.zeros((1, 4)), [mine for _, mine in runs]
    return (
        np.concatenate([none.T, *(mine.costs for mine in levels)], 1, dtype=np.float32),
        np.concatenate([none, *(mine.values for mine in levels)], dtype=np.float32),
        np.concatenate([none.astype(np.int32), *(mine.symbols for mine in levels)]),
    )


def _compiled(
    compiled: ModuleType, latents: np.ndarray, spacing: float, runs: Sequence[tuple[int, Levels]]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Do what `quantise` does in compiled loops."""
    kind, (_, length) = latents.dtype.type, chains(len(latents))
    costs, values, table = _joined(runs)
    ends = np.cumsum([count for count, _ in runs], dtype=np.int64)
    tops = np.array([levels.top for _, levels in runs], np.int64)
    bases = np.cumsum([1, *(len(levels.symbols) for _, levels in runs)])
    joined = np.ascontiguousarray(costs.T), values, table
    symbols, quantisers, left = compiled.quantise(
        latents, kind(1 / spacing), kind(BINS), (ends, tops, bases), joined, length
    )
    return symbols, quantisers, float(np.vdot(left, left)) * spacing**2


def _cheapest(bins: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the kinds 2 Q + p (stages, chains) of the cheapest paths, and Q.

    `costs` (4, bins) has the costs of the four kinds. A state is Q[t], x = p[t-1] ^ Q[t-2] and y =
    Q[t-1]. A symbol of parity p leads to Q ^ x, p ^ y and Q. Of the two states that lead to one,
    `decided` keeps the y of the cheaper.
    """
    stages, length = bins.shape
    state = np.full((2, 2, 2, length), np.inf, np.float32)
    state[0, 0, 0] = 0
    after = np.empty_like(state)
    kinds = np.empty((2, 2, length), np.float32)  # by Q and p
    through = np.empty_like(state)
    decided = np.empty((stages, 2, 2, 2, length), bool)  # by what follows: x, and Q and x before
    for t in range(stages):
        np.take(costs, bins[t], axis=1, out=kinds.reshape(4, length), mode="clip")
        for i in (0, 1):  # x, and Q below
            np.add(state, kinds[:, None, :: 1 - 2 * i], out=through)
            np.less(through[:, :, 1], through[:, :, 0], out=decided[t, i])
            for j in (0, 1):
                low, high = through[j, :, 0], through[j, :, 1]
                np.minimum(low, high, out=after[:: 1 - 2 * j, i, j])
        state, after = after, state
    last = state.reshape(8, length).argmin(axis=0)
    q, x, y = (last >> 2 & 1).astype(bool), (last >> 1 & 1).astype(bool), (last & 1).astype(bool)
    path = np.empty((stages, length), np.uint8)
    quantisers = np.empty((stages, length), bool)
    for t in range(stages - 1, -1, -1):
        known = decided[t]
        for bit in (x, y, q ^ y):
            known = known[0] ^ ((known[0] ^ known[1]) & bit)
        quantisers[t] = y
        path[t] = 2 * y.view(np.uint8) + (x ^ known)
        q, x, y = y, q ^ y, known
    return path, quantisers
