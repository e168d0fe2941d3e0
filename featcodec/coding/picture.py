"""Pictures: aligned values to symbols of a network, and back (SPEC §9.4, §9.5)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from .. import limits
from ..container.wire import Builder, Cursor
from ..entropy import family, integers
from ..entropy import symbols as coded_symbols
from ..entropy.tables import Table, bits, by_table
from ..errors import Corrupt, Damage, InvalidInput, damaged
from ..quantise.scalar import LAMBDA, dequantise, quantise, thresholds
from ..transform.neural.hyper_synthesis import LARGEST_HYPER, HyperSynthesis
from ..transform.neural.weights import Weights
from .model import unpack_tables

if TYPE_CHECKING:
    from ..transform.neural.network import TorchNetwork


class NeuralModel:
    """A network and its entropy tables, unpacked once for all row groups."""

    def __init__(self, weights: Weights, normalised: bool = True) -> None:
        """Raise Damage when the tables do not fit the network.

        `normalised`: the network was trained on values of mean 0 and deviation 1.
        """
        self.weights = weights
        self.normalised = normalised
        self.hyper_synthesis = HyperSynthesis(weights)
        packed, position = weights.arrays["hyper_tables"].tobytes(), 0
        self.hyper_tables: list[Table] = []
        for _ in range(weights.width):
            table, position = integers.unpack_table(packed, position)
            self.hyper_tables.append(table)
        if position != len(packed):
            width = weights.width
            raise Damage(f"it has hyper-tables behind those of its {width} hyper-latent channels")
        self.tables: Mapping[int, Table] = unpack_tables(weights.arrays["latent_tables"].tobytes())

    @classmethod
    def parse(cls, data: bytes, normalised: bool = True) -> "NeuralModel":
        return cls(Weights.parse(data), normalised)

    @cached_property
    def network(self) -> "TorchNetwork":
        """The part that needs torch; raises InvalidInput when torch is missing."""
        try:
            from ..transform.neural.network import TorchNetwork
        except ImportError:
            raise InvalidInput(
                "the neural transform needs torch: pip install 'featcodec[torch]'"
            ) from None
        return TorchNetwork(self.weights)

    def table(self, number: int) -> Table:
        return self.tables.get(number) or family.table(number)

    def size_of(
        self, shape: tuple[int, ...], check: Callable[[int, int, str], int] = limits.check
    ) -> tuple[int, int]:
        """Return the size of the latents of a picture (tokens, channels), within the limits."""
        weights = self.weights
        size = weights.reduced(shape[0]), weights.reduced(shape[1])
        latents = weights.latents * size[0] * size[1]
        check(latents, limits.PICTURE_LATENTS, "the number of latents of a picture")
        inner = weights.width * weights.reduced(shape[0], 1) * weights.reduced(shape[1], 1)
        check(inner, limits.PICTURE_INNER_VALUES, "the number of inner values of a picture")
        return size


@dataclass(frozen=True)
class NeuralSymbols:
    """Hyper-latents (width, h, w), latents (latents, h, w) and the table numbers of latents."""

    hyper: np.ndarray
    latents: np.ndarray
    numbers: np.ndarray

    def by_number(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (table number, flat positions, latents), numbers ascending."""
        flat = self.latents.reshape(-1)
        for number, where in by_table(self.numbers):
            yield number, where, flat[where]


@dataclass(frozen=True)
class NeuralCoder:
    """Codes pictures of tokens x channels at one step."""

    model: NeuralModel
    step: float
    seed: int = 0  # of the checksums

    @cached_property
    def gain(self) -> np.ndarray:
        return self.model.weights.gains("gain", self.step)

    @cached_property
    def inverse_gain(self) -> np.ndarray:
        return self.model.weights.gains("inverse_gain", self.step)

    def quantise(self, latents: np.ndarray) -> NeuralSymbols:
        """Return the symbols of latents (latents, h, w)."""
        scaled = latents * self.gain[:, None, None]
        hyper = np.rint(self.model.network.hyper_analysis(scaled))
        hyper = np.clip(hyper, -LARGEST_HYPER, LARGEST_HYPER).astype(np.int32)
        for channel, table in zip(hyper, self.model.hyper_tables, strict=True):
            if table.magnitude == 0:
                channel[...] = 0
        numbers = self.model.hyper_synthesis(hyper, latents.shape[1:])
        symbols = np.zeros(latents.shape, np.int32)
        flat, from_flat = symbols.reshape(-1), scaled.reshape(-1)
        for number, where in by_table(numbers):
            table = self.model.table(number)
            if table.magnitude:
                best = thresholds(bits(table), table.offsets, LAMBDA)
                flat[where] = quantise(from_flat[where], 1.0, best)
        return NeuralSymbols(hyper, symbols, numbers)

    def picture(self, symbols: NeuralSymbols, shape: tuple[int, ...]) -> np.ndarray:
        """Return the picture (tokens, channels) of symbols."""
        latents = np.zeros(symbols.latents.shape, np.float32)
        flat = latents.reshape(-1)
        for number, where, chosen in symbols.by_number():
            flat[where] = dequantise(chosen, 1.0, self.model.table(number).offsets, "float32")
        latents *= self.inverse_gain[:, None, None]
        picture = self.model.network.synthesis(latents, shape)
        if not np.isfinite(picture).all():
            raise Corrupt("a picture has values that are not finite")
        return picture

    def encode(self, picture: np.ndarray) -> tuple[bytes, np.ndarray]:
        """Return the bytes of a picture (tokens, channels), and the decoded picture.

        Raises InputTooLarge for a picture that no reader takes.
        """
        check = partial(limits.check_input, remedy="use another transform than neural")
        self.model.size_of(picture.shape, check)
        symbols = self.quantise(self.model.network.analysis(picture))
        return self.pack(symbols), self.picture(symbols, picture.shape)

    def pack(self, symbols: NeuralSymbols) -> bytes:
        out = Builder()
        pairs = list(zip(symbols.hyper, self.model.hyper_tables, strict=True))
        out.blob(coded_symbols.encode(pairs, self.seed))
        latents = [(found, self.model.table(n)) for n, _, found in symbols.by_number()]
        out.blob(coded_symbols.encode(latents, self.seed))
        return bytes(out)

    def decode(self, cursor: Cursor, shape: tuple[int, ...]) -> np.ndarray:
        """Return the picture (tokens, channels) from the bytes at the cursor."""
        return self.picture(self.unpack(cursor, shape), shape)

    def unpack(self, cursor: Cursor, shape: tuple[int, ...]) -> NeuralSymbols:
        """Return the symbols of a picture; exact, and without torch."""
        size = self.model.size_of(shape)
        small = tuple(-(-length // 4) for length in size)
        wanted = [(small[0] * small[1], table) for table in self.model.hyper_tables]
        with damaged("a row group"):
            flat = np.stack(coded_symbols.decode(cursor.blob(), wanted, self.seed))
            if np.abs(flat).max() > LARGEST_HYPER:
                raise Damage(f"a hyper-latent is above {LARGEST_HYPER} in magnitude")
            hyper = flat.reshape(-1, *small)
            numbers = self.model.hyper_synthesis(hyper, size)
            order = by_table(numbers)
            tables = [(len(where), self.model.table(number)) for number, where in order]
            latents = np.zeros(numbers.shape, np.int32)
            arrays = coded_symbols.decode(cursor.blob(), tables, self.seed)
            for (_, where), (_, table), found in zip(order, tables, arrays, strict=True):
                if table.magnitude:
                    latents.reshape(-1)[where] = found
        return NeuralSymbols(hyper, latents, numbers)
