"""Elements packed or coded by bins (SPEC §8.1): a file by hand, and faulty ones."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

import featcodec.numpy as fc
from featcodec.container.group import GroupHeader
from featcodec.container.index import TensorEntry
from featcodec.container.wire import Builder, Cursor
from featcodec.container.writer import Writer
from featcodec.entropy import bins, planes
from featcodec.entropy.raster import SUMS, Kinds

from .store import Vector, fault, valid

PER = 800  # elements of a row group
TYPES = {1: "U8", 2: "F16", 4: "F32", 8: "I64"}


def made() -> Iterator[Vector]:
    yield valid("143-lossless-by-hand", by_hand())
    for name, (reason, data) in faults().items():
        yield fault(name, reason, data)


def model_by_hand(rng: np.random.Generator, itemsize: int, count: int) -> bins.BinModel:
    """Make up bins that overlap, kinds and tables, as the encoder never does."""
    bits, shift, low = 8 * itemsize, itemsize % 5, 11 * itemsize // 4
    prefixes = np.sort(rng.choice(1 << min(bits - shift - low, 20), 9, replace=False))
    values = np.append(np.arange(5), (1 << (bits - shift)) - 1)
    tables = 7
    kinds = Kinds(
        rng.integers(0, 3, -(-count // 11)).astype(np.uint8),
        rng.permutation(11).astype(np.uint8) % 5,
        (3, 6),
    )
    codes = rng.integers(1, 60, (tables, 15)) * (rng.random((tables, 15)) < 0.7)
    codes[:, 4] = np.arange(tables) + 1
    codes[3] = np.where(np.arange(15) == 12, bins.MOST_CODE, 0)  # of one bin, which takes nothing
    codes[5, :4] = bins.MOST_CODE, bins.MOST_CODE, 0, 1
    maps = rng.integers(0, tables, (2 * kinds.count, SUMS))
    maps[:, SUMS - 1] = np.arange(2 * kinds.count) % 4
    return bins.BinModel(
        shift,
        low,
        prefixes.astype(np.uint64),
        values.astype(np.uint64),
        rng.integers(0, 16, 15).astype(np.uint8),
        width=7,
        kinds=kinds,
        maps=maps.astype(np.uint8).reshape(-1),
        codes=codes.astype(np.uint8),
    )


def rows_by_hand(
    rng: np.random.Generator, model: bins.BinModel, itemsize: int, count: int
) -> bytes:
    """Return ROWS of elements made up as the tables allow."""
    raster = model.raster(count)
    bordered, inside = raster.bordered()
    whole, cells = np.zeros(raster.shape, np.int32), []
    for one, of_pass in raster.passes(bordered, model.kinds):
        tables = model.maps[of_pass]
        found = np.array([rng.choice(np.flatnonzero(model.codes[t])) for t in tables], np.int32)
        one.put(whole, found, 0)
        one.put(inside, model.grades[found], 8)
        cells.append((of_pass, found))
    known = whole.reshape(-1)[:count]
    dtype = np.dtype(f"<u{itemsize}")
    numbers = model.starts.astype(dtype)[known]
    below = rng.integers(0, 1 << model.low, count).astype(dtype)
    numbers |= np.where(known < len(model.prefixes), below, dtype.type(0))
    numbers <<= dtype.type(model.shift)
    crc = struct.pack("<I", zlib.crc32(numbers.tobytes()))
    behind = numbers[known < len(model.prefixes)]
    low = bins.Low.of(behind, model.shift, model.low)
    return crc + b"\3" + bins.encode(numbers, cells, low, model)


def file_of(rows: dict[str, list[bytes]]) -> bytes:
    """Return a file of a tensor of each type, of row groups of PER elements but the last: 90."""
    out = io.BytesIO()
    writer = Writer(out)
    headers = []
    for dtype, payloads in rows.items():
        elements, first = PER * (len(payloads) - 1) + 90, len(writer.index.sections)
        for payload in payloads:
            writer.section(b"ROWS", payload)
        headers.append(GroupHeader(dtype, elements, PER, first, np.inf, 0.0))
        group = len(headers) - 1
        writer.index.tensors.append(TensorEntry(dtype.lower(), dtype, (elements,), group))
    for header in headers:
        writer.section(b"GRUP", header.pack())
    writer.finish()
    return out.getvalue()


def by_hand() -> bytes:
    """Return a file with elements of all widths, two row groups each."""
    rng = np.random.default_rng(10)
    rows = {}
    for itemsize, dtype in TYPES.items():
        models = [(model_by_hand(rng, itemsize, count), count) for count in (PER, 90)]
        rows[dtype] = [rows_by_hand(rng, model, itemsize, count) for model, count in models]
    return file_of(rows)


def faults() -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file)."""
    model = model_by_hand(np.random.default_rng(11), 2, 90)

    def rows(changed: bins.BinModel = model) -> bytes:
        """Return a row group whose model, but nothing else, is changed."""
        sound = rows_by_hand(np.random.default_rng(12), model, 2, 90)
        packed, other = model.pack(2), changed.pack(2)
        assert sound[7 : 7 + len(packed)] == packed
        return sound[:5] + _blob(other) + sound[7 + len(packed) :]

    def having(**changes: Any) -> bytes:
        return file_of({"F16": [rows(replace(model, **changes))]})

    def array(field: str, place: Any, value: int) -> dict[str, np.ndarray]:
        changed = getattr(model, field).copy()
        changed[place] = value
        return {field: changed}

    def kinds_of(places: int, channels: int) -> dict[str, Any]:
        kinds = replace(model.kinds, different=(places, channels))
        return {"kinds": kinds, "maps": np.resize(model.maps, 2 * kinds.count * SUMS)}

    def cut(change: Callable[[bytes], bytes]) -> bytes:
        return file_of({"F16": [change(rows())]})

    def head(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> bytes:
        """Return a file with another model, or other words, than were made."""
        data = rows()
        fields = Cursor(data[5:])
        packed, words = change(fields.blob(), fields.blob())
        return file_of({"F16": [data[:5] + _blob(packed) + _blob(words) + fields.rest()]})

    more = 4097 - len(model.prefixes) - len(model.values)
    many = {
        "values": np.arange(len(model.values) + more).astype(np.uint64),
        "grades": np.append(model.grades, np.zeros(more, np.uint8)),
        "codes": np.pad(model.codes, ((0, 0), (0, more))),
    }
    wide = model_by_hand(np.random.default_rng(16), 8, 90)
    around = rows_by_hand(np.random.default_rng(17), wide, 8, 90)
    sized = wide.pack(8)
    wrapped = replace(wide, values=np.append(wide.values[:-1], np.uint64(1)))
    around = around[:5] + _blob(wrapped.pack(8)) + around[7 + len(sized) :]
    elements = np.random.default_rng(13).integers(0, 4, 90).astype(np.uint16).tobytes()
    crc = struct.pack("<I", zlib.crc32(elements)) + b"\4"
    packed = zlib.compress(elements)
    assert fc.load(file_of({"F16": [rows()]}))
    assert fc.load(file_of({"F16": [crc + packed]}))
    twice = array("prefixes", 1, int(model.prefixes[0]))
    return {
        "bins-twice": ("a prefix twice", having(**twice)),
        "bins-too-large": (
            "a prefix that leaves no room for the low bits",
            having(**array("prefixes", -1, 1 << (16 - model.shift - model.low))),
        ),
        "bins-low": ("as many low bits as an element has", having(low=14)),
        "bins-grade": ("a grade of 16", having(**array("grades", 3, 16))),
        "bins-kind": ("a channel of a kind beyond those stated", having(**kinds_of(3, 4))),
        "bins-place": ("a place of a kind beyond those stated", having(**kinds_of(2, 6))),
        "bins-kinds": ("66 kinds", having(**kinds_of(11, 6))),
        "bins-width": ("a row longer than the row group", having(width=9)),
        "bins-no-width": ("rows of no columns", having(width=0)),
        "bins-map": ("a table that is not there", having(**array("maps", 2 * SUMS + 7, 7))),
        "bins-code": ("a level of code 81", having(**array("codes", (1, 4), 81))),
        "bins-levels": ("levels that sum to more than 2^24", having(**array("codes", 1, 80))),
        "bins-no-levels": ("a table without levels", having(**array("codes", 6, 0))),
        "bins-trailing": ("a model with a byte too many", having(**_longer(model))),
        "bins-cut": ("low bits that end too early", cut(lambda data: data[:-1])),
        "bins-more": ("a byte behind the low bits", cut(lambda data: data + b"\0")),
        "bins-symbols": ("damage to words", cut(lambda data: data[:-60] + b"\7" + data[-59:])),
        "bins-no-tables": ("no tables", having(codes=model.codes[:0], maps=0 * model.maps)),
        "bins-no-kinds": ("no kinds of channels", having(**kinds_of(3, 0))),
        "bins-many": ("4,097 bins", having(**many)),
        "bins-around": ("values that go on around 2^64", file_of({"I64": [around]})),
        "bins-stream": (
            "a byte behind a stream",
            head(lambda packed, words: (packed + b"\0", words)),
        ),
        "bins-words": ("half a word", head(lambda packed, words: (packed, words[2:]))),
        "bins-more-words": (
            "words left over",
            head(lambda packed, words: (packed, b"\1\2\3\4" + words)),
        ),
        "plane-levels": ("levels whose stream does not end", plane(lambda levels: levels[:-4])),
        "plane-words": ("a plane of 90 elements, and words of 94", plane(elements=94)),
        "packed-longer": (
            "packed elements, one too many",
            file_of({"F16": [crc + zlib.compress(elements + b"\0\0")]}),
        ),
        "packed-trailing": ("a byte behind a stream", file_of({"F16": [crc + packed + b"\0"]})),
        "packed-crc": ("another CRC-32", file_of({"F16": [b"\0" + crc[1:] + packed]})),
        "packed-damaged": ("no zlib stream", file_of({"F16": [crc + packed[2:]]})),
    }


def exact_levels(counts: np.ndarray) -> tuple[np.ndarray, bytes]:
    levels = planes._levels(counts)
    return levels, zlib.compress(levels.astype("<u2").tobytes(), 9)


def plane(change: Callable[[bytes], bytes] = lambda levels: levels, elements: int = 90) -> bytes:
    """Return a file of 90 bytes in a coded plane that has other levels, or more elements."""
    values = np.random.default_rng(18).integers(0, 4, elements).astype(np.uint8)
    with mock.patch.object(planes, "_cheapest", exact_levels):  # today's encoder takes coarser ones
        coded = planes.encode([values])
    assert coded[0] == planes.CODED
    assert coded[1] < 128
    levels, rest = coded[2 : 2 + coded[1]], coded[2 + coded[1] :]
    levels = change(levels)
    crc = struct.pack("<I", zlib.crc32(values[:90].tobytes()))
    return file_of({"U8": [crc + bytes((planes.CODED, len(levels))) + levels + rest]})


def _blob(data: bytes) -> bytes:
    out = Builder()
    out.blob(data)
    return bytes(out)


def _longer(model: bins.BinModel) -> dict[str, np.ndarray]:
    """Return codes with one more at the end, which belongs to no table."""

    class Longer(np.ndarray):
        def tobytes(self, *_: Any) -> bytes:
            return super().tobytes() + b"\0"

    return {"codes": model.codes.view(Longer)}
