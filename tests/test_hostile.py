"""Files made to harm: whatever they claim, they are refused at once, or are what they say."""

import io
import json
import random
import resource
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitstream_spec import reference_decoder as reference
from featcodec import Profile, limits
from featcodec.align.numbers import stored_dtype, to_float
from featcodec.cli.info import describe
from featcodec.coding.kept import Kept
from featcodec.container.reader import Reader
from featcodec.container.wire import Builder, Cursor, Unpacker, deflate
from featcodec.decoding.decoder import Decoder
from featcodec.elements import count
from featcodec.entropy.errors import SymbolError
from featcodec.entropy.varints import read_all
from featcodec.errors import InvalidStream, ProfileMissing, Truncated

from . import mutations
from .vectors import hostile, raw, repeats
from .vectors.store import VECTORS, profiles_of

MEMORY = 48 << 20  # bytes, and
SECONDS = 2.0  # that a refusal may take: a hundred times what it takes on an idle machine

LARGE: dict[str, bytes | Callable[[], bytes]] = {
    **{name: data for name, (_, data) in hostile.faults().items()},
    **{name: data for name, (_, data) in repeats.faults().items() if "hostile" in name},
    "many-sections": lambda: hostile.sections(5_000_000),
    "many-names": lambda: hostile.names(20_000),
    "many-exceptions": lambda: hostile.exceptions(5_000_000),
    "many-groups": lambda: hostile.empty_groups(20_000),
    "many-tensors": lambda: hostile.tensors(1 << 60),
    "long-varint": lambda: hostile.continued(20_000_000),
}


def decode(data: bytes, profiles: list[Profile] | None = None) -> tuple[Reader, dict]:
    """Return what the package decodes, stored elements by name."""
    reader = Reader(io.BytesIO(data), "hostile")
    decoder = Decoder(reader, profiles or [])
    found = {
        entry.name: np.zeros(count(entry.dtype, entry.values), stored_dtype(entry.dtype))
        for entry in reader.index.tensors
    }
    decoder.decode(reader.index.tensors, lambda entry: found[entry.name])
    return reader, found


@pytest.mark.parametrize("name", LARGE)
def test_what_a_file_claims_is_refused_before_it_costs_anything(name: str) -> None:
    made = LARGE[name]
    data = made if isinstance(made, bytes) else made()
    for read, error in ((decode, InvalidStream), (reference.decode, reference.FormatError)):
        tracemalloc.start()
        began = time.process_time()
        with pytest.raises(error) as refusal:
            read(data)
        seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (peak < MEMORY + 8 * len(data), seconds < SECONDS) == (True, True), (peak, seconds)
        assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 300


