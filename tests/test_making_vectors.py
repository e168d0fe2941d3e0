"""The vectors that are stored, and what makes them: each is made by something, as it is stored."""

import shutil
from pathlib import Path

import pytest

from featcodec import Profile
from featcodec.container.wire import deflate
from featcodec.files import decode_file

from .mutations import inflate
from .vectors import __main__ as missing
from .vectors import by_hand, encoder, messages, profiles, trellis
from .vectors.raw import index_in
from .vectors.store import VECTORS, Vector, sound

KINDS = ("valid", "faulty", "limits", "messages", "faulty-messages")
STORED = {f"{kind}/{folder.name}" for kind in KINDS for folder in (VECTORS / kind).iterdir()}
ENCODED = {f"valid/{name}" for name in (*encoder.encoded(), *trellis.encoded())}
ENCODED |= {f"messages/{name}" for name, _ in messages.encoded()}


@pytest.fixture(scope="module")
def made() -> dict[str, Vector]:
    """The vectors by hand, made anew."""
    if not packs_as_stored(sound("010-lossless")):
        pytest.skip("this zlib finds other bytes than the one that the vectors were packed with")
    return {vector.path: vector for vector in by_hand()}


def packs_as_stored(data: bytes) -> bool:
    """Return whether zlib packs the index of a file as it is packed there."""
    index = index_in(data)
    return deflate(inflate(index)) == index


def test_each_vector_is_made_by_something() -> None:
    by_chance = {vector.path for vector in by_hand()}
    assert by_chance | ENCODED == STORED
    assert not by_chance & ENCODED


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a vector but for what it decodes to."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "out.safetensors"}


@pytest.mark.long
@pytest.mark.parametrize("path", sorted(STORED - ENCODED))
def test_a_vector_by_hand_is_made_anew_byte_for_byte(path: str, made: dict[str, Vector]) -> None:
    assert files_of(VECTORS / path) == made[path].files


@pytest.mark.parametrize("name", profiles.by_hand())
def test_a_profile_by_hand_is_made_anew_byte_for_byte(name: str, made: dict) -> None:
    assert profiles.by_hand()[name]() == (VECTORS / name).read_bytes()


def is_made_today(name: str, folder: Path) -> None:
    vector = encoder.encoded()[name]
    assert encoder.shows(vector, sound(name))
    today = vector.make()
    assert encoder.shows(vector, today)
    (folder / "in.fcz").write_bytes(today)
    known = [Profile.load(VECTORS / vector.profile)] if vector.profile else []
    decode_file(folder / "in.fcz", folder / "out", profile=known)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in encoder.encoded() if "network" not in name])
def test_what_an_encoder_made_shows_what_it_is_to_show_and_is_made_so_today(
    name: str, tmp_path: Path
) -> None:
    is_made_today(name, tmp_path)


@pytest.mark.parametrize("name", [name for name in encoder.encoded() if "network" in name])
def test_so_does_what_an_encoder_made_with_a_network(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    is_made_today(name, tmp_path)


def test_only_what_is_missing_is_written(tmp_path: Path) -> None:
    folder = shutil.copytree(VECTORS, tmp_path / "vectors")
    gone = ["valid/203-shapes-by-hand", "valid/006-no-transform", "faulty/banded-entry-linear"]
    gone += ["messages/311-scalar", "faulty-messages/344-cut", "limits/rank-17"]
    for path in gone:
        shutil.rmtree(folder / path)
    (folder / "least.fcp").unlink()
    kept = folder / "faulty" / "empty" / "in.fcz"
    kept.write_bytes(b"as it was")
    missing.main(folder)
    assert kept.read_bytes() == b"as it was"
    assert {f"{kind}/{path.name}" for kind in KINDS for path in (folder / kind).iterdir()} == STORED
    for path in gone:
        names = [file.name for file in (VECTORS / path).iterdir()]
        assert sorted(file.name for file in (folder / path).iterdir()) == sorted(names)
    assert (folder / "least.fcp").read_bytes() == (VECTORS / "least.fcp").read_bytes()
