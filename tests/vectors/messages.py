"""Messages (SPEC §9.1): those that an encoder makes, and faulty ones.

A valid one has the message (`in.msg`), the stored elements that it decodes to (`out.npy`) and their
type (`expect.json`). It is of the profile that `profile_of` names.
"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np

from featcodec import Codec, Profile
from featcodec.arrays import to_stored
from featcodec.coding.message_head import DEPENDENT, EXCEPTIONS, LOSSLESS, SHIFTED, UNCLAMPED, Head
from featcodec.container.wire import Cursor

from .features import digits
from .store import VECTORS, Vector, as_json, stored


def encoded() -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) of valid messages."""
    import ml_dtypes

    cnn, vit = digits("cnn", 2), digits("vit", 2)
    odd = cnn[:1].astype(np.float32)
    odd.flat[[5, 77, 700]] = np.nan, -np.inf, 60000
    yield "300-cnn", cnn
    yield "301-vit", vit
    yield "302-exceptions", odd
    yield "303-unclamped", 3 * vit[:1].astype(np.float32)
    yield "304-shifted", 5000 * cnn[0].astype(np.float32)
    yield "305-double", cnn[:1].astype(np.float64)
    yield "306-bfloat16", vit[0].astype(ml_dtypes.bfloat16)
    yield "307-float8", cnn[:1].astype(ml_dtypes.float8_e4m3fn)
    yield "308-partial-blocks", np.tile(cnn[:1], (1, 1, 2, 2))[:, :, :5, :7]
    yield "310-exact", np.full((2, 17, 64), np.nan, np.float16)
    yield "311-scalar", np.array(2.5, np.float32)
    yield "312-empty", np.zeros((0, 64, 4, 4), np.float64)
    yield "313-cnn-alone", cnn[:1]
    yield "314-zeros", np.zeros((2, 3), np.float32)
    yield "315-trellis-cnn", cnn
    yield "316-trellis-vit", vit
    yield "317-trellis-exceptions", odd
    relu = np.maximum(digits("cnn", 12).astype(np.float32) - 0.5, 0)
    yield "318-relu", relu[:2]
    yield "319-relu-trellis", relu
    yield "320-relu-partial-blocks", np.tile(relu[:1], (1, 1, 2, 2))[:, :, :5, :7]
    yield "321-relu-shifted", 50 * relu[0]
    yield "322-relu-unclamped", np.where(relu[:2] == 0, -0.25, relu[:2]).astype(np.float64)


def profile_of(name: str) -> str:
    """Return the name below VECTORS of the profile of a message."""
    return "relu.fcp" if "relu" in name else "digits.fcp"


def encode(name: str, array: np.ndarray) -> Vector:
    """Return a message as the encoder makes it today, with what it decodes to."""
    snr, effort = (20, "best") if "trellis" in name else (10, "fast")
    codec = Codec(Profile.load(VECTORS / profile_of(name)), snr=snr, effort=effort)
    message = codec.encode(array)
    elements, dtype = to_stored(codec.decode(message))
    out = BytesIO()
    np.save(out, elements)
    files = {"in.msg": message, "out.npy": out.getvalue(), "expect.json": as_json(dtype=dtype)}
    return Vector(f"messages/{name}", files)


def made() -> Iterator[Vector]:
    names = "313-cnn-alone", "302-exceptions", "314-zeros"
    message, odd, exact = (stored(f"messages/{name}/in.msg") for name in names)
    for name, (reason, data) in faults(message, odd, exact).items():
        files = {"in.msg": data, "expect.json": as_json(reason=reason)}
        yield Vector(f"faulty-messages/{name}", files)


def faults(message: bytes, odd: bytes, exact: bytes) -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, message)."""
    head, body = split(message)
    exact_head, exact_body = split(exact)

    def changed(**fields: object) -> bytes:
        return replace(head, **fields).pack() + body  # type: ignore[arg-type]

    def exactly(**fields: object) -> bytes:
        return replace(exact_head, **fields).pack() + exact_body  # type: ignore[arg-type]

    many = tuple(1 << 20 if axis == 0 else n for axis, n in enumerate(head.shape))
    return {
        "330-other-profile": ("made with another profile", changed(tag=b"\0\0")),
        "331-version": ("an unknown version of messages", bytes([message[0] + 32]) + message[1:]),
        "332-draft": ("a draft", bytes([message[0] - 32]) + message[1:]),
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
        "352-exact-trellis": ("bit for bit along a trellis", exactly(flags=LOSSLESS | DEPENDENT)),
        "353-trellis": ("the head is not the one coded", changed(flags=DEPENDENT)),
        "351-exact-shape": ("2^60 without the axis of length 0", exactly(shape=(0, 1 << 60))),
    }


def split(message: bytes) -> tuple[Head, bytes]:
    """Return the head of a message, and what follows."""
    cursor = Cursor(message)
    return Head.unpack(cursor), bytes(cursor.rest())
