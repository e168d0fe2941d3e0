"""Small files that ask for much time or memory, each of one kind, which a reader refuses at once.

The generators take how large the claim is; the vectors are small, the tests make larger ones.
"""

import zlib
from collections.abc import Iterator

from featcodec.container.wire import Builder

from .raw import F4, F32, ROWS, U8, U64, exact, file, index, lossy, model, one, section
from .store import Vector, fault

MORE = 1 << 20


def reflectors(channels: int) -> bytes:
    """As many reflectors as channels, all zero."""
    return one(F32, (1, channels), ROWS, lossy(1, b"NC", model(reflectors=channels)))


def one_reflector(channels: int) -> bytes:
    """One reflector, of zeros, of many channels."""
    return one(F32, (1, channels), ROWS, lossy(1, b"NC", model(reflectors=1)))


def sections(count: int) -> bytes:
    """An index that lists sections that are not there."""
    out = Builder(b"\0\0\0")
    out.varint(count)
    return file([], bytes(out) + bytes(5 * count))


def names(count: int) -> bytes:
    """Names that share nearly all they have with the one before."""
    out = Builder(b"\0\0")
    out.varint(count)
    out.varints([0, *[65_532] * (count - 1), 65_536, *[4] * (count - 1)])
    out += b"a" * 65_532 + b"".join(b"%04x" % i for i in range(count))
    group = exact(0)
    out += bytes([U8]) * count + b"\1" * count + bytes(2 * count)
    out += b"\1GRUP" + bytes([len(group)])
    return file([group], bytes(out))


def tensors(count: int) -> bytes:
    """A number of tensors alone."""
    out = Builder(b"\0\0")
    out.varint(count)
    return file([], bytes(out), stated=1 << 30)


def metadata(size: int) -> bytes:
    """The length of a value of the metadata alone."""
    out = Builder(b"\1\1\1k")
    out.varint(size)
    return file([], bytes(out), stated=1 << 30)


def keys(count: int) -> bytes:
    """A number of metadata alone."""
    out = Builder(b"\1")
    out.varint(count)
    return file([], bytes(out), stated=1 << 30)


def profiles(count: int) -> bytes:
    """More profiles than groups could name."""
    return file([], index([], [], profiles=count))


def profile_twice() -> bytes:
    """Two groups, of empty tensors, that need a profile which is listed for each."""
    groups = [exact(0), exact(0)]
    tensors = [(name, U8, (0,), number) for number, name in enumerate((b"a", b"b"))]
    return file(groups, index(tensors, groups, profiles=2))


def continued(count: int) -> bytes:
    """A number of many bytes, all but the last of which say that it goes on."""
    return file([], b"\0" + b"\x80" * count + b"\1")


def exceptions(count: int) -> bytes:
    """A list of exceptions in a row group of four values."""
    body = Builder()
    body.varint(count)
    body += bytes(5 * count)
    packed = Builder()
    packed.varint(len(body))
    packed += zlib.compress(body, 9)
    rows = Builder(b"\x80")
    rows.blob(bytes(packed))
    rows += b"\0" + bytes(4)
    return one(F32, (4,), section(b"ROWS", bytes(rows)), lossy(4, b"N", model()))


def escapes(count: int) -> bytes:
    """Symbols that all need an escape, of which there is one."""
    table = b"\1\0\x80\x80\x80\x80\0"
    rows = section(b"ROWS", b"\x80\0\1\0" + bytes(4))
    tables = b"\0" + table
    return one(F32, (count,), rows, lossy(count, b"N", model(blobs=(b"", b"", b"", tables))))


def empty_groups(count: int) -> bytes:
    """Groups without tensors."""
    groups = [exact(0)] * count
    return file(groups, index([], groups))


def values(count: int) -> bytes:
    """A tensor without row groups."""
    return one(U64, (count,), exact(count, kind=U64))


def elements(count: int) -> bytes:
    """A tensor bit for bit, of which there is one row group."""
    return one(U8, (count,), section(b"ROWS", bytes(9)), exact(count, 1 << 27))


def large_row_group(count: int) -> bytes:
    """One row group of so many elements."""
    return one(U8, (count,), section(b"ROWS", bytes(4) + b"\1\0"), exact(count))


def large_part(samples: int) -> bytes:
    """A tensor cut in two, the second part one row group of samples of 65,536 channels."""
    parts = [ROWS, lossy(1, b"NC", model()), ROWS, lossy(samples, b"NC", model(), first=2)]
    cuts = Builder()
    cuts.varints([1, 0, 2, 1, samples, 0, 1])
    shape = (1 + samples, 65_536)
    return file(parts, index([(b"x", F32, shape, 0)], parts) + bytes(cuts))


def tokens(count: int) -> bytes:
    """A tensor with loss, of which there is one row group."""
    return one(F32, (count, 64), ROWS, lossy(count, b"NC", model(), 1 << 20))


