"""A file as its sections and their fields, put together with lengths, checksums and all."""

import struct
from collections.abc import Callable

from featcodec.container.sections import MAGIC, SECTION, SIGNATURE_BYTES, signature

from ..vectors.raw import section
from .fields import Field, Fields, group, index, rows, together


class File:
    """The sections of a file, type, flags and fields, its index, and the cuts of it."""

    def __init__(self, data: bytes) -> None:
        assert data[:8] == MAGIC
        self.version, self.kind = (data[8], data[9]), data[10]
        self.sections: list[Field] = []
        at = SIGNATURE_BYTES
        payloads = []
        while at < len(data):
            kind, flags, size = SECTION.unpack_from(data, at)
            payloads.append((kind, flags, data[at + 16 : at + 16 + size]))
            at += 20 + size
        flags_of: dict[int, int | None] = {}
        for kind, _, payload in payloads:
            if kind == b"GRUP":
                head, lossy = group(payload)
                first, count = head[4][1], -(-head[2][1] // head[3][1])
                flags_of |= dict.fromkeys(range(first, first + count), lossy)
        for position, (kind, flags, payload) in enumerate(payloads[:-2]):
            known = {b"GRUP": lambda p: group(p)[0], b"ROWS": lambda p: rows(p, flags_of[position])}  # noqa: B023
            whole = known.get(kind, lambda p: [["bytes", p]])(payload)
            self.sections.append([kind, flags, whole])
        self.index, self.cuts = index(payloads[-2][2])

    def bytes(self, alter: Callable[[Fields], None] | None = None) -> bytes:
        """Return the file put together, with what `alter` makes of the list of sections."""
        out = signature(self.kind, self.version)
        lengths = []
        for kind, flags, fields in self.sections:
            out += section(kind, flags, together(fields))
            lengths.append(len(out) - SIGNATURE_BYTES - sum(lengths))
        listed: Fields = [
            ["varint", len(lengths)],
            ["bytes", b"".join(s[0] for s in self.sections)],
        ]
        listed += [["varint", length] for length in lengths]
        if alter is not None:
            alter(listed)
        packed = section(b"INDX", 1, together([["deflated", [*self.index, *listed, *self.cuts]]]))
        end = struct.pack("<QQ", len(out), len(out) + len(packed) + 36)
        return out + packed + section(b"END ", 1, end)
