"""What may import what: start-up time and the direction of dependencies depend on it."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "featcodec"
NETWORK = PACKAGE / "training" / "network"
LEARNING = {
    "cli/train_network.py",
    *(f"training/{name}.py" for name in ("head", "halves", "judges", "recommend")),
    *(f"training/network/{path.name}" for path in NETWORK.glob("*.py")),
}
FACET = {f"torch/{path.name}" for path in (PACKAGE / "torch").glob("*.py")} | {"ext/lmcache.py"}
COMPILED = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("compiled_*.py")}
ENCODER = ("featcodec.encoding", "featcodec.training")
HEAVY = ("numpy", "torch", "constriction", "safetensors", "compressai")


@cache
def imports(path: Path) -> set[str]:
    """Return the dotted names a module imports, relative ones resolved."""
    found = set()
    package = ("featcodec", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def reaches(path: Path, name: str) -> bool:
    return any(found == name or found.startswith(f"{name}.") for found in imports(path))


@pytest.mark.parametrize("stage", ["align", "transform", "quantise", "entropy"])
def test_a_stage_knows_neither_the_others_nor_the_container(stage: str) -> None:
    others = {"align", "transform", "quantise", "entropy", "container", "coding", "decoding"}
    others |= {"modes", "encoding", "training", "cli"}
    for path in (PACKAGE / stage).rglob("*.py"):
        for other in others - {stage}:
            assert not reaches(path, f"featcodec.{other}"), f"{path} imports {other}"


def test_the_container_needs_the_standard_library_only() -> None:
    for path in [
        *(PACKAGE / "container").glob("*.py"),
        PACKAGE / "errors.py",
        PACKAGE / "limits.py",
        PACKAGE / "elements.py",
        PACKAGE / "modes" / "mode.py",
        *(PACKAGE / "modes").rglob("__init__.py"),
    ]:
        for name in (*HEAVY, "click", "featcodec.coding", "featcodec.entropy"):
            assert not reaches(path, name), f"{path} imports {name}"


SEARCH = ("search.py", "candidate.py", "fit.py", "gathered.py", "clusters.py")  # of a mode


@pytest.mark.parametrize("room", ["coding", "decoding", "modes"])
def test_decoding_knows_nothing_of_encoding(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        if room == "modes" and path.name in SEARCH:
            continue
        for name in (*ENCODER, "featcodec.evaluate", "featcodec.cli"):
            assert not reaches(path, name), f"{path} imports {name}"


def test_what_decodes_loads_none_of_the_encoder() -> None:
    script = (
        "import sys, featcodec.files, featcodec.numpy\n"
        f"found = [m for m in sys.modules if m.startswith({ENCODER!r})]\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_both_ends_need_knows_no_decoder() -> None:
    for path in (PACKAGE / "coding").rglob("*.py"):
        assert not reaches(path, "featcodec.decoding"), f"{path} imports the decoder"


def test_no_private_name_crosses_a_module() -> None:
    for path in PACKAGE.rglob("*.py"):
        private = [name for name in imports(path) if name.rsplit(".", 1)[-1].startswith("_")]
        assert all(name.endswith("__") for name in private), f"{path} imports {private}"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("constriction", {"entropy/rans.py"}),
        (
            "torch",
            {*FACET, "fidelity.py", "sensitivity.py", "transform/neural/network.py", *LEARNING},
        ),
        ("compressai", {"training/network/hyperprior.py"}),
        ("numba", COMPILED),
    ],
)
def test_a_library_is_imported_by_the_files_that_may(name: str, allowed: set[str]) -> None:
    users = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if reaches(p, name)}
    assert users <= allowed


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_a_compiled_loop_is_loaded_when_it_pays(name: str) -> None:
    module = f"featcodec.{name.removesuffix('.py').replace('/', '.')}"
    assert not [path for path in PACKAGE.rglob("*.py") if reaches(path, module)]


def test_only_what_draws_knows_the_evaluation() -> None:
    inside = {*(PACKAGE / "evaluate").glob("*.py")}
    users = {p for p in PACKAGE.rglob("*.py") if reaches(p, "featcodec.evaluate")} - inside
    assert users == {PACKAGE / "cli/eval.py", PACKAGE / "cli/info_page.py"}
    for path in inside:  # packages that may be missing are loaded when they are needed
        for name in ("matplotlib", "bjontegaard", "zstandard", "pcodec", "pysz", "zfpy"):
            assert not reaches(path, name), f"{path} imports {name}"


@pytest.mark.parametrize(
    "command", [["--help"], ["guide", "quality"], ["info", "FILE"], ["verify", "FILE"]]
)
def test_light_commands_load_nothing_heavy(
    command: list[str], tmp_path: Path, digits: Path
) -> None:
    from featcodec.files import encode_file

    encode_file(digits / "vit_train.safetensors", tmp_path / "x.fcz")
    command = [str(tmp_path / "x.fcz") if word == "FILE" else word for word in command]
    script = (
        "import sys\nfrom featcodec.cli.main import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit as stop:\n    status = stop.code\n"
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "assert not loaded, loaded\nassert not status, status"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
