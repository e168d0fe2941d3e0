"""A KLT across layers, then one of the channels of each, and a DCT over blocks (SPEC §6.10)."""

from dataclasses import dataclass

from ... import limits
from ...container.wire import Builder, Cursor
from ...errors import Corrupt
from ..mode import Fields, Mode

LAYERS = range(2, 257)


@dataclass(frozen=True)
class LayeredFields(Fields):
    """The KLT across layers, and for each mixed layer the one of its channels."""

    mixing: bytes  # packed integers, the reflectors of the KLT across layers
    reflectors: tuple[int, ...]  # of each mixed layer
    bases: tuple[bytes, ...]  # of each, in runs

    @property
    def layers(self) -> int:
        return len(self.reflectors)

    def pack(self, out: Builder) -> None:
        out.varint(self.layers)
        out.blob(self.mixing)
        out.varints(self.reflectors)
        for basis in self.bases:
            out.blob(basis)

    @classmethod
    def unpack(cls, cursor: Cursor) -> "LayeredFields":
        layers = cursor.varint()
        if layers not in LAYERS:
            raise Corrupt(f"a model has {layers} layers, not {LAYERS.start} to {LAYERS.stop - 1}")
        mixing, reflectors = cursor.blob(), tuple(cursor.varints(layers))
        return cls(mixing, reflectors, tuple(cursor.blob() for _ in range(layers)))

    def check(self, channels: int) -> None:
        if channels % self.layers:
            raise Corrupt(f"a model has {self.layers} layers for {channels} channels")
        each = channels // self.layers
        if max(self.reflectors) > each:
            raise Corrupt(
                f"a model has {max(self.reflectors)} reflectors for the {each} channels of a layer"
            )
        numbers = 2 * each * sum(self.reflectors)
        limits.check(numbers, limits.KLT_NUMBERS, "2 x reflectors x channels of KLTs of layers")


MODES = (Mode("layered", 5, fields=LayeredFields, trellis=True, of_layers=True),)
