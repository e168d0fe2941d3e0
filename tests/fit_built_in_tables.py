"""Prints tables fitted to the features of dumps, as `featcodec/entropy/family.py` holds them.

Usage: python tests/fit_built_in_tables.py DUMP...

The thresholds of the quantiser follow the tables there are, so this is one step of an iteration. A
number that no symbol but zero survives keeps the table it has: with each step the thresholds would
let still less through. The built-in tables are part of the format and are not to be changed.
"""

import sys

from featcodec.dumps import Dump
from featcodec.entropy import family
from featcodec.pipeline import training
from featcodec.pipeline.grouping import Options

if __name__ == "__main__":
    models: list = []
    learn = training.learn_tables
    training.learn_tables = lambda pairs: models.extend(pairs) or {}
    training.train((Dump(path) for path in sys.argv[1:]), Options())
    fitted = learn(models)
    for number in range(2, family.LAST + 1):
        t = fitted.get(number, family.BUILT_IN[number])
        print(f"    Table({t.magnitude}, 0, {t.zero}, 128, {t.hazards}, {t.first}, {t.further}),")
