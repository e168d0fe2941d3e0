"""Damaged files: refused by name, or decoded to what they held; never anything else."""

import io
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import featcodec.numpy as fc
from featcodec import Profile
from featcodec.cli.main import main
from featcodec.container.reader import Reader
from featcodec.errors import (
    InvalidStream,
    NotFeatcodec,
    ProfileMissing,
    Truncated,
    Unsupported,
)

from .vectors.edit import signed
from .vectors.store import VECTORS
from .vectors.store import sound as vector

SEED = 20250131


@pytest.fixture(scope="module")
def sound(digits: Path, profile: Profile) -> bytes:
    """A small file with a group that uses a profile, one that does not, and one bit for bit."""
    tokens = load_file(digits / "vit_eval.safetensors")["features"][:6]
    maps = load_file(digits / "cnn_eval.safetensors")["features"][:8, :20]
    maps[2, 3, 1, 1], maps[0, 0, 0, 0] = np.nan, 6e4
    tensors = {"tokens": tokens, "maps": maps, "labels": np.arange(8), "nothing": np.zeros((0, 3))}
    stated = {"tokens": "NLD:1+4x4", "maps": "NCHW"}
    return fc.save(tensors, {"note": "small"}, layout=stated, snr=10, profile=profile)


@pytest.fixture(scope="module")
def values(sound: bytes, profile: Profile) -> dict[str, np.ndarray]:
    return fc.load(sound, profile=profile)


@pytest.fixture(scope="module")
def flipped(sound: bytes) -> list[tuple[int, bytes]]:
    """One copy of the file for each of its bytes, with one bit of that byte flipped."""
    bits = np.random.default_rng(SEED).integers(0, 8, len(sound))
    copies = []
    for position, bit in enumerate(bits):
        copy = bytearray(sound)
        copy[position] ^= 1 << int(bit)
        copies.append((position, bytes(copy)))
    return copies


def refused(data: bytes, profile: Profile, values: dict[str, np.ndarray]) -> bool:
    """Return whether the bytes are refused; fail when they decode to other values."""
    try:
        found = fc.load(data, profile=profile)
    except (InvalidStream, ProfileMissing) as error:
        assert "\n" not in str(error)
        return True
    assert list(found) == list(values)
    for name, array in found.items():
        assert array.dtype == values[name].dtype
        np.testing.assert_array_equal(array, values[name])
    return False


def test_the_small_file_has_groups_of_each_kind(
    sound: bytes, profile: Profile, values: dict[str, np.ndarray]
) -> None:
    lossy = [group.lossy for group in Reader(io.BytesIO(sound), "small").groups()]
    assert {None if part is None else part.profile is not None for part in lossy} == {
        None, False, True
    }  # fmt: skip
    assert any(part.clipped for part in lossy if part)
    with pytest.raises(ProfileMissing):
        fc.load(sound)
    assert not refused(sound, profile, values)


def test_every_truncation_is_refused(
    sound: bytes, profile: Profile, values: dict[str, np.ndarray]
) -> None:
    for length in range(len(sound)):
        assert refused(sound[:length], profile, values), f"{length} bytes were accepted"


def test_bytes_behind_the_end_are_refused(
    sound: bytes, profile: Profile, values: dict[str, np.ndarray]
) -> None:
    for more in (b"\0", b"\n", b"x" * 100, sound):
        assert refused(sound + more, profile, values)


def test_every_flipped_byte_is_refused(
    flipped: list[tuple[int, bytes]], profile: Profile, values: dict[str, np.ndarray]
) -> None:
    for position, data in flipped:
        assert refused(data, profile, values), f"a flip in byte {position} was accepted"


def test_every_flipped_byte_of_a_profile_is_refused(profile_file: Path) -> None:
    data = profile_file.read_bytes()
    bits = np.random.default_rng(SEED).integers(0, 8, len(data))
    for position, bit in enumerate(bits):
        copy = bytearray(data)
        copy[position] ^= 1 << int(bit)
        with pytest.raises(InvalidStream):
            Profile.parse(bytes(copy))


