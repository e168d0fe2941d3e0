"""Prints tables fitted to maps in dumps, as `featcodec/entropy/contexts.py` holds them.

Usage: python tests/benchmarks/fit_context_tables.py DUMP...

The built-in tables are part of the format and are not to be changed.
"""

import sys

import numpy as np

from featcodec.dumps import Dump
from featcodec.encoding.fit.fitting import longest_block
from featcodec.encoding.search.candidate import scale_of
from featcodec.encoding.tensors.group import Group
from featcodec.encoding.tensors.grouping import group_tensors
from featcodec.entropy import contexts, fit
from featcodec.modes.context.scalar import ContextCoder, by_place
from featcodec.quantise.scalar import Thresholds, quantise
from featcodec.request import Options
from featcodec.transform.linear import Linear

SNRS = (3, 6, 10, 14, 18, 22, 26, 30)
SAMPLE_VALUES = 1 << 20
LEAST_COUNT = 2000
FLAT = Thresholds(0.585, 0.54)  # for all symbols, whatever their tables
EMPTY = fit.Histogram(np.zeros(0, np.int64), np.zeros(0, np.int64))


class FlatCoder(ContextCoder):
    def thresholds_of(self, number: int) -> Thresholds:
        return FLAT


def main() -> None:
    found = [EMPTY] * contexts.TABLES
    for path in sys.argv[1:]:
        for group in group_tensors(Dump(path), Options(), lossless=False):
            if not isinstance(group, Group) or len(group.grids[0]) != 2:
                continue
            block = longest_block(group.grids, (16, 16))
            for (_, sizes), values in group.sample(block, SAMPLE_VALUES)[0].items():
                if np.count_nonzero(values == 0) < values.size / 20:
                    continue
                deviation = float(values.std())
                for snr in SNRS:
                    step = deviation * (12 * 10 ** (-snr / 10)) ** 0.5
                    collect(found, values.astype(np.float32), sizes, step)
    seen = np.array([histogram.nonzero >= LEAST_COUNT for histogram in found])
    for number in range(contexts.TABLES):
        family = number // contexts.CLASSES * contexts.CLASSES + np.arange(contexts.CLASSES)
        known = family[seen[family]]
        source = int(known[np.abs(known - number).argmin()])  # the nearest that was seen often
        table = fit.fit(found[source])
        print(f"    ({table.magnitude}, {table.zero}, {table.hazards}),")


def collect(found: list, values: np.ndarray, sizes: tuple, step: float) -> None:
    """Count the symbols of a sample at a step, by number of table."""
    channels = len(values)
    coder = FlatCoder(
        Linear(np.zeros(channels), None, "float32"), np.zeros(1), {}, step, 0, "float32"
    )
    means = np.abs(quantise(values, step, FLAT)).reshape(channels, -1).mean(axis=1)
    coder.step_scale = scale_of(step)
    coder.scales = (coder.step_scale + 2 * contexts.level_of(means)).reshape(-1, 1)
    known = coder.contexts(sizes, values.shape[-1])
    for number, _, symbols in coder.decided(by_place(values), known):
        found[number] = found[number] + fit.Histogram.of(np.abs(symbols))


if __name__ == "__main__":
    main()
