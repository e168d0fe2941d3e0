"""The specification: what refers to it, what repeats it, and its worked example agree with it."""

import ast
import itertools
import math
import re
import struct
import tokenize
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitstream_spec import reference_decoder as reference
from featcodec import elements, modes
from featcodec.coding import message_head
from featcodec.container import model, sections
from featcodec.container.flags import Flags
from featcodec.entropy import contexts, dependent_family, family, prediction, split, tables
from featcodec.entropy.tables import Table
from featcodec.modes.context import reconstruction

from .generated.featcodec_file import FeatcodecFile
from .vectors.raw import index_in

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "bitstream_spec"
EXAMPLE = SPEC / "vectors" / "valid" / "017-worked-example"
DECODER = SPEC / "reference_decoder.py"
TEXTS = [SPEC / name for name in ("SPEC.md", "CHANGES.md", "ERRATA.md")]
SOURCES = [
    *(path for folder in ("featcodec", "tests") for path in sorted((ROOT / folder).rglob("*.py"))),
    ROOT / "README.md",
    ROOT / "tests" / "FAULTS.md",
]
MOST_WORDS = 40  # of a cell
LIST = r"(\d+(?:\.\d+)?(?:(?:, | and | or | to |-)§?\d+(?:\.\d+)?)*)"
Described = tuple[int, int, int, int, int, int, tuple[int, ...]]


def chapters() -> dict[str, tuple[str, str]]:
    """Title and text of each section, by its number."""
    found = re.split(r"^##+ (\d+(?:\.\d+)?)\.? (.*)$", TEXTS[0].read_text(), flags=re.MULTILINE)
    return {n: (t, body) for n, t, body in zip(found[1::3], found[2::3], found[3::3], strict=True)}


CHAPTERS = chapters()


def rows(number: str, head: str = "|") -> list[list[str]]:
    """The cells of the first table of a section whose first line begins so."""
    lines = iter(CHAPTERS[number][1].splitlines())
    found = itertools.dropwhile(lambda line: not line.startswith(head), lines)
    taken = list(itertools.takewhile(lambda line: line.startswith("|"), found))[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in taken]


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"-?\d+", text)]


# ---- References ---------------------------------------------------------------------------------


def remarks(path: Path) -> Iterator[str]:
    """The comments and docstrings of a module."""
    with path.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT:
                yield token.string
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def references() -> Iterator[tuple[Path, str]]:
    """Whatever names a section of the specification, and its number."""
    for path in SOURCES:
        for found in re.findall(rf"\bSPEC §?{LIST}", path.read_text()):
            yield from ((path, number) for number in re.findall(r"\d+(?:\.\d+)?", found))
    description = SPEC / "featcodec.ksy"
    yield from ((description, number) for number in listed(description.read_text()))
    yield from ((DECODER, number) for number in in_words("\n".join(remarks(DECODER))))
    for path in TEXTS:
        yield from ((path, number) for number in in_words(re.sub(r"`[^`]*`", "", path.read_text())))


def listed(text: str) -> Iterator[str]:
    """The numbers behind the word section."""
    for found in re.findall(rf"\bsections? {LIST}", text, re.IGNORECASE):
        yield from re.findall(r"\d+(?:\.\d+)?", found)


def in_words(text: str) -> Iterator[str]:
    """The numbers of sections in running text; x.0 are versions, and long fractions numbers."""
    yield from listed(text)
    yield from re.findall(r"(?<![\w.^-])\d{1,2}\.[1-9]\d?(?![\w.]*\d)", text)


def test_what_names_a_section_names_one_that_exists() -> None:
    found = list(references())
    assert len(found) > 300
    assert {path.name for path, _ in found} >= {"message.py", "featcodec.ksy", "SPEC.md"}
    assert [(str(path), n) for path, n in found if n not in CHAPTERS] == []


