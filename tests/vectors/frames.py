"""Faults of the frame (SPEC §2, §3): signature, sections, checksums, and what a group may be."""

from collections.abc import Iterator

from featcodec.container.sections import SECTION, SIGNATURE_BYTES

from .edit import flipped, lossy, rewrite, signed, with_byte, with_model
from .store import Vector, fault, sound

ROWS, GRUP = 0, 3  # sections of the file that they are made from


def made() -> Iterator[Vector]:
    data = sound("001-cnn-map")
    cases = {
        "empty": ("an empty file", b""),
        "not-featcodec": ("another magic number", b"PK\x03\x04" + data[4:]),
        "text-mode": ("CR LF became LF", data.replace(b"\r\n", b"\n", 1)),
        "draft": ("major version 6, a draft", signed(data, 6)),
        "future-version": ("major version 8", signed(data, 8)),
        "unknown-kind": ("kind 7", signed(data, 7, 7)),
        "truncated": ("the last byte is missing", data[:-1]),
        "truncated-index": ("END and half of INDX are missing", data[:-60]),
        "appended": ("a byte too many at the end", data + b"\0"),
        "flipped-symbol": (
            "a flipped bit in ROWS",
            flipped(data, SIGNATURE_BYTES + SECTION.size + 40),
        ),
        "flipped-length": (
            "a flipped bit in a section's length",
            flipped(data, SIGNATURE_BYTES + 5),
        ),
        "wrong-symbols": ("resealed damage to words", with_byte(data, ROWS, SECTION.size + 60, 77)),
        "wrong-type": ("a ROWS section called XXXX", with_byte(data, ROWS, 0, ord("X"))),
        "group-dtype": (
            "a group of another type than its tensors",
            with_byte(data, GRUP, SECTION.size + 1, 12),
        ),
        "group-coding": ("a coding of 3", with_byte(data, GRUP, SECTION.size, 3)),
        "varint-65-bits": (
            "a varint of 2^65",
            rewrite(sound("006-no-transform"), lossy(step_scale=1 << 64)),
        ),
        "prefix-blocks": (
            "prefix tokens with blocks of two",
            rewrite(sound("203-shapes-by-hand"), with_model(block=(2,))),
        ),
    }
    for name, (reason, faulty) in cases.items():
        yield fault(name, reason, faulty)
