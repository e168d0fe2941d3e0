"""Changes to sound files, one each, that make faulty ones."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from featcodec.container.group import GroupHeader
from featcodec.container.part import Part
from featcodec.container.reader import Reader
from featcodec.container.sections import SECTION, SIGNATURE_BYTES
from featcodec.container.wire import Builder, Cursor
from featcodec.container.writer import Writer

Change = Callable[[GroupHeader], GroupHeader]

# What a group header holds that a vector by hand does not care for.
PLAIN: dict[str, Any] = {"architecture": "generic", "layout": "ND", "prefix": 0, "grid": ()}
PLAIN |= {"lower": 0.0, "upper": 1.0, "clipped": 0, "mean": 0.0, "std": 1.0, "step": 1.0}
PLAIN |= {"step_scale": 0, "clamp": False, "double": False, "profile": None}


class LaxWriter(Writer):
    """Writes what a reader refuses."""

    def _check(self) -> list[GroupHeader]:
        return []


# --- bytes --------------------------------------------------------------------------------------


def flipped(data: bytes, place: int) -> bytes:
    """Flip a bit, and leave the checksum as it was."""
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def signed(data: bytes, major: int, kind: int = 0) -> bytes:
    """Give a file another major version, or kind."""
    head = data[:8] + bytes([major, data[9], kind, data[11]])
    return head + struct.pack("<I", zlib.crc32(head)) + data[16:]


def resealed(data: bytes, section: int, place: int, change: Callable[[int], int]) -> bytes:
    """Change a byte of a section, counted from its head, and make its checksum right again."""
    start = SIGNATURE_BYTES
    for _ in range(section):
        start += _length(data, start) + 4
    end = start + _length(data, start)
    whole = bytearray(data[start:end])
    whole[place] = change(whole[place])
    return data[:start] + bytes(whole) + struct.pack("<I", zlib.crc32(whole)) + data[end + 4 :]


def _length(data: bytes, start: int) -> int:
    """Return how long the section is that starts there, without its checksum."""
    return SECTION.size + SECTION.unpack_from(data, start)[1]


def with_byte(data: bytes, section: int, place: int, value: int) -> bytes:
    return resealed(data, section, place, lambda _: value)


def damaged(data: bytes, section: int, place: int) -> bytes:
    return resealed(data, section, place, lambda byte: byte ^ 0x55)


# --- fields -------------------------------------------------------------------------------------


def rewrite(
    data: bytes,
    group: Change = lambda header: header,
    rows: Callable[[list[bytes]], None] | None = None,
    profile: bytes | None = None,
    payload: Callable[[bytes], bytes] = lambda payload: payload,
    blobs: int = 3,
) -> bytes:
    """Write a file anew with another group with loss, first ROWS or profile.

    `payload` changes what is packed of the headers of groups.

    The fields of ROWS are fine step, so many blobs (exceptions, hyper-latents, latents; or
    exceptions and gains), and the rest.
    """
    source, out = Reader(io.BytesIO(data), "sound"), io.BytesIO()
    writer = LaxWriter(out)
    for position, (kind, _) in enumerate(source.index.sections):
        data = source.section(position, kind)
        if kind == b"GRUP":
            header = GroupHeader.unpack(data)
            data = payload(group(header).pack() if header.lossy else data)
        elif position == 0 and rows:
            data = _with_fields(data, rows, blobs)
        writer.section(kind, data)
    digests = source.index.profiles if profile is None else [hashlib.sha256(profile).digest()]
    writer.index.profiles, writer.index.tensors = digests, source.index.tensors
    writer.index.metadata, writer.index.cuts = source.index.metadata, source.index.cuts
    writer.finish()
    return out.getvalue()


def _with_fields(payload: bytes, rows: Callable[[list[bytes]], None], blobs: int) -> bytes:
    cursor = Cursor(payload)
    fields = [bytes([cursor.u8()]), *(bytes(cursor.blob()) for _ in range(blobs))]
    fields.append(bytes(cursor.rest()))
    rows(fields)
    built = Builder(fields[0])
    for field in fields[1:-1]:
        built.blob(field)
    return bytes(built + fields[-1])


def lossy(**changes: Any) -> Change:
    return lambda header: replace(header, lossy=replace(header.lossy, **changes))


def with_model(**changes: Any) -> Change:
    """Change the model of the last part, that of the prefix tokens when there are any."""

    def change(header: GroupHeader) -> GroupHeader:
        *first, part = header.lossy.parts
        model = replace(part.model, **changes)
        return lossy(parts=(*first, Part(model.transform, model)))(header)

    return change


def header_of(data: bytes) -> tuple[int, bytes, GroupHeader]:
    """Return the number, payload and content of the only GRUP section."""
    reader = Reader(io.BytesIO(data), "sound")
    (number,) = (i for i, (kind, _) in enumerate(reader.index.sections) if kind == b"GRUP")
    payload = reader.section(number, b"GRUP")
    return number, payload, GroupHeader.unpack(payload)


def unknown_transform(data: bytes, code: int) -> bytes:
    """Give a model a transform code that there is not."""
    number, payload, header = header_of(data)
    place = payload.rindex(header.lossy.parts[0].model.pack())
    return with_byte(data, number, SECTION.size + place, code)


def with_flags(data: bytes, flags: int, coding: int | None = None) -> bytes:
    """Give groups other flags, and maybe another coding."""

    def change(payload: bytes) -> bytes:
        cursor, out = Cursor(payload), Builder()
        stated = cursor.u8()
        out.u8(stated if coding is None else coding)
        out.u8(cursor.u8())
        cursor.varint()
        out.varint(flags)
        return bytes(out + cursor.rest())

    return rewrite(data, payload=change)
