"""Qualities by name: patterns as in shells, of which the first that matches a name holds."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InvalidInput
from .request import Quality

if TYPE_CHECKING:
    from .tensors import Source, Tensor  # with NumPy, which `encode --reproducible` is to choose

DROP, LOSSLESS = "drop", "lossless"
NUMBERS = {
    "snr": "snr",
    "max-error": "max_error",
    "row-snr": "row_snr",
    "task-snr": "task_snr",
}  # qualities that a tensor may have of its own
KNOWN = f"snr:DB, row-snr:DB, task-snr:DB, max-error:E, {LOSSLESS} or {DROP}"


def quality_of(text: object, where: str) -> Quality | None:
    """Return the quality that a text such as snr:30 stands for, None for `drop`.

    Raises InvalidInput, which names the rule as `where`.
    """
    if text == DROP:
        return None
    if text == LOSSLESS:
        return Quality(lossless=True)
    if isinstance(text, Mapping):
        raise InvalidInput(f'{where} has keys of its own; a name with a dot is quoted: "kv.0"')
    if not isinstance(text, str):
        raise InvalidInput(f"{where} must be a text, {KNOWN}, not {text!r}")
    name, _, number = text.partition(":")
    if name == "bpfp":
        raise InvalidInput(f"{where}: a rate is that of the whole file; here use {KNOWN}")
    try:
        asked: dict[str, Any] = {NUMBERS[name]: float(number)}
        return Quality.choose(**asked)
    except KeyError:
        raise InvalidInput(f"{where} must be {KNOWN}, not {text!r}") from None
    except ValueError:
        raise InvalidInput(f"{where}: {name} takes a positive number, not {number!r}") from None


class Rules:
    """What is asked of tensors whose names match patterns.

    >>> from featcodec.rules import Rules
    >>> rules = Rules({"*.mask": "lossless", "layers.*": "snr:30", "debug*": "drop"})
    >>> rules.of("layers.3.k").snr, rules.of("other"), rules.drops("debug_1")
    (30.0, None, True)
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        """`given` has what is asked by pattern: snr:DB, max-error:E, lossless or drop.

        Raises InvalidInput for anything else.
        """
        self._rules = [
            (pattern, quality_of(text, f"the quality of {pattern!r}"))
            for pattern, text in given.items()
        ]

    def of(self, name: str) -> Quality | None:
        """Return the quality asked for a tensor by its name, None when there is none."""
        return self._found(name)[1]

    def is_lossy(self, name: str) -> bool:
        """Return whether a quality with loss is asked for a tensor by its name."""
        quality = self.of(name)
        return quality is not None and not quality.lossless

    def drops(self, name: str) -> bool:
        """Return whether a tensor is to be left out."""
        pattern, quality = self._found(name)
        return pattern is not None and quality is None

    def kept(self, source: "Source") -> "Source":
        """Return a dump without the tensors that are to be left out."""
        tensors = [tensor for tensor in source.tensors if not self.drops(tensor.name)]
        return _Some(tensors, source.metadata, source.data_bytes)

    @property
    def qualities(self) -> list[Quality]:
        """Return all qualities that are asked for."""
        return [quality for _, quality in self._rules if quality is not None]

    def lossy_names(self) -> list[str]:
        """Return the names that are asked for as they are, not by a pattern, and with loss."""
        return [p for p, quality in self._rules if quality is not None and not quality.lossless]

    def unused(self, names: Sequence[str]) -> list[str]:
        """Return the patterns that match none of some names."""
        return [p for p, _ in self._rules if not any(fnmatchcase(name, p) for name in names)]

    def useless(self, floats: Mapping[str, bool]) -> list[str]:
        """Return the patterns with loss that match some tensors, and none of floats.

        `floats` says by name which tensors are.
        """
        unused = self.unused(list(floats))
        asked = [p for p in self.lossy_names() if p not in unused]
        return [p for p in asked if not any(is_ and fnmatchcase(n, p) for n, is_ in floats.items())]

    def _found(self, name: str) -> tuple[str | None, Quality | None]:
        return next((rule for rule in self._rules if fnmatchcase(name, rule[0])), (None, None))


@dataclass(frozen=True)
class _Some:
    """Some tensors of a dump."""

    tensors: "Sequence[Tensor]"
    metadata: dict[str, str] | None
    data_bytes: int


def load(path: str) -> dict[str, str]:
    """Return the rules of a TOML file by pattern, in the order in which they are looked up.

    `exact` and `drop` are lists of patterns, the table `quality` has what is asked by pattern.
    Raises InvalidInput, which names the key or the line.
    """
    try:
        read = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: it is no text; rules are TOML") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    known = ("exact", "drop", "quality")
    if unknown := [key for key in read if key not in known]:
        raise InvalidInput(f"{path}: unknown key {unknown[0]!r}; use {', '.join(known)}")
    rules: dict[str, str] = {}
    for key, value in read.items():
        for pattern, text in _pairs(path, key, value):
            quality_of(text, f"{path}: {key}.{pattern!r}")
            if pattern in rules:
                raise InvalidInput(f"{path}: {key}: {pattern!r} is given twice")
            rules[pattern] = text
    return rules


def _pairs(path: str, key: str, value: Any) -> Iterable[tuple[str, str]]:
    """Return patterns and what is asked of them, as a key of a file has them."""
    if key == "quality":
        if not isinstance(value, dict):
            raise InvalidInput(f"{path}: quality must be a table of patterns, not {value!r}")
        return value.items()
    if not isinstance(value, list) or not all(isinstance(pattern, str) for pattern in value):
        raise InvalidInput(f"{path}: {key} must be a list of patterns, not {value!r}")
    return [(pattern, LOSSLESS if key == "exact" else DROP) for pattern in value]
