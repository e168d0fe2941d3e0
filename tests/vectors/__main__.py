"""Writes the vectors that are missing, in the order in which they need each other."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from . import by_hand, encoder, messages, profiles, trellis
from .store import VECTORS, Vector, valid, write


def main(folder: Path = VECTORS) -> None:
    for name, make in {**profiles.encoded(), **profiles.by_hand()}.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(make())
            print(f"wrote {name}")
    for vector in itertools.chain(encoded(folder), by_hand()):
        if write(vector, folder):
            print(f"wrote {vector.path}")


def encoded(folder: Path) -> Iterator[Vector]:
    """Yield those vectors of encoders that are missing."""

    def missing(path: str) -> bool:
        return not (folder / path).exists()

    for name, made in encoder.encoded().items():
        if missing(f"valid/{name}"):
            yield encoder.vector(name, made)
    for name, make in trellis.encoded().items():
        if missing(f"valid/{name}"):
            yield valid(name, make())
    for name, array in messages.encoded():
        if missing(f"messages/{name}"):
            yield messages.encode(name, array)


if __name__ == "__main__":
    main()
