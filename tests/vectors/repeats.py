"""Faulty vectors of rows that repeat earlier ones."""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from featcodec.container.flags import Flags
from featcodec.container.group import GroupHeader
from featcodec.container.index import TensorEntry
from featcodec.container.repeats import RepeatedRows
from featcodec.container.wire import Builder, deflate
from featcodec.entropy import exact, integers

from .edit import LaxWriter, header_of, rewrite, with_flags
from .store import Vector, fault, sound

LOSSY = "190-repeated-tokens"  # of one group
Shapes = Sequence[tuple[int, ...]]


def packed(whole: int, runs: Sequence[int], stated: int | None = None) -> bytes:
    """Return a list of repeated rows: all numbers of its columns."""
    inner = Builder()
    inner.u8(whole)
    inner.varint(len(runs) // 3 if stated is None else stated)
    inner.varints(list(runs))
    return deflate(bytes(inner))


def bits(
    elements: int,
    layout: str,
    shapes: Shapes,
    listed: bytes,
    dtype: str = "F32",
    rows: bytes | None = None,
) -> bytes:
    """Return a file of tensors bit for bit, of which so many elements are coded."""
    out = io.BytesIO()
    writer = LaxWriter(out)
    kind = {"F32": "<u4", "F4": "<u1"}[dtype]
    numbers = np.arange(elements).astype(kind)
    writer.section(
        b"ROWS", exact.ExactEncoder(dtype == "F32").encode(numbers) if rows is None else rows
    )
    out_of = Builder(GroupHeader(dtype, elements, elements, 0, np.inf, 0.0).pack())
    out_of[2] = Flags.REPEATS
    out_of.blob(layout.encode())
    out_of.blob(listed)
    writer.section(b"GRUP", bytes(out_of))
    writer.index.tensors = [TensorEntry(f"t{i}", dtype, s, 0) for i, s in enumerate(shapes)]
    writer.finish()
    return out.getvalue()


def one_run(**changes: Any) -> bytes:
    """Return three rows of four elements, of which the last is as the first, or is to be so."""
    fields = {"elements": 8, "layout": "LD", "shapes": [(3, 4)], "listed": packed(0, (2, 1, 2))}
    return bits(**(fields | changes))


def many_rows(count: int) -> bytes:
    """Return a row that is repeated very often."""
    rows = struct.pack("<I", zlib.crc32(bytes(4))) + 4 * b"\1\0"
    return bits(1, "LD", [(count, 1)], packed(0, (1, count - 1, 1)), rows=rows)


def many_runs(count: int) -> bytes:
    """Return so many runs that each repeat the row before."""
    listed = packed(0, [1] + [0] * (count - 1) + [1] * (2 * count))
    return bits(4, "LD", [(count + 1, 4)], listed)


def made() -> Iterator[Vector]:
    for name, (reason, data) in faults().items():
        yield fault(name, reason, data)


def constant_rows() -> dict[str, tuple[str, bytes]]:
    """Return faults of constant rows: of the last of three rows of four elements."""

    def one(listed: Sequence[int], **changes: Any) -> bytes:
        return one_run(**{"listed": packed(0, listed, 1)} | changes)

    return {
        "constant-rows-missing": ("a distance of 0 without a constant", one((2, 1, 0))),
        "constant-rows-too-many": ("a constant too many", one((2, 1, 2, 7))),
        "constant-rows-too-large": ("a constant of 33 bits", one((2, 1, 0, 1 << 32))),
        "constant-rows-alone": ("no row that is new", one((0, 3, 0, 7), elements=0)),
        "constant-rows-before": ("a row before the constant ones", one((0, 3, 1))),
    }


def constant_channels() -> dict[str, tuple[str, bytes]]:
    """Return faults of constant channels."""
    dead = sound("272-constant-channels")

    def having(*constants: tuple[int, int]) -> bytes:
        def change(header: GroupHeader) -> GroupHeader:
            assert header.lossy is not None
            return replace(header, lossy=replace(header.lossy, constants=constants))

        return rewrite(dead, change)

    return {
        "constant-channels-order": ("channels that do not ascend", having((3, 0), (3, 0))),
        "constant-channels-beyond": ("a channel that there is not", having((3, 0), (4096, 0))),
        "constant-channels-too-large": ("an element of 33 bits", having((3, 1 << 32))),
    }


def gains() -> dict[str, tuple[str, bytes]]:
    """Return faults of gains."""
    loud = sound("273-gains")

    def having(*exponents: int) -> bytes:
        def change(fields: list[bytes]) -> None:
            fields[2] = integers.pack(np.array(exponents))

        return rewrite(loud, rows=change, blobs=2)

    count = 6 * 17  # tokens
    return {
        "gains-too-large": ("a gain of 2^64.25", having(*[0] * (count - 1), 257)),
        "gains-fewer": ("gains of fewer tokens", having(*[0] * (count - 2), 4)),
    }


def faults() -> dict[str, tuple[str, bytes]]:
    """Return name -> (reason, file)."""
    lossy = sound(LOSSY)
    _, _, header = header_of(lossy)
    assert header.repeats is not None
    fewer = header.repeats

    def listing(**changes: Any) -> bytes:
        repeats = replace(fewer, **changes)
        return rewrite(lossy, lambda header: replace(header, repeats=repeats))

    longer = (*fewer.repeated[:-1], fewer.repeated[-1] + 1000)
    other = RepeatedRows("", False, fewer.new[:-1], fewer.repeated[:-1], fewer.distances[:-1])
    wide = [(3, 4), (1, 5)]
    return {
        **constant_rows(),
        **constant_channels(),
        **gains(),
        "repeats-network": ("a network and repeats", with_flags(lossy, Flags.REPEATS, 2)),
        "repeats-none": ("a list of no runs", one_run(listed=packed(0, ()))),
        "repeats-whole": ("rows that are neither", one_run(listed=packed(2, (2, 1, 2)))),
        "repeats-no-rows": ("a run of no rows", one_run(listed=packed(0, (2, 0, 2)))),
        "repeats-before": ("a row before the first", one_run(listed=packed(0, (2, 1, 3)))),
        "repeats-beyond": ("more rows than there are", one_run(listed=packed(0, (2, 2, 2)))),
        "repeats-far": ("2^64 - 1 new rows", one_run(listed=packed(0, ((1 << 64) - 1, 1, 1)))),
        "repeats-lossy-beyond": ("the same with loss", listing(repeated=longer)),
        "repeats-fewer": (
            "a run less than there are",
            rewrite(lossy, lambda h: replace(h, repeats=other)),
        ),
        "repeats-elements": ("an element too many", one_run(elements=9)),
        "repeats-unlike": (
            "a row that repeats one of another length",
            bits(12, "LD", wide, packed(0, (3, 1, 1))),
        ),
        "repeats-layout": ("a layout of three axes", one_run(layout="NLD")),
        "repeats-no-layout": ("a layout with a letter that is none", one_run(layout="LX")),
        "repeats-empty": (
            "a tensor without values",
            bits(8, "LD", [(3, 4), (0, 4)], packed(0, (2, 1, 2))),
        ),
        "repeats-half-bytes": (
            "rows of elements of 4 bits",
            bits(4, "LD", [(3, 4)], packed(0, (2, 1, 2)), dtype="F4"),
        ),
        "repeats-trailing": ("a byte behind the list", one_run(listed=packed(0, (2, 1, 2, 0), 1))),
        "repeats-cut": ("a list that ends early", one_run(listed=packed(0, (2, 1)))),
        "hostile-repeated-rows": ("2^18 + 1 rows of one row group", many_rows((1 << 18) + 1)),
        "hostile-repeated-values": (
            "2^27 + 4 values of one row group",
            one_run(shapes=[((1 << 25) + 1, 4)], listed=packed(0, (2, (1 << 25) - 1, 2))),
        ),
        "hostile-runs": ("2^20 + 1 runs", many_runs((1 << 20) + 1)),
        "hostile-stated-runs": ("2^40 runs", one_run(listed=packed(0, (2, 1, 2), 1 << 40))),
    }
