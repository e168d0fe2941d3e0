"""README, the guide and docstrings: every example runs, and what they name is there."""

import doctest
import importlib
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import featcodec
from featcodec import modes
from featcodec.cli import guide
from featcodec.cli.main import main

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "bitstream_spec"
PAGES = [ROOT / "README.md", *sorted(guide.FOLDER.glob("*.md"))]
LONG = {"shell", "quality", "commands", "profiles", "writing"}  # pages that take 17 s and more
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# What an example needs beside featcodec itself.
NEEDS = {
    r"import torch|featcodec.torch|from torch|--transform neural|--task |--head ": "torch",
    r"import zarr|zarr\.": "zarr",
    r"featcodec.ext.hf|rows.features": "datasets",
    r"featcodec eval": "bjontegaard",
    r"info --html": "matplotlib",
    r"zstd": "zstandard",
    r"memory://|file://": "fsspec",
    r"import ray|--engine ray|ext\.manifest": "ray",
    r"train --transform neural": "compressai",
}
OF_SPEC = r"bitstream_spec|tests\.vectors|results\.py"  # examples that read or write it
TOOLS = ("find", "xargs", "parallel", "make", "cmp")  # programs that an example may call
# Stand-ins for programs that an example may call: what they do here. The package is that of this
# folder, whatever an example sets PYTHONPATH to.
FIND = f'export PYTHONPATH="$PYTHONPATH:{ROOT}"; exec "{sys.executable}"'
PROGRAMS = {
    "featcodec": f'{FIND} -m featcodec "$@"',
    "python": f'{FIND} "$@"',
    "pip": "true",  # what it is asked for is checked apart
    "make": f'if [ "$1" = -f ]; then exec {shutil.which("make")} "$@"; fi;'
    f' for target; do grep -q "^$target:" "{ROOT}/Makefile" || exit 2; done',
    # All tasks of an array, one after the other.
    "sbatch": 'N=$(sed -n "s/^#SBATCH --array=1-//p" "$1"); export SLURM_ARRAY_TASK_COUNT=$N;'
    " export SLURM_CPUS_PER_TASK=1; for i in $(seq $N); do"
    ' SLURM_ARRAY_TASK_ID=$i bash -e "$1" || exit 1; done',
    "ssh": 'shift; exec bash -c "$*"',
}


@dataclass(frozen=True)
class Example:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def packages(self) -> set[str]:
        """Return the packages that it needs."""
        return {name for pattern, name in NEEDS.items() if re.search(pattern, self.text)}

    def missing(self) -> list[str]:
        """Return the packages and programs that it needs and that are not installed."""
        tools = {tool for tool in TOOLS if re.search(rf"(^|[|(]) *{tool} ", self.text, re.M)}
        absent = {tool for tool in tools if not shutil.which(tool)}
        return sorted(
            absent | {name for name in self.packages() if not importlib.util.find_spec(name)}
        )

    def run(self, names: dict[str, Any], environment: dict[str, str]) -> None:
        if self.language == "python":
            code = "\n" * self.line + self.text
            exec(compile(code, self.page, "exec"), names)
            return
        command = ["bash", "-e", "-o", "pipefail", "-c", self.text]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{self.page}:{self.line}\n{self.text}{done.stderr}"


def examples(page: Path) -> Iterator[Example]:
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Example(page.name, line, match[1], match[2])