def test_the_reference_decoder_has_the_headings_of_the_text() -> None:
    headings = re.findall(r"^# ---- (\d.*?) -+$", DECODER.read_text(), re.MULTILINE)
    parts = [part for line in headings for part in re.split(r", (?=\d)", line)]
    assert len(parts) > 30
    for part in parts:
        number, title = re.fullmatch(r"([\d.]+?)\.? (.*)", part).groups()  # type: ignore[union-attr]
        assert CHAPTERS[number][0].startswith(title)


def test_errata_name_tests_and_vectors_that_exist() -> None:
    text = TEXTS[2].read_text()
    tests = re.findall(r"`tests/(\w+\.py)`", text)
    vectors = [n for line in re.findall(r"vectors? (`.*`)", text) for n in line.split("`")[1::2]]
    assert [name for name in tests if not (ROOT / "tests" / name).exists()] == []
    assert [name for name in vectors if not list((SPEC / "vectors").glob(f"*/{name}"))] == []


def test_no_cell_of_a_table_is_a_paragraph() -> None:
    lines = [line for path in TEXTS for line in path.read_text().splitlines()]
    cells = [cell for line in lines if line.startswith("|") for cell in line.split(" | ")]
    words = [len(re.sub(r"`[^`]*`", "code", cell).split()) for cell in cells]
    assert max(words) <= MOST_WORDS


# ---- Versions and names -------------------------------------------------------------------------


def test_every_version_is_in_the_list_of_changes() -> None:
    files, messages = TEXTS[1].read_text().split("## Versions of messages")
    version = "{}.{}".format(*sections.VERSION)
    assert re.findall(r"^\| (\d+\.\d+) \| \d", files, re.MULTILINE)[-1] == version
    found = re.findall(r"^\| (\d+) \| \d", messages, re.MULTILINE)
    assert found == [str(message_head.VERSION)]
    assert TEXTS[0].read_text().splitlines()[0].endswith(f"version {version}")
    assert f"- **Version {sections.VERSION[0]} of files" in files + messages


def test_names_of_types_transforms_and_flags_are_those_of_the_package() -> None:
    cells = [cell for row in rows("4.2") for cell in row if cell]
    types = dict(zip(map(int, cells[::2]), cells[1::2], strict=True))
    assert tuple(types[code] for code in range(len(types))) == elements.NAMES
    assert list(elements.NAMES) == reference.TYPES
    flags = {row[1]: 1 << int(row[0][4:]) for row in rows("5", "| flag ") if row[1]}
    assert flags == {f"`{flag.name.lower()}`": flag for flag in Flags}
    architectures = re.search(r"`architecture` \| (.*?);", CHAPTERS["5"][1])
    assert architectures is not None
    assert architectures[1] == ", ".join(
        f"{i} {name}" for i, name in enumerate(model.ARCHITECTURES)
    )


def test_transforms_are_the_modes_of_the_package() -> None:
    listed = rows("6", "| transform ")
    known = sorted(modes.BY_CODE.items())
    assert [int(code) for code, *_ in listed] == [code for code, _ in known]
    for (_, mode), (_, name, rules, _) in zip(known, listed, strict=True):
        assert name == mode.name
        assert mode.in_profiles == ("own" not in rules)
        assert FeatcodecFile.Transform(mode.code).name == mode.name.replace("-", "_")
    dependent = next(row for row in rows("5", "| flag ") if row[1] == "`dependent`")
    untrellised = {mode.name for mode in modes.BY_CODE.values() if not mode.trellis}
    assert set(re.findall(r"`([\w-]+)`", dependent[-1])) == untrellised


# ---- Built-in tables ----------------------------------------------------------------------------


def described(table: Table) -> Described:
    """The fields of a table, of the package or of the reference decoder."""
    fields = (table.magnitude, table.shift, table.zero, table.positive, table.first, table.further)
    return *fields, tuple(table.hazards)


