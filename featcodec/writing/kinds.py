"""What tensors have to have in common with those that were added by their names before."""

from collections.abc import Mapping

from .. import limits
from ..arrays import shape_of
from ..container.dump import check_dump, quoted
from ..errors import InvalidInput
from ..idle import idle
from ..request import Options
from ..rules import Rules
from ..tensors import Tensor
from .chunk import Stored


class Kinds:
    """Types and further axes of tensors by name."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = Rules(rules)
        self.known: dict[str, tuple[str, tuple[int, ...]]] = {}  # type and shape
        self.dropped: set[str] = set()

    def checked(self, tensors: Mapping[str, Stored]) -> dict[str, Stored]:
        """Return the tensors that no rule drops; raise InvalidInput unless all can be added."""
        kept = {name: one for name, one in tensors.items() if not self._rules.drops(name)}
        self.dropped |= tensors.keys() - kept.keys()
        found = {name: (dtype, shape_of(one, dtype)) for name, (one, dtype) in kept.items()}
        for name, (dtype, shape) in found.items():
            limits.check_rank(shape, f"tensor {quoted(name)}")
            if name in self.known:
                self._check(name, dtype, shape)
        new = {name: one for name, one in found.items() if name not in self.known}
        check_dump(None, _tensors(new))
        self.known |= found
        return kept

    def idle(self, options: Options) -> list[str]:
        """Return what is to be said of options that served no tensor."""
        return idle(_tensors(self.known), options, self.dropped)

    def _check(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        before, known = self.known[name]
        if not known:
            raise InvalidInput(f"tensor {quoted(name)} is a scalar, and is there already")
        if dtype != before or len(shape) != len(known) or shape[1:] != known[1:]:
            rows = ", ".join(map(str, ("*", *known[1:])))
            ways = (
                ("convert", dtype != before),
                ("reshape", len(shape) != len(known)),
                ("pad", True),
            )
            instead = next(way for way, serves in ways if serves)
            raise InvalidInput(
                f"tensor {quoted(name)} is {before} of shape [{rows}]; what is added to it is"
                f" {dtype} of shape {list(shape)}: {instead} it, or add it by a name of its own"
            )


def _tensors(kinds: Mapping[str, tuple[str, tuple[int, ...]]]) -> list[Tensor]:
    return [Tensor(name, *kind, lambda: None) for name, kind in kinds.items()]