def test_zeroed_and_repeated_stretches_are_refused(
    sound: bytes, profile: Profile, values: dict[str, np.ndarray]
) -> None:
    generator = np.random.default_rng(SEED)
    for _ in range(300):
        first, last = np.sort(generator.integers(0, len(sound) + 1, 2))
        stretch = sound[first:last]
        if any(stretch):
            assert refused(sound[:first] + bytes(len(stretch)) + sound[last:], profile, values), (
                f"zeros from {first} to {last} were accepted"
            )
        if stretch:
            assert refused(sound[:last] + stretch + sound[last:], profile, values)
            assert refused(sound[:first] + sound[last:], profile, values)


def test_sections_in_another_order_are_refused(
    sound: bytes, profile: Profile, values: dict[str, np.ndarray]
) -> None:
    cuts = [16, *ends(sound)]
    sections = [sound[a:b] for a, b in itertools.pairwise(cuts)]
    for i in range(len(sections) - 1):
        swapped = list(sections)
        swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
        assert refused(sound[:16] + b"".join(swapped), profile, values)


def ends(data: bytes) -> Iterator[int]:
    """Yield where each section ends: after type, length, payload and checksum."""
    position = 16
    while position < len(data):
        position += 16 + int.from_bytes(data[position + 4 : position + 12], "little")
        yield position


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"hello world\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(99), bytes(5000)]
)
def test_other_files_are_not_taken_for_features(data: bytes) -> None:
    with pytest.raises((NotFeatcodec, Truncated)):
        fc.load(data)


@pytest.mark.parametrize("command", ["decode", "info", "verify"])
@pytest.mark.parametrize("place", [3, 0.1, 0.5, 0.9, -30])
def test_the_command_line_exits_with_3_and_one_line(
    sound: bytes,
    profile_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    command: str,
    place: float,
) -> None:
    position = int(place * len(sound)) if 0 < place < 1 else int(place)
    damaged = bytearray(sound)
    damaged[position] ^= 0x10
    for data in (bytes(damaged), sound[:position]):
        source, target = tmp_path / "x.fcz", tmp_path / "x.safetensors"
        source.write_bytes(data)
        options = ["-o", str(target), "-p", str(profile_file)] if command == "decode" else []
        with pytest.raises(SystemExit) as exit_:
            main([command, str(source), *options])
        err = capsys.readouterr().err
        # The values of a row group are of no concern to `info`, which reads headers.
        if command == "info" and exit_.value.code == 0:
            continue
        assert exit_.value.code == 3
        assert err.startswith("featcodec: ") and err.count("\n") == 1
        assert list(tmp_path.iterdir()) == [source]


def test_a_damaged_file_gives_one_line_and_no_traceback(sound: bytes, tmp_path: Path) -> None:
    source = tmp_path / "x.fcz"
    source.write_bytes(sound[:-1])
    done = subprocess.run(
        [sys.executable, "-m", "featcodec", "decode", str(source), "-o", "-"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"featcodec: ") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(("kind", "said"), [(0, "encode the dump anew"), (1, "train the profile")])
def test_a_draft_is_refused_with_what_to_make_anew(kind: int, said: str) -> None:
    for major in range(1, 7):
        with pytest.raises(Unsupported, match=f"format {major}.0, a draft .*{said}"):
            Reader(io.BytesIO(signed(vector("010-lossless"), major, kind)), "old", None)


@pytest.mark.parametrize("name", ["group-coding", "transform-255", "flag-4"])
def test_what_a_later_version_may_have_is_unsupported(name: str) -> None:
    data = (VECTORS / "faulty" / name / "in.fcz").read_bytes()
    with pytest.raises(Unsupported, match="a newer featcodec is needed"):
        Reader(io.BytesIO(data), name).groups()
