"""Prints tables fitted to features, as `entropy/family.py` and `dependent_family.py` hold them.

Usage: python tests/benchmarks/fit_built_in_tables.py DUMP...

The thresholds of the quantiser follow the tables there are, so this is one step of an iteration. A
number that no symbol but zero survives keeps the table it has: with each step the thresholds would
let still less through. The built-in tables are part of the format and are not to be changed.
"""

import sys

from featcodec.dumps import Dump
from featcodec.entropy import dependent_family, family
from featcodec.request import Options
from featcodec.training import linear as training

if __name__ == "__main__":
    models: list = []
    learn = training.learn_tables
    training.learn_tables = lambda pairs: models.extend(pairs) or {}
    training.train((Dump(path) for path in sys.argv[1:]), Options())
    fitted = learn(models)
    kinds = [(family, list(range(2, family.LAST + 1)))]
    for q in (0, 1):
        scalar = range(dependent_family.LEAST, family.LAST + 1)
        kinds.append((dependent_family, [dependent_family.number(n, q) for n in scalar]))
    for kind, numbers in kinds:
        print(kind.__name__)
        for number in numbers:
            t = fitted.get(number, kind.table(number))
            print(
                f"    Table({t.magnitude}, 0, {t.zero}, 128, {t.hazards}, {t.first}, {t.further}),"
            )