def slab(columns: int) -> bytes:
    """One slab of many values."""
    return one(F32, (1, columns, 1024), ROWS, lossy(1, b"HWC", model((1, 1))))


def lengths(count: int) -> bytes:
    """A tensor without values that no array library can describe."""
    return one(U8, (0, count), exact(0))


def samples(count: int) -> bytes:
    """Tensors of many samples and no channels, more than 64 bits count."""
    group = lossy(4, b"NC", model())
    parts = [ROWS, group]
    found = [(b"%d" % i, F32, (count, 0), 0) for i in range(20)]
    return file(parts, index(found, parts))


def claim(samples: int) -> bytes:
    """One row group of samples of 65,536 channels."""
    return one(F32, (samples, 65_536), ROWS, lossy(samples, b"NC", model()))


def shared_rows() -> bytes:
    """Two groups of one row group."""
    rows = section(b"ROWS", zlib.crc32(b"\0").to_bytes(4, "little") + b"\1\0")
    parts = [rows, exact(1), exact(1)]
    return file(parts, index([(b"x", U8, (1,), 0), (b"y", U8, (1,), 1)], parts))


def made() -> Iterator[Vector]:
    for name, (reason, data) in faults().items():
        yield fault(name, reason, data)


def faults() -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file) of the vectors."""
    group = exact(0)
    named = [(b"x", U8, (0,), 0)]

    def of_one(name: bytes) -> bytes:
        return file([group], index([(name, U8, (0,), 0)], [group]))

    short = index(named, [group])[:-1]
    plain = b"\1\x10" * 8
    return {
        "hostile-reflectors": ("8,192 reflectors of zeros", reflectors(8192)),
        "hostile-reflector": ("a KLT of 65,536 channels", one_reflector(65536)),
        "hostile-sections": ("a million sections that are not there", sections(MORE)),
        "hostile-names": ("names of 130 MB in all", names(2000)),
        "hostile-tensors": ("2^24 tensors alone", tensors(1 << 24)),
        "hostile-metadata": ("a value of 2^29 bytes in the metadata", metadata(1 << 29)),
        "hostile-keys": ("2^40 keys in the metadata", keys(1 << 40)),
        "hostile-profiles": ("10,000 profiles without groups", profiles(10_000)),
        "profile-twice": ("a profile that is listed twice", profile_twice()),
        "hostile-varint": ("a varint of a million bytes", continued(MORE)),
        "hostile-exceptions": ("a million exceptions for four values", exceptions(MORE)),
        "hostile-escapes": ("65,536 symbols that need an escape", escapes(1 << 16)),
        "hostile-empty-groups": ("groups without tensors", empty_groups(100)),
        "hostile-values": ("2^62 values without a row group", values(1 << 62)),
        "hostile-elements": ("2^40 elements in one row group", elements(1 << 40)),
        "hostile-row-group": ("a row group of 2^27 + 1 elements", large_row_group((1 << 27) + 1)),
        "hostile-part": ("a part of 2^28 values in one row group", large_part(1 << 12)),
        "hostile-tokens": ("2^40 tokens in one row group", tokens(1 << 40)),
        "hostile-slab": ("a slab of 2^27 values", slab(1 << 17)),
        "hostile-lengths": ("no values, and an axis of 2^60", lengths(1 << 60)),
        "hostile-samples": ("20 times 2^59 samples of no channels", samples(1 << 59)),
        "hostile-claim": ("2^28 values in one row group", claim(1 << 12)),
        "shared-row-group": ("a row group of two groups", shared_rows()),
        "section-of-15": (
            "a section that is listed with 15 bytes",
            file([group], short + b"\x0f"),
        ),
        "name-reserved": (
            "a tensor named __metadata__",
            of_one(b"__metadata__"),
        ),
        "name-too-long": (
            "a name of 65,537 bytes",
            of_one(b"x" * 65_537),
        ),
        "key-too-long": (
            "a key of 65,537 bytes in the metadata",
            file([group], index(named, [group], [(b"k" * 65_537, b"")])),
        ),
        "half-a-byte": ("one element of 4 bits", one(F4, (1,), exact(0, kind=F4))),
        "layout-17": (
            "a layout of 17 letters",
            one(F32, (1,) * 16, ROWS, lossy(1, b"N" * 17, model())),
        ),
        "grid-17": (
            "a grid of 17 axes",
            one(F32, (1, 1), ROWS, lossy(1, b"LC", model((1,) * 16), grid=(1,) * 17)),
        ),
        "block-17": (
            "blocks of 17 axes",
            one(F32, (1, 1), ROWS, lossy(1, b"LC", model((1,) * 17), grid=(1,) * 16)),
        ),
        "index-longer": ("an index longer than it states", file([], index([], []) + plain, 4)),
        "index-shorter": ("an index shorter than it states", file([], index([], []), 5)),
    }
