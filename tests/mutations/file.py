"""A file as its sections and their fields, put together with lengths, checksums and all."""

from collections.abc import Callable

from featcodec.container.sections import MAGIC, SECTION, SECTION_BYTES, SIGNATURE_BYTES, signature

from ..vectors.raw import end, section
from .fields import Field, Fields, together
from .payloads import entry, group, index, quality, rows

KNOWN = {b"GRUP": lambda payload: group(payload)[0], b"ENTR": entry, b"qual": quality}


class File:
    """The sections of a file, type and fields, its index, and the cuts of it."""

    def __init__(self, data: bytes) -> None:
        assert data[:8] == MAGIC
        self.minor, self.kind = data[9], data[10]
        self.sections: list[Field] = []
        at = SIGNATURE_BYTES
        payloads = []
        while at < len(data):
            kind, size = SECTION.unpack_from(data, at)
            payloads.append((kind, data[at + SECTION.size : at + SECTION.size + size]))
            at += SECTION_BYTES + size
        flags_of: dict[int, int | None] = {}
        for kind, payload in payloads:
            if kind == b"GRUP":
                head, lossy = group(payload)
                first, count = head[5][1], -(-head[3][1] // head[4][1])
                flags_of |= dict.fromkeys(range(first, first + count), lossy)
        for position, (kind, payload) in enumerate(payloads[:-2]):
            if kind == b"ROWS":
                whole = rows(payload, flags_of[position])
            else:
                whole = KNOWN.get(kind, lambda data: [["bytes", data]])(payload)
            self.sections.append([kind, whole])
        self.index, self.cuts = index(payloads[-2][1])

    def bytes(self, alter: Callable[[Fields], None] | None = None) -> bytes:
        """Return the file put together, with what `alter` makes of the list of sections."""
        out = signature(self.kind, self.minor)
        lengths = []
        for kind, fields in self.sections:
            out += section(kind, together(fields))
            lengths.append(len(out) - SIGNATURE_BYTES - sum(lengths))
        listed: Fields = [
            ["varint", len(lengths)],
            ["bytes", b"".join(s[0] for s in self.sections)],
        ]
        listed += [["varint", length] for length in lengths]
        if alter is not None:
            alter(listed)
        packed = section(b"INDX", together([["deflated", [*self.index, *listed, *self.cuts]]]))
        return out + packed + end(len(out), packed)
