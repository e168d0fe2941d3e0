"""What is asked of an encoder: a quality, and how the tensors are to be read."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .arguments import answers, instance, mapping, whole
from .errors import InvalidInput

DEFAULT_SNR = 20.0
NUMBERS = ("snr", "bpfp", "max_error", "row_snr", "task_snr")
FAMILIES = ("auto", "none", "context", "linear", "neural")  # of transforms


@answers
@dataclass(frozen=True)
class Quality:
    """Exactly one of six qualities of the floating tensors; the others are None or False.

    With `recommended` it gives way, where a profile recommends a task SNR for features.

    `snr` is in dB, of each group of tensors; `bpfp` is bits per feature point, every byte of the
    file counted; `max_error` is absolute, in the unit of the values; `lossless` is bit for bit;
    `row_snr` is in dB, of the squared error of each row over its squared norm, on the average;
    `task_snr` is in dB, of each group, in the metric of a task that a profile holds.

    >>> Quality(snr=10.0).max_error is None
    True
    """

    snr: float | None = None
    bpfp: float | None = None
    max_error: float | None = None
    lossless: bool = False
    row_snr: float | None = None
    task_snr: float | None = None
    recommended: bool = False

    def __post_init__(self) -> None:
        """Raise InvalidInput for none or more than one, and for a number that is not positive."""
        if self.lossless not in (True, False):
            raise InvalidInput(f"lossless must be True or False, not {self.lossless!r}")
        given = {name: getattr(self, name) for name in NUMBERS}
        asked = [name for name, value in given.items() if value is not None]
        asked += ["lossless"] * self.lossless
        if len(asked) > 1:
            raise InvalidInput(f"choose one quality, not {' and '.join(asked)}")
        if not asked:
            raise InvalidInput(f"choose a quality: {', '.join(NUMBERS)} or lossless=True")
        for name, value in given.items():
            if value is not None and not is_positive(value):
                raise InvalidInput(f"{name} must be a positive number, not {value!r}")

    @classmethod
    def choose(
        cls,
        snr: float | None = None,
        bpfp: float | None = None,
        max_error: float | None = None,
        lossless: bool = False,
        row_snr: float | None = None,
        task_snr: float | None = None,
        **unknown: object,
    ) -> "Quality":
        """Return the quality asked for; when none is, what a profile recommends, else 20 dB.

        Raises InvalidInput for more than one, and for a number that is not positive; TypeError for
        a name that is none: callers hand on the arguments of a user.

        >>> Quality.choose(bpfp=0.5).bpfp
        0.5
        >>> Quality.choose().snr
        20.0
        """
        numbers = {"snr": snr, "bpfp": bpfp, "max_error": max_error}
        numbers |= {"row_snr": row_snr, "task_snr": task_snr}
        if unknown:
            known = ", ".join((*numbers, "lossless"))
            raise TypeError(
                f"unknown argument {next(iter(unknown))!r}; a quality is one of {known}"
            )
        if not lossless and all(value is None for value in numbers.values()):
            return cls(snr=DEFAULT_SNR, recommended=True)
        return cls(snr, bpfp, max_error, lossless, row_snr, task_snr)

    def __repr__(self) -> str:
        """Return what is asked for, without the qualities that are not.

        >>> Quality(bpfp=0.5)
        Quality(bpfp=0.5)
        """
        given = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if value)
        return f"Quality({given})"

    @property
    def decibels(self) -> float | None:
        """The SNR asked for, of values or of rows; None without one."""
        return self.snr if self.row_snr is None else self.row_snr


def is_positive(value: object) -> bool:
    """Return whether something is a finite number above zero.

    >>> is_positive(0.5), is_positive("0.5"), is_positive(True), is_positive(float("nan"))
    (True, False, False, False)
    """
    try:
        return not isinstance(value, (str, bool)) and 0 < float(value) < math.inf  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


@dataclass(frozen=True)
class SampleSizes:
    """How many values of a group the encoder looks at before it codes all of them."""

    trial: int = 1 << 17  # on which all candidates are compared,
    final: int = 1 << 19  # on which the best are compared once more,
    fit: int = 1 << 20  # and on which the chosen one is fitted,
    whole: int = 3 << 20  # unless the group has no more than this: then on all of it


@dataclass(frozen=True)
class Search:
    """How an encoder looks for fewer bits; whatever it finds has the quality asked for."""

    samples: SampleSizes = field(default_factory=SampleSizes)
    thorough: bool = True  # quantise along trellises, and try the modes that take longest
    rounds: int = 12  # in which a first step is found, at most


EFFORTS = {
    "fast": Search(SampleSizes(final=1 << 17, whole=1 << 20), thorough=False, rounds=4),
    "best": Search(),
}


@dataclass(frozen=True)
class RowGroupSize:
    """How much of a group is coded, and decoded, at once; about 3 << 18 values where both are None.

    >>> RowGroupSize.parse("16")
    RowGroupSize(samples=16, bytes=None)
    >>> RowGroupSize.parse("64kB").bytes
    64000
    """

    samples: int | None = None  # of the longest tensors' leading N axes
    bytes: int | None = None  # decoded

    @classmethod
    def parse(cls, size: str | int) -> "RowGroupSize":
        """Read a number of samples, or one of bytes with B, kB, MB or GB behind it."""
        found = re.fullmatch(r"([1-9]\d{0,11})(|B|kB|MB|GB)", str(size))
        if found is None:
            raise InvalidInput(f"a row group of {size!r}: give samples, 16, or bytes, 64kB or 1MB")
        number, unit = int(found[1]), found[2]
        if not unit:
            return cls(samples=number)
        return cls(bytes=number * 1000 ** ("B", "kB", "MB", "GB").index(unit))


@answers
@dataclass(frozen=True)
class Options:
    """How the tensors are to be read, and what the encoder may try.

    `transform` is auto, none, context, linear or neural. `layouts` and `architectures` hold what
    `--layout` and `--architecture` take, by the name of a tensor, "" for all of them. `rules` has
    by pattern what is asked of tensors apart from the others: snr:DB, row-snr:DB, task-snr:DB,
    max-error:E, lossless or drop; of patterns that match a name the first holds. `effort` says how
    long to look for fewer bits, `row_group` how much of a group is coded at once. With `pool`,
    an SNR holds for all layers or heads of a tensor together, without for each. With `embed`, the
    file holds the profile that it needs; `note` is a text in it on how it was made. `jobs` is how
    many processes share the row groups of a large dump that lies in a file: what is written is the
    same for any number. A script then needs the usual `if __name__ == "__main__":`.

    >>> options = Options(layouts={"": "NCHW", "tokens": "NLD:1+8x8"})
    >>> options.transform
    'auto'
    """

    transform: str = "auto"
    layouts: Mapping[str, str] = field(default_factory=dict)
    architectures: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    effort: str = "best"
    pool: bool = False
    row_group: RowGroupSize = field(default_factory=RowGroupSize)
    embed: bool = False
    note: str = ""
    jobs: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.row_group, RowGroupSize):
            size = self.row_group
            raise InvalidInput(f"row_group={size!r}: write row_group=RowGroupSize.parse({size!r})")
        for name, such_as in (
            ("layouts", "{'features': 'NCHW'}"),
            ("architectures", "{'features': 'cnn'}"),
            ("rules", "{'kv.*': 'snr:30'}"),
        ):
            mapping(name, getattr(self, name), such_as)
        whole("jobs", self.jobs, 1)
        if self.effort not in EFFORTS:
            raise InvalidInput(f"effort {self.effort!r}: use one of {', '.join(EFFORTS)}")

    @property
    def search(self) -> Search:
        """What the effort stands for."""
        return EFFORTS[self.effort]


def check_asked(quality: object, options: object) -> None:
    """Raise InvalidInput for a quality and options that are neither such nor None."""
    instance("quality", quality, Quality, "Quality(snr=10)")
    instance("options", options, Options, "Options(layouts={'features': 'NCHW'})")
