"""What can be wrong with a file, and what is said of it: `python -m tests.faults` prints that."""

import copy
import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from featcodec import errors
from featcodec.container.sections import (
    JOURNAL,
    SECTION,
    SECTION_BYTES,
    SIGNATURE,
    SIGNATURE_BYTES,
    signature,
)
from featcodec.files import decode_file

from .mutations import File
from .vectors import hostile
from .vectors.raw import end, section
from .vectors.store import sound, stored

WHOLE = sound("017-worked-example")  # ROWS, ROWS, GRUP, GRUP, INDX, END


def lengths() -> Iterator[int]:
    """Yield how long the sections are."""
    at = SIGNATURE_BYTES
    while at < len(WHOLE):
        size = SECTION.unpack_from(WHOLE, at)[1] + SECTION_BYTES
        at += size
        yield size


PLACES = tuple(itertools.accumulate(lengths(), initial=SIGNATURE_BYTES))[:6]  # of these
Fault = tuple[str, list[bytes]]  # what is wrong, and files of which it is


def changed(fields: list, at: int, value: object) -> list:
    """Return the fields of a section with another value in one."""
    fields = copy.deepcopy(fields)
    fields[at][1] = value
    return fields


def edited(position: int, at: int, value: object) -> bytes:
    """Return the file with one field of a section changed, checksums made anew."""
    file = File(WHOLE)
    file.sections[position][1] = changed(file.sections[position][1], at, value)
    return file.bytes()


def arranged(*order: int) -> bytes:
    """Return the file with other sections, its index made anew."""
    file = File(WHOLE)
    file.sections = [copy.deepcopy(file.sections[number]) for number in order]
    return file.bytes()


def with_section(kind: bytes) -> bytes:
    file = File(WHOLE)
    file.sections.insert(0, [kind, [["bytes", b"from later"]]])
    for one in file.sections:  # row groups are one section further on
        if one[0] == b"GRUP":
            one[1][5][1] += 1
    return file.bytes()


def flips(first: int, behind: int) -> list[bytes]:
    """Return a file for each bit between two places."""
    found = []
    for bit in range(8 * first, 8 * behind):
        data = bytearray(WHOLE)
        data[bit // 8] ^= 1 << bit % 8
        found.append(bytes(data))
    return found


def swapped(first: int) -> bytes:
    """Return the file with a section and the one behind it exchanged, and nothing made anew."""
    a, b, c = (*PLACES, len(WHOLE))[first : first + 3]
    return WHOLE[:a] + WHOLE[b:c] + WHOLE[a:b] + WHOLE[c:]


def newer() -> bytes:
    head = SIGNATURE.pack(WHOLE[:8], 77, 0, 0)
    return head + struct.pack("<I", zlib.crc32(head)) + WHOLE[SIGNATURE_BYTES:]


def faults() -> Iterator[Fault]:
    yield "empty", [b""]
    yield "cut off within the signature", [WHOLE[:n] for n in range(1, SIGNATURE_BYTES)]
    yield "cut off at any byte behind it", [WHOLE[:n] for n in range(16, len(WHOLE))]
    yield "bytes behind the end", [WHOLE + b"\0", WHOLE + WHOLE]
    yield "another kind of file", [b"PK\x03\x04" + bytes(60), bytes(60)]
    yield "sent as text", [WHOLE.replace(b"\r\n", b"\n", 1)]
    yield "what a writer left", [JOURNAL + bytes(60)]
    yield "a bit of the magic", flips(0, 8)
    yield "a bit of the version, kind or checksum behind it", flips(8, 16)
    names = ("ROWS, with loss", "ROWS, bit for bit", "GRUP, with loss", "GRUP, bit for bit", "INDX")
    for name, (first, behind) in zip(names, itertools.pairwise(PLACES)):
        yield f"a bit of {name}", flips(first, behind)
    yield "a bit of END", flips(PLACES[-1], len(WHOLE))
    yield "sections exchanged, the index as it was", [swapped(i) for i in range(3)]
    yield "index and end marker exchanged", [swapped(4)]
    yield "row groups exchanged, all checksums right", [arranged(1, 0, 2, 3)]
    yield "group headers exchanged, all checksums right", [arranged(0, 1, 3, 2)]
    yield "a section twice", [arranged(0, 0, 1, 2, 3), arranged(0, 1, 2, 3, 3)]
    yield "a section dropped", [arranged(*(i for i in range(4) if i != left)) for left in range(4)]
    yield "a newer version", [newer()]
    yield "an unknown kind of file", [signature(9) + WHOLE[SIGNATURE_BYTES:]]
    yield "an unknown section that is critical", [with_section(b"LATE")]
    yield "an unknown section that is not", [with_section(b"late")]
    yield "two groups with the same row groups", [edited(3, 5, 0)]
    yield "row groups beyond the last", [edited(3, 5, 9)]
    yield "more values than a row group may have", [edited(3, 3, 1 << 40)]
    yield (
        "counts beyond a limit, or beyond what the file has room for",
        [data for _, data in hostile.faults().values()],
    )
    yield "a number beyond 64 bits", [WHOLE[: PLACES[4]] + long_index()]
    yield "other elements, all checksums of sections right", [edited(1, 1, bytes(9))]
    yield "other symbols, all checksums of sections right", [edited(0, 4, bytes(range(1, 9)))]
    yield "a field with a value that it cannot have", [edited(2, 0, 7), edited(2, 4, 0)]
    yield "a profile that is not given", [stored("valid/003-profile-cnn/in.fcz")]


def long_index() -> bytes:
    index = section(b"INDX", b"\xff" * 11 + zlib.compress(b""))
    return index + end(PLACES[4], index)


def said(path: Path) -> tuple[str, int, str]:
    """Return class, exit status and message of what is wrong with a file."""
    try:
        decode_file(path, path.with_name("out"), overwrite=True)
    except errors.FeatcodecError as error:
        text = str(error).replace(str(path), "FILE")
        return type(error).__name__, error.exit_status, text
    return "", 0, ""


def table(folder: Path) -> Iterator[str]:
    """Yield the rows of the table; of several messages the first."""
    path = folder / "x.fcz"
    for what, files in faults():
        found: dict[tuple[str, int], str] = {}
        for data in files:
            path.write_bytes(data)
            kind, status, text = said(path)
            found.setdefault((kind, status), text)
        kinds = " or ".join(f"`{kind}`" if kind else "none" for kind, _ in found)
        [status] = {status for _, status in found}
        shown = next(iter(found.values())).replace("|", "\\|")
        yield f"| {what} | {len(files):,} | {kinds} | {status} | {shown} |"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as where:
        print("\n".join(table(Path(where))))
