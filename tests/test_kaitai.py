"""The Kaitai Struct description reads the container as the reference decoder does."""

import hashlib
import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import kaitaistruct
import pytest

from bitstream_spec import reference_decoder as reference

from .generated.featcodec_file import KSY_SHA256, FeatcodecFile
from .vectors.store import VECTORS

VALID = sorted((VECTORS / "valid").iterdir())
PROFILES = [path.read_bytes() for path in sorted(VECTORS.glob("*.fcp"))]
BROKEN_FRAMES = ["empty", "draft", "future-version", "not-featcodec", "text-mode"]
BROKEN_FRAMES += ["banded-17", "predicted-reflector", "split-peak", "flag-4", "transform-255"]
BROKEN_FRAMES += ["curve-network"]
BROKEN_FRAMES += ["shapes-cut", "shapes-large", "shapes-number", "shapes-twice"]
BROKEN_FRAMES += ["shapes-reflector"]
BROKEN_FRAMES += ["hostile-sections", "hostile-tensors", "hostile-metadata", "hostile-keys"]
BROKEN_FRAMES += ["hostile-profiles", "hostile-varint", "hostile-values", "hostile-elements"]
BROKEN_FRAMES += ["hostile-row-group", "hostile-tokens", "section-of-15", "name-too-long"]
BROKEN_FRAMES += ["key-too-long", "layout-17", "grid-17", "block-17"]
BROKEN_FRAMES += ["repeats-network", "repeats-none", "repeats-whole", "repeats-no-rows"]
BROKEN_FRAMES += ["refined-clamp", "refined-single", "refined-dependent"]
BROKEN_FRAMES += ["refined-logarithmic-alone", "refined-of-task"]
BROKEN_FRAMES += ["repeats-cut", "hostile-runs", "hostile-stated-runs"]


def names_of(index: Any) -> list[str]:
    names, previous = [], b""
    for shared, rest in zip(index.len_shared, index.rests, strict=True):
        previous = previous[: shared.value] + rest
        names.append(previous.decode())
    return names


def real(found: Any) -> float:
    return float(struct.unpack("<d", bytes(8 - found.len) + found.body)[0])


def shapes_of(index: Any) -> list[list[int]]:
    return [
        [a.lengths[i].length.value for a in index.axes if hasattr(a.lengths[i], "length")]
        for i in range(index.num_tensors.value)
    ]


def test_the_parser_is_generated_from_the_description_that_is_there() -> None:
    """If not: `make kaitai`."""
    description = VECTORS.parent / "featcodec.ksy"
    assert hashlib.sha256(description.read_bytes()).hexdigest() == KSY_SHA256


@pytest.mark.parametrize("folder", VALID, ids=lambda folder: folder.name)
def test_index_groups_and_row_groups_agree(folder: Path) -> None:
    data = (folder / "in.fcz").read_bytes()
    file = FeatcodecFile.from_bytes(data)
    index, _, groups = reference.read_groups(data, PROFILES)
    found = file.sections[-2].payload.index
    assert names_of(found) == index.names
    assert shapes_of(found) == index.shapes
    assert [group.value for group in found.groups] == index.groups
    grup = FeatcodecFile.SectionType.grup
    described = [section.payload for section in file.sections if section.type == grup]
    for one, other in zip(described, groups, strict=True):
        assert (one.num_slabs.value, one.slabs_per_row_group.value) == (other.slabs, other.per)
        assert one.first_section.value == other.first
        if other.repeats:
            assert one.repeats.body.repeats.num_runs.value == len(other.repeats.runs)
        if other.lossy:
            assert real(one.lossy.step) == other.lossy.step
            assert one.layout.text == other.lossy.layout
            if other.lossy.curve:
                assert tuple(one.lossy.curve.knots) == other.lossy.curve.knots
        for i in range(one.num_row_groups):
            rows = file.sections[one.first_section.value + i].payload
            if other.lossy and other.lossy.network:
                assert one.coding == FeatcodecFile.Coding.network
                for field in (rows.network.hyper_latents, rows.network.latents):
                    assert field.body._io.is_eof()
                assert rows.network.symbols._io.is_eof()
            elif other.lossy and other.lossy.gains:
                assert rows.gains.symbols._io.is_eof()
            elif other.lossy and other.lossy.refined:
                assert rows.refined.refinement.body._io.is_eof()
                assert rows.refined.symbols._io.is_eof()
            elif other.lossy:
                assert rows.lossy.symbols._io.is_eof()