def in_text(number: str) -> dict[int, Described]:
    """The built-in tables that a section lists, as they are for values of either sign."""
    found = [list(map(numbers, row)) for row in rows(number, "| number | M ")]
    return {
        n: (m, 0, zero, 128, *(code for (code,) in offsets or ((128,), (128,))), tuple(hazards))
        for (n,), (m,), (zero,), *offsets, hazards in found
    }


def test_the_text_lists_the_built_in_tables() -> None:
    listed = in_text("7.3")
    assert list(listed) == list(range(2, 16))
    assert listed == {n: described(family.table(n)) for n in listed}
    listed = in_text("7.9")
    assert list(listed) == list(range(78))
    assert listed == {n: described(contexts.table(n, False)) for n in listed}
    listed = in_text("7.10")
    assert list(listed) == [*range(132, 144), *range(196, 208)]
    assert listed == {n: described(dependent_family.table(n)) for n in listed}


@pytest.mark.parametrize("positive", [False, True])
def test_package_and_reference_decoder_have_the_same_built_in_tables(positive: bool) -> None:
    group = SimpleNamespace(lower=0.0, mean=0.0 if positive else 1.0)
    kinds: list[tuple[range, Callable[[int], Table], Callable[[int], Table]]] = [
        (range(256), family.table, lambda n: reference.find_table(n, {})),
        (
            range(3 * contexts.TABLES),
            lambda n: contexts.table(n, positive),
            lambda n: reference.context_table(n, group, SimpleNamespace(tables={})),
        ),
    ]
    for quantiser in (0, 1):
        first = dependent_family.number(dependent_family.LEAST, quantiser)
        kinds.append(
            (
                range(first, dependent_family.number(63, quantiser) + 1),
                dependent_family.table,
                lambda n: reference.quantiser_table(n, {}),
            )
        )
    for peak in (0, 9):
        stored = SimpleNamespace(tables={}, peak=peak)
        kinds.append(
            (
                range(2 * split.MAGNITUDES),
                lambda n, peak=peak: split.table(n, positive, bool(peak)),
                lambda n, stored=stored: reference.split_table(n, group, stored),
            )
        )
    for which, ours, other in kinds:
        assert [described(ours(n)) for n in which] == [described(other(n)) for n in which]


def test_the_text_has_the_constants_of_the_reference_decoder() -> None:
    eighths = re.search(r"`A = ([\d ]+)`", CHAPTERS["7.1"][1])
    buckets = re.search(r"buckets of ([\d, ]+)", CHAPTERS["7.2"][1])
    means, thresholds = re.findall(r":\n((?: {8}[\d ]+(?:for e.*)?\n)+)", CHAPTERS["7.9"][1])
    edges = re.search(r"those of ([\d\s]+) that", CHAPTERS["7.13"][1])
    assert eighths is not None and buckets is not None and edges is not None
    assert tuple(numbers(eighths[1])) == reference.POWERS
    assert numbers(buckets[1]) == list(reference.LENGTHS[:-1])
    assert sum(reference.LENGTHS) == tables.MAX_MAGNITUDE
    assert numbers(means.partition("for")[0]) == reference.MEANS
    assert numbers(thresholds) == reference.THRESHOLDS
    assert tuple(numbers(edges[1])) == reference.CLASSES == reconstruction.EDGES
    assert tuple(map(reference.chance, range(256))) == tables.CHANCES


def test_the_text_has_the_passes_of_the_package() -> None:
    found = []
    for number, around, a, b, tables_of in rows("7.9", "| pass "):
        assert int(number) == len(found)
        offsets = numbers(around)
        pairs = tuple(zip(offsets[::2], offsets[1::2], strict=True))
        found.append((pairs, int(a), int(b), int(tables_of)))
    assert tuple(found) == contexts.PASSES
    assert found == [(p.neighbours, p.a, p.b, p.set) for p in reference.PASSES]


