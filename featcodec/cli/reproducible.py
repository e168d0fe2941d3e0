"""`--reproducible`: the same bytes on every x86-64 machine, by one kernel of BLAS for all.

Kernels add in different orders. Their last bits decide where a value lies on the edge of two
symbols, or two choices cost alike: nearly every file with loss comes out as other bytes, of the
same quality. The number of threads, NumPy's own levels and numba change nothing.
"""

import os

import click

VARIABLE = "OPENBLAS_CORETYPE"
KERNEL = "Nehalem"  # runs on every x86-64 processor since 2008, and in every OpenBLAS of NumPy


def pin() -> None:
    """Have OpenBLAS run that kernel, here and in child processes; NumPy must not be loaded yet.

    Raises UsageError where it does not: with another library, on another architecture.
    """
    asked = os.environ.setdefault(VARIABLE, KERNEL)
    if asked != KERNEL:
        raise click.UsageError(
            f"--reproducible takes {VARIABLE}={KERNEL}, and it is {asked}: unset it, or do without"
        )
    from ..threads import kernel

    if kernel() != KERNEL:
        runs = f"BLAS runs its kernel {kernel()}" if kernel() else "NumPy has another BLAS"
        raise click.UsageError(
            f"--reproducible takes an x86-64 machine and NumPy with OpenBLAS; here {runs}"
        )
