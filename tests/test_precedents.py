"""What paid in groups alike is tried in the others."""

import numpy as np
import pytest

import featcodec.numpy as fc
from featcodec.encoding.precedents import ANOTHER, FIRST, LEVELS, Kind

LAYERS = 6


def test_an_attempt_is_made_in_the_first_groups_and_then_where_it_paid() -> None:
    kind = Kind()
    assert [kind.makes(ANOTHER) for _ in range(FIRST + 2)] == [True] * FIRST + [False] * 2
    assert kind.makes(LEVELS)  # of which nothing is known yet
    kind.paid.add(ANOTHER)
    assert kind.makes(ANOTHER)


@pytest.mark.long
def test_layers_take_about_what_each_takes_alone() -> None:
    rng = np.random.default_rng(0)
    dump = {}
    for i in range(LAYERS):
        tokens = np.cumsum(rng.normal(size=(400, 24)), axis=0) / 5
        dump[f"layer.{i}.key"] = np.float32(tokens @ rng.normal(size=(24, 48)) * (1 + i))
    together = len(fc.save(dump, snr=5))
    alone = sum(len(fc.save({name: x}, snr=5)) for name, x in dump.items())
    assert together < 1.01 * alone