@pytest.mark.parametrize("name", ["digits.fcp", "banded.fcp"])
def test_it_reads_a_profile(name: str) -> None:
    file = FeatcodecFile.from_bytes((VECTORS / name).read_bytes())
    names = [section.payload.name.text for section in file.sections[:-2]]
    assert len(names) == 3
    assert all("digits" in name for name in names)


@pytest.mark.parametrize("name", ["network.fcp", "least.fcp"])
def test_it_reads_a_network(name: str) -> None:
    data = (VECTORS / name).read_bytes()
    (section,) = FeatcodecFile.from_bytes(data).sections[:-2]
    network = section.payload.network
    header = json.loads(network.header)
    header.pop("__metadata__")
    (wanted,), _ = reference.read_file(data, reference.PROFILE)
    found = reference.read_safetensors(wanted.payload)
    assert {k: (v["dtype"], v["shape"]) for k, v in header.items()} == {
        k: (p.dtype, p.shape) for k, p in found.items()
    }
    assert max(v["data_offsets"][1] for v in header.values()) == len(network.data)


@pytest.mark.parametrize(
    "name",
    [
        *(f"{name}/in.fcz" for name in BROKEN_FRAMES),
        "shapes-entry/profile.fcp",
        "split-entry/profile.fcp",
    ],
)
def test_its_constraints_refuse_a_broken_frame(name: str) -> None:
    data = (VECTORS / "faulty" / name).read_bytes()
    with pytest.raises((kaitaistruct.KaitaiStructError, EOFError)):
        FeatcodecFile.from_bytes(data)


def test_it_reads_bins() -> None:
    data = (VECTORS / "valid" / "143-lossless-by-hand" / "in.fcz").read_bytes()
    file = FeatcodecFile.from_bytes(data)
    _, sections, groups = reference.read_groups(data, [])
    for group in groups:
        size, count = reference.width(group.dtype), group.per
        planes = file.sections[group.first].payload.exact.planes
        assert planes[0] == 3
        io = kaitaistruct.KaitaiStream(BytesIO(planes[1:]))
        found = FeatcodecFile.Bins(size, count, io)
        r = reference.Reader(sections[group.first].payload[5:])
        wanted = reference.read_bins(r.blob(), size, count)
        assert (found.model.shift, found.model.num_low_bits) == (wanted.shift, wanted.low)
        assert found.model.kinds_of_places == wanted.places
        assert found.model.kinds_of_channels == wanted.channels
        assert [*found.model.map] == wanted.map
        assert len(found.words) % 4 == 0


def test_it_reads_swapped_numbers() -> None:
    data = (VECTORS / "valid" / "212-swapped" / "in.fcz").read_bytes()
    file = FeatcodecFile.from_bytes(data)
    _, sections, groups = reference.read_groups(data, [])
    (group,) = groups
    planes = file.sections[group.first].payload.exact.planes
    assert planes[0] == 5
    found = FeatcodecFile.Swaps(kaitaistruct.KaitaiStream(BytesIO(planes[1:])))
    size = reference.width(group.dtype)
    wanted = reference.read_swaps(reference.Reader(sections[group.first].payload[4:]), size)
    assert (found.distance.value, found.phase.value) == (wanted.distance, wanted.phase)
    assert found.num_channels.value == len(wanted.numbers)
