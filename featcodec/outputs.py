"""Outputs that take their names only when they are complete, and what must never be replaced."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath
from typing import BinaryIO, cast

from . import stores
from .errors import InvalidInput
from .file_object import no_file
from .formats import DUMP_SUFFIXES, PACKED_SUFFIXES
from .leftovers import PROCESS as PROCESS
from .leftovers import hold, sweep
from .leftovers import temporary_name as temporary_name

Target = str | os.PathLike[str] | BinaryIO
SEPARATORS = tuple(one for one in (os.sep, os.altsep) if one)
LINKS = 40  # followed at most, as systems do
MODE = 0o777  # what a file passes on to the one that replaces it


def abandoned(process: str, target: str | os.PathLike[str]) -> None:
    """Remove what a process that is no more left of an output."""
    for folder in (Path(os.path.realpath(target)).parent, Path(tempfile.gettempdir())):
        for left in folder.glob(f".featcodec-{process}-*.part"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def descriptor(path: str | os.PathLike[str]) -> int | None:
    """Return the number of the open file that a path such as /dev/stdout stands for."""
    here = Path(path)
    for _ in range(LINKS):
        folder = os.path.realpath(here.parent)
        if folder in ("/dev/fd", f"/proc/{os.getpid()}/fd") and here.name.isdecimal():
            return int(here.name)
        try:
            here = folder / here.readlink()
        except (OSError, ValueError):
            return None
    return None


def identity(path: str | os.PathLike[str]) -> object:
    """Return what two paths have in common when they are one file; None for a device."""
    number = descriptor(path)
    try:
        found = Path(path).stat() if number is None else os.fstat(number)
    except (OSError, ValueError):
        return os.path.realpath(path)
    if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        return None
    return found.st_dev, found.st_ino


def exists(target: str) -> bool:
    """Return whether an output, a path or a URI, is there."""
    return stores.exists(target) if stores.is_uri(target) else Path(target).exists()


def changed(path: str) -> float | None:
    """Return when a file, of a path or a URI, was written last, in seconds; None where none tells.

    Those of one system compare, those of two as far as their clocks agree.
    """
    if stores.is_uri(path):
        return stores.changed(path)
    try:
        return Path(path).stat().st_mtime_ns / 1e9
    except (OSError, ValueError):
        return None


def within(folder: str, name: str) -> str:
    """Return the output of a name in a folder, a path or a URI."""
    return f"{folder.rstrip('/')}/{name}" if stores.is_uri(folder) else str(Path(folder) / name)


def refuse_input(source: Target, target: Target) -> None:
    """Raise InvalidInput when an output would replace its input."""
    if isinstance(source, (str, os.PathLike)) and isinstance(target, (str, os.PathLike)):
        one = identity(source)
        same = one is not None and one == identity(target)
    else:
        same = source is target
    if same:
        raise InvalidInput(f"{target} is the input itself; name another output")


def refuse_folder(path: str | os.PathLike[str]) -> None:
    """Raise InvalidInput for an output that names no file: an empty path, or a folder.

    >>> refuse_folder("packed/")
    Traceback (most recent call last):
    featcodec.errors.InvalidInput: packed/ is a directory; name a file in it
    """
    if not os.fspath(path):
        raise InvalidInput("the path of the output is empty")
    if names_folder(path):
        raise InvalidInput(f"{path} is a directory; name a file in it")


def refuse_foreign_name(path: Target, what: str = "a featcodec file", suffix: str = ".fcz") -> None:
    """Raise InvalidInput for an output that is called like a file of another kind.

    >>> refuse_foreign_name("feats.safetensors")
    Traceback (most recent call last):
    featcodec.errors.InvalidInput: feats.safetensors has the suffix of a dump, and is to be a
    featcodec file; call it .fcz
    """
    if not isinstance(path, (str, os.PathLike)):
        return
    kinds = {**dict.fromkeys(DUMP_SUFFIXES, "a dump"), **PACKED_SUFFIXES}
    kind = kinds.get(PurePath(os.fspath(path).lower()).suffix)
    if kind is not None and kind != PACKED_SUFFIXES[suffix]:
        raise InvalidInput(
            f"{path} has the suffix of {kind}, and is to be {what}; call it {suffix}"
        )


def refuse_packed_name(path: Target) -> None:
    """Raise InvalidInput for an output that is a dump, and called like what was made of one."""
    if not isinstance(path, (str, os.PathLike)):
        return
    kind = PACKED_SUFFIXES.get(PurePath(os.fspath(path).lower()).suffix)
    if kind is not None:
        raise InvalidInput(
            f"{path} has the suffix of {kind}, and is to be a dump; call it .safetensors, .npz,"
            " .npy or .pt"
        )


def names_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a folder, or can be none of a file by its slash."""
    return os.fspath(path).endswith(SEPARATORS) or Path(path).is_dir()


