"""Every error raised on purpose; the command line turns each into one line and a status."""

from errno import ENOENT


class FeatcodecError(Exception):
    """Base class. `exit_status` is what the command line exits with."""

    exit_status = 1


class InvalidInput(FeatcodecError, ValueError):
    """An argument or an input tensor that cannot be used as asked."""


class NoSuchFile(InvalidInput, FileNotFoundError):
    """A file that is to be read and is not there."""

    errno = ENOENT


class InputTooLarge(InvalidInput):
    """An input with more of something than the format holds, see `featcodec.limits`."""


class Unreachable(FeatcodecError, ValueError):
    """The wanted quality cannot be met on this input."""


class VerificationFailed(FeatcodecError):
    """What was written is not what it is to be."""


class InvalidStream(FeatcodecError):
    """The bytes are not a stream this version can decode exactly."""

    exit_status = 3


class NotFeatcodec(InvalidStream):
    """The magic number is missing: some other kind of file."""


class Truncated(InvalidStream):
    """The stream ends before its end marker."""


class Corrupt(InvalidStream):
    """A checksum, a reserved bit or an invariant of the format does not hold."""


class Unsupported(InvalidStream):
    """A format version or a critical feature that this version does not know."""


class LimitExceeded(InvalidStream):
    """A size beyond `featcodec.limits`, refused before memory is allocated for it."""


class Damage(ValueError):
    """What a stage meets in damaged bytes; `damaged` says what they are and makes it Corrupt."""


class damaged:  # noqa: N801 - reads as a statement
    """Turns the Damage that a stage raises into Corrupt.

    >>> with damaged("a row group"):
    ...     raise Damage("a number that does not end")
    Traceback (most recent call last):
    featcodec.errors.Corrupt: a row group is damaged: a number that does not end
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Damage):
            raise Corrupt(f"{self.what} is damaged: {error}") from None


class naming:  # noqa: N801 - reads as a statement
    """Puts the name of a file before what is said of its bytes, unless it is said already.

    >>> with naming("x.fcz"):
    ...     raise Corrupt("the section at byte 16 fails its checksum")
    Traceback (most recent call last):
    featcodec.errors.Corrupt: x.fcz: the section at byte 16 fails its checksum
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        named = str(error).startswith((f"{self.name} ", f"{self.name}:"))
        if isinstance(error, InvalidStream) and not named:
            raise type(error)(f"{self.name}: {error}") from None


class ProfileMissing(FeatcodecError):
    """The stream needs a profile that was not given, or another one than was given."""

    exit_status = 4


def first_line(error: Exception, most: int = 200) -> str:
    """Return what an error of another library says, as a part of one line of ours.

    It may name what it found in a file: thousands of bytes of it.
    """
    said = str(error).strip().partition("\n")[0].rstrip(".")
    return said if len(said) <= most else f"{said[:most]}..."
