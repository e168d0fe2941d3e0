"""What a damaged file gives: all but what is damaged, and which that is."""

import io
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import Profile, safe_open
from featcodec.container.reader import Reader
from featcodec.container.sections import SECTION, SIGNATURE_BYTES
from featcodec.dumps import Dump
from featcodec.errors import Corrupt, InvalidInput, InvalidStream, Truncated
from featcodec.files import decode_file
from featcodec.salvage import KEY, salvage_file

from . import internals
from .test_cli import run
from .vectors.raw import section
from .vectors.store import VECTORS, profiles_of

ROWS = 60  # of each tensor
SEED = 5


@pytest.fixture(scope="module")
def sound() -> bytes:
    """A file with many row groups: tokens with loss, maps without, repeated rows, labels."""
    rng = np.random.default_rng(SEED)
    tokens = rng.normal(size=(ROWS, 9, 32)).astype(np.float16)
    twice = tokens.copy()
    twice[ROWS // 2 :] = twice[: ROWS // 2]
    tensors = {
        "tokens": tokens,
        "twice": twice * np.float16(2),
        "maps": rng.normal(size=(ROWS, 8, 6, 6)).astype(np.float32),
        "labels": np.arange(ROWS),
        "scale": np.float32(2),
    }
    layouts = {"tokens": "NLD", "twice": "NLD", "maps": "NCHW"}
    with internals.row_groups(1 << 11):
        return fc.save(tensors, {"note": "x"}, layout=layouts, rules={"maps": "lossless"}, snr=12)


@pytest.fixture(scope="module")
def whole(sound: bytes) -> dict[str, np.ndarray]:
    return fc.load(sound)


def sections(data: bytes) -> list[tuple[bytes, int, int]]:
    """Return type, offset and length of the sections that the index lists."""
    index = Reader(io.BytesIO(data), "x").index
    ends = itertools.accumulate((length for _, length in index.sections), initial=SIGNATURE_BYTES)
    return [(k, at, n) for (k, n), at in zip(index.sections, ends)]


def with_section(data: bytes, at: int, length: int, payload: bytes) -> bytes:
    """Return the file with another payload of the same length, and its checksum."""
    kind, _ = SECTION.unpack_from(data, at)
    return data[:at] + section(kind, payload) + data[at + length :]


def damages(data: bytes, at: int, length: int) -> dict[str, bytes]:
    """Return a file with one section damaged, in some ways."""
    payload = data[at + SECTION.size : at + length - 4]
    middle = at + length // 2
    return {
        "a bit flipped": data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :],
        "zeros": data[:at] + bytes(length) + data[at + length :],
        "right checksum": with_section(data, at, length, payload[: len(payload) // 2].ljust(
            len(payload), b"\x5a")),
    }  # fmt: skip


def check(data: bytes, whole: dict[str, np.ndarray], path: Path) -> dict[str, list[range]]:
    """Fail unless all but what is said to be missing is as it was; return that."""
    path.write_bytes(data)
    missing = salvage_file(path, path.with_suffix(".out"), overwrite=True).missing
    found = load_file(path.with_suffix(".out"))
    with safe_open(path, damaged="nan") as nan, safe_open(path, damaged="skip") as skip:
        tensors = nan.get_tensors()
        for name, wanted in whole.items():
            rows = missing.get(name, [])
            np.testing.assert_array_equal(found[name], tensors[name])
            assert nan.get_slice(name).damaged() == rows
            lost = sorted(itertools.chain(*rows))
            if not wanted.ndim:
                assert lost or found[name] == wanted
                continue
            left = np.setdiff1d(np.arange(ROWS), lost)
            np.testing.assert_array_equal(found[name][left], wanted[left])
            np.testing.assert_array_equal(skip.get_tensor(name), wanted[left])
            np.testing.assert_array_equal(skip.get_slice(name)[5:40:2], wanted[left[
                (left >= 5) & (left < 40) & (left % 2 == 1)]])  # fmt: skip
            for row in lost[:1]:
                values = found[name][row]
                assert (np.isnan(values) if values.dtype.kind == "f" else values == 0).any()
                with pytest.raises(Corrupt, match=f"row {row} of '{name}'"):
                    skip.get_slice(name)[row]
    return missing


def test_a_damaged_row_group_costs_its_rows_alone(
    sound: bytes, whole: dict[str, np.ndarray], tmp_path: Path
) -> None:
    assert check(sound, whole, tmp_path / "x.fcz") == {}
    rows = [(at, length) for kind, at, length in sections(sound) if kind == b"ROWS"]
    assert len(rows) > 12
    costs = set()
    for number, (at, length) in enumerate(rows):
        data = [*damages(sound, at, length).values()][number % 3]
        missing = check(data, whole, tmp_path / "x.fcz")
        assert missing
        costs |= {(name, sum(map(len, lost))) for name, lost in missing.items()}
    assert {name for name, _ in costs} == set(whole)
    assert max(cost for name, cost in costs if name == "tokens") < ROWS // 4