@pytest.mark.parametrize("name", ["many-sections", "many-names", "many-groups", "long-varint"])
def test_so_does_a_look_at_the_headers(name: str, tmp_path: Path) -> None:
    made = LARGE[name]
    path = tmp_path / "x.fcz"
    path.write_bytes(made if isinstance(made, bytes) else made())
    tracemalloc.start()
    with pytest.raises(InvalidStream):
        describe(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY + 8 * path.stat().st_size


@pytest.mark.long
def test_many_groups_are_described_in_time_that_grows_with_them(tmp_path: Path) -> None:
    """Four times as many take four times as long, and not sixteen."""
    path, took = tmp_path / "x.fcz", []
    for many in (5_000, 20_000):
        groups = [raw.exact(0)] * many
        named = [(b"%d" % i, raw.U8, (0,), i) for i in range(many)]
        path.write_bytes(raw.file(groups, raw.index(named, groups)))
        began = time.process_time()
        assert len(describe(str(path))["tensors"]) == many
        assert decode(path.read_bytes())[1].keys() == {f"{i}" for i in range(many)}
        took.append(time.process_time() - began)
    assert took[1] < 8 * took[0]


def test_large_models_of_many_groups_are_not_kept_together() -> None:
    group = raw.lossy(1, b"NLC", raw.model((256,)))
    rows = [raw.ROWS] * 40
    groups = [raw.lossy(1, b"NLC", raw.model((256,)), first=i) for i in range(len(rows))]
    named = [(b"%d" % i, raw.F32, (1, 1, 1 << 12), i) for i in range(len(rows))]
    data = raw.file([*rows, *groups], raw.index(named, [*rows, *groups]))
    assert len(group) * len(rows) < 10_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("featcodec.decoding.decoder.KEPT_NUMBERS", 1 << 22)
        tracemalloc.start()
        decode(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * (1 << 22) * 3


# --- parts --------------------------------------------------------------------------------------


@pytest.mark.long
@given(st.data())
def test_what_is_unpacked_as_it_is_read_is_what_was_packed(data: st.DataObject) -> None:
    whole = data.draw(st.binary(max_size=300)) * data.draw(st.sampled_from([1, 1, 700]))
    cursor = Unpacker(deflate(whole), "field", len(whole))
    pieces = []
    while cursor.left:
        some = data.draw(st.integers(0, 2 * cursor.left))
        if some > cursor.left:
            with pytest.raises(Truncated):
                cursor.take(some)
            break
        pieces.append(bytes(cursor.take(some)))
    pieces.append(bytes(cursor.rest()))
    cursor.end()
    assert b"".join(pieces) == whole


@given(st.binary(max_size=300), st.integers(0, 303), st.binary(min_size=1, max_size=3))
def test_what_unpacks_to_another_length_or_has_more_behind_it_is_refused(
    whole: bytes, stated: int, behind: bytes
) -> None:
    packed = Builder()
    packed.varint(stated)
    packed += zlib.compress(whole)
    damaged = [deflate(whole) + behind, deflate(whole)[:-1]]
    for data in damaged + [bytes(packed)] * (stated != len(whole)):
        with pytest.raises(InvalidStream):
            mutations.inflate(data)


@given(st.lists(st.integers(0, (1 << 64) - 1)), st.integers(0, 5000))
def test_varints_come_back(numbers: list[int], short: int) -> None:
    numbers = numbers + [7] * short + numbers
    out = Builder()
    out.varints(numbers)
    cursor = Cursor(out)
    assert cursor.varints(len(numbers)) == numbers
    assert not cursor.left
    with pytest.raises(Truncated):
        Cursor(out).varints(len(numbers) + 1)


@given(st.lists(st.integers(0, (1 << 35) - 1)), st.binary(max_size=4), st.booleans())
def test_arrays_of_varints_come_back(numbers: list[int], behind: bytes, counted: bool) -> None:
    out = Builder()
    out.varints(numbers)
    if counted:
        found, end = read_all(bytes(out) + behind, len(numbers))
        assert (found.tolist(), end) == (numbers, len(out))
    else:
        assert read_all(bytes(out))[0].tolist() == numbers
    for damaged in (b"\x80", b"\x80\0", b"\x80" * 5 + b"\1"):
        with pytest.raises(SymbolError):
            read_all(bytes(out) + damaged)


@given(st.lists(st.integers(1, 12), min_size=1))
def test_things_are_kept_while_there_is_room(sizes: list[int]) -> None:
    kept: Kept[tuple[int, int]] = Kept(20, lambda made: made[1])
    for key, size in enumerate(sizes):
        assert kept.get(key, lambda made=(key, size): made) == (key, size)
        assert kept.get(key, lambda: pytest.fail("made again")) == (key, size)
        assert sum(made[1] for made in kept._made.values()) <= 20
    last = [key for key in range(len(sizes)) if sum(sizes[key:]) <= 20]
    assert [*kept._made] == last


# --- mutations ------------------------------------------------------------------------------------

SMALL = {  # so small that nothing within them takes long
    "HEADER_BYTES": 20_000,
    "TENSOR_VALUES": 1 << 30,
    "COEFFICIENTS": 1 << 14,
    "KLT_NUMBERS": 1 << 14,
    "CHANNEL_WEIGHTS": 1 << 12,
    "SLAB_VALUES": 1 << 14,
    "ROW_GROUP_VALUES": 1 << 15,
    "PICTURE_LATENTS": 1 << 14,
    "PICTURE_INNER_VALUES": 1 << 16,
}
SEEDS = 50_000  # bytes of decoded vectors
COARSE = 64  # deviations, of a step: sums of such latents are beyond single precision


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small limits for all, and no more memory than they can need."""
    for name, bound in SMALL.items():
        monkeypatch.setattr(limits, name, bound)
        monkeypatch.setitem(reference.LIMITS, name, bound)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def seeds() -> list[tuple[mutations.File, list[bytes]]]:
    """Return the small test vectors, with the profiles that they need."""
    found = []
    for folder in sorted((VECTORS / "valid").iterdir()):
        needed = profiles_of(json.loads((folder / "expect.json").read_text()))
        profiles = [(VECTORS / path).read_bytes() for path in needed]
        data = (folder / "in.fcz").read_bytes()
        light = not any(b"NETW" in one for one in (*profiles, data))  # no torch is needed
        if light and (folder / "out.safetensors").stat().st_size < SEEDS:
            found.append((mutations.File(data), profiles))
    return found


WHOLE = sorted([*VECTORS.glob("valid/*/in.fcz"), *VECTORS.glob("*.fcp")])


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_is_taken_apart_is_put_together_again(path: Path) -> None:
    """All fields are known but those of networks, and what stands in a file for its own sake."""
    file = mutations.File(data := path.read_bytes())
    assert file.bytes() == data
    for kind, fields in file.sections:
        if kind in (b"GRUP", b"ENTR"):
            assert fields[-1] == ["bytes", b""], "fields that are not known"
        else:
            assert kind in (b"ROWS", b"qual", b"NETW", b"prof", b"made")


def verdict(read: Callable, refusals: tuple, data: bytes, profiles: list) -> object | None:
    """Return what is read, None when it is refused; fail on all else."""
    try:
        return read(data, profiles)
    except refusals as error:
        assert "\n" not in str(error)
        return None


def compare(reader: Reader, found: dict[str, np.ndarray], other: ModuleType) -> None:
    """Fail unless both decoders made the same of a file."""
    assert list(found) == list(other.tensors)
    assert reader.index.metadata == other.metadata
    groups = reader.groups()
    for entry in reader.index.tensors:
        lossy, mine = groups[entry.group].lossy, found[entry.name]
        theirs = np.frombuffer(other.tensors[entry.name].data, mine.dtype)
        if lossy is None:
            assert mine.tobytes() == theirs.tobytes()
        elif lossy.step < COARSE:
            a, b = (to_float(x, entry.dtype).astype(np.float64) for x in (mine, theirs))
            usable = np.isfinite(a) & np.isfinite(b)
            most = max(lossy.std, float(np.abs(b[usable]).max(initial=0)))
            unit = {"F8_E4M3": 2**-3, "F8_E5M2": 2**-2, "BF16": 2**-7}.get(entry.dtype, 2**-10)
            assert np.abs(a - b)[usable].max(initial=0) <= 2 * unit * most


def run(count: int, seed: int) -> Counter:
    """Mutate files, and let both decoders judge them."""
    chance, sound = random.Random(seed), seeds()
    ours = {id(profiles): [Profile.parse(p) for p in profiles] for _, profiles in sound}
    verdicts = Counter[bool]()
    for number in range(count):
        file, profiles = chance.choice(sound)
        data = mutations.mutated(chance, file)
        began = time.process_time()
        found = verdict(decode, (InvalidStream, ProfileMissing), data, ours[id(profiles)])
        assert time.process_time() - began < SECONDS, number
        other = verdict(reference.decode, (reference.FormatError,), data, profiles)
        assert (found is None) == (other is None), number
        if found is not None:
            with np.errstate(all="ignore"):
                compare(*found, other)
        verdicts[found is not None] += 1
    return verdicts


@pytest.mark.long
def test_mutated_files_are_refused_or_right(small: None) -> None:
    verdicts = run(1000, seed=1)
    assert min(verdicts[True], verdicts[False]) > 100


def test_a_row_group_may_have_room_for_more_slabs_than_any_number_of_the_machine() -> None:
    for file, profiles in seeds():
        groups = [fields for kind, fields in file.sections if kind == b"GRUP"]
        alone = [fields for fields in groups if 0 < fields[3][1] <= fields[4][1]]
        if not alone:
            continue
        for fields in alone:
            fields[4][1] = (1 << 64) - 1
        data, packed = file.bytes(), [Profile.parse(profile) for profile in profiles]
        with np.errstate(all="ignore"):
            compare(*decode(data, packed), reference.decode(data, profiles))


@pytest.mark.slow
def test_many_mutated_files_are_refused_or_right(small: None) -> None:
    run(40_000, seed=2)


def test_mutated_profiles_are_refused_or_read() -> None:
    """An entry is looked into when a group needs it; here all are."""
    chance = random.Random(3)
    for name in ("digits.fcp", "banded.fcp", "least.fcp"):
        sound = (VECTORS / name).read_bytes()
        for _ in range(60):
            data = mutations.resealed(chance, sound)
            try:
                profile = Profile.parse(data)
                for number in range(len(profile.entries)):
                    profile.model(number)
                found = profile.network is None or profile.neural is not None
            except InvalidStream:
                found = False
            try:
                reference.read_profile(data)
                other = True
            except reference.FormatError:
                other = False
            assert found == other