def test_the_text_has_the_lines_of_the_package() -> None:
    found = {
        int(number): [tuple(zip(*[iter(numbers(line))] * 2, strict=True)) for line in lines]
        for number, *lines in rows("7.11", "| pass ")
    }
    assert list(found) == list(range(1, prediction.PASSES))
    for number, lines in found.items():
        neighbours = contexts.PASSES[number][0]
        pairs = prediction.OPPOSITE[number]
        assert lines == [(neighbours[one], neighbours[other]) for one, other in pairs]


def test_the_text_has_the_passes_over_bins() -> None:
    found: list[tuple[int, int, int, list[tuple[int, int]]]] = []
    for number, row, column, near in rows("8.1", "| pass "):
        assert int(number) == len(found) + 1
        (top, down), (left, right) = numbers(row), numbers(column)
        assert down == right
        places = re.findall(r"g\[y([+-]\d)?\]\[x([+-]\d)?\]", near)
        around = [(int(y or 0), int(x or 0)) for y, x in places]
        same = re.fullmatch(r"as in pass (\d)", near)
        found.append((top, left, down, found[int(same[1]) - 1][3] if same else around))
    assert found == [
        (top, left, step, [(far * y, far * x) for y, x in neighbours])
        for top, left, step, neighbours, far in reference.BIN_PASSES
    ]


# ---- The worked example -------------------------------------------------------------------------


def dumped(text: str) -> bytes:
    """The bytes of tables that state where each of their rows begins."""
    found = b""
    for at, data in re.findall(r"^\| (\d+) \| `([0-9A-F ]+)` \|", text, re.MULTILINE):
        assert int(at) == len(found)
        found += bytes.fromhex(data)
    return found


def test_the_worked_example_is_the_vector() -> None:
    file, unpacked = re.split(r"The zlib stream of INDX unpacks", CHAPTERS["0.6"][1])
    data = (EXAMPLE / "in.fcz").read_bytes()
    assert dumped(file) == data
    payload = index_in(data)
    index = dumped(unpacked)
    assert index == zlib.decompress(payload[1:])
    assert len(index) == payload[0]


def test_the_worked_example_decodes_as_it_says() -> None:
    text, data = CHAPTERS["0.6"][1], (EXAMPLE / "in.fcz").read_bytes()
    _, _, groups = reference.read_groups(data, ())
    lossy = next(groups).lossy
    table = reference.find_table(11, {})
    frequencies = reference.frequencies(table)
    starts = list(itertools.accumulate(frequencies, initial=0))
    coder = reference.Coder(data[35:43])
    symbols = []
    for head, *stated in re.findall(r"^\| `(\w{16})`" + r" \| (-?\d+)" * 4, text, re.MULTILINE):
        assert int(head, 16) == coder.head
        q = coder.head % 2**24
        (k,) = coder.decode(frequencies, 1)
        symbols.append(k - table.magnitude)
        assert list(map(int, stated)) == [q, starts[k], frequencies[k], symbols[-1]]
    coder.end()
    decoded = reference.decode(data)
    assert symbols == list(decoded.symbols[0][1])

    values = struct.unpack("<16f", decoded.tensors["features"].data)
    lines = {row[0]: row[1:] for row in rows("0.6", "| | token ")}
    for token, column in ((0, 0), (6, 1)):
        y = [reference.latent(k, table, lossy.step) for k in (symbols[token], 0)]
        x = reference.inverse_klt(y, lossy.models[0].bases[0])
        centred = [a + b for a, b in zip(x, lossy.models[0].centres, strict=True)]
        placed = [a * lossy.deviation + lossy.mean for a in centred]
        steps = {
            "latents, in steps": [a / lossy.step for a in y],
            "latents": y,
            "after the inverse KLT": x,
            "with the centres": centred,
            "times the deviation, plus the mean": placed,
            "clamped to the bounds": values[2 * token : 2 * token + 2],
        }
        assert lines["symbols"][column] == f"{symbols[token]}, 0"
        for name, wanted in steps.items():
            stated = map(float, lines[name][column].split(", "))
            assert all(
                math.isclose(a, b, abs_tol=1e-6) for a, b in zip(stated, wanted, strict=True)
            )