def test_a_damaged_header_costs_the_tensors_of_its_group_alone(
    sound: bytes, whole: dict[str, np.ndarray], tmp_path: Path
) -> None:
    headers = [(at, length) for kind, at, length in sections(sound) if kind == b"GRUP"]
    lost = set()
    for at, length in headers:
        for data in list(damages(sound, at, length).values())[:2]:
            missing = check(data, whole, tmp_path / "x.fcz")
            assert all(rows == [range(ROWS)] for name, rows in missing.items() if name != "scale")
            lost.add(tuple(missing))
    assert len(lost) == len(headers) and all(len(names) < len(whole) for names in lost)


@pytest.mark.parametrize("kind", [b"ROWS", b"GRUP", b"prof"])
def test_so_it_is_for_every_kind_of_group(kind: bytes, tmp_path: Path) -> None:
    chance, seen = random.Random(SEED), 0
    for folder in sorted((VECTORS / "valid").iterdir()):
        data = (folder / "in.fcz").read_bytes()
        places = [(at, length) for type_, at, length in sections(data) if type_ == kind]
        needed = profiles_of(json.loads((folder / "expect.json").read_text()))
        networks = [data, *((VECTORS / path).read_bytes() for path in needed)]  # which need torch
        large = (folder / "out.safetensors").stat().st_size > 60_000
        if not places or large or any(b"NETW" in one for one in networks):
            continue
        profiles = [Profile.load(VECTORS / path) for path in needed]
        at, length = chance.choice(places)
        path = tmp_path / "x.fcz"
        path.write_bytes(damages(data, at, length)["zeros"])
        decode_file(folder / "in.fcz", tmp_path / "whole", profile=profiles, overwrite=True)
        missing = salvage_file(path, tmp_path / "y", profile=profiles, overwrite=True).missing
        with Dump(tmp_path / "whole") as wanted, Dump(tmp_path / "y") as found:
            for one, other in zip(wanted.tensors, found.tensors, strict=True):
                lost = missing.get(one.name, [])
                assert all(r.stop <= (one.shape or (1,))[0] for r in lost)
                if one.shape and one.dtype not in ("F4", "F6_E2M3", "F6_E3M2"):
                    left = np.setdiff1d(np.arange(one.shape[0]), [*itertools.chain(*lost)])
                    a, b = (np.asarray(t.read()).reshape(t.shape)[left] for t in (one, other))
                    assert a.tobytes() == b.tobytes(), (folder.name, one.name)
        seen += bool(missing)
    assert seen > (0 if kind == b"prof" else 60)


def test_signature_and_end_may_be_missing(
    sound: bytes, whole: dict[str, np.ndarray], tmp_path: Path
) -> None:
    for data in (bytes(16) + sound[16:], sound[:-32], sound[:-1], sound + b"more", sound[:-9] * 1):
        assert check(data, whole, tmp_path / "x.fcz") == {}
        with pytest.raises(InvalidStream):
            fc.load(data)


@settings(max_examples=20)
@given(data=st.data())
def test_whatever_is_damaged_what_comes_is_right_or_nothing(
    sound: bytes,
    whole: dict[str, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    damaged = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sound) - 1))
        length = data.draw(st.sampled_from([1, 20, 400, 4096]))
        fill = data.draw(st.sampled_from([0, 255, 7]))
        damaged[at : at + length] = bytes([fill]) * len(damaged[at : at + length])
    path = tmp_path_factory.mktemp("any") / "x.fcz"
    try:
        check(bytes(damaged), whole, path)
    except InvalidStream as error:
        assert "nothing can be salvaged" in str(error)


def test_of_a_file_without_its_index_nothing_is_written(sound: bytes, tmp_path: Path) -> None:
    path, out = tmp_path / "x.fcz", tmp_path / "x.safetensors"
    path.write_bytes(sound[: len(sound) // 2])
    assert "nothing can be salvaged" in run("decode", "--salvage", path).failed(3)
    with pytest.raises(Truncated):
        safe_open(path, damaged="nan")
    path.write_bytes(b"something else")
    assert "is not a featcodec file" in run("decode", "--salvage", path).failed(3)
    assert not out.exists()
    with pytest.raises(InvalidInput, match="use error, nan or skip"):
        safe_open(path, damaged="drop")


def test_the_shell_says_what_is_missing(sound: bytes, tmp_path: Path) -> None:
    path, out = tmp_path / "x.fcz", tmp_path / "x.safetensors"
    path.write_bytes(sound)
    assert run("decode", "--salvage", path).status == 0
    at, length = next((at, n) for kind, at, n in sections(sound) if kind == b"ROWS")
    path.write_bytes(damages(sound, at, length)["a bit flipped"])
    said = run("decode", path, "-f").failed(3)
    assert "fails its checksum" in said and said.endswith("; --salvage decodes the rest\n")
    said = run("decode", "--salvage", path, "-f").failed(3)
    assert f"{path} is damaged: " in said and "lacks row" in said and f"{out} has the rest" in said
    stated = json.loads((Dump(out).metadata or {})[KEY])
    assert all(first < behind for rows in stated.values() for first, behind in rows)
    both = run("decode", "--salvage", path, path.rename(tmp_path / "y.fcz"), "-f")
    assert both.status == 1
