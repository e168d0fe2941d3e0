"""`featcodec.Writer`: a file that is written as features are made."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ..arguments import a_kind, known
from ..arrays import by_name, stored_of
from ..coding.profile import profile_of
from ..errors import FeatcodecError, InvalidInput
from ..numpy import TAKEN, options_of
from ..outputs import refuse_folder, refuse_foreign_name
from ..request import Quality
from ..stores import is_uri
from ..warned import warn
from .apart import Apart
from .growth import Growth
from .kinds import Kinds
from .recovery import has_flushed, recover_file
from .wish import Wish

# What `featcodec.numpy.save` takes without being told.
USUAL = {"transform": "auto", "layout": None, "rules": None, "row_group": None, "effort": "best"}


class Writer:
    """Writes a file as features are made; use it in a `with` block.

    Row groups are coded as they fill, by models of the first megabytes or of a profile. Until it is
    closed what is flushed lies in PATH.part, of which `featcodec recover` makes a file when the
    process was killed. A file of that name is replaced at the end.

    >>> import numpy as np
    >>> from featcodec import Writer
    >>> from featcodec.numpy import load_file
    >>> rng = np.random.default_rng(0)
    >>> with Writer("grown.fcz", snr=10, metadata={"layout": "NLD"}) as writer:
    ...     for _ in range(4):
    ...         batch = rng.normal(size=(8, 17, 64)).astype(np.float32)
    ...         writer.add({"features": batch, "labels": np.arange(8)})
    >>> load_file("grown.fcz")["features"].shape
    (32, 17, 64)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        metadata: dict[str, str] | None = None,
        *,
        profile: Any = None,
        jobs: int = 0,
        **asked: Any,
    ) -> None:
        """Begin a file.

        Args:
            path: Of the file.
            metadata, profile: As for `featcodec.numpy.save`.
            jobs: 1 codes in a process of its own, so that `add` does not wait for it.
            **asked: What else `save` takes: transform, layout, rules, row_group, effort and a
                quality.

        Raises:
            InvalidInput: For more than one quality, and where PATH.part is there already.
        """
        profile = profile_of(profile)
        known("Writer", asked, (*TAKEN, "jobs"))
        given = {name: asked.pop(name, usual) for name, usual in USUAL.items()}
        options = options_of(**given)
        wish = Wish(Quality.choose(**asked), profile, options, metadata)
        if is_uri(path):
            raise InvalidInput(f"{path}: it needs a folder of this machine; copy the file then")
        if not isinstance(path, (str, os.PathLike)):
            raise InvalidInput(f"{a_kind(path)} is no path; give that of the file to write")
        refuse_folder(path)
        refuse_foreign_name(path)
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise InvalidInput(f"{path}: there is no folder {self.path.parent}; make it first")
        self._profile = profile
        if jobs not in (0, 1):
            raise InvalidInput(f"jobs={jobs}: one process codes a file; give 0 or 1")
        self._part = Path(f"{os.fspath(path)}.part")
        self._kinds, self._options = Kinds(options.rules), options
        self._growth = Apart(self._part, wish) if jobs else Growth(self._part, wish)
        self._closed = False

    def __repr__(self) -> str:
        return f"<Writer {self.path}, {'closed' if self._closed else 'open'}>"

    def add(self, tensors: Mapping[str, Any]) -> None:
        """Append samples along the leading axis of tensors, or add new ones by their names.

        Args:
            tensors: NumPy arrays or torch tensors by name. What was added by a name before must
                agree in type and further axes.

        Raises:
            InvalidInput: For what does not fit; nothing is added then.
            Unreachable: For a quality that cannot be met.
        """
        if self._closed:
            raise InvalidInput(f"{self.path} is closed")
        given = by_name(tensors).items()
        stored = {name: stored_of(array, f"tensor {name!r}") for name, array in given}
        self._growth.add(self._kinds.checked(stored))

    def flush(self) -> None:
        """Put all that was added where it is not lost when the process is killed.

        By itself that is done every 64 MB or minute.
        """
        self._growth.flush()

    def close(self) -> None:
        """Complete the file, which takes its name now.

        A layout or a rule that no tensor took is ignored, with a UserWarning.
        """
        if self._closed:
            return
        self._closed = True
        self._growth.end()
        recover_file(self._part, self.path, profile=self._profile, overwrite=True)
        self._part.unlink()
        warn(self._kinds.idle(self._options))

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(FeatcodecError, OSError):  # there is an error already
            self._growth.end()
        if self._kinds.known and has_flushed(self._part):
            kept = "has what was flushed; featcodec recover makes a file of it"
            error.add_note(f"{self._part} {kept}")
        else:
            self._part.unlink(missing_ok=True)
