"""BLAS uses one thread while features are coded, and as many as before afterwards."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import featcodec.numpy as fc
from featcodec import threads
from featcodec.threads import ONE_THREAD
from featcodec.transform import dct

functions = threads._functions()
needed = pytest.mark.skipif(functions is None, reason="no BLAS whose threads can be set")


@pytest.fixture
def four() -> Iterator[int]:
    """A process whose BLAS uses four threads."""
    assert functions is not None
    get, put = functions
    before = get()
    put(4)
    yield 4
    put(before)


@needed
def test_the_number_of_threads_is_one_inside_and_restored_behind(four: int) -> None:
    assert functions is not None
    get, _ = functions
    with ONE_THREAD:
        assert get() == 1
        with pytest.raises(KeyError), ONE_THREAD:
            raise KeyError
        assert get() == 1
    assert get() == four


@needed
def test_blocks_of_several_threads_restore_it_behind_the_last(four: int) -> None:
    assert functions is not None
    get, _ = functions
    first, second = threading.Event(), threading.Event()

    def other() -> None:
        with ONE_THREAD:
            first.set()
            second.wait()

    thread = threading.Thread(target=other)
    with ONE_THREAD:
        thread.start()
        first.wait()
    assert get() == 1
    second.set()
    thread.join()
    assert get() == four


@needed
def test_files_are_coded_with_one_thread(four: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert functions is not None
    get, _ = functions
    seen = set()
    along = dct._along_axes

    def watched(array: np.ndarray, sizes: tuple[int, ...], inverse: bool) -> np.ndarray:
        seen.add((get(), inverse))
        return along(array, sizes, inverse)

    monkeypatch.setattr(dct, "_along_axes", watched)
    values = np.random.default_rng(0).normal(size=(60, 16, 4, 4)).cumsum(axis=3)
    fc.load(fc.save({"x": values.astype(np.float32)}, {"layout": "NCHW"}, snr=15))
    assert seen == {(1, False), (1, True)}
    assert get() == four


CODE = """
import hashlib, sys
import numpy as np
import featcodec.numpy as fc
rng = np.random.default_rng(5)
x = (rng.normal(size=(16, 65, 96)) @ rng.normal(size=(96, 96))).astype(np.float32)
print(hashlib.sha256(fc.save({"x": x}, layout="NLD", snr=12)).hexdigest())
"""


@pytest.mark.long
def test_threads_of_the_process_change_no_byte() -> None:
    found = set()
    for number in "1", "2", "4":
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": number, "OMP_NUM_THREADS": number}
        command = [sys.executable, "-c", CODE]
        found.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(found) == 1
