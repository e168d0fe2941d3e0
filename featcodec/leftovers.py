"""Temporary files: held by their process while it lives, so that what is left over can be told.

A lock on the open file says that it is in use. The system lets go of it with the process, however
that ends, and on other machines that share the folder, too.
"""

import contextlib
import itertools
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # not of POSIX: then nothing is known to be left over
    fcntl = None  # type: ignore[assignment]

PROCESS = secrets.token_hex(4)  # by which the temporary files of a process are known
NAME = re.compile(r"\.featcodec-[0-9a-f]{8}-\w+\.part")
SEEN = 10_000  # names of a folder that are looked at unasked

_swept: set[str] = set()  # folders, by this process


def temporary_name() -> str:
    """Return a name that no other file has, and that tells which process it is of."""
    return f".featcodec-{PROCESS}-{secrets.token_hex(4)}.part"


def hold(descriptor: int) -> None:
    """Keep others from taking an open file or folder for a leftover, while it is open."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file or folder while the block runs."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        hold(descriptor)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def alone(path: str | os.PathLike[str]) -> Iterator[None]:
    """Wait until no other process that asks for it changes a file; others wait meanwhile."""
    with contextlib.ExitStack() as stack:
        while fcntl is not None:
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError:
                break  # whoever opens it says why
            stack.callback(os.close, descriptor)
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):  # noqa: PTH116
                break  # else it was replaced meanwhile
        yield


def sweep(folder: Path) -> None:
    """Remove what processes of this user left in a folder; once is enough."""
    if fcntl is None or str(folder) in _swept:
        return
    _swept.add(str(folder))
    with contextlib.suppress(OSError):
        for left in leftovers(folder, SEEN):
            if left.lstat().st_uid == os.geteuid():
                remove(left)


def leftovers(folder: Path, most: int | None = None) -> Iterator[Path]:
    """Yield the temporary files and folders in a folder that no process holds any more.

    Of `most` names at most, whatever they are.
    """
    with os.scandir(folder) as found:
        for entry in itertools.islice(found, most):
            if NAME.fullmatch(entry.name) and not entry.is_symlink() and _is_free(entry.path):
                yield Path(entry.path)


def remove(left: Path) -> int | None:
    """Remove a temporary file or folder; return how many bytes it had, None where that fails."""
    try:
        found = left.lstat()
        if stat.S_ISDIR(found.st_mode):
            size = sum(path.lstat().st_size for path in left.iterdir())
            shutil.rmtree(left)
        else:
            size = found.st_size
            left.unlink()
        return size
    except OSError:
        return None


def _is_free(path: str) -> bool:
    """Return whether a file or folder is there that no process holds."""
    if fcntl is None:
        return False
    try:
        mode = Path(path).lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
