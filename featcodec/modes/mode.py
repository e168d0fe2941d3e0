"""What the format knows of a mode: its code, its version and its fields."""

from dataclasses import dataclass

from ..container.wire import Builder, Cursor


@dataclass(frozen=True)
class Fields:
    """The fields of a mode in a model, behind the sizes; most modes have none."""

    @property
    def for_task(self) -> str | None:
        """The task whose metric a model has; None without one."""
        return None

    @property
    def recommends(self) -> float:
        """The task SNR in dB that keeps that task, of a model with its metric; 0 when unknown."""
        return 0.0

    @property
    def klts(self) -> int:
        """The number of KLTs in the basis."""
        return 1

    def pack(self, out: Builder) -> None:
        """Write the fields."""

    @classmethod
    def unpack(cls, cursor: Cursor) -> "Fields":
        """Read the fields; raise Corrupt when one breaks a rule."""
        return cls()

    def check(self, channels: int) -> None:
        """Raise LimitExceeded when the fields would unpack to too much."""


@dataclass(frozen=True)
class Mode:
    """A way to code a token grid; the format calls it a transform."""

    name: str
    code: int
    folder: str = ""  # of its coder and its search, when it differs from the name
    fields: type[Fields] = Fields
    since: int = 0  # minor version of the format, which added it
    in_profiles: bool = False  # whether a profile may hold its models
    trellis: bool = False  # whether dependent quantisation is allowed
    of_task: bool = False  # whether the error of latents is that of a task, not of values
    of_layers: bool = False  # whether it has a KLT across layers
    low_rank: bool = False  # a KLT is the product of two matrices, as wide as it has reflectors

    @property
    def module(self) -> str:
        return f"{__package__}.{self.folder or self.name}"
