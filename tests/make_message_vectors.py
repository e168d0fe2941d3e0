"""Writes conformance vectors of messages (SPEC §9.1) not there yet.

Usage: python tests/make_message_vectors.py [FOLDER]

A valid one has the message (`in.msg`), the stored elements that it decodes to (`out.npy`) and their
type (`expect.json`); all are of the profile `digits.fcp`. Those without a number are of version 1,
which is written no more.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
from make_vectors import VECTORS, digits

from featcodec import Codec, Profile
from featcodec.arrays import to_stored
from featcodec.coding.message_head import EXCEPTIONS, SHIFTED, UNCLAMPED, Head
from featcodec.container.wire import Cursor


def sources() -> dict[str, np.ndarray]:
    """Return name -> array."""
    cnn, vit = digits("cnn", 2), digits("vit", 2)
    odd = cnn[:1].astype(np.float32)
    odd.flat[[5, 77, 700]] = np.nan, -np.inf, 60000
    return {
        "300-cnn": cnn,
        "301-vit": vit,
        "302-exceptions": odd,
        "303-unclamped": 3 * vit[:1].astype(np.float32),
        "304-shifted": 5000 * cnn[0].astype(np.float32),
        "305-double": cnn[:1].astype(np.float64),
        "306-bfloat16": vit[0].astype(ml_dtypes.bfloat16),
        "307-float8": cnn[:1].astype(ml_dtypes.float8_e4m3fn),
        "308-partial-blocks": np.tile(cnn[:1], (1, 1, 2, 2))[:, :, :5, :7],
        "310-exact": np.full((2, 17, 64), np.nan, np.float16),
        "311-scalar": np.array(2.5, np.float32),
        "312-empty": np.zeros((0, 64, 4, 4), np.float64),
    }


def faults(codec: Codec) -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, message)."""
    message = codec.encode(digits("cnn", 1))
    odd = codec.encode(sources()["302-exceptions"])
    exact = codec.encode(np.zeros((2, 3), np.float32))
    head, body = split(message)
    exact_head, exact_body = split(exact)

    def changed(**fields: object) -> bytes:
        return replace(head, **fields).pack() + body  # type: ignore[arg-type]

    def exactly(**fields: object) -> bytes:
        return replace(exact_head, **fields).pack() + exact_body  # type: ignore[arg-type]

    many = tuple(1 << 20 if axis == 0 else n for axis, n in enumerate(head.shape))
    return {
        "330-other-profile": ("made with another profile", changed(tag=b"\0\0")),
        "331-version": ("an unknown version of messages", changed(version=3)),
        "332-version-1": ("the seeds of version 1", changed(version=1, tag=b"")),
        "333-integers": ("the type is no floating one", changed(dtype="I32")),
        "334-other-type": ("the head is not the one coded", changed(dtype="BF16")),
        "335-other-shape": ("the head is not the one coded", changed(shape=(1, 64, 2, 8))),
        "336-other-step": ("the head is not the one coded", changed(code=head.code + 1)),
        "337-unclamped": ("the head is not the one coded", changed(flags=UNCLAMPED)),
        "338-shifted": ("the head is not the one coded", changed(flags=SHIFTED, shift=0)),
        "339-entry": ("no such entry of the profile", changed(entry=9)),
        "340-prefix-entry": ("an entry for prefix tokens", changed(entry=2)),
        "341-channels": ("other channels than the entry has", changed(shape=(1, 63, 4, 4))),
        "342-many-values": ("more values than 2^24", changed(shape=many)),
        "343-no-exceptions": ("symbols where exceptions should be", changed(flags=EXCEPTIONS)),
        "344-cut": ("words of the coder are missing", odd[:-4]),
        "345-trailing": ("bytes too many", message + b"\0\0\0\1"),
        "346-exact-other-type": ("the head is not the one coded", exactly(dtype="F8_E4M3")),
        "347-exact-other-shape": ("the head is not the one coded", exactly(shape=(3, 2))),
        "348-exact-many-values": ("more values than 2^24", exactly(shape=(1 << 40,))),
        "349-exact-trailing": ("bytes too many", exact + b"\0"),
        "350-exact-with-loss": ("bit for bit, but not said to be", exactly(flags=0, tag=head.tag)),
        "351-exact-shape": ("2^60 without the axis of length 0", exactly(shape=(0, 1 << 60))),
    }


def split(message: bytes) -> tuple[Head, bytes]:
    """Return the head of a message, and what follows."""
    cursor = Cursor(message)
    return Head.unpack(cursor), bytes(cursor.rest())


def main(folder: Path) -> None:
    codec = Codec(Profile.load(folder / "digits.fcp"), snr=10)
    for name, array in sources().items():
        target = folder / "messages" / name
        if target.exists():
            continue
        target.mkdir(parents=True)
        message = codec.encode(array)
        stored, dtype = to_stored(codec.decode(message))
        (target / "in.msg").write_bytes(message)
        np.save(target / "out.npy", stored)
        (target / "expect.json").write_text(json.dumps({"dtype": dtype}) + "\n")
    for name, (reason, message) in faults(codec).items():
        target = folder / "faulty-messages" / name
        if target.exists():
            continue
        target.mkdir(parents=True)
        (target / "in.msg").write_bytes(message)
        (target / "expect.json").write_text(json.dumps({"reason": reason}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else VECTORS)
