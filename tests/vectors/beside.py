"""Vectors of sections that are not critical: profiles, and notes on the making (SPEC §3.1)."""

import io
from collections.abc import Iterator, Sequence

from featcodec.container.reader import Reader

from .edit import LaxWriter, rewrite
from .store import Vector, fault, sound, stored, valid

NOTE = b'{"featcodec":"1.0.0","snr":10}'


def beside(data: bytes, *sections: tuple[bytes, bytes]) -> bytes:
    """Write a file anew, with further sections behind its others."""
    source, out = Reader(io.BytesIO(data), "sound", kind=None), io.BytesIO()
    writer = LaxWriter(out, source.kind)
    for position, (kind, _) in enumerate(source.index.sections):
        writer.section(kind, source.section(position, kind))
    for kind, payload in sections:
        writer.section(kind, payload)
    index, known = writer.index, source.index
    index.profiles, index.tensors = known.profiles, known.tensors
    index.metadata, index.cuts = known.metadata, known.cuts
    writer.finish()
    return out.getvalue()


def made() -> Iterator[Vector]:
    maps, rows, least = (sound(name) for name in ("003-profile-cnn", "196-repeated-profile",
                                                  "104-network-least"))  # fmt: skip
    digits = (b"prof", stored("digits.fcp"))
    yield valid("330-embedded-profile", beside(maps, digits))
    yield valid("331-embedded-and-made", beside(rows, (b"made", NOTE), digits))
    yield valid("332-embedded-network", beside(least, (b"prof", stored("least.fcp"))))
    yield valid("333-made-lossless", beside(sound("010-lossless"), (b"made", b"")))
    for name, (reason, data) in faults(maps, digits).items():
        yield fault(name, reason, data)
    profile = beside(digits[1], (b"made", NOTE))
    yield fault("made-in-profile", "a note in a profile", rewrite(maps, profile=profile), profile)
    profile = beside(digits[1], (b"prof", stored("least.fcp")))
    needs = rewrite(maps, profile=profile)
    yield fault("embedded-in-profile", "a profile in a profile", needs, profile)


def faults(maps: bytes, digits: Sequence[bytes]) -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file)."""
    note, junk = (b"made", NOTE), b"no profile"
    lossless, qual = sound("010-lossless"), (b"qual", b"")
    return {
        "embedded-capitals": ("a critical type", beside(maps, (b"PROF", digits[1]))),
        "embedded-twice": ("a profile twice in the file", beside(maps, digits, digits)),
        "embedded-other": (
            "a profile that the file does not need",
            beside(maps, (b"prof", stored("least.fcp"))),
        ),
        "embedded-none-needed": ("a profile where none is needed", beside(lossless, digits)),
        "embedded-junk": (
            "a profile that is none",
            beside(rewrite(maps, profile=junk), (b"prof", junk)),
        ),
        "made-capitals": ("a critical type", beside(lossless, (b"MADE", NOTE))),
        "made-twice": ("two notes", beside(lossless, note, note)),
        "qual-twice": ("two sections of qualities", beside(lossless, qual, qual)),
        "made-not-text": ("a note that is not UTF-8", beside(lossless, (b"made", b"\xff"))),
    }