@pytest.fixture(scope="session")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where matplotlib keeps the list of fonts, which takes seconds to make."""
    return tmp_path_factory.mktemp("fonts")


@pytest.fixture
def environment(
    tmp_path: Path, few_digits: Path, fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """A folder that looks like a clone, and the programs of an environment with featcodec.

    Its dumps have few samples, as examples show how, and not how well.
    It has no `bitstream_spec`: that is for examples to write to, and takes time to be copied.
    """
    clone, programs = tmp_path / "clone", tmp_path / "bin"
    (clone / "tests").mkdir(parents=True)
    programs.mkdir()
    for path in (ROOT / "tests").iterdir():
        (clone / "tests" / path.name).symlink_to(few_digits if path.name == "digits" else path)
    shutil.copy(ROOT / "README.md", clone)
    shutil.copytree(guide.FOLDER, clone / "featcodec" / "guide")
    (clone / "featcodec" / "training").mkdir()  # which results.py writes to
    for name, script in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.chdir(clone)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # nothing of the user's is found or changed
    monkeypatch.setenv("MPLCONFIGDIR", str(fonts))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::ResourceWarning")  # of Ray
@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=pytest.mark.long) if p.stem in LONG else p for p in PAGES],
    ids=lambda page: page.stem,
)
def test_every_example_runs(
    page: Path, environment: dict[str, str], subtests: pytest.Subtests
) -> None:
    names: dict[str, Any] = {}
    if re.search(OF_SPEC, "".join(example.text for example in examples(page))):
        shutil.copytree(SPEC, "bitstream_spec")
    for example in examples(page):
        if example.language not in ("sh", "python"):
            continue
        with subtests.test(line=example.line):
            if missing := example.missing():
                pytest.skip(f"needs {', '.join(missing)}")
            example.run(names, environment)


def test_pages_that_run_in_one_environment_need_nothing_of_the_other() -> None:
    [named] = re.findall(r"^IN_ONE := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for page in named.split():
        found = list(examples(guide.FOLDER / f"{page}.md"))
        assert found and not any(example.packages() for example in found), page


def test_readme_shows_what_info_says(
    digits: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = list(examples(ROOT / "README.md"))
    tour = next(block for block in blocks if "featcodec info" in block.text)
    Path("tests/digits").unlink()
    Path("tests/digits").symlink_to(digits)  # of all samples, as README tells
    shown = next(block for block in blocks if block.language == "text").text
    tour.run({}, environment)
    assert run("info", "vit.fcz") == 0
    said = capsys.readouterr().out
    for line in shown.splitlines():  # machines may differ by a few bytes
        name, *cells = line.split()
        [found] = [each.split() for each in said.splitlines() if each.split()[:1] == [name]]
        assert [re.sub(r"[\d,.]+", "", cell) for cell in found] == [
            re.sub(r"[\d,.]+", "", cell) for cell in (name, *cells)
        ]
        for one, other in zip(numbers(line), numbers(" ".join(found)), strict=True):
            assert one == pytest.approx(other, rel=0.01)


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", text)]


def test_examples_say_what_they_are() -> None:
    for page in PAGES:
        for example in examples(page):
            assert example.language in ("sh", "python", "text"), f"{page.name}:{example.line}"


def test_what_pip_is_asked_for_are_extras() -> None:
    for page in PAGES:
        for extra in re.findall(r"pip install '\.\[([\w,]+)\]'", page.read_text(encoding="utf-8")):
            assert set(extra.split(",")) <= EXTRAS.keys(), f"{page.name}: {extra}"


def test_evaluation_needs_no_torch() -> None:
    assert not any(re.match("torch|compressai", package) for package in EXTRAS["eval"])


def test_links_lead_to_files() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", ["how-it-works", "contributing"])
def test_rooms_and_files_that_a_page_names_are_there(page: str) -> None:
    text = (guide.FOLDER / f"{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w./])(?:[a-z_]+/)+(?:[\w*]+(?:\.\w+)*|\*\.py)?", text))
    assert len(named) > 10
    for path in named - {"dist/"}:
        folders = (ROOT, ROOT / "featcodec", SPEC, SPEC / "vectors")
        assert any(any(folder.glob(path)) for folder in folders), path


def test_the_table_of_modes_is_that_of_the_registry() -> None:
    text = (guide.FOLDER / "how-it-works.md").read_text(encoding="utf-8")
    named = {}
    for folder, says in re.findall(r"^\| `(\w+)` \| (`[^|]*) \|", text, re.MULTILINE):
        named |= dict.fromkeys(re.findall(r"`([\w-]+)`", says), folder)
    assert named == {name: mode.module.rsplit(".", 1)[-1] for name, mode in modes.MODES.items()}


# --- the command --------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def test_the_index_names_every_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("guide") == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    pages = {page.stem for page in guide.FOLDER.glob("*.md")} - {"README"}
    assert len(listed) == len(set(listed)) and set(listed) == pages
    readme = re.findall(r"^\[.*\]\(featcodec/guide/(.*)\.md\)", PAGES[0].read_text(), re.M)
    assert readme == listed


@pytest.mark.parametrize("topic", guide.topics())
def test_a_page_is_printed_as_it_is_written(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("guide", topic) == 0
    said = capsys.readouterr().out
    written = (guide.FOLDER / f"{topic}.md").read_text(encoding="utf-8")
    assert said == "".join(re.split(r"<!-- .* -->\n", written))


def test_an_unknown_topic_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("guide", "nothing") == 2
    said = capsys.readouterr().err
    assert "'nothing'" in said and all(topic in said for topic in guide.topics())


# --- tables -------------------------------------------------------------------------------------


def test_tables_are_those_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests" / "benchmarks")
    results = importlib.import_module("results")
    named = set()
    for page in results.pages():
        text = page.read_text(encoding="utf-8")
        named |= {match[2] for match in results.BLOCK.finditer(text)}
        assert results.filled(text) == text, f"{page.name}: run tests/benchmarks/results.py"
    assert named == results.BLOCKS.keys()


# --- docstrings ---------------------------------------------------------------------------------

PUBLIC = {
    "featcodec": [name for name in featcodec.__all__ if name != "__version__"],
    "featcodec.access": ["Slice"],
    "featcodec.dumps": ["Dump"],
    "featcodec.request": ["Options", "Quality"],
    "featcodec.rules": ["Rules"],
    "featcodec.salvage": ["salvage_file"],
    "featcodec.verification": ["verify"],
    "featcodec.numpy": ["save", "load", "save_file", "load_file"],
    "featcodec.joining": ["append_file", "concat_files"],
    "featcodec.torch": [
        *("save", "load", "save_file", "load_file", "record"),
        *("FeatureDataset", "FeatureStream", "RowGroupSampler"),
    ],
    "featcodec.ext.hf": ["from_featcodec"],
    "featcodec.ext.numcodecs": ["Featcodec"],
    "featcodec.ext.zarr": ["Featcodec"],
}
NEEDED = {  # by a module, beside featcodec itself
    "featcodec.torch": "torch",
    "featcodec.ext.hf": "datasets",
    "featcodec.ext.numcodecs": "numcodecs",
    "featcodec.ext.zarr": "zarr",
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PUBLIC.items() for name in names]
)
def test_a_public_name_has_an_example_that_runs(
    module: str, name: str, digits: Path, profile_file: Path, environment: dict[str, str]
) -> None:
    pytest.importorskip(NEEDED.get(module, "featcodec"))
    found = getattr(importlib.import_module(module), name)
    Path("feats.safetensors").symlink_to(digits / "vit_eval.safetensors")
    Path("backbone.fcp").symlink_to(profile_file)
    names = {name: found}
    tests = [t for t in doctest.DocTestFinder().find(found, name, globs=names) if t.examples]
    assert tests, f"{module}.{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in tests:
        assert runner.run(test).failed == 0


@pytest.mark.parametrize("module", PUBLIC)
def test_public_functions_name_their_arguments(module: str) -> None:
    pytest.importorskip(NEEDED.get(module, "featcodec"))
    for name in PUBLIC[module]:
        found = getattr(importlib.import_module(module), name)
        said = f"{inspect.getdoc(found)} {inspect.getdoc(found.__init__)}"
        if re.search("Arguments.* are those of", said):
            continue
        for argument in inspect.signature(found).parameters:
            assert re.search(rf"\b{argument}\b", said), f"{module}.{name}: {argument}"


@pytest.mark.parametrize("module", PUBLIC)
def test_public_methods_say_what_they_do(module: str) -> None:
    pytest.importorskip(NEEDED.get(module, "featcodec"))
    for name in PUBLIC[module]:
        found = getattr(importlib.import_module(module), name)
        for method in vars(found) if inspect.isclass(found) else ():
            if not method.startswith("_") and inspect.isroutine(getattr(found, method)):
                assert inspect.getdoc(getattr(found, method)), f"{module}.{name}.{method}"
