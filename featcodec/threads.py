"""One thread of BLAS while features are coded, whatever the process uses otherwise.

The products are small: more threads take longer, most of all on a busy machine, and cores are put
to better use by processes. The sums of two numbers of threads may also differ in their last bits.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType

import numpy as np

# How the libraries that NumPy is built with name their functions.
_NAMES = (
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
    ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
)
_lock = threading.Lock()
_depth = 0  # blocks that are being run, in all threads
_before = 1  # threads outside of them


_KERNELS = (
    *("scipy_openblas_get_corename64_", "scipy_openblas_get_corename"),
    *("openblas_get_corename64_", "openblas_get_corename"),
)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """Return NumPy's core with the libraries it needs, None where it is no library."""
    core = getattr(np, "_core", None) or np.core
    try:
        return ctypes.CDLL(core._multiarray_umath.__file__)
    except OSError:
        return None


def kernel() -> str:
    """Return the kernel that OpenBLAS runs, such as SkylakeX; empty for another library."""
    library = _library()
    for name in _KERNELS:
        if hasattr(library, name):
            found = getattr(library, name)
            found.restype = ctypes.c_char_p
            return bytes(found()).decode()
    return ""


@lru_cache(maxsize=1)
def _functions() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """Return what tells and what sets the number of threads; None for an unknown library."""
    library = _library()
    for get, put in _NAMES:
        if hasattr(library, get) and hasattr(library, put):
            return getattr(library, get), getattr(library, put)
    return None


class OneThread:
    """A block in which BLAS uses one thread; the number before is restored behind the last."""

    def __enter__(self) -> None:
        global _depth, _before
        functions = _functions()
        if functions is None:
            return
        with _lock:
            if _depth == 0:
                _before = functions[0]()
                if _before != 1:
                    functions[1](1)
            _depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _depth
        functions = _functions()
        if functions is None:
            return
        with _lock:
            _depth -= 1
            if _depth == 0 and _before != 1:
                functions[1](_before)


ONE_THREAD = OneThread()


def _forget() -> None:
    """Begin anew in a forked process: the threads that held the lock are not in it."""
    global _lock, _depth
    _lock, _depth = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
