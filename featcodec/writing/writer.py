"""`featcodec.Writer`: a file that is written as features are made."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ..access import profiles_of
from ..arrays import stored_of
from ..container.journal import JournalWriter
from ..errors import InvalidInput
from ..numpy import options_of
from ..request import Quality
from .growth import Growth
from .recovery import recover_file
from .wish import Wish


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
        transform: str = "auto",
        layout: Mapping[str, str] | str | None = None,
        rules: Mapping[str, str] | None = None,
        row_group: str | None = None,
        **quality: Any,
    ) -> None:
        """Begin a file.

        Args:
            path: Of the file.
            metadata, profile, transform, layout, rules, row_group, **quality: As for
                `featcodec.numpy.save`.

        Raises:
            InvalidInput: For more than one quality, and where PATH.part is there already.
        """
        profiles = profiles_of(profile)
        options = options_of(transform, layout, rules, row_group)
        wish = Wish(Quality.choose(**quality), profiles[0] if profiles else None, options, metadata)
        self.path = Path(path)
        if self.path.is_dir():
            raise InvalidInput(f"{path} is a directory; name a file")
        self._profiles = profiles
        part = Path(f"{os.fspath(path)}.part")
        self._growth = Growth(JournalWriter(part, wish.stated()), wish)
        self._closed = False

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
        self._growth.add({n: stored_of(x, f"tensor {n!r}") for n, x in tensors.items()})

    def flush(self) -> None:
        """Put all that was added where a killed process does not lose it; this is done by itself,
        too, every 64 MB or minute."""
        self._growth.flush()

    def close(self) -> None:
        """Complete the file, which takes its name now."""
        if self._closed:
            return
        self._closed = True
        part = self._growth.journal.path
        self._growth.flush()
        self._growth.journal.close()
        recover_file(part, self.path, profiles=self._profiles, overwrite=True)
        part.unlink()

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
        self._closed = True
        self._growth.flush()
        self._growth.journal.close()
        error.add_note(f"what was added before is in {self._growth.journal.path}")