def refuse_read_only(path: str | os.PathLike[str]) -> None:
    """Raise the OSError of a file that may not be written, which a rename would not mind."""
    os.close(os.open(path, os.O_WRONLY))


@contextlib.contextmanager
def complete(path: Target, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file that takes its name only when the block ends well; else nothing is left.

    A file that is replaced passes on its mode and, where that is permitted, its owner; other hard
    links to it keep what it held. Without `overwrite` a file that appears meanwhile is kept, too. A
    URI, or an open file, is given all of it at the end.
    """
    if not isinstance(path, (str, os.PathLike)) or stores.is_uri(path):
        with _elsewhere(path, overwrite) as out:
            yield out
        return
    refuse_folder(path)
    number = descriptor(path)
    target = Path(os.path.realpath(path))  # what a link points to is written, not the link
    # What is open already, a pipe or a device is written to and never replaced.
    through = number is not None or (Path(path).exists() and not Path(path).is_file())
    before = target.stat() if target.exists() and not through else None
    if before and not overwrite:
        raise InvalidInput(f"{path} exists; use overwrite=True to overwrite it")
    folder = Path(tempfile.gettempdir()) if through else target.parent
    if not folder.exists():
        raise InvalidInput(f"{path}: there is no folder {folder}; make it first")
    sweep(folder)
    mode = 0o600 if through else before.st_mode & MODE if before else 0o666
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(_removed(folder / temporary_name()))
        try:
            out = _held(temporary, mode, stack)
            with out:
                yield out
                if through:
                    _copy(out, path if number is None else os.dup(number))
            if before:
                _pass_on(before, temporary)
            if not through:
                _rename(temporary, target, overwrite)
        except OSError as error:
            about = None if error.filename is None else str(error.filename)
            if about not in (None, str(path), str(temporary)):
                raise  # it is about another file
            raise InvalidInput(f"{path}: {error.strerror or error}") from None


def spare(folder: Path | None, path: object) -> BinaryIO:
    """Open a file without a name for what comes on the way to an output.

    It lies in a folder, or where temporary files do. Raises InvalidInput, which names the output.
    """
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from None


@contextlib.contextmanager
def _removed(temporary: Path) -> Iterator[Path]:
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):  # what went wrong before says more
            temporary.unlink(missing_ok=True)


def _held(temporary: Path, mode: int, stack: contextlib.ExitStack) -> BinaryIO:
    """Make a temporary file that is held until a stack is left, even when it is closed before."""
    while True:
        out = open(temporary, "x+b", opener=partial(os.open, mode=mode))  # noqa: SIM115
        if os.name != "posix":  # open files cannot be renamed there
            return out
        holder = os.dup(out.fileno())
        stack.callback(os.close, holder)
        hold(holder)
        if temporary.exists():  # else it was swept before it was held
            return out
        out.close()


def _rename(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give a file its name; raise InvalidInput where there is one of it that must not go."""
    if overwrite:
        temporary.replace(target)
        return
    try:
        target.hardlink_to(temporary)  # which fails when the name is taken, and never replaces
    except FileExistsError:
        raise InvalidInput(f"{target} exists; use overwrite=True to overwrite it") from None
    except (OSError, NotImplementedError):  # a file system without links
        temporary.replace(target)


@contextlib.contextmanager
def _elsewhere(target: Target, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a temporary file that goes to a URI or an open file when the block ends well."""
    named = isinstance(target, (str, os.PathLike))
    if not named and not hasattr(target, "write"):
        raise no_file(target)
    if named and str(target).lower().startswith(("http://", "https://")):
        raise InvalidInput(f"{target}: web servers are read and not written; name another output")
    if named and not overwrite and stores.exists(str(target)):
        raise InvalidInput(f"{target} exists; use overwrite=True to overwrite it")
    folder = Path(tempfile.gettempdir())
    sweep(folder)
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(_removed(folder / temporary_name()))
        with _held(temporary, 0o600, stack) as out:
            yield out
            out.flush()
            if isinstance(target, (str, os.PathLike)):
                stores.upload(temporary, str(target))
            else:
                out.seek(0)
                shutil.copyfileobj(out, target)


def _copy(out: BinaryIO, to: str | os.PathLike[str] | int) -> None:
    with open(to, "wb") as open_already:  # noqa: PTH123 - a path or a descriptor
        out.seek(0)
        shutil.copyfileobj(out, open_already)


def _pass_on(before: os.stat_result, path: Path) -> None:
    """Give a file the mode of another one and, where that is permitted, its owner or group."""
    for owner in (before.st_uid, -1):
        with contextlib.suppress(OSError, AttributeError):
            os.chown(path, owner, before.st_gid)
            break
    path.chmod(before.st_mode & MODE)
