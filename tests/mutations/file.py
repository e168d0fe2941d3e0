"""A file as its sections and their fields, put together with lengths, checksums and all."""

import struct
from collections.abc import Callable

from featcodec.container.sections import MAGIC, SECTION, SIGNATURE_BYTES, signature

from ..vectors.raw import section
from .fields import Field, Fields, group, index, rows, together


class File:
    """The sections of a file, type, flags and fields, and its index."""

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
        lossy = {}
        for kind, _, payload in payloads:
            if kind == b"GRUP":
                head = group(payload)
                count = -(-head[2][1] // head[3][1])
                lossy |= dict.fromkeys(
                    range(head[4][1], head[4][1] + count), head[0][1] not in (0, 4)
                )
        for position, (kind, flags, payload) in enumerate(payloads[:-2]):
            known = {b"GRUP": lambda p: group(p), b"ROWS": lambda p: rows(p, lossy[position])}  # noqa: B023
            whole = known.get(kind, lambda p: [["bytes", p]])(payload)
            self.sections.append([kind, flags, whole])
        self.index = index(payloads[-2][2])

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
        packed = section(b"INDX", 1, together([["deflated", [*self.index, *listed]]]))
        end = struct.pack("<QQ", len(out), len(out) + len(packed) + 36)
        return out + packed + section(b"END ", 1, end)
